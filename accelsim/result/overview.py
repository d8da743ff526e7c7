"""Many schemes at a glance: what a step of each costs, what it gives, and which are worth it."""

from dataclasses import dataclass
from pathlib import Path

from accelsim.hardware import DEFAULT_TABLE, EnergyTable, load_energy_table
from accelsim.result.comparison import Comparison
from accelsim.result.pareto import pareto_front
from accelsim.result.record import Record
from accelsim.result.run import Result
from accelsim.result.trace import Trace

OBJECTIVES = (
    "least DRAM bytes, the consumer's load included",
    "fewest cycles",
    "least energy",
    "highest SQNR",
)


@dataclass(frozen=True, slots=True)
class Candidate(Record):
    """A step of one scheme: amortised where its steps differ.

    Accuracy is the mean of all steps but the first, which may be a bootstrap (of one step, that
    step); None for a run without values, or where no step has an error.
    """

    scheme: str
    bytes_per_step: float
    consumer_load_bytes_per_step: float
    """What the next operation loads: more than an output where accumulators were left, or where
    parts of it have ranges of their own."""
    cycles_per_step: float
    energy_pj_per_step: float
    sqnr_db: float | None
    cosine: float | None
    saturated_share: float | None
    on_front: bool
    """Whether no other scheme is at least as good in every objective, and better in one."""

    @property
    def moved_bytes(self) -> float:
        """Both loads and stores of the step, and the load of its output."""
        return self.bytes_per_step + self.consumer_load_bytes_per_step


@dataclass(frozen=True)
class Overview(Record):
    """All schemes of a comparison: the front first, then by bytes, cycles and SQNR."""

    schema = "accelsim.overview/1"

    energy_table: str
    objectives: tuple[str, ...]
    candidates: tuple[Candidate, ...]

    @property
    def front(self) -> tuple[str, ...]:
        """The schemes on the Pareto front."""
        return tuple(one.scheme for one in self.candidates if one.on_front)


def overview_of(
    comparison: Comparison, table: EnergyTable | str | Path = DEFAULT_TABLE
) -> Overview:
    """Hold the schemes of a comparison against each other, energy by this table."""
    table = load_energy_table(table)
    energies = [result.energy_pj_per_step(table) for result in comparison.results]
    accuracies = [_accuracy(result) for result in comparison.results]
    costs = [
        (
            result.bytes_per_step + _consumer_bytes(result),
            result.cycles_per_step,
            energy,
            0.0 if result.trace is None else _noise(sqnr_db),
        )
        for result, energy, (sqnr_db, *_) in zip(
            comparison.results, energies, accuracies, strict=True
        )
    ]
    candidates = [
        Candidate(
            result.scheme, result.bytes_per_step, _consumer_bytes(result),
            result.cycles_per_step, energy, *accuracy, on_front,
        )
        for result, energy, accuracy, on_front in zip(
            comparison.results, energies, accuracies, pareto_front(costs), strict=True
        )
    ]  # fmt: skip
    candidates.sort(
        key=lambda one: (
            not one.on_front, one.moved_bytes, one.cycles_per_step, _noise(one.sqnr_db)
        )
    )  # fmt: skip
    objectives = OBJECTIVES[:-1] if comparison.baseline.trace is None else OBJECTIVES
    return Overview(table.name, objectives, tuple(candidates))


def _consumer_bytes(result: Result) -> float:
    return result.consumer_load_bytes_per_step + result.consumer_range_bytes


def _accuracy(result: Result) -> tuple[float | None, float | None, float | None]:
    """SQNR, cosine and saturated share."""
    if result.trace is None:
        return None, None, None
    steps = result.trace.steps[1:] or result.trace.steps
    summary = Trace(steps).summary
    return summary.mean_sqnr_db, summary.mean_cosine, summary.mean_saturated_share


def _noise(sqnr_db: float | None) -> float:
    """To be minimised; no error at all is best."""
    return float("-inf") if sqnr_db is None else -sqnr_db
