"""What all plots are drawn on: sizes and letters for a column of a paper, and files.

No display is needed, and no global state of matplotlib is touched.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.report.files import check_writable, write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
COLUMN_INCHES, PAGE_INCHES = 3.5, 7.16
"""Width of one column and of both columns of a paper."""
HEIGHT_INCHES = 2.6
DOTS_PER_INCH = 200
POINTS_PER_INCH = 72
SMALLEST_POINTS, NOTE_POINTS = 4.0, 6.5
"""Letters smaller than this are left out; letters of notes and values inside a plot."""
INK, QUIET = "#333333", "#8A8A8A"
KEY = "#404040"
"""The colour of legend patches whose strength means something: unlike ink, the same in the dark."""

_STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 7,
    "hatch.linewidth": 0.4,
    "svg.hashsalt": "accelsim",
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


def new_axes_for(legend_lines: int) -> "Axes":
    """The same, higher where the legend above it has many lines."""
    return new_axes(COLUMN_INCHES, HEIGHT_INCHES + 0.16 * max(0, legend_lines - 3))


def bare(ax: "Axes") -> "Axes":
    """Without the lines that say nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def size_points(ax: "Axes") -> tuple[float, float]:
    """Width and height of an axes on paper, as it stands before the layout is made."""
    box = ax.get_position()
    figure = ax.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches()
    return float(box.width * width * POINTS_PER_INCH), float(box.height * height * POINTS_PER_INCH)


def legend_above(ax: "Axes", handles: list[Any], columns: int) -> None:
    """A legend over the axes."""
    ax.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns,
        frameon=False, handlelength=1.3, columnspacing=1.0, handletextpad=0.4,
    )  # fmt: skip


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
