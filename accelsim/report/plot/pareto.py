"""What cannot be had better without having something else worse."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accelsim.report.palette import scheme_colours, scheme_markers
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, column, figure, one_layer, rows_of
from accelsim.report.plot.labels import put_labels
from accelsim.report.plot.network import Networks, network_rows
from accelsim.report.plot.titles import figure_of, title_of
from accelsim.report.saved import Points
from accelsim.result import NetworkComparison, NetworkResult, pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def front(places: Sequence[tuple[float, float]], lower: tuple[bool, bool]) -> list[int]:
    """The points that no other beats, by their first figure.

    `lower` says of each figure whether less of it is better.
    """
    signs = [1 if less else -1 for less in lower]
    kept = pareto_front([(signs[0] * x, signs[1] * y) for x, y in places])
    return sorted((n for n, best in enumerate(kept) if best), key=lambda n: places[n])


MOST_SCHEMES = 12
"""Of more schemes than these, only those on the front are told apart."""
BEATEN = "others"


def pareto(
    data: "Data | Points | Networks",
    ax: "Axes | None" = None,
    x: str = "total_bytes",
    y: str = "latency_us",
) -> "Axes":
    """Every run by two of its figures, and the line of those that are not beaten in both."""
    rows = _rows(data)
    places = list(zip(figure(rows, x, "x"), figure(rows, y, "y"), strict=True))
    schemes = [str(scheme) for scheme in column(rows, "scheme", "scheme")]
    lower = [figure_of(name).lower_is_better for name in (x, y)]
    best = front(places, (lower[0], lower[1]))
    with canvas.style():
        told = _told_apart(schemes, [schemes[index] for index in best])
        ax = ax or canvas.new_axes_for([*dict.fromkeys(told), "Pareto front"])
        _scatter(ax, places, told)
        ax.plot(
            [places[index][0] for index in best], [places[index][1] for index in best],
            color=canvas.QUIET, linewidth=1, drawstyle="steps-post", label="Pareto front", zorder=1,
        )  # fmt: skip
        ax.set_xlabel(title_of(x))
        ax.set_ylabel(title_of(y))
        ax.margins(0.12)
        canvas.legend_above(ax, ax.get_legend_handles_labels()[0])
        canvas.bare(ax)
        put_labels(ax, [places[i] for i in best], [schemes[i] for i in best], places)
    return ax


def _rows(data: "Data | Points | Networks") -> Sequence[Mapping[str, Any]]:
    if isinstance(data, NetworkResult | NetworkComparison):
        return network_rows(data)
    return rows_of(data) if isinstance(data, Points) else rows_of(one_layer(data, "pareto"))


def _told_apart(schemes: Sequence[str], best: Sequence[str]) -> list[str]:
    """What each point is called: its scheme, or that it is one of many that are beaten."""
    if len(set(schemes)) <= MOST_SCHEMES:
        return list(schemes)
    return [scheme if scheme in best else BEATEN for scheme in schemes]


def _scatter(ax: "Axes", places: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """The points; those that are not told apart are grey and lie below."""
    schemes = [name for name in names if name != BEATEN]
    colours = {**scheme_colours(schemes), BEATEN: canvas.QUIET}
    markers = {**scheme_markers(schemes), BEATEN: "o"}
    for name in [*dict.fromkeys(schemes), *({BEATEN} & set(names))]:
        mine = [place for place, other in zip(places, names, strict=True) if other == name]
        ax.scatter(
            [place[0] for place in mine], [place[1] for place in mine],
            s=8 if name == BEATEN else 16, marker=markers[name], facecolor=colours[name],
            edgecolor="white", linewidth=0.4, label=name, zorder=1.5 if name == BEATEN else 2,
        )  # fmt: skip
