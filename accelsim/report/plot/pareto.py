"""What cannot be had better without having something else worse."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accelsim.report.palette import scheme_colours, scheme_markers, told_apart
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, column, figure, has_updates, one_layer, rows_of
from accelsim.report.plot.labels import put_labels
from accelsim.report.plot.network import Networks, network_rows
from accelsim.report.plot.strips import named
from accelsim.report.plot.titles import figure_of, title_of
from accelsim.result import NetworkComparison, NetworkResult, Points, pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def front(places: Sequence[tuple[float, float]], lower: tuple[bool, bool]) -> list[int]:
    """The points that no other beats, by their first figure.

    `lower` says of each figure whether less of it is better.
    """
    signs = [1 if less else -1 for less in lower]
    kept = pareto_front([(signs[0] * x, signs[1] * y) for x, y in places])
    return sorted((n for n, best in enumerate(kept) if best), key=lambda n: places[n])


MOST_NAMES = 12
"""Of more names than these, only those on the front are told apart."""
BEATEN = "others"
LETTERS = 30
"""In the name beside a point."""


def pareto(
    data: "Data | Points | Networks",
    ax: "Axes | None" = None,
    x: str | None = None,
    y: str | None = None,
) -> "Axes":
    """Every run by two of its figures, and the line of those that are not beaten in both.

    The figures are DRAM bytes and latency, per step where a scheme has update steps.
    """
    rows = _rows(data)
    updates = has_updates(rows)
    x = x or ("bytes_per_step" if updates else "total_bytes")
    y = y or ("latency_us_per_step" if updates else "latency_us")
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
        names = _names([places[i] for i in best], [schemes[i] for i in best])
        put_labels(ax, list(names), list(names.values()), places)
    return ax


def _names(
    places: Sequence[tuple[float, float]], schemes: Sequence[str]
) -> dict[tuple[float, float], str]:
    """What stands beside each place: its schemes, as far as there is room."""
    found: dict[tuple[float, float], list[str]] = {}
    for place, scheme in zip(places, schemes, strict=True):
        found.setdefault(place, []).append(scheme)
    return {place: named(list(dict.fromkeys(mine)), LETTERS) for place, mine in found.items()}


def _rows(data: "Data | Points | Networks") -> Sequence[Mapping[str, Any]]:
    if isinstance(data, NetworkResult | NetworkComparison):
        return network_rows(data)
    return rows_of(data) if isinstance(data, Points) else rows_of(one_layer(data, "pareto"))


def _told_apart(schemes: Sequence[str], best: Sequence[str]) -> list[str]:
    """What each point is called: its scheme or realisation, or that it is one of many beaten."""
    names = told_apart(schemes)
    if len(set(names.values())) <= MOST_NAMES:
        return [names[scheme] for scheme in schemes]
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
