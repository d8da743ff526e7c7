"""Many schemes at a glance: what a step of each costs, what it gives, and which are worth it."""

from dataclasses import dataclass, replace
from pathlib import Path

from accelsim.hardware import DEFAULT_TABLE, EnergyTable, load_energy_table
from accelsim.result.comparison import Comparison
from accelsim.result.cost import ConsumerPrice
from accelsim.result.network import NetworkComparison, NetworkResult
from accelsim.result.pareto import pareto_front
from accelsim.result.record import Record
from accelsim.result.run import Result
from accelsim.result.trace import Trace

OBJECTIVES = ("least DRAM bytes", "fewest cycles", "least energy", "highest SQNR")


@dataclass(frozen=True, slots=True)
class Candidate(Record):
    """A step of one scheme, amortised where its steps differ, and what its consumer pays for it.

    Accuracy is the mean of all steps but the first, which may be a bootstrap (of one step, that
    step); None for a run without values, or where no step has an error. Of a network it is that of
    its first output in the last step, and there is no consumer but its own operations.
    """

    scheme: str
    bytes_per_step: float
    cycles_per_step: float
    energy_pj_per_step: float
    consumer: ConsumerPrice | None
    """What its consumer pays beyond one of plain static integers; None where it is not known."""
    refused: str
    """Why it is not known: then the scheme is not on the front, and keeps no other off it."""
    sqnr_db: float | None
    cosine: float | None
    saturated_share: float | None
    on_front: bool = False
    """Whether no other scheme is at least as good in every objective, and better in one."""

    @property
    def total(self) -> tuple[float, float, float]:
        """Bytes, cycles and picojoules of the step and, beyond plain integers, of its consumer."""
        price = self.consumer or ConsumerPrice()
        return (
            self.bytes_per_step + price.bytes,
            self.cycles_per_step + price.cycles,
            self.energy_pj_per_step + price.energy_pj,
        )


@dataclass(frozen=True)
class Overview(Record):
    """All schemes of a comparison: the front first, then by bytes, cycles and SQNR."""

    schema = "accelsim.overview/1"

    energy_table: str
    objectives: tuple[str, ...]
    """The first three of the step and of what its consumer pays, together."""
    candidates: tuple[Candidate, ...]

    @property
    def front(self) -> tuple[str, ...]:
        """The schemes on the Pareto front."""
        return tuple(one.scheme for one in self.candidates if one.on_front)


def overview_of(
    comparison: Comparison | NetworkComparison, table: EnergyTable | str | Path = DEFAULT_TABLE
) -> Overview:
    """Hold the schemes of a comparison against each other, energy by this table.

    All must have the same bit widths, as consumers are held against one of the scheme's own.
    """
    table = load_energy_table(table)
    candidates = [_candidate(result, table) for result in comparison.results]
    priced = [one for one in candidates if one.consumer is not None]
    valued = any(one.cosine is not None for one in candidates)
    costs = [(*one.total, _noise(one.sqnr_db) if valued else 0.0) for one in priced]
    front = {
        one.scheme for one, on_front in zip(priced, pareto_front(costs), strict=True) if on_front
    }
    marked = [replace(one, on_front=one.scheme in front) for one in candidates]
    marked.sort(key=_order)
    objectives = OBJECTIVES if valued else OBJECTIVES[:-1]
    return Overview(table.name, objectives, tuple(marked))


def _candidate(result: Result | NetworkResult, table: EnergyTable) -> Candidate:
    if isinstance(result, NetworkResult):
        output = result.outputs[0] if result.outputs else None
        accuracy = (output.sqnr_db, output.cosine, None) if output else (None, None, None)
        return Candidate(
            result.scheme, result.bytes_per_step, result.cycles_per_step,
            result.energy_pj_per_step(table), ConsumerPrice(), "", *accuracy,
        )  # fmt: skip
    refused = next((one.refused for one in result.consumers if one and one.refused), "")
    consumer = None if refused else result.consumer_price_per_step(table)
    return Candidate(
        result.scheme, result.bytes_per_step, result.cycles_per_step,
        result.energy_pj_per_step(table), consumer, refused, *_accuracy(result),
    )  # fmt: skip


def _order(one: Candidate) -> tuple[object, ...]:
    """The front first, those of unknown price last."""
    bytes_moved, cycles, _ = one.total
    return not one.on_front, one.consumer is None, bytes_moved, cycles, _noise(one.sqnr_db)


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
