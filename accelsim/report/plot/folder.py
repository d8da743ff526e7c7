"""The pictures of a comparison, of a layer or a whole network, in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.network import network_title
from accelsim.report.plot import draw, network_overview, overview, save_figure
from accelsim.result import Comparison, NetworkComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORK_KINDS = ("traffic", "latency", "roofline")
TITLE_INCHES, TITLE_POINTS = 0.2, 8


def check_plot_folder(folder: Path) -> None:
    """Refuse a place where no folder of plots can be, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise AccelsimError(f"plot={folder}: is a file, plots without a format go to a folder")
    if not folder.parent.is_dir():
        raise AccelsimError(f"plot={folder}: there is no folder {folder.parent}; make it first")


def save_layer_plots(comparison: Comparison, folder: Path, suffix: str = "png") -> tuple[Path, ...]:
    """Write traffic and time side by side, the units and the bus over time, the values' fate.

    What there is no data for is left out: of a run without values their histogram, and the ranges
    of anything but a sequence.
    """
    figures = {
        "overview": overview(comparison),
        "timeline": draw("timeline", comparison),
        "bandwidth": draw("bandwidth", comparison),
    }
    results = comparison.results
    if all(result.values for result in results):
        figures["values"] = draw("values", comparison)
    if any(result.trace and len(result.trace.steps) > 1 for result in results):
        figures["ranges"] = draw("ranges", comparison)
    return _save(figures, folder, suffix)


def save_network_plots(
    comparison: NetworkComparison, folder: Path, suffix: str = "png"
) -> tuple[Path, ...]:
    """Write traffic, latency and roofline into the folder, which is made if it is not there.

    Of more than two schemes also an overview, with a bar for each.
    """
    figures = {kind: draw(kind, comparison) for kind in NETWORK_KINDS}
    if len(comparison.results) > 2:
        figures["overview"] = network_overview(comparison)
    title = network_title(comparison.baseline)
    titled = {name: _titled(figure, title) for name, figure in figures.items()}
    return _save(titled, folder, suffix)


def _save(figures: "Mapping[str, Figure]", folder: Path, suffix: str) -> tuple[Path, ...]:
    check_plot_folder(folder)
    folder.mkdir(exist_ok=True)
    paths = {name: folder / f"{name}.{suffix}" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return tuple(paths.values())


def _titled(figure: "Figure", title: str) -> "Figure":
    """The figure, higher by a title, so that what is drawn keeps its size."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + TITLE_INCHES)
    figure.suptitle(title, fontsize=TITLE_POINTS)
    return figure
