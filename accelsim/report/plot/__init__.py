"""Plots of runs. Each kind is a function: data and axes go in, the axes come out.

    from accelsim.report.plot import KINDS, traffic
    ax = traffic(comparison)              # axes of a new figure
    traffic([first, second], ax=ax)       # into axes of yours

Data is a Result, a Comparison or several of them. `result.plot.traffic(ax=ax)` is the same.
Matplotlib loads when the first one is drawn.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.report.plot.bandwidth import bandwidth
from accelsim.report.plot.canvas import (
    check_figure_path,
    check_format,
    figure_bytes,
    save_figure,
)
from accelsim.report.plot.data import Data, results_of
from accelsim.report.plot.heatmap import heatmap
from accelsim.report.plot.latency import latency
from accelsim.report.plot.overview import network_overview, overview
from accelsim.report.plot.pareto import pareto
from accelsim.report.plot.ranges import ranges
from accelsim.report.plot.roofline import roofline
from accelsim.report.plot.timeline import timeline
from accelsim.report.plot.traffic import traffic
from accelsim.report.plot.values import values
from accelsim.report.saved import Drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: dict[str, Callable[..., Any]] = {
    "traffic": traffic,
    "latency": latency,
    "roofline": roofline,
    "pareto": pareto,
    "heatmap": heatmap,
    "timeline": timeline,
    "bandwidth": bandwidth,
    "ranges": ranges,
    "values": values,
}

__all__ = [
    "KINDS",
    "Data",
    "Plots",
    "bandwidth",
    "check_figure_path",
    "check_format",
    "check_kind",
    "draw",
    "figure_bytes",
    "heatmap",
    "latency",
    "network_overview",
    "overview",
    "pareto",
    "ranges",
    "results_of",
    "roofline",
    "save_figure",
    "timeline",
    "traffic",
    "values",
]


def draw(kind: str, data: "Data | Drawable", **options: Any) -> "Figure":
    """A new figure of one kind."""
    check_kind(kind)
    figure: Figure = KINDS[kind](data, **options).get_figure(root=True)
    return figure


def check_kind(kind: str) -> None:
    """Raise unless there is such a plot."""
    if kind not in KINDS:
        raise AccelsimError(f"{kind=}: must be one of {', '.join(KINDS)}")


class Plots:
    """The kinds as methods of one piece of data: `Plots(result).traffic(ax=ax)`."""

    def __init__(self, data: Data | Drawable) -> None:
        self._data = data

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        if kind not in KINDS:
            raise AttributeError(f"no plot {kind!r}; there are {', '.join(KINDS)}")
        return partial(KINDS[kind], self._data)

    def __dir__(self) -> list[str]:
        return list(KINDS)
