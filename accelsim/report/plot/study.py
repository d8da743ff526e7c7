"""Plots that answer a study: a figure over an axis, over two, or two figures against each other.

What is drawn is a mapping, or a list of them side by side, as a study file holds it under `plot`:

    kind: lines, heatmap, scatter or pareto (a scatter with the line of those that are not beaten)
    x, y: names of columns; of a heatmap both are axes
    value: of a heatmap, the figure in its cells
    series: of the others, the column whose values are told apart
    each: of a scatter, the columns that make a dot, such as [workload, layer]
    only: {column: value}, which rows are drawn
    relative_to, minus: {column: value}: y (value) over, or less, that of the rows like this
    combine: sum (default), mean or max, of the rows that fall on one place: the layers of a network
    log: a list of x and y
    diagonal: true draws the line where x and y are the same
    title: above the axes
"""

import operator
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError, shown
from accelsim.report.palette import scheme_colours, scheme_markers
from accelsim.report.plot import canvas
from accelsim.report.plot.heatmap import draw_cells
from accelsim.report.plot.pareto import front
from accelsim.report.plot.titles import figure_of, title_of
from accelsim.result import Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("lines", "heatmap", "scatter", "pareto")
FIELDS = (
    "kind", "x", "y", "value", "series", "each", "only", "relative_to", "minus", "combine", "log",
    "diagonal", "title",
)  # fmt: skip
COMBINE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": sum, "mean": lambda values: sum(values) / len(values), "max": max,
}  # fmt: skip
TITLE_LETTERS = 50
LETTERS_OF_A_LINE, LETTERS_OF_A_SIDE = 42, 36
"""Under axes of a column's width, and beside them."""

MOST_TICKS = 10
"""Up to so many places on an axis have a tick each."""

Rows = Sequence[Mapping[str, Any]]
Groups = dict[tuple[Any, ...], float]


def study_plot(
    rows: Rows, plot: Mapping[str, Any] | Sequence[Mapping[str, Any]], question: str = ""
) -> "Figure":
    """The figure that `plot` describes, of the rows of a study."""
    plots = [plot] if isinstance(plot, Mapping) else list(plot)
    if not plots:
        raise AccelsimError("plot: the study's file describes none; docs/studies.md says how")
    for one in plots:
        check_plot(one)
    if not rows:
        raise AccelsimError("plot: the study has no points")
    with canvas.style():
        height = canvas.HEIGHT_INCHES + 0.5
        figure = canvas.new_figure(canvas.COLUMN_INCHES * len(plots), height)
        for one, ax in zip(plots, figure.subplots(1, len(plots), squeeze=False)[0], strict=True):
            _DRAWN[one["kind"]](rows, one, ax)
            if "title" in one:
                title = textwrap.fill(one["title"], LETTERS_OF_A_LINE)
                ax.set_xlabel(f"{ax.get_xlabel()}\n{title}")
        letters = TITLE_LETTERS * len(plots)
        told = [*textwrap.wrap(question, letters), *textwrap.wrap(_held(rows), letters)]
        if told:
            figure.suptitle("\n".join(told), fontsize=8)
    return figure


def _held(rows: Rows) -> str:
    """What is the same at all points: the machine, say."""
    names = Points(tuple(rows)).axes
    values = {name: list(dict.fromkeys(row[name] for row in rows)) for name in names}
    same = [f"{name} {found[0]}" for name, found in values.items() if len(found) == 1]
    return f"({', '.join(same)})" if same else ""


def check_plot(plot: Mapping[str, Any]) -> None:
    """Refuse a description that cannot be drawn, before any work is done."""
    for name in plot:
        if name not in FIELDS:
            raise AccelsimError(f"plot.{name}: unknown field (known: {', '.join(FIELDS)})")
    if plot.get("kind") not in KINDS:
        raise AccelsimError(
            f"plot.kind={shown(plot.get('kind'))}: must be one of {', '.join(KINDS)}"
        )
    if plot.get("combine", "sum") not in COMBINE:
        raise AccelsimError(
            f"plot.combine={shown(plot['combine'])}: must be one of {', '.join(COMBINE)}"
        )
    needed = ("x", "y", "value") if plot["kind"] == "heatmap" else ("x", "y")
    for name in needed:
        if not isinstance(plot.get(name), str):
            raise AccelsimError(f"plot.{name}: must name a column of accelsim results")


def _like(rows: Rows, wanted: Mapping[str, Any], name: str) -> Rows:
    """The rows that have these values; at least one."""
    found = [row for row in rows if all(_cell(row, k) == v for k, v in wanted.items())]
    if not found:
        raise AccelsimError(f"plot.{name}={shown(dict(wanted))}: no row is like that")
    return found


def _cell(row: Mapping[str, Any], name: str) -> Any:
    if name not in row:
        close = ", ".join(column for column in row if name.split(".")[0] in column)
        raise AccelsimError(f"plot: no column {name!r}; there is {close or ', '.join(row)}")
    return row[name]


def _grouped(rows: Rows, plot: Mapping[str, Any], keys: Sequence[str], value: str) -> Groups:
    """The value at each place; places with a row that could not be run are left out."""
    only = plot.get("only", {})
    found = _combined(_like(rows, only, "only"), plot, keys, value)
    for name, against in (("relative_to", operator.truediv), ("minus", operator.sub)):
        if name in plot:
            # The base need not be among what is drawn: it only shares what it does not name.
            wanted = {k: v for k, v in only.items() if k not in plot[name]} | dict(plot[name])
            shared = [position for position, key in enumerate(keys) if key not in plot[name]]
            base = _combined(
                _like(rows, wanted, name), plot, [keys[position] for position in shared], value
            )
            found = {
                place: against(figure, below)
                for place, figure in found.items()
                if (below := base.get(tuple(place[position] for position in shared)))
            }
    if not found:
        raise AccelsimError(f"plot: no place has a {value} to draw")
    factor = 1.0 if "relative_to" in plot else figure_of(value).factor
    return {place: figure * factor for place, figure in found.items()}


