"""One figure over two things that were varied."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.report.format import heading
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, column, figure, rows_of
from accelsim.report.plot.network import Networks, node_figures
from accelsim.report.plot.titles import title_of
from accelsim.result import NetworkComparison, NetworkResult, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "cividis"
"""Of even lightness steps, and the same to colour-blind eyes (Nunez, Anderton, Renslow 2018)."""

NAME_GAP = 3.0
"""Points between the names of two columns."""


def heatmap(
    data: "Data | Points | Networks",
    ax: "Axes | None" = None,
    x: str | None = None,
    y: str | None = None,
    value: str = "latency_us",
) -> "Axes":
    """A cell for each pair of x and y with the figure `value` in it; each has one run at most.

    Of a network they are its nodes. Axes left out are schemes and layers, the more of them down.
    """
    if isinstance(data, NetworkResult | NetworkComparison):
        rows = node_figures(data)
    else:
        rows = rows_of(data)
    x, y = _axes(rows, x, y)
    columns, lines = column(rows, x, "x"), column(rows, y, "y")
    figures = figure(rows, value, "value")
    cells: dict[tuple[Any, Any], float] = {}
    for place in zip(columns, lines, figures, strict=True):
        if cells.setdefault(place[:2], place[2]) != place[2]:
            raise AccelsimError(
                f"value={value}: must be one number for {x}={place[0]}, {y}={place[1]}; "
                "several results have these and differ"
            )
    with canvas.style():
        return draw_cells(ax, cells, x, y, value)


def _axes(rows: Sequence[Mapping[str, Any]], x: str | None, y: str | None) -> tuple[str, str]:
    """What the axes are, where they are not both given."""
    fewer, more = sorted(("scheme", "layer"), key=lambda name: len({row.get(name) for row in rows}))
    if x is None:
        x = fewer if y != fewer else more
    if y is None:
        y = more if x != more else fewer
    return x, y


def draw_cells(
    ax: "Axes | None", cells: dict[tuple[Any, Any], float], x: str, y: str, value: str
) -> "Axes":
    """The grid of these figures, by x and y."""
    across, down = _ordered([key[0] for key in cells]), _ordered([key[1] for key in cells])
    height = max(canvas.HEIGHT_INCHES, 0.8 + 0.14 * len(down))
    ax = ax or canvas.new_axes(canvas.COLUMN_INCHES, height)
    grid = [[cells.get((a, b), float("nan")) for a in across] for b in down]
    image = ax.imshow(grid, aspect="auto", cmap=COLOURS, origin="upper")
    high = canvas.size_points(ax)[1] / len(down)
    letters = max(min(7.0, 0.85 * high), 1.0)
    every = max(1, round(canvas.SMALLEST_POINTS / letters + 0.49))
    ax.set_yticks(range(0, len(down), every), [str(b) for b in down[::every]],
                  fontsize=max(letters, canvas.SMALLEST_POINTS))  # fmt: skip
    ax.set_xticks([])
    ax.set_xlabel(title_of(x))
    ax.set_ylabel(title_of(y))
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label(title_of(value))
    canvas.lay_out(ax)
    wide = canvas.size_points(ax)[0] / len(across)
    _name_columns(ax, across, wide)
    _write_values(ax, grid, wide, letters)
    return ax


def _name_columns(ax: "Axes", across: Sequence[Any], wide: float) -> None:
    """The names under the columns, turned where two side by side are too long to lie."""
    names = [heading(str(a)) for a in across]
    longest = [canvas.LETTER_WIDTH * 7.0 * max(map(len, name.split("\n"))) for name in names]
    turned = any((a + b) / 2 + NAME_GAP > wide for a, b in pairwise(longest))
    names = [str(a) for a in across] if turned else names
    ax.set_xticks(range(len(across)), names, rotation=90 if turned else 0,
                  fontsize=min(7.0, 0.85 * wide) if turned else 7.0)  # fmt: skip


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Each once; numbers by size, names by appearance."""
    unique = list(dict.fromkeys(values))
    if all(isinstance(value, int | float) for value in unique):
        return sorted(unique)
    return unique


def _texts(values: Sequence[float]) -> dict[float, str]:
    """Each as text; ratios and the like with equally many digits, so that columns compare."""
    alike = all(value == 0 or 0.01 <= abs(value) < 100 for value in values)
    whole = all(value == int(value) for value in values)
    return {value: f"{value:.2f}" if alike and not whole else _short(value) for value in values}


def _short(value: float) -> str:
    """Two or three digits, which is what a cell is read for."""
    if abs(value) >= 1e6:
        return f"{value:.2e}".replace("e+0", "e")
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if 0.01 <= abs(value) < 1 else f"{value:.3g}"


def _write_values(ax: "Axes", grid: list[list[float]], wide: float, letters: float) -> None:
    """The numbers into their cells, where they fit."""
    known = [value for line in grid for value in line if value == value]
    texts = _texts(known)
    size = min(letters, wide / (0.62 * max(len(text) for text in texts.values())))
    if size < canvas.SMALLEST_POINTS:
        return
    middle = (min(known) + max(known)) / 2
    for i, line in enumerate(grid):
        for j, value in enumerate(line):
            if value in texts:
                ax.text(j, i, texts[value], ha="center", va="center", fontsize=size,
                        color="#FEFEFE" if value < middle else "#010101")  # fmt: skip
