"""What all plots are drawn on: sizes and letters for a column of a paper, and files.

No display is needed, and no global state of matplotlib is touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.report.files import check_writable, write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
COLUMN_INCHES, PAGE_INCHES = 3.3, 7.0
"""Width of one column and of both columns of a paper, the narrower ones among publishers."""
HEIGHT_INCHES = 2.6
DOTS_PER_INCH = 200
POINTS_PER_INCH = 72
LABEL_POINTS, SMALLEST_POINTS, NOTE_POINTS = 8.0, 4.0, 6.5
"""Letters under and beside axes; smaller ones than the second are left out; those of notes and
values inside a plot."""
LEGEND_POINTS, LETTER_WIDTH, HANDLE_WIDTH = 7.0, 0.56, 2.7
"""Letters of a legend; in their heights, how wide one is on average, and a handle with its gaps."""
STORE_HATCH = "////"
INK, QUIET = "#333333", "#8A8A8A"
KEY = "#404040"
"""The colour of legend patches whose strength means something: unlike ink, the same in the dark."""

_STYLE: dict[str, Any] = {
    "font.size": LABEL_POINTS,
    "axes.labelsize": LABEL_POINTS,
    "axes.titlesize": LABEL_POINTS,
    "xtick.labelsize": LABEL_POINTS,
    "ytick.labelsize": LABEL_POINTS,
    "legend.fontsize": LEGEND_POINTS,
    "hatch.linewidth": 0.4,
    "svg.hashsalt": "accelsim",
    "pdf.fonttype": 42,  # TrueType: publishers refuse the Type 3 that is the default
}


@contextmanager
def style(changes: Mapping[str, Any] | None = None) -> Iterator[None]:
    """The letters of all plots, while the block runs."""
    import matplotlib

    chosen: Any = {**_STYLE, **(changes or {})}
    with matplotlib.rc_context(chosen):
        yield


def new_figure(
    width_inches: float = COLUMN_INCHES, height_inches: float = HEIGHT_INCHES
) -> "Figure":
    """An empty figure that no window manager knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def new_axes(width_inches: float = COLUMN_INCHES, height_inches: float = HEIGHT_INCHES) -> "Axes":
    """The only axes of a new figure."""
    axes: Axes = new_figure(width_inches, height_inches).subplots()
    return axes


def new_axes_for(names: Sequence[str]) -> "Axes":
    """The same, higher where the legend of these names above it has many lines."""
    lines = -(-len(names) // columns_for(names, COLUMN_INCHES))
    return new_axes(COLUMN_INCHES, HEIGHT_INCHES + 0.16 * max(0, lines - 3))


def columns_for(names: Sequence[str], width_inches: float, points: float = LEGEND_POINTS) -> int:
    """How many columns of a legend with these names fit beside each other."""
    for columns in range(len(names), 1, -1):
        lines, longer = divmod(len(names), columns)  # so many columns have a line more
        starts = [column * lines + min(column, longer) for column in range(columns + 1)]
        longest = (max(map(len, names[a:b])) for a, b in pairwise(starts))
        letters = sum(LETTER_WIDTH * length + HANDLE_WIDTH for length in longest)
        if points * letters <= width_inches * POINTS_PER_INCH:
            return columns
    return 1


def bare(ax: "Axes") -> "Axes":
    """Without the lines that say nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def size_points(ax: "Axes") -> tuple[float, float]:
    """Width and height of an axes on paper, as it stands: before the layout is made, about."""
    box = ax.get_position()
    figure = ax.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches()
    return float(box.width * width * POINTS_PER_INCH), float(box.height * height * POINTS_PER_INCH)


def lay_out(ax: "Axes") -> None:
    """Give the axes the place that they will have, as far as what stands on them by now says."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()


def legend_above(ax: "Axes", handles: Sequence[Any]) -> None:
    """A legend over the axes, of as many columns as they have room for with their numbers."""
    names = [str(handle.get_label()) for handle in handles]
    columns = columns_for(names, 1.25 * size_points(ax)[0] / POINTS_PER_INCH)
    ax.legend(
        handles=list(handles), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns,
        frameon=False, handlelength=1.3, columnspacing=1.0, handletextpad=0.4,
    )  # fmt: skip


def legends_above(ax: "Axes", parts: Sequence[Any], schemes: Sequence[Any]) -> None:
    """Over the axes a legend of the parts of a bar, and above it one of the schemes, if any.

    They end where the bars end, so that what is long runs over the names and not off the figure.
    """
    width_inches = 1.25 * size_points(ax)[0] / POINTS_PER_INCH
    pad, line = 0.2, 1.45
    for handles in filter(None, (parts, schemes)):
        if below := ax.get_legend():
            ax.add_artist(below)  # or the next would take its place
        names = [str(handle.get_label()) for handle in handles]
        columns = columns_for(names, width_inches, NOTE_POINTS)
        ax.legend(
            handles=list(handles), loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns,
            frameon=False, handlelength=1.0, columnspacing=0.8, handletextpad=0.3,
            borderaxespad=pad, labelspacing=0.25, fontsize=NOTE_POINTS,
        )  # fmt: skip
        pad += line * -(-len(names) // columns)


def check_format(name: str, field: str = "format") -> None:
    """Raise unless figures can be saved as this."""
    if name not in FORMATS:
        raise AccelsimError(f"{field}={name}: must be one of {', '.join(FORMATS)}")


def check_figure_path(path: str | Path, field: str = "plot") -> str:
    """Raise unless a figure can be saved at `path`; returns the format its suffix names."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        allowed = ", ".join(f".{name}" for name in FORMATS)
        raise AccelsimError(f"{field}={path}: must end in one of {allowed}")
    check_writable(path, field)
    return suffix


def save_figure(figure: "Figure", path: str | Path, field: str = "plot") -> None:
    """Save a figure whole or not at all; the same figure gives the same bytes."""
    write_file(path, figure_bytes(figure, check_figure_path(path, field)), field)


def figure_bytes(figure: "Figure", suffix: str, *, letters: bool = False) -> bytes:
    """A figure as a file of one of the formats, without a date.

    With `letters` an SVG holds its texts as texts, in the fonts of who reads it.
    """
    content = BytesIO()
    dateless: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with style({"svg.fonttype": "none"} if letters else None):
        figure.savefig(content, format=suffix, dpi=DOTS_PER_INCH, metadata=dateless[suffix])
    return content.getvalue()
