"""The range a scheme used, step by step, over the one there was; what it cut off underneath."""

from collections.abc import Hashable, Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.palette import scheme_colours, tint
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, one_layer
from accelsim.report.plot.strips import error, estimator, named, strips_of
from accelsim.result import Result, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_COLUMNS = 3
WIDE_RATIO = 20.0
"""Ranges that differ by more than this between steps are drawn on a logarithmic scale."""

GAP = 0.05
"""Between two panels side by side, of the width of all."""

BELOW, SHARE_PART, BETWEEN, RANGE_PART = 0.14, 0.19, 0.05, 0.52
"""From the bottom of a panel's cell up, of its height; the rest is for the scheme's name."""

LETTERS = 24
"""In the heading of a panel."""

MOST_DECADES = 3
"""Numbers on each side of zero of a logarithmic scale."""

OBSERVED_SHARE = 0.45
"""How much of its grey the observed range has."""

LATE_SHARE = 0.12
"""The same of a scheme's colour and the steps until its range is back."""


def ranges(data: Data, ax: "Axes | None" = None, *, every: bool = False) -> "Axes":
    """A panel per scheme: range used and observed over the steps, saturated share underneath.

    Schemes that used the same ranges, as realisations of one estimator do, share one; of more than
    a page holds those that matter are drawn, or with `every` all. Disturbances are dotted, and the
    steps until the range is back are shaded. All panels have the same scales.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    results = [result for result in one_layer(data, "ranges") if result.trace]
    if not results:
        raise AccelsimError("ranges: must be given runs with values, of several steps")
    strips = strips_of(results, _drawn_of, every, estimator, error, share=True)
    traces = [result.trace for result in strips.results if result.trace]
    colours = scheme_colours(result.scheme for result in strips.results)
    columns = min(len(traces), MOST_COLUMNS)
    rows = -(-len(traces) // columns)
    with canvas.style():
        width = canvas.COLUMN_INCHES if columns == 1 else canvas.PAGE_INCHES
        ax = ax or canvas.new_axes(width, (canvas.HEIGHT_INCHES + 0.3) * rows)
        ax.axis("off")
        for index, (strip, trace) in enumerate(zip(strips.drawn, traces, strict=True)):
            panel = _Panel(ax, index % columns, index // columns, columns, rows)
            colour = colours[strip.result.scheme]
            panel.draw(named(strip.schemes, LETTERS), trace, colour, traces)
        handles = [
            Patch(color=tint(canvas.QUIET, OBSERVED_SHARE), label="range observed"),
            Line2D([], [], color=canvas.INK, linewidth=1.1, label="range used"),
        ]
        if any(trace.recoveries() for trace in traces):
            late = tint(colours[strips.results[0].scheme], LATE_SHARE)
            handles.append(Patch(color=late, label="until the range is back"))
        canvas.legend_above(ax, handles)
        if strips.note:
            ax.text(0.5, -0.01, strips.note.replace("\n", " "), ha="center", va="top",
                    transform=ax.transAxes)  # fmt: skip
    return ax


def _drawn_of(result: Result) -> Hashable:
    """All of a run that is drawn."""
    assert result.trace
    return tuple(
        (row.step, of.range_used, of.range_observed, of.saturated_share)
        for row in result.trace.steps
        for of in [row.numerics]
    )


class _Panel:
    """Two axes, one over the other, in a cell of the axes that hold all panels."""

    def __init__(self, ax: "Axes", column: int, row: int, columns: int, rows: int) -> None:
        width, height = (1 - GAP * (columns - 1)) / columns, 1 / rows
        left, bottom = column * (width + GAP), 1 - (row + 1) * height
        self.first = column == 0
        bottom += BELOW * height
        self.share = ax.inset_axes((left, bottom, width, SHARE_PART * height))
        bottom += (SHARE_PART + BETWEEN) * height
        self.range = ax.inset_axes((left, bottom, width, RANGE_PART * height))

    def draw(self, scheme: str, trace: Trace, colour: str, all_traces: Sequence[Trace]) -> None:
        """The ranges and the share of one scheme, on the scales of all."""
        from matplotlib.ticker import MaxNLocator

        steps = [row.step for row in trace.steps]
        self._ranges(steps, trace, colour)
        self._scale(all_traces)
        self._late(trace, colour)
        shares = [100 * row.numerics.saturated_share for row in trace.steps]
        self.share.fill_between(steps, shares, step="mid", color=colour, linewidth=0)
        largest = max(row.numerics.saturated_share for one in all_traces for row in one.steps)
        self.share.set_ylim(0, max(110 * largest, 0.1))
        for one in (self.range, self.share):
            one.set_xlim(steps[0] - 0.5, max(steps[-1], steps[0] + 1) + 0.5)
            for at in trace.disturbances:
                one.axvline(at, color=canvas.QUIET, linewidth=0.6, linestyle=":", zorder=0)
            if not self.first:
                one.tick_params(labelleft=False)
            canvas.bare(one)
        self.range.tick_params(labelbottom=False)
        self.range.set_title(scheme, color=colour, pad=3)
        self.share.set_xlabel("step")
        self.share.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if self.first:
            self.range.set_ylabel("range")
            self.share.set_ylabel("satu-\nrated, %")

    def _ranges(self, steps: Sequence[int], trace: Trace, colour: str) -> None:
        observed = [row.numerics.range_observed for row in trace.steps]
        used = [row.numerics.range_used for row in trace.steps]
        self.range.fill_between(
            steps, [r.minimum for r in observed], [r.maximum for r in observed], step="mid",
            color=tint(canvas.QUIET, OBSERVED_SHARE), linewidth=0, label="observed",
        )  # fmt: skip
        for ends in ([r.maximum for r in used], [r.minimum for r in used]):
            self.range.step(steps, ends, where="mid", color=colour, linewidth=1.1, label="used")

    def _late(self, trace: Trace, colour: str) -> None:
        """From each disturbance until the range used follows the one observed as it did before."""
        recoveries = trace.recoveries()
        ends = [*(found.step for found in recoveries[1:]), trace.steps[-1].step + 1]
        for found, end in zip(recoveries, ends, strict=False):
            if found.range_lag_steps is not None:
                end = found.step + found.range_lag_steps
            if end > found.step:
                self.range.axvspan(
                    found.step - 0.5, end - 0.5, color=tint(colour, LATE_SHARE), linewidth=0,
                    zorder=0,
                )  # fmt: skip

    def _scale(self, traces: Sequence[Trace]) -> None:
        """The same ends for all; logarithmic both ways from zero where steps differ by much."""
        found = [
            limits
            for trace in traces
            for row in trace.steps
            for limits in (row.numerics.range_used, row.numerics.range_observed)
        ]
        low, high = min(r.minimum for r in found), max(r.maximum for r in found)
        sizes = [size for r in found if (size := max(-r.minimum, r.maximum)) > 0]
        if not sizes:
            return
        if max(sizes) > WIDE_RATIO * min(sizes):
            self.range.set_yscale("symlog", linthresh=min(sizes), linscale=0.3)
            self.range.set_ylim(1.5 * low, 1.5 * high)
            self.range.set_yticks(_decades(min(sizes), max(sizes)))
            self.range.minorticks_off()
        else:
            self.range.set_ylim(1.08 * low, 1.08 * high)


def _decades(smallest: float, largest: float) -> list[float]:
    """A few powers of ten on both sides of zero, none so small that it would lie on it."""
    first, last = ceil(log10(3 * smallest)), floor(log10(largest))
    step = max(1, ceil((last - first + 1) / MOST_DECADES))
    powers = [10.0**exponent for exponent in range(last, first - 1, -step)]
    return [*(-power for power in powers), 0.0, *reversed(powers)]
