"""How the outputs lay before and after quantization."""

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.palette import scheme_colours, tint
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, one_layer
from accelsim.report.plot.strips import Strip, error, estimator, strips_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE_SHARE = 0.3
PITCH = 1.3
"""From the base of one strip to the next, in heights of a strip."""


def values(data: Data, ax: "Axes | None" = None, *, every: bool = False) -> "Axes":
    """Outputs of the float reference (filled) and of the machine (line), a strip for each run.

    Counts are logarithmic, so that what the ends of the grid clamp can be seen; dotted lines are
    those ends. All strips share both scales. Of more runs than a page holds those that matter are
    drawn, or with `every` all.
    """
    found = one_layer(data, "values")
    if not all(result.values for result in found):
        raise AccelsimError("data: must have values; these results hold none")
    strips = strips_of(found, lambda result: result.values, every, estimator, error)
    results = strips.results
    colours = scheme_colours(result.scheme for result in results)
    most = max(max(*r.values.before, *r.values.after) for r in results if r.values)
    bases = [PITCH * (len(results) - 1 - number) for number in range(len(results))]
    with canvas.style():
        ax = ax or canvas.new_axes(canvas.COLUMN_INCHES, 0.6 + 0.8 * len(results))
        for base, strip in zip(bases, strips.drawn, strict=True):
            _strip(ax, strip, base, colours[strip.result.scheme], log10(1 + most))
        ax.set_ylim(0, PITCH * len(results))
        top = int(log10(most))
        ax.set_yticks(
            [base + log10(1 + 10**power) / log10(1 + most) for base in bases for power in (0, top)],
            [f"{10**power:,}" for _ in bases for power in (0, top)],
        )
        ax.set_xlabel("\n".join(filter(None, ("output", strips.note))))
        ax.set_ylabel("count")
        _legend(ax)
    return canvas.bare(ax)


def _strip(ax: "Axes", strip: Strip, base: float, colour: str, top: float) -> None:
    result = strip.result
    found = result.values
    assert found is not None
    edges = [found.lowest + number * found.bin_width for number in range(len(found.before) + 1)]
    ax.stairs(
        _heights(found.before, base, top), edges, baseline=base, fill=True,
        color=tint(colour, BEFORE_SHARE), linewidth=0, label=f"{result.scheme} before",
    )  # fmt: skip
    ax.stairs(
        _heights(found.after, base, top), edges, baseline=base, color=colour, linewidth=0.8,
        label=f"{result.scheme} after",
    )  # fmt: skip
    for end in (found.grid.minimum, found.grid.maximum):
        ax.plot([end, end], [base, base + 1.05], color=canvas.INK, linewidth=0.7, linestyle=":")
    ax.axhline(base, color=canvas.QUIET, linewidth=0.5)
    share = result.numerics.saturated_share if result.numerics else 0
    ax.annotate(
        f"{strip.name}, {100 * share:.3g}% saturated", (1, base + 1.06),
        xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=5.5, color=canvas.INK,
    )  # fmt: skip


def _heights(counts: Sequence[int], base: float, top: float) -> list[float]:
    return [base + log10(1 + count) / top for count in counts]


def _legend(ax: "Axes") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=tint(canvas.KEY, BEFORE_SHARE), label="before"),
        Line2D([], [], color=canvas.INK, linewidth=0.8, label="after"),
        Line2D([], [], color=canvas.INK, linewidth=0.7, linestyle=":", label="ends of the grid"),
    ]
    canvas.legend_above(ax, handles)
