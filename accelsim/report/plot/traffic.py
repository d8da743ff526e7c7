"""DRAM traffic by tensor: stacked, for each layer and scheme."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.report.format import KB, heading
from accelsim.report.palette import scheme_colours, tint
from accelsim.report.plot import canvas, rows
from accelsim.report.plot.data import Data, layers_of, results_of, step_note
from accelsim.report.plot.network import Networks, network_traffic
from accelsim.report.text import bytes_of, traffic_keys
from accelsim.result import NetworkComparison, NetworkResult, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAR_CENTRE, BAR_WIDTH = -0.26, 0.24
LABEL_POINTS, LETTER_WIDTH, LABEL_SHARE = 6.0, 0.5, 0.04
"""Letters beside a bar, their width over their height, and their way from it, of a bar's place."""
SHARE_OF_AXES, SHARE_FOR_BARS = 0.775, 0.67
"""Of a figure's width: what axes have before the layout, what the bars have after it."""
LABEL_GAP = 0.062
"""Least distance of two labels beside a bar, as a share of the axis."""
SHARES = {"input": 0.4, "weights": 0.6, "bias": 0.7, "accumulators": 1.0, "output": 0.2}
OTHER_SHARES = (0.8, 0.3, 0.5)
BOTH_WAYS = "accumulators"
"""A tensor that a layer stores and loads again."""
TITLE = "DRAM traffic (KB of 1024 bytes)"


def traffic(data: Data | Networks, ax: "Axes | None" = None) -> "Axes":
    """Bytes by tensor, a line for each run; of one layer, given width, all transfers by name.

    What is stored of the accumulators is hatched, what is loaded of them is not.
    """
    if isinstance(data, NetworkResult | NetworkComparison):
        return network_traffic(data, ax)
    results = results_of(data)
    with canvas.style():
        if len(layers_of(results)) == 1 and _wide_enough(results, ax):
            return _one_layer(results, ax or canvas.new_axes())
        ax = ax or rows.new_axes(results)
        rows.draw(ax, results, _tensors(results), digits=0)
        ax.set_xlabel(TITLE + step_note(results))
    return ax


def _tensors(results: Sequence[Result]) -> list[rows.Part]:
    names = list(dict.fromkeys(key[0] for key in traffic_keys(results)))
    others = [name for name in names if name not in SHARES]
    names = [name for name in (*SHARES, *others) if name in names]
    shares = SHARES | {
        name: OTHER_SHARES[index % len(OTHER_SHARES)] for index, name in enumerate(others)
    }
    parts = []
    for name in names:
        ways = (("store", " stored"), ("load", " loaded")) if name == BOTH_WAYS else ((None, ""),)
        for way, word in ways:
            lengths = rows.lengths(r.bytes_of(name, way) / KB for r in results)
            if lengths:
                parts.append(rows.Part(f"{name}{word}", shares[name], lengths, way == "store"))
    return parts


def _wide_enough(results: Sequence[Result], ax: "Axes | None") -> bool:
    """Whether standing bars and the names beside them have room in the axes, or in a column.

    What is written beside the last bar may leave the axes.
    """
    if ax is None:
        width = canvas.COLUMN_INCHES * canvas.POINTS_PER_INCH
    else:
        width = canvas.size_points(ax)[0] / SHARE_OF_AXES
    pitch = SHARE_FOR_BARS * width / len(results)
    letters = [
        len(_label(_name(key), bytes_of(r, *key) / KB))
        for r in results[:-1]
        for key in traffic_keys([r])
    ]
    needed = LETTER_WIDTH * LABEL_POINTS * max(letters, default=0)
    return needed <= (1 - BAR_WIDTH - LABEL_SHARE) * pitch


def _name(key: tuple[str, str, str]) -> str:
    return " ".join(filter(None, key))


def _label(name: str, kib: float) -> str:
    return f"{name} {kib:,.1f}"


def _one_layer(results: Sequence[Result], ax: "Axes") -> "Axes":
    """One bar per scheme, stacked by tensor and direction from the bottom, KB written beside."""
    colours = scheme_colours(result.scheme for result in results)
    top = max(result.total_bytes for result in results) / KB
    keys = traffic_keys(results)
    for position, result in enumerate(results):
        parts = [(key, bytes_of(result, *key) / KB) for key in keys]
        _stack(ax, position, [part for part in parts if part[1]], colours[result.scheme], top)
        ax.text(
            position + BAR_CENTRE, result.total_bytes / KB + 0.015 * top,
            f"{result.total_bytes / KB:,.1f}", ha="center", va="bottom", fontweight="bold",
        )  # fmt: skip
    ax.set_xticks(
        [position + BAR_CENTRE for position in range(len(results))],
        [f"{heading(result.scheme)}\n{result.latency_us:,.2f} us" for result in results],
    )
    for tick, result in zip(ax.get_xticklabels(), results, strict=True):
        tick.set_color(colours[result.scheme])
    ax.set_xlim(-0.5, len(results) - 0.5)
    ax.set_ylim(0, 1.1 * top)
    ax.set_ylabel(TITLE + step_note(results))
    return canvas.bare(ax)


def _stack(
    ax: "Axes",
    position: int,
    parts: Sequence[tuple[tuple[str, str, str], float]],
    colour: str,
    top: float,
) -> None:
    """A bar of parts with their names beside it; thin parts push their names apart."""
    bottom, middles = 0.0, []
    edge = position + BAR_CENTRE + BAR_WIDTH / 2
    for index, (key, height) in enumerate(parts):
        name = _name(key)
        ax.bar(
            position + BAR_CENTRE, height, BAR_WIDTH, bottom=bottom,
            color=tint(colour, (0.85, 0.6, 0.4)[index % 3]),
            hatch=canvas.STORE_HATCH if key[1] == "store" else None, edgecolor="white",
            linewidth=0.6, label=name,
        )  # fmt: skip
        middles.append((bottom + height / 2, _label(name, height)))
        bottom += height
    for (middle, label), y in zip(
        middles, _apart([m for m, _ in middles], LABEL_GAP * top), strict=True
    ):
        ax.annotate(
            label, (edge, middle), (edge + LABEL_SHARE, y), va="center", fontsize=LABEL_POINTS,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, moved up where needed so that each is `gap` above the one before."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + gap) if moved else max(height, gap / 2))
    return moved
