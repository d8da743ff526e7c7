"""How long it takes, and how the units spend that time: busy, starved, blocked, idle."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.report.palette import scheme_colours, tint
from accelsim.report.plot import canvas, rows
from accelsim.report.plot.data import Data, layers_of, results_of, step_note
from accelsim.report.plot.network import Networks, network_latency
from accelsim.result import NetworkComparison, NetworkResult, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATES = ("busy", "starved", "blocked", "idle")
SHARES = {"busy": 1.0, "starved": 0.3, "blocked": 0.6, "idle": 0.0}
"""How strong the colour of each state is."""
MOST_SIDE_BY_SIDE = 6
"""Of more schemes than these a layer has one line each, not one for every unit."""


def latency(data: Data | Networks, ax: "Axes | None" = None, unit: str = "array") -> "Axes":
    """Microseconds: of one layer a bar for each unit and scheme; of much one line for each run.

    The line of a run is split by how `unit` spent the time. Much is several layers or many schemes.
    """
    if isinstance(data, NetworkResult | NetworkComparison):
        return network_latency(data, ax)
    results = results_of(data)
    with canvas.style():
        if len(layers_of(results)) == 1 and len(results) <= MOST_SIDE_BY_SIDE:
            return _one_layer(results, ax or _high_axes(results))
        ax = ax or rows.new_axes(results)
        rows.draw(ax, results, [_part(results, unit, state) for state in STATES], digits=1)
        ax.set_xlabel(f"latency (us)\nby the state of the {unit}{step_note(results)}")
    return ax


def _part(results: Sequence[Result], unit: str, state: str) -> rows.Part:
    cycles = (getattr(result.unit(unit), f"{state}_cycles") for result in results)
    times = (count / result.clock_mhz for count, result in zip(cycles, results, strict=True))
    return rows.Part(state, SHARES[state], rows.lengths(times))


def _high_axes(results: Sequence[Result]) -> "Axes":
    bars = len(results) * max(len(r.units) for r in results)
    height = max(canvas.HEIGHT_INCHES, 0.14 * bars + 0.8 + 0.13 * len(results))
    return canvas.new_axes(canvas.COLUMN_INCHES, height)


def _one_layer(results: Sequence[Result], ax: "Axes") -> "Axes":
    """For each unit one bar per scheme: busy, starved, blocked and idle."""
    from matplotlib.patches import Patch

    colours = scheme_colours(result.scheme for result in results)
    names = [unit.unit for unit in max((r.units for r in results), key=len)]
    height = 0.8 / len(results)
    for index, result in enumerate(results):
        places = [row - 0.4 + (index + 0.5) * height for row in range(len(names))]
        _unit_bars(ax, result, names, places, height, colours[result.scheme])
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    clocks = " / ".join(f"{clock:g}" for clock in sorted({r.clock_mhz for r in results}))
    ax.set_xlabel(f"time (us at {clocks} MHz); share of it busy{step_note(results)}")
    ax.set_xlim(0, 1.1 * max(result.latency_us for result in results))
    states = [
        Patch(facecolor=tint(canvas.KEY, SHARES[state]), edgecolor=canvas.KEY, linewidth=0.5,
              label=state)
        for state in STATES
    ]  # fmt: skip
    schemes = [Patch(facecolor=colour, label=scheme) for scheme, colour in colours.items()]
    canvas.legends_above(ax, states, schemes)
    return canvas.bare(ax)


def _unit_bars(
    ax: "Axes",
    result: Result,
    names: Sequence[str],
    places: Sequence[float],
    height: float,
    colour: str,
) -> None:
    left = [0.0] * len(names)
    for state in STATES:
        cycles = [getattr(result.unit(name), f"{state}_cycles") for name in names]
        widths = [count / result.clock_mhz for count in cycles]
        bars = ax.barh(
            places, widths, 0.9 * height, left, color=tint(colour, SHARES[state]),
            edgecolor=colour, linewidth=0.3,
            label=f"{result.scheme} {state}",
        )  # fmt: skip
        for bar, name in zip(bars, names, strict=True):
            bar.set_label(f"{result.scheme}, {name} {state}, us")
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for place, name, end in zip(places, names, left, strict=True):
        busy = result.unit(name).busy_cycles / result.total_cycles
        ax.annotate(
            f"{busy:.0%}", (end, place), (2, 0), textcoords="offset points", va="center_baseline",
            fontsize=5.5, color=canvas.INK,
        )  # fmt: skip
