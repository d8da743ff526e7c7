"""One scheme on its way through a sequence: its estimator, and a record of each step."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.network import Layer, StepTensors
from accelsim.quant import Estimator, Observation, Scheme
from accelsim.result import Comparison, TraceStep
from accelsim.simulation.blocks import step_under
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.programs import Programs
from accelsim.simulation.step import Step
from accelsim.simulation.stream import Stream


class Track:
    """Takes the steps of a sequence in order."""

    def __init__(self, layer: Layer, scheme: Scheme, programs: Programs) -> None:
        self.layer, self.scheme, self.programs = layer, scheme, programs
        self.estimator: Estimator = scheme.new_estimator()
        self.passes = self.estimator.planned_passes
        """How often the last step that waited for its range read the finished tensor."""
        self.trace: list[TraceStep] = []
        self.last: tuple[int, Step] | None = None
        """The last step's number, and what it came to."""

    def calibrate(self, batches: Iterable[StepTensors]) -> None:
        """Show the estimator batches from before the first step."""
        self.estimator.calibrate(self._observations(batches))

    def _observations(self, batches: Iterable[StepTensors]) -> Iterator[Observation]:
        """What is seen of each batch, run as a step whose other figures nobody keeps."""
        for number, tensors in enumerate(batches):
            # `calibrate` moves the estimator on; this run must not, so it has one of its own.
            stand_in = self.scheme.new_estimator()
            stand_in.restore(self.estimator.state())
            operands = StepOperands(self.layer, tensors)
            step = step_under(operands, self.scheme, stand_in, number, self.programs)
            assert step.observed is not None
            yield step.observed

    def resume(self, past: Comparison, stream: Stream) -> None:
        """Go on from where this scheme was left in an earlier run of the same sequence."""
        left = [result for result in past.results if result.scheme == self.scheme.label]
        if not left or left[0].state is None:
            known = ", ".join(result.scheme for result in past.results)
            raise AccelsimError(f"resume: holds no state of {self.scheme.label}, but of {known}")
        same = {
            "layer": self.layer.name, "seed": self.scheme.seed, "data": stream.source,
            "kind": stream.kind, "drift": stream.past_drift,
            "calibration_batches": stream.calibration_batches,
        }  # fmt: skip
        if stream.batch is not None:
            same["batch"] = stream.batch
        for field, value in same.items():
            was = getattr(left[0], field)
            if was != value:
                raise AccelsimError(f"resume: {field}={value}: must be as it was, {was}")
        self.estimator.restore(left[0].state["estimator"])
        self.passes = left[0].state["passes"]

    def state(self, next_step: int) -> Mapping[str, Any]:
        """Plain JSON data from which `resume` goes on."""
        estimator = self.estimator.state()
        return {"next_step": next_step, "passes": self.passes, "estimator": estimator}

    def check_past(self, stream: Stream) -> None:
        """Raise where the one step would be no more than the bootstrap of a static scheme."""
        unknown = self.estimator.decision_for(stream.first) is None
        bootstraps = self.scheme.realisation_of(known=False) != self.scheme.realisation
        if bootstraps and unknown and stream.count < 2:
            raise AccelsimError(
                f"steps={stream.count}: scheme '{self.scheme.label}' needs a past, so it must be "
                "at least 2 (the first step is its bootstrap), or calibrate at least 1"
            )

    def take(self, number: int, operands: StepOperands) -> None:
        """Run one step."""
        waits = self.estimator.decision_for(number) is None
        step = step_under(operands, self.scheme, self.estimator, number, self.programs)
        self.passes = step.plan.passes if waits else self.passes
        assert step.observed is not None
        self.estimator.observe(step.observed)
        self.trace.append(step.traced(number))
        self.last = number, step


def next_step(past: Comparison) -> int:
    """The number of the step that comes after these results."""
    numbers = {result.state["next_step"] for result in past.results if result.state}
    if len(numbers) != 1:
        raise AccelsimError("resume: must hold results of one sequence, with values")
    return int(numbers.pop())
