"""Two pictures of a whole network: what each operation moves, and what it takes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.format import KB
from accelsim.report.network import LONGEST_NAMES, node_rows, shortened
from accelsim.report.palette import scheme_colours, tint
from accelsim.report.plot.canvas import save_figure
from accelsim.result import NetworkComparison, NetworkResult, OperationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAFFIC_FILE, LATENCY_FILE = "traffic.png", "latency.png"

INCHES_PER_OPERATION, FEWEST_INCHES, HEIGHT_INCHES = 0.3, 6.0, 4.2

Operations = Sequence[OperationResult]
Part = tuple[str, float, str | None, Callable[[Operations], float]]
"""A part of a bar: its name, how much of the scheme's colour it has, its hatch, its height."""


def _moved(rows: Operations, roles: Sequence[str], direction: str | None = None) -> float:
    return sum(row.bytes_of(role, direction) for row in rows for role in roles) / KB


def _operands(rows: Operations) -> float:
    """All that is loaded beside weights and accumulators."""
    loaded = sum(row.bytes_of(None, "load") for row in rows) / KB
    return loaded - _moved(rows, ("weights", "bias", "accumulators"), "load")


def _results(rows: Operations) -> float:
    """All that is stored beside accumulators."""
    stored = sum(row.bytes_of(None, "store") for row in rows) / KB
    return stored - _moved(rows, ("accumulators",), "store")


TRAFFIC_PARTS: tuple[Part, ...] = (
    ("weights and bias", 0.3, None, lambda rows: _moved(rows, ("weights", "bias"))),
    ("operands loaded", 0.6, None, _operands),
    ("results stored", 1.0, None, _results),
    ("accumulators loaded", 0.6, "....", lambda rows: _moved(rows, ("accumulators",), "load")),
    ("accumulators stored", 1.0, "////", lambda rows: _moved(rows, ("accumulators",), "store")),
)


def _busy_cycles(row: OperationResult) -> int:
    return sum(u.busy_cycles for u in row.units if u.unit in ("array", "vector unit"))


def network_plots(comparison: NetworkComparison) -> tuple["Figure", "Figure"]:
    """Traffic and latency: for each operation a stacked bar per scheme, side by side."""
    clock_mhz = comparison.baseline.clock_mhz

    def busy_us(rows: Operations) -> float:
        return sum(_busy_cycles(row) for row in rows) / clock_mhz

    def other_us(rows: Operations) -> float:
        return sum(row.total_cycles for row in rows) / clock_mhz - busy_us(rows)

    latency_parts: tuple[Part, ...] = (
        ("array or vector unit busy", 1.0, None, busy_us),
        ("waiting for memory or the drain", 0.4, "....", other_us),
    )
    traffic = _plot(comparison, TRAFFIC_PARTS, "DRAM traffic (KB of 1024 bytes)")
    return traffic, _plot(comparison, latency_parts, "latency (us)")


def _plot(comparison: NetworkComparison, parts: Sequence[Part], label: str) -> "Figure":
    import matplotlib
    from matplotlib.figure import Figure

    results = comparison.results
    rows = node_rows(results)
    width = max(FEWEST_INCHES, INCHES_PER_OPERATION * len(rows) + 1)
    with matplotlib.rc_context({"font.size": 8, "hatch.linewidth": 0.4}):
        figure = Figure(figsize=(width, HEIGHT_INCHES), layout="constrained")
        axes = figure.subplots()
        colours = scheme_colours(result.scheme for result in results)
        for place, result in enumerate(results):
            stacks = [chosen[place] for _, chosen in rows]
            _bars(axes, place, len(results), stacks, parts, colours[result.scheme])
        names = [shortened(name, LONGEST_NAMES[2]) for name, _ in rows]
        axes.set_xticks(range(len(rows)), names, rotation=90, fontsize=7)
        axes.set_xlim(-0.6, len(rows) - 0.4)
        axes.set_ylabel(label)
        axes.grid(axis="y", linewidth=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        _legend(axes, results, parts, rows)
        figure.suptitle(_title(comparison.baseline), fontsize=9)
    return figure


def _bars(
    axes: "Axes",
    place: int,
    places: int,
    stacks: Sequence[Operations],
    parts: Sequence[Part],
    colour: str,
) -> None:
    """One scheme's bars, its parts on one another from the bottom."""
    width = 0.84 / places
    left = [index - 0.42 + (place + 0.5) * width for index in range(len(stacks))]
    bottom = [0.0] * len(stacks)
    for name, share, hatch, height_of in parts:
        heights = [height_of(rows) for rows in stacks]
        if not any(heights):
            continue
        axes.bar(
            left, heights, 0.92 * width, bottom, color=tint(colour, share), hatch=hatch,
            edgecolor="white", linewidth=0.2, label=name,
        )  # fmt: skip
        bottom = [a + b for a, b in zip(bottom, heights, strict=True)]


def _legend(
    axes: "Axes",
    results: Sequence[NetworkResult],
    parts: Sequence[Part],
    rows: Sequence[tuple[str, Sequence[Operations]]],
) -> None:
    from matplotlib.patches import Patch

    colours = scheme_colours(result.scheme for result in results)
    handles = [Patch(facecolor=colours[r.scheme], label=r.scheme) for r in results]
    grey = "#555555"
    for name, share, hatch, height_of in parts:
        if any(height_of(stack) for _, chosen in rows for stack in chosen):
            face = tint(grey, share)
            handles.append(Patch(facecolor=face, hatch=hatch, edgecolor="white", label=name))
    axes.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False,
        fontsize=7,
    )  # fmt: skip


def _title(result: NetworkResult) -> str:
    what = "training step of " if result.training else ""
    return f"{what}{result.network} on {result.hardware}, batch {result.batch}"


def check_plot_folder(folder: Path) -> None:
    """Refuse a place where no folder of plots can be, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise AccelsimError(f"plot={folder}: is a file, a network's plots go to a folder")
    if not folder.parent.is_dir():
        raise AccelsimError(f"plot={folder}: there is no folder {folder.parent}; make it first")


def save_network_plots(comparison: NetworkComparison, folder: Path) -> tuple[Path, Path]:
    """Write both pictures into the folder, which is made if it is not there."""
    check_plot_folder(folder)
    folder.mkdir(exist_ok=True)
    paths = folder / TRAFFIC_FILE, folder / LATENCY_FILE
    for figure, path in zip(network_plots(comparison), paths, strict=True):
        save_figure(figure, path)
    return paths
