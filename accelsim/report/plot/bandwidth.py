"""DRAM bandwidth over time."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.palette import scheme_colours, tint
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, one_layer
from accelsim.report.plot.strips import strips_of
from accelsim.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOAD_SHARE, STORE_SHARE = 0.85, 0.35
PITCH = 1.25
"""From the base of one strip to the next, in heights of a strip."""


def bandwidth(data: Data, ax: "Axes | None" = None, *, every: bool = False) -> "Axes":
    """GB/s (10^9 bytes) of loads, and of stores on top of them; a strip for each run.

    The strips share one scale, which ends at the peak of the DRAM. Of more runs than a page holds
    those that matter are drawn, or with `every` all.
    """
    from matplotlib.patches import Patch

    found = one_layer(data, "bandwidth")
    if not all(result.bandwidth for result in found):
        raise AccelsimError("data: must have a bandwidth over time; these results hold none")
    strips = strips_of(found, lambda result: (result.bandwidth, result.total_cycles), every)
    results = strips.results
    colours = scheme_colours(result.scheme for result in results)
    peak = max(r.roofline.peak_bytes_per_cycle * r.clock_mhz / 1000 for r in results)
    with canvas.style():
        ax = ax or canvas.new_axes(canvas.COLUMN_INCHES, 0.75 + 0.75 * len(results))
        bases = [PITCH * (len(results) - 1 - number) for number in range(len(results))]
        longest = max(result.latency_us for result in results)
        for base, strip in zip(bases, strips.drawn, strict=True):
            _strip(ax, strip.result, base, colours[strip.result.scheme], peak)
            ax.text(
                longest, base + 1.02, strip.name,
                ha="right", va="bottom", fontsize=5.5, color=canvas.INK,
            )  # fmt: skip
        ax.set_xlim(0, longest)
        ax.set_ylim(0, PITCH * len(results))
        ax.set_yticks(
            [place for base in bases for place in (base, base + 1)],
            ["0", f"{peak:.3g}"] * len(results),
        )
        ax.set_xlabel("\n".join(filter(None, ("time (us)", strips.note))))
        ax.set_ylabel("DRAM (GB/s)")
        shares = (("loads", LOAD_SHARE), ("stores, on top of them", STORE_SHARE))
        canvas.legend_above(
            ax, [Patch(facecolor=tint(canvas.KEY, share), label=name) for name, share in shares]
        )
    return canvas.bare(ax)


def _strip(ax: "Axes", result: Result, base: float, colour: str, peak_gb_per_s: float) -> None:
    assert result.bandwidth is not None
    edges, loads = rates(result, result.bandwidth.load_bytes)
    _, stores = rates(result, result.bandwidth.store_bytes)
    both = [a + b for a, b in zip(loads, stores, strict=True)]
    nothing = [0.0] * len(loads)
    for values, below, share, name in (
        (loads, nothing, LOAD_SHARE, "load"), (both, loads, STORE_SHARE, "store")
    ):  # fmt: skip
        ax.stairs(
            [base + value / peak_gb_per_s for value in values], edges, fill=True,
            baseline=[base + value / peak_gb_per_s for value in below],
            color=tint(colour, share), linewidth=0, label=f"{result.scheme} {name}",
        )  # fmt: skip
    ax.axhline(base + 1, color=canvas.QUIET, linewidth=0.5, linestyle=":")
    ax.axhline(base, color=canvas.QUIET, linewidth=0.5)


def rates(result: Result, moved: Sequence[int]) -> tuple[list[float], list[float]]:
    """The edges of the steps in microseconds, and the GB/s of each; the last may be shorter."""
    assert result.bandwidth is not None
    step = result.bandwidth.step_cycles
    cycles = [min(number * step, result.total_cycles) for number in range(len(moved) + 1)]
    edges = [cycle / result.clock_mhz for cycle in cycles]
    lengths = (stop - start for start, stop in pairwise(edges))
    return edges, [count / (1000 * length) for count, length in zip(moved, lengths, strict=True)]
