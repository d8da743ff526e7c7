"""The pictures of a comparison, of a layer or a whole network, in a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.network import network_title
from accelsim.report.plot import draw, overview, save_figure
from accelsim.result import Comparison, NetworkComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("traffic", "latency", "roofline")
TITLE_INCHES, TITLE_POINTS = 0.2, 8


def check_plot_folder(folder: Path) -> None:
    """Refuse a place where no folder of plots can be, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise AccelsimError(f"plot={folder}: is a file, plots without a format go to a folder")
    if not folder.parent.is_dir():
        raise AccelsimError(f"plot={folder}: there is no folder {folder.parent}; make it first")


def save_layer_plots(comparison: Comparison, folder: Path) -> tuple[Path, ...]:
    """Write traffic and time side by side and, of a sequence with values, its ranges."""
    check_plot_folder(folder)
    folder.mkdir(exist_ok=True)
    figures = {"overview": overview(comparison)}
    if any(result.trace and len(result.trace.steps) > 1 for result in comparison.results):
        figures["ranges"] = draw("ranges", comparison)
    paths = {name: folder / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return tuple(paths.values())


def save_network_plots(comparison: NetworkComparison, folder: Path) -> tuple[Path, ...]:
    """Write traffic, latency and roofline into the folder, which is made if it is not there."""
    check_plot_folder(folder)
    folder.mkdir(exist_ok=True)
    paths = tuple(folder / f"{kind}.png" for kind in KINDS)
    for kind, path in zip(KINDS, paths, strict=True):
        save_figure(_titled(draw(kind, comparison), network_title(comparison.baseline)), path)
    return paths


def _titled(figure: "Figure", title: str) -> "Figure":
    """The figure, higher by a title, so that what is drawn keeps its size."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + TITLE_INCHES)
    figure.suptitle(title, fontsize=TITLE_POINTS)
    return figure
