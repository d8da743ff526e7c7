"""Many schemes at a glance: what a step of each costs, what it gives, and which are worth it."""

from dataclasses import dataclass, replace
from pathlib import Path

from accelsim.hardware import DEFAULT_TABLE, EnergyTable, load_energy_table
from accelsim.result.comparison import Comparison
from accelsim.result.network import NetworkComparison, NetworkResult
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
    consumer_load_bytes_per_step: float | None
    """What the next operation loads: more than an output where accumulators were left, or where
    parts of it have ranges of their own. None in a network, whose own operations load it."""
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
        return self.bytes_per_step + (self.consumer_load_bytes_per_step or 0.0)


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
    comparison: Comparison | NetworkComparison, table: EnergyTable | str | Path = DEFAULT_TABLE
) -> Overview:
    """Hold the schemes of a comparison against each other, energy by this table."""
    table = load_energy_table(table)
    found = [
        Candidate(
            result.scheme, result.bytes_per_step, _consumer_bytes(result), result.cycles_per_step,
            result.energy_pj_per_step(table), *_accuracy(result), on_front=False,
        )
        for result in comparison.results
    ]  # fmt: skip
    valued = any(one.cosine is not None for one in found)
    costs = [
        (
            one.moved_bytes, one.cycles_per_step, one.energy_pj_per_step,
            _noise(one.sqnr_db) if valued else 0.0,
        )
        for one in found
    ]  # fmt: skip
    candidates = [
        replace(one, on_front=on_front)
        for one, on_front in zip(found, pareto_front(costs), strict=True)
    ]
    candidates.sort(
        key=lambda one: (
            not one.on_front, one.moved_bytes, one.cycles_per_step, _noise(one.sqnr_db)
        )
    )  # fmt: skip
    objectives = list(OBJECTIVES if valued else OBJECTIVES[:-1])
    if isinstance(comparison, NetworkComparison):
        objectives[0] = "least DRAM bytes"
    return Overview(table.name, tuple(objectives), tuple(candidates))


def _consumer_bytes(result: Result | NetworkResult) -> float | None:
    if isinstance(result, NetworkResult):
        return None
    return result.consumer_load_bytes_per_step + result.consumer_range_bytes


def _accuracy(
    result: Result | NetworkResult,
) -> tuple[float | None, float | None, float | None]:
    """SQNR, cosine and saturated share; of a network, of the first of its outputs."""
    if isinstance(result, NetworkResult):
        if not result.outputs:
            return None, None, None
        output = result.outputs[0]
        return output.sqnr_db, output.cosine, None
    if result.trace is None:
        return None, None, None
    steps = result.trace.steps[1:] or result.trace.steps
    summary = Trace(steps).summary
    return summary.mean_sqnr_db, summary.mean_cosine, summary.mean_saturated_share


def _noise(sqnr_db: float | None) -> float:
    """To be minimised; no error at all is best."""
    return float("-inf") if sqnr_db is None else -sqnr_db
