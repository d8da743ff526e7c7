"""The picture of `--plot`: traffic and time of one comparison, side by side."""

from typing import TYPE_CHECKING

from accelsim.report.plot import canvas
from accelsim.report.plot.latency import latency
from accelsim.report.plot.traffic import traffic
from accelsim.result import Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_INCHES, HEIGHT_INCHES = 7.0, 3.4
WIDTH_PER_FURTHER_SCHEME_INCHES = 1.8


def overview(comparison: Comparison) -> "Figure":
    """Left the DRAM traffic of each scheme, right how each unit spent its time."""
    schemes = len(comparison.results)
    with canvas.style():
        width = WIDTH_INCHES + max(schemes - 2, 0) * WIDTH_PER_FURTHER_SCHEME_INCHES
        figure = canvas.new_figure(width, HEIGHT_INCHES)
        left, right = figure.subplots(1, 2, width_ratios=(max(schemes, 2), 1.7))
        traffic(comparison, left)
        latency(comparison, right)
        first = comparison.baseline
        figure.suptitle(f"{first.layer} on {first.hardware}, batch {first.batch}", fontsize=9)
    return figure
