"""The picture of `--plot`: traffic and time of one comparison, side by side."""

from typing import TYPE_CHECKING

from accelsim.report.plot import canvas, rows
from accelsim.report.plot.latency import MOST_SIDE_BY_SIDE, latency
from accelsim.report.plot.network import network_latency, network_traffic, whole_lines
from accelsim.report.plot.traffic import traffic
from accelsim.result import Comparison, NetworkComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_INCHES, TITLE_INCHES = 3.4, 0.25
WIDTH_PER_FURTHER_SCHEME_INCHES = 1.8


def overview(comparison: Comparison) -> "Figure":
    """Left the DRAM traffic of each scheme, right how each unit spent its time.

    Many schemes lie under each other instead, a line for each.
    """
    schemes, first = len(comparison.results), comparison.baseline
    with canvas.style():
        if schemes > MOST_SIDE_BY_SIDE:
            height = rows.height_inches(comparison.results) + TITLE_INCHES
            figure = canvas.new_figure(canvas.PAGE_INCHES, height)
            left, right = figure.subplots(1, 2)
        else:
            further = max(schemes - 2, 0) * WIDTH_PER_FURTHER_SCHEME_INCHES
            figure = canvas.new_figure(canvas.PAGE_INCHES + further, HEIGHT_INCHES)
            left, right = figure.subplots(1, 2, width_ratios=(max(schemes, 2), 1.7))
        traffic(comparison, left)
        latency(comparison, right)
        figure.suptitle(f"{first.layer} on {first.hardware}, batch {first.batch}", fontsize=9)
    return figure


def network_overview(comparison: NetworkComparison) -> "Figure":
    """Left the DRAM traffic of the whole network under each scheme, right its time."""
    with canvas.style():
        figure = canvas.new_figure(canvas.PAGE_INCHES, rows.height_inches(whole_lines(comparison)))
        left, right = figure.subplots(1, 2)
        network_traffic(comparison, left, whole=True)
        network_latency(comparison, right, whole=True)
    return figure
