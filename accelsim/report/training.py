"""The values of a training in few lines: accuracy phase by phase, and the loss of its steps."""

from collections.abc import Iterator, Sequence
from statistics import median

from accelsim.result import NetworkResult, TrainingStep

MOST_STEPS = 8
"""Lines for the losses; of more steps these are spread evenly, the first and the last among
them."""


def phase_lines(results: Sequence[NetworkResult]) -> Iterator[tuple[str, list[float]]]:
    """The median and the lowest SQNR of each phase's operations, in dB, for each result."""
    for phase in results[0].phases:
        ratios = [
            [row.numerics.sqnr_db for row in result.phase(phase).operations if row.numerics]
            for result in results
        ]
        if all(ratios):
            yield f"{phase}, median", [median(each) for each in ratios]
            yield "  lowest", [min(each) for each in ratios]


def loss_lines(results: Sequence[NetworkResult]) -> Iterator[tuple[str, list[float]]]:
    """The loss of some steps for each result; the name has that of float training."""
    for steps in zip(*(_spread(result.steps) for result in results), strict=True):
        name = f"step {steps[0].step}, float64 {steps[0].float_loss:.4f}"
        yield name, [step.loss for step in steps]


def _spread(steps: Sequence[TrainingStep]) -> list[TrainingStep]:
    if len(steps) <= MOST_STEPS:
        return list(steps)
    last = len(steps) - 1
    return [steps[round(place * last / (MOST_STEPS - 1))] for place in range(MOST_STEPS)]