def _combined(rows: Rows, plot: Mapping[str, Any], keys: Sequence[str], value: str) -> Groups:
    collected: dict[tuple[Any, ...], list[float | None]] = {}
    for row in rows:
        place = tuple(_cell(row, name) for name in keys)
        figure = _cell(row, value)
        if isinstance(figure, str | bool):
            raise AccelsimError(f"plot: {value}={shown(figure)} is no number")
        collected.setdefault(place, []).append(figure)
    combine = COMBINE[plot.get("combine", "sum")]
    return {
        place: combine([figure for figure in figures if figure is not None])
        for place, figures in collected.items()
        if None not in figures
    }


def _lines(rows: Rows, plot: Mapping[str, Any], ax: "Axes") -> None:
    series = plot.get("series")
    keys = [plot["x"], *([series] if series else [])]
    groups = _grouped(rows, plot, keys, plot["y"])
    names = list(dict.fromkeys(str(key[1]) if series else "" for key in groups))
    colours, markers = scheme_colours(names), scheme_markers(names)
    for name in names:
        places = [(k[0], v) for k, v in groups.items() if not series or str(k[1]) == name]
        if all(isinstance(x, int | float) for x, _ in places):
            places.sort()
        ax.plot(
            [x if isinstance(x, int | float) else str(x) for x, _ in places],
            [y for _, y in places], color=colours[name], marker=markers[name], markersize=3.5,
            linewidth=1, label=name,
        )  # fmt: skip
    _finish(ax, plot)
    across = sorted({key[0] for key in groups if isinstance(key[0], int | float)})
    if 1 < len(across) <= MOST_TICKS:
        ax.set_xticks(across, [f"{x:g}" for x in across])
        ax.set_xticks([], minor=True)
    if "y" not in plot.get("log", ()):
        low, high = ax.get_ylim()
        ax.set_ylim(min(0, low), high + 0.03 * abs(high))


def _finish(ax: "Axes", plot: Mapping[str, Any]) -> None:
    ax.set_xlabel(textwrap.fill(title_of(plot["x"]), LETTERS_OF_A_LINE))
    ax.set_ylabel(_value_title(plot, plot["y"]))
    for axis in plot.get("log", ()):
        (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    if plot.get("diagonal"):
        ends = ax.get_xlim()
        ax.plot(ends, ends, color=canvas.QUIET, linewidth=0.8, linestyle="--", zorder=0)
        ax.set_xlim(ends)
    if plot.get("series"):
        handles = ax.get_legend_handles_labels()[0]
        canvas.legend_above(ax, handles)
    canvas.bare(ax)


def _value_title(plot: Mapping[str, Any], value: str) -> str:
    figure = figure_of(value)
    lines = [figure.label]
    if "relative_to" in plot:
        lines = [figure.title, f"over that {_named(plot['relative_to'])}"]
    elif "minus" in plot:
        lines.append(f"less that {_named(plot['minus'])}")
    return "\n".join(textwrap.fill(line, LETTERS_OF_A_SIDE) for line in lines)


def _named(wanted: Mapping[str, Any]) -> str:
    """Rows by what they have in common: a scheme by its name, anything else by what it is."""
    return ", ".join(
        f"of {value}" if name == "scheme" else f"at {title_of(name)} = {value}"
        for name, value in wanted.items()
    )


def _heatmap(rows: Rows, plot: Mapping[str, Any], ax: "Axes") -> None:
    groups = _grouped(rows, plot, [plot["x"], plot["y"]], plot["value"])
    cells = {(key[0], key[1]): figure for key, figure in groups.items()}
    before = len(ax.figure.axes)
    draw_cells(ax, cells, plot["x"], plot["y"], plot["value"])
    ax.figure.axes[before].set_ylabel(_value_title(plot, plot["value"]))


def _scatter(rows: Rows, plot: Mapping[str, Any], ax: "Axes") -> None:
    series, each = plot.get("series"), list(plot.get("each", ["point"]))
    keys = [*each, *([series] if series and series not in each else [])]
    plain = {name: part for name, part in plot.items() if name not in ("relative_to", "minus")}
    across, up = _grouped(rows, plain, keys, plot["x"]), _grouped(rows, plot, keys, plot["y"])
    dots = [
        (across[key], up[key], str(key[keys.index(series)]) if series else "")
        for key in up
        if key in across
    ]
    names = list(dict.fromkeys(name for _, _, name in dots))
    colours, markers = scheme_colours(names), scheme_markers(names)
    for name in names:
        mine = [(x, y) for x, y, other in dots if other == name]
        ax.scatter(
            [x for x, _ in mine], [y for _, y in mine], s=14, marker=markers[name],
            facecolor=colours[name], edgecolor="white", linewidth=0.4, label=name, zorder=2,
        )  # fmt: skip
    if plot["kind"] == "pareto":
        lower = [figure_of(name).lower_is_better for name in (plot["x"], plot["y"])]
        best = front([(x, y) for x, y, _ in dots], (lower[0], lower[1]))
        ax.plot(
            [dots[i][0] for i in best], [dots[i][1] for i in best], color=canvas.QUIET,
            linewidth=1, drawstyle="steps-post", label="Pareto front", zorder=1,
        )  # fmt: skip
    _finish(ax, plot)


_DRAWN: Mapping[str, Callable[[Rows, Mapping[str, Any], "Axes"], None]] = {
    "lines": _lines, "heatmap": _heatmap, "scatter": _scatter, "pareto": _scatter,
}  # fmt: skip
