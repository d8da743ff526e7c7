"""The units over time: when each one worked, and on what."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.palette import scheme_colours, tint
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, one_layer
from accelsim.report.plot.strips import Strip, strips_of
from accelsim.result import Result, Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARES = (0.85, 0.35, 0.6)
"""How strong the colour of each phase is, in the order in which the phases come."""
FINEST = 1 / 4000
"""Pauses shorter than this share of the whole time cannot be seen, and are not drawn."""


def timeline(data: Data, ax: "Axes | None" = None, *, every: bool = False) -> "Axes":
    """A line for each unit and run; the colour says the scheme, how strong it is the phase.

    Of more runs than a page holds those that matter, or with `every` all.
    """
    found = one_layer(data, "timeline")
    if not any(result.spans for result in found):
        raise AccelsimError("data: must have spans; these results hold none")
    strips = strips_of(found, lambda result: result.spans, every)
    results = strips.results
    working = {span.unit: None for result in results for span in result.spans}
    named = {unit.unit: None for result in results for unit in result.units}
    units = [unit for unit in named | working if unit in working]
    phases = list(dict.fromkeys(span.phase for result in results for span in result.spans))
    colours = scheme_colours(result.scheme for result in results)
    with canvas.style():
        lines = len(units) * len(results)
        ax = ax or canvas.new_axes(canvas.PAGE_INCHES, 0.8 + 0.16 * lines + 0.02 * len(results))
        longest = max(result.latency_us for result in results)
        for number, result in enumerate(results):
            places = {unit: row * (len(results) + 0.4) + number for row, unit in enumerate(units)}
            _bars(ax, result, places, phases, colours[result.scheme], longest * FINEST)
        middle = (len(results) - 1) / 2
        ax.set_yticks([row * (len(results) + 0.4) + middle for row in range(len(units))], units)
        ax.set_ylim((len(results) + 0.4) * len(units) - 0.5, -0.9)
        ax.set_xlim(0, longest)
        ax.set_xlabel("\n".join(filter(None, ("time (us)", strips.note))))
        _legend(ax, strips.drawn, phases, colours)
    return canvas.bare(ax)


def _bars(
    ax: "Axes",
    result: Result,
    places: dict[str, float],
    phases: Sequence[str],
    colour: str,
    finest_us: float,
) -> None:
    for unit, place in places.items():
        for number, phase in enumerate(phases):
            spans = [s for s in result.spans if s.unit == unit and s.phase == phase]
            bars = joined(spans, result.clock_mhz, finest_us)
            if bars:
                ax.broken_barh(
                    bars, (place - 0.45, 0.9), color=tint(colour, SHARES[number % 3]),
                    linewidth=0.25, snap=False, label=f"{result.scheme} {unit} {phase}",
                )  # fmt: skip


def joined(spans: Sequence[Span], clock_mhz: float, finest_us: float) -> list[tuple[float, float]]:
    """Start and length in microseconds; spans whose pause is shorter than `finest_us` are one."""
    bars: list[tuple[float, float]] = []
    for span in sorted(spans, key=lambda span: span.start_cycle):
        start, stop = span.start_cycle / clock_mhz, span.stop_cycle / clock_mhz
        if bars and start - sum(bars[-1]) <= finest_us:
            first = bars[-1][0]
            bars[-1] = (first, max(stop, sum(bars[-1])) - first)
        else:
            bars.append((start, stop - start))
    return bars


def _legend(
    ax: "Axes", strips: Sequence[Strip], phases: Sequence[str], colours: dict[str, str]
) -> None:
    from matplotlib.patches import Patch

    names = {strip.result.scheme: strip.name for strip in strips}
    handles = [Patch(facecolor=colours[scheme], label=name) for scheme, name in names.items()]
    if len(phases) > 1:
        handles += [
            Patch(facecolor=tint(canvas.KEY, SHARES[number % 3]), label=phase)
            for number, phase in enumerate(phases)
        ]
    canvas.legend_above(ax, handles)
