"""The points of a study, as flat rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelsim.result.drawing import Drawing
from accelsim.result.record import Record
from accelsim.result.selection import of_schemes


@dataclass(frozen=True)
class Points(Record):
    """The points of a study, flat: coordinates first, then `status`, then what they came to."""

    schema = "accelsim.study/1"

    points: tuple[Mapping[str, Any], ...]

    plot = Drawing()
    """`points.plot.pareto(ax=axes)`: see `accelsim.report.plot`."""

    @property
    def axes(self) -> list[str]:
        """The coordinates: what was varied, and what stayed."""
        names = list(dict.fromkeys(name for point in self.points for name in point))
        return names[1 : names.index("status")] if "status" in names else []

    @property
    def done(self) -> list[Mapping[str, Any]]:
        """The points that have figures."""
        return [point for point in self.points if point.get("status") == "done"]

    def only(self, *schemes: str) -> "Points":
        """The points of these schemes; an estimator stands for all its realisations."""
        return Points(of_schemes(self.points, lambda point: str(point.get("scheme")), schemes))
