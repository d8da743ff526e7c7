"""The pictures of a whole network, in a folder."""

from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.report.plot import draw, save_figure
from accelsim.result import NetworkComparison

KINDS = ("traffic", "latency")


def check_plot_folder(folder: Path) -> None:
    """Refuse a place where no folder of plots can be, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise AccelsimError(f"plot={folder}: is a file, a network's plots go to a folder")
    if not folder.parent.is_dir():
        raise AccelsimError(f"plot={folder}: there is no folder {folder.parent}; make it first")


def save_network_plots(comparison: NetworkComparison, folder: Path) -> tuple[Path, ...]:
    """Write traffic and latency into the folder, which is made if it is not there."""
    check_plot_folder(folder)
    folder.mkdir(exist_ok=True)
    paths = tuple(folder / f"{kind}.png" for kind in KINDS)
    for kind, path in zip(KINDS, paths, strict=True):
        save_figure(draw(kind, comparison), path)
    return paths
