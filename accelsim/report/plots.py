"""Plots of a comparison. No display is needed, and no global state of matplotlib is touched."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.report.files import check_writable, write_file
from accelsim.report.format import KB, heading
from accelsim.report.palette import scheme_colours, tint
from accelsim.report.text import bytes_of, traffic_keys
from accelsim.result import Comparison, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
WIDTH_INCHES, HEIGHT_INCHES = 7.0, 3.4
WIDTH_PER_FURTHER_SCHEME_INCHES = 1.8
BAR_CENTRE, BAR_WIDTH = -0.26, 0.24
DOTS_PER_INCH = 200
STORE_HATCH, STARVED_HATCH, BLOCKED_HATCH = "////", "....", "xxxx"
BUSY_SHARE, STARVED_SHARE, BLOCKED_SHARE, IDLE_SHARE = 1.0, 0.25, 0.5, 0.0
LABEL_GAP = 0.062
"""Least distance of two labels beside a bar, as a share of the axis."""


def plot_comparison(comparison: Comparison, figure: "Figure | None" = None) -> "Figure":
    """Left the DRAM traffic of each scheme, right how each unit spent its time."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style()):
        if figure is None:
            further = max(len(comparison.results) - 2, 0)
            width = WIDTH_INCHES + further * WIDTH_PER_FURTHER_SCHEME_INCHES
            figure = Figure(figsize=(width, HEIGHT_INCHES), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(max(len(comparison.results), 2), 1.7))
        plot_traffic(comparison, left)
        plot_time(comparison, right)
        first = comparison.baseline
        figure.suptitle(f"{first.layer} on {first.hardware}, batch {first.batch}", fontsize=9)
    return figure


def plot_traffic(comparison: Comparison, axes: "Axes") -> "Axes":
    """One bar per scheme, stacked by tensor and direction from the bottom, KB written beside."""
    results = comparison.results
    colours = scheme_colours(result.scheme for result in results)
    top = max(result.total_bytes for result in results) / KB
    keys = traffic_keys(results)
    for position, result in enumerate(results):
        parts = [(key, bytes_of(result, *key) / KB) for key in keys]
        _stack(axes, position, [part for part in parts if part[1]], colours[result.scheme], top)
        axes.text(
            position + BAR_CENTRE, result.total_bytes / KB + 0.015 * top,
            f"{result.total_bytes / KB:,.1f}", ha="center", va="bottom", fontweight="bold",
        )  # fmt: skip
    axes.set_xticks(
        [position + BAR_CENTRE for position in range(len(results))],
        [f"{heading(result.scheme)}\n{result.latency_us:,.2f} us" for result in results],
    )
    for tick, result in zip(axes.get_xticklabels(), results, strict=True):
        tick.set_color(colours[result.scheme])
    axes.set_xlim(-0.5, len(results) - 0.5)
    axes.set_ylim(0, 1.1 * top)
    axes.set_ylabel("DRAM traffic (KB of 1024 bytes)")
    return _bare(axes)


def _stack(
    axes: "Axes",
    position: int,
    parts: Sequence[tuple[tuple[str, str, str], float]],
    colour: str,
    top: float,
) -> None:
    """A bar of parts with their names beside it; thin parts push their names apart."""
    bottom, middles = 0.0, []
    edge = position + BAR_CENTRE + BAR_WIDTH / 2
    for index, ((tensor, direction, phase), height) in enumerate(parts):
        name = " ".join(word for word in (tensor, direction, phase) if word)
        axes.bar(
            position + BAR_CENTRE, height, BAR_WIDTH, bottom=bottom,
            color=tint(colour, (0.85, 0.6, 0.4)[index % 3]),
            hatch=STORE_HATCH if direction == "store" else None, edgecolor="white",
            linewidth=0.6, label=name,
        )  # fmt: skip
        middles.append((bottom + height / 2, f"{name} {height:,.1f}"))
        bottom += height
    for (middle, label), y in zip(
        middles, _apart([m for m, _ in middles], LABEL_GAP * top), strict=True
    ):
        axes.annotate(
            label, (edge, middle), (edge + 0.04, y), va="center", fontsize=6.5,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, moved up where needed so that each is `gap` above the one before."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + gap) if moved else max(height, gap / 2))
    return moved


def plot_time(comparison: Comparison, axes: "Axes") -> "Axes":
    """For each unit one bar per scheme in microseconds: busy, starved, blocked and idle."""
    from matplotlib.patches import Patch

    results = comparison.results
    colours = scheme_colours(result.scheme for result in results)
    names = [unit.unit for unit in results[0].units]
    height = 0.8 / len(results)
    for index, result in enumerate(results):
        places = [row - 0.4 + (index + 0.5) * height for row in range(len(names))]
        _unit_bars(axes, result, names, places, height, colours[result.scheme])
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"time (us at {results[0].clock_mhz:g} MHz)")
    axes.set_xlim(0, 1.02 * max(result.latency_us for result in results))
    grey = "#555555"
    axes.legend(
        handles=[
            Patch(facecolor=tint(grey, share), hatch=hatch, edgecolor=edge, label=name)
            for name, share, hatch, edge in (
                ("busy", BUSY_SHARE, None, grey),
                ("starved", STARVED_SHARE, STARVED_HATCH, grey),
                ("blocked", BLOCKED_SHARE, BLOCKED_HATCH, "white"),
                ("idle", IDLE_SHARE, None, grey),
            )
        ],
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False,
        handlelength=1.4, columnspacing=1.0,
    )  # fmt: skip
    return _bare(axes)


def _unit_bars(
    axes: "Axes",
    result: Result,
    names: Sequence[str],
    places: Sequence[float],
    height: float,
    colour: str,
) -> None:
    left = [0.0] * len(names)
    for field, share, hatch, edge in (
        ("busy", BUSY_SHARE, None, colour),
        ("starved", STARVED_SHARE, STARVED_HATCH, colour),
        ("blocked", BLOCKED_SHARE, BLOCKED_HATCH, "white"),
        ("idle", IDLE_SHARE, None, tint(colour, 0.5)),
    ):
        cycles = [getattr(result.unit(name), f"{field}_cycles") for name in names]
        widths = [count / result.clock_mhz for count in cycles]
        axes.barh(
            places, widths, 0.9 * height, left, color=tint(colour, share), hatch=hatch,
            edgecolor=edge, linewidth=0.3, label=f"{result.scheme} {field}",
        )  # fmt: skip
        left = [a + b for a, b in zip(left, widths, strict=True)]


def _bare(axes: "Axes") -> "Axes":
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _style() -> Any:
    return {
        "font.size": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 7,
        "hatch.linewidth": 0.4,
    }


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
    import matplotlib

    suffix = check_figure_path(path, field)
    content = BytesIO()
    dateless: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context({**_style(), "svg.hashsalt": "accelsim"}):
        figure.savefig(content, format=suffix, dpi=DOTS_PER_INCH, metadata=dateless[suffix])
    write_file(path, content.getvalue(), field)
