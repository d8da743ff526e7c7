"""A sequence step by step: what each step cost and came to, and all of them together."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from accelsim.result.numerics import Numerics
from accelsim.result.record import Record, need_pandas
from accelsim.result.recovery import (
    SQNR_TOLERANCE_DB,
    STALENESS_TOLERANCE,
    Recovery,
    recovery,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class TraceStep(Record):
    """One step of a sequence."""

    step: int
    realisation: str
    """The program it ran as: a static scheme without a past yet runs as a spill."""
    total_bytes: int
    total_cycles: int
    numerics: Numerics


@dataclass(frozen=True, slots=True)
class TraceSummary(Record):
    """All steps of a trace together. A mean is over the steps where the figure is finite."""

    steps: int
    total_bytes: int
    total_cycles: int
    mean_bytes: float
    mean_cycles: float
    mean_sqnr_db: float | None
    mean_cosine: float | None
    mean_squared_error: float | None
    mean_bias: float | None
    mean_saturated_share: float | None
    mean_underflow_share: float | None
    mean_levels_used: float | None
    mean_range_staleness: float | None
    worst_step: int
    """The step of the lowest SQNR, the first of several."""
    worst_sqnr_db: float


@dataclass(frozen=True)
class Trace(Record):
    """The steps of a sequence, in order and without a gap."""

    schema = "accelsim.trace/1"
    derived = ("summary", "recoveries")

    steps: tuple[TraceStep, ...]
    disturbances: tuple[int, ...] = ()
    """The steps at which something happened at once, where that is known."""

    def recoveries(
        self,
        sqnr_tolerance_db: float = SQNR_TOLERANCE_DB,
        staleness_tolerance: float = STALENESS_TOLERANCE,
    ) -> tuple[Recovery, ...]:
        """What each disturbance did until the next; one without a step before it is left out."""
        first = self.steps[0].step
        figures = [(row.numerics.sqnr_db, row.numerics.range_staleness) for row in self.steps]
        starts = [at - first for at in self.disturbances if at > first]
        return tuple(
            recovery(
                start + first,
                figures[:start],
                figures[start:stop],
                sqnr_tolerance_db,
                staleness_tolerance,
            )
            for start, stop in pairwise([*starts, len(figures)])
        )

    @property
    def summary(self) -> TraceSummary:
        """Totals and means over the sequence, and its worst step."""
        worst = min(self.steps, key=lambda row: row.numerics.sqnr_db)
        total_bytes = sum(row.total_bytes for row in self.steps)
        total_cycles = sum(row.total_cycles for row in self.steps)
        return TraceSummary(
            steps=len(self.steps),
            total_bytes=total_bytes,
            total_cycles=total_cycles,
            mean_bytes=total_bytes / len(self.steps),
            mean_cycles=total_cycles / len(self.steps),
            mean_sqnr_db=self._mean("sqnr_db"),
            mean_cosine=self._mean("cosine"),
            mean_squared_error=self._mean("mean_squared_error"),
            mean_bias=self._mean("bias"),
            mean_saturated_share=self._mean("saturated_share"),
            mean_underflow_share=self._mean("underflow_share"),
            mean_levels_used=self._mean("levels_used"),
            mean_range_staleness=self._mean("range_staleness"),
            worst_step=worst.step,
            worst_sqnr_db=worst.numerics.sqnr_db,
        )

    def _mean(self, figure: str) -> float | None:
        return finite_mean(getattr(row.numerics, figure) for row in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """The steps, and the summary and the recoveries that follow from them."""
        return Record.to_dict(self) | {
            "summary": self.summary.to_dict(),
            "recoveries": [found.to_dict() for found in self.recoveries()],
        }

    def to_frame(self) -> "pd.DataFrame":
        """A pandas frame, one row per step; a range is two columns."""
        pd = need_pandas()
        return pd.DataFrame([_row(step) for step in self.steps])


def finite_mean(figures: Iterable[float]) -> float | None:
    """The mean of those that are finite; None where none is."""
    finite = [figure for figure in figures if math.isfinite(figure)]
    return math.fsum(finite) / len(finite) if finite else None


def _row(step: TraceStep) -> dict[str, Any]:
    row: dict[str, Any] = {
        "step": step.step,
        "realisation": step.realisation,
        "total_bytes": step.total_bytes,
        "total_cycles": step.total_cycles,
    }
    for name, value in step.numerics.to_dict().items():
        if isinstance(value, dict):
            row |= {f"{name}_{end}": float(number) for end, number in value.items()}
        else:
            # JSON's words for what is not finite become numbers again.
            row[name] = float(value) if isinstance(value, str) else value
    return row
