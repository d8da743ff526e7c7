"""The designs of a search, or of a sweep: what each costs, and those that no other beats."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.palette import scheme_colours, scheme_markers
from accelsim.report.plot import canvas
from accelsim.report.plot.pareto import front
from accelsim.report.plot.titles import figure_of, title_of
from accelsim.result import SearchResult, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FRONT_POINTS, BEATEN_POINTS = 18, 7
BEATEN_ALPHA = 0.45
LOG_RATIO = 30
"""An axis whose figures span more than this is logarithmic."""

LETTERS_OF_AN_INCH = 17


def search_plot(found: SearchResult) -> "Figure":
    """The feasible designs by the first objective against each other one.

    Large: on the front of all objectives. The line leads along what is not beaten in the two that
    are drawn.
    """
    first, *others = found.objectives
    others = others or [name for name in ("traffic_bytes", "latency_us") if name != first][:1]
    feasible = [trial for trial in found.trials if not trial.reason]
    if not feasible:
        raise AccelsimError(f"search of {found.study}: no trial is feasible, nothing to draw")
    with canvas.style():
        width = canvas.COLUMN_INCHES * len(others)
        figure = canvas.new_figure(width, canvas.HEIGHT_INCHES + 0.5)
        panels = figure.subplots(1, len(others), squeeze=False)[0]
        for place, (name, ax) in enumerate(zip(others, panels, strict=True)):
            _panel(ax, feasible, name, first)
            if place == len(others) // 2:
                canvas.legend_above(ax, ax.get_legend_handles_labels()[0])
        letters = int(LETTERS_OF_AN_INCH * width)
        figure.suptitle("\n".join(textwrap.wrap(_title(found, feasible), letters)), fontsize=8)
    return figure


def _panel(ax: "Axes", trials: Sequence[Trial], x: str, y: str) -> None:
    factors = figure_of(x).factor, figure_of(y).factor
    places = [
        (trial.objectives[x] * factors[0], trial.objectives[y] * factors[1]) for trial in trials
    ]
    names = [str(trial.coordinates.get("scheme", "designs")) for trial in trials]
    colours, markers = scheme_colours(names), scheme_markers(names)
    for name in dict.fromkeys(names):
        for best in (False, True):
            mine = [
                place
                for place, trial, other in zip(places, trials, names, strict=True)
                if other == name and trial.front == best
            ]
            ax.scatter(
                [x for x, _ in mine], [y for _, y in mine], marker=markers[name],
                s=FRONT_POINTS if best else BEATEN_POINTS, alpha=1 if best else BEATEN_ALPHA,
                facecolor=colours[name], edgecolor="white", linewidth=0.4 if best else 0,
                label=name if best else None, zorder=2 + best,
            )  # fmt: skip
    line = front(places, (figure_of(x).lower_is_better, figure_of(y).lower_is_better))
    ax.plot(
        [places[i][0] for i in line], [places[i][1] for i in line], color=canvas.QUIET,
        linewidth=1, drawstyle="steps-post", label="not beaten in these two", zorder=1,
    )  # fmt: skip
    for scale, figures in zip(
        (ax.set_xscale, ax.set_yscale), zip(*places, strict=True), strict=True
    ):
        if max(figures) > LOG_RATIO * min(figures) > 0:
            scale("log")
    ax.set_xlabel(title_of(x))
    ax.set_ylabel(title_of(y))
    canvas.bare(ax)


def _title(found: SearchResult, feasible: Sequence[Trial]) -> str:
    objectives = ", ".join(figure_of(name).title for name in found.objectives)
    title = (
        f"{found.study}: {len(found.front):,} designs not beaten in {objectives} (large), of "
        f"{len(feasible):,} feasible and {len(found.trials):,} tried"
    )
    if found.constraints:
        title += f", with {' and '.join(found.constraints)}"
    return f"{title}; energy and area by {found.energy_table}"
