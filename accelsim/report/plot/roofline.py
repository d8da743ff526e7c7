"""The roofline of Williams, Waterman and Patterson (CACM 2009), in MACs per cycle and DRAM byte."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.report.palette import scheme_colours, scheme_markers, told_apart
from accelsim.report.plot import canvas
from accelsim.report.plot.data import Data, results_of
from accelsim.report.plot.labels import put_labels
from accelsim.report.plot.network import Networks, Product, products_of
from accelsim.result import NetworkComparison, NetworkResult, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def roofline(data: Data | Networks, ax: "Axes | None" = None) -> "Axes":
    """Each run where it stands under the ceilings of its machine; the marker says its scheme.

    Of many schemes it says the realisation. Of a network each node with a product, all its phases
    together.
    """
    results: Sequence[Result | Product]
    if isinstance(data, NetworkResult | NetworkComparison):
        results = products_of(data)
    else:
        results = results_of(data)
    names = told_apart(result.scheme for result in results)
    colours, markers = scheme_colours(names), scheme_markers(names)
    schemes = {name: scheme for scheme, name in names.items()}
    with canvas.style():
        ax = ax or canvas.new_axes_for(["1,024 MACs, 12.8 B a cycle", *schemes])
        intensities = [result.roofline.macs_per_byte for result in results]
        least, most = min(intensities) / 3, max(intensities) * 3
        peaks = {(r.roofline.peak_macs_per_cycle, r.roofline.peak_bytes_per_cycle) for r in results}
        for macs, bytes_ in sorted(peaks):
            ridge = macs / bytes_
            stops = sorted({min(least, ridge / 3), ridge, max(most, ridge * 3)})
            ax.plot(
                stops, [min(macs, bytes_ * stop) for stop in stops], color=canvas.QUIET,
                linewidth=1, label=f"{macs:,} MACs, {bytes_:g} B a cycle", zorder=1,
            )  # fmt: skip
        for name, scheme in schemes.items():
            mine = [result.roofline for result in results if names[result.scheme] == name]
            ax.scatter(
                [r.macs_per_byte for r in mine], [r.attained_macs_per_cycle for r in mine],
                s=16, marker=markers[scheme], facecolor=colours[scheme], edgecolor="white",
                linewidth=0.4, label=name, zorder=2,
            )  # fmt: skip
        _logarithmic(ax)
        ax.set_xlabel("MACs per DRAM byte")
        ax.set_ylabel("MACs per cycle")
        canvas.legend_above(ax, ax.get_legend_handles_labels()[0])
        canvas.bare(ax)
        places = [(r.roofline.macs_per_byte, r.roofline.attained_macs_per_cycle) for r in results]
        put_labels(ax, places, [result.layer for result in results])
    return ax


def _logarithmic(ax: "Axes") -> None:
    """Both axes, with enough numbers on them also where they span little."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter("{x:,g}")
        if high / low < 300:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
