"""The same operation under several schemes, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from accelsim.result.drawing import Drawing
from accelsim.result.record import Record
from accelsim.result.run import Result, frame
from accelsim.result.selection import of_schemes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison(Record):
    """The same operation under several schemes; the first is what the others are held against."""

    schema = "accelsim.comparison/1"
    derived = ("ratios", "energy", "overview")
    later: ClassVar[Mapping[str, Any]] = {"left_out": []}

    results: tuple[Result, ...]
    left_out: tuple[str, ...] = ()
    """Of all schemes, those that this layer or machine cannot have: "scheme, scheme: why"."""

    plot = Drawing()
    """`comparison.plot.latency(ax=axes)`: see `accelsim.report.plot`."""

    @property
    def baseline(self) -> Result:
        """The first result."""
        return self.results[0]

    @property
    def ratios(self) -> tuple["Ratio", ...]:
        """Every other result over the baseline."""
        return tuple(Ratio.of(result, self.baseline) for result in self.results[1:])

    def only(self, *schemes: str) -> "Comparison":
        """The runs of these schemes; an estimator stands for all its realisations."""
        return Comparison(of_schemes(self.results, lambda result: result.scheme, schemes))

    def to_dict(self) -> dict[str, Any]:
        """The results, what was left out, and the ratios that follow from the results."""
        return {
            "schema": self.schema,
            "results": [result.to_dict() for result in self.results],
            "left_out": list(self.left_out),
            "ratios": [ratio.to_dict() for ratio in self.ratios],
        }

    def to_frame(self) -> "pd.DataFrame":
        """A pandas frame, one row per scheme, tensor, direction and phase."""
        return frame(self.results)


@dataclass(frozen=True, slots=True)
class Ratio(Record):
    """One result over the baseline of its comparison."""

    scheme: str
    baseline: str
    bytes_ratio: float
    cycles_ratio: float
    sqnr_difference_db: float | None

    @classmethod
    def of(cls, result: Result, baseline: Result) -> "Ratio":
        """Computed from two results."""
        difference = None
        if result.numerics and baseline.numerics:
            a, b = result.numerics.sqnr_db, baseline.numerics.sqnr_db
            difference = 0.0 if a == b else a - b
        return cls(
            scheme=result.scheme,
            baseline=baseline.scheme,
            bytes_ratio=result.total_bytes / baseline.total_bytes,
            cycles_ratio=result.total_cycles / baseline.total_cycles,
            sqnr_difference_db=difference,
        )
