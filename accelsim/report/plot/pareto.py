"""What cannot be had better without having something else worse."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.report.palette import scheme_colours, scheme_markers
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, column, figure, one_layer, rows_of
from accelsim.report.plot.labels import put_labels
from accelsim.report.plot.titles import figure_of, title_of
from accelsim.report.saved import Points
from accelsim.result import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def front(places: Sequence[tuple[float, float]], lower: tuple[bool, bool]) -> list[int]:
    """The points that no other beats, by their first figure.

    `lower` says of each figure whether less of it is better.
    """
    signs = [1 if less else -1 for less in lower]
    kept = pareto_front([(signs[0] * x, signs[1] * y) for x, y in places])
    return sorted((n for n, best in enumerate(kept) if best), key=lambda n: places[n])


def pareto(
    data: Data | Points, ax: "Axes | None" = None, x: str = "total_bytes", y: str = "latency_us"
) -> "Axes":
    """Every run by two of its figures, and the line of those that are not beaten in both."""
    rows = rows_of(data) if isinstance(data, Points) else rows_of(one_layer(data, "pareto"))
    places = list(zip(figure(rows, x, "x"), figure(rows, y, "y"), strict=True))
    schemes = [str(scheme) for scheme in column(rows, "scheme", "scheme")]
    colours, markers = scheme_colours(schemes), scheme_markers(schemes)
    lower = [figure_of(name).lower_is_better for name in (x, y)]
    best = front(places, (lower[0], lower[1]))
    with canvas.style():
        ax = ax or canvas.new_axes_for(len(colours) + 1)
        for scheme in dict.fromkeys(schemes):
            mine = [place for place, name in zip(places, schemes, strict=True) if name == scheme]
            ax.scatter(
                [place[0] for place in mine], [place[1] for place in mine],
                s=16, marker=markers[scheme], facecolor=colours[scheme], edgecolor="white",
                linewidth=0.4, label=scheme, zorder=2,
            )  # fmt: skip
        ax.plot(
            [places[index][0] for index in best], [places[index][1] for index in best],
            color=canvas.QUIET, linewidth=1, drawstyle="steps-post", label="Pareto front", zorder=1,
        )  # fmt: skip
        ax.set_xlabel(title_of(x))
        ax.set_ylabel(title_of(y))
        ax.margins(0.12)
        canvas.legend_above(ax, ax.get_legend_handles_labels()[0], columns=1)
        canvas.bare(ax)
        put_labels(ax, [places[i] for i in best], [schemes[i] for i in best])
    return ax
