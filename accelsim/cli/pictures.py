"""What `compare` and `simulate` make beside their answer: a picture, a timeline."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.options import refuse
from accelsim.cli.output import Output
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.hardware import Hardware
    from accelsim.network import Layer
    from accelsim.result import Comparison, NetworkComparison


class Pictures:
    """The files of `--plot` and `--trace`, as far as they are asked for."""

    def __init__(self, plot: Path | None, plot_format: str | None, trace: Path | None) -> None:
        self.plot, self.trace = plot, trace
        self.format = plot_format or "png"
        if why := self._no_folder():
            refuse({"--plot-format": plot_format}, ("--plot-format",), why)

    def _no_folder(self) -> str:
        """Why there is no folder whose format could be chosen; empty where there is one."""
        if self.plot is None:
            return "it is for --plot DIR"
        return f"the ending of {self.plot} says it" if self.plot.suffix else ""

    def check(self, out: Output, *, network: bool = False) -> None:
        """Before the simulation runs: what cannot be written later is refused now."""
        out.check()
        if self.plot is not None:
            from accelsim.report.plot import check_figure_path, check_format
            from accelsim.report.plot.folder import check_plot_folder

            if network and self.plot.suffix:
                raise AccelsimError(
                    f"plot={self.plot}: must be a folder, a name without an ending, as a network "
                    "has several pictures"
                )
            check_format(self.format, "--plot-format")
            check = check_figure_path if self.plot.suffix else check_plot_folder
            check(self.plot)
        if self.trace is not None:
            from accelsim.report.timeline import check_trace_path

            check_trace_path(self.trace)
        taken = {} if out.file is None else {out.file.resolve(): "output"}
        for name, file in (("plot", self.plot), ("trace", self.trace)):
            if file is not None and taken.setdefault(file.resolve(), name) != name:
                raise AccelsimError(
                    f"{name}={file}: must be another file than the {taken[file.resolve()]}"
                )

    def make_of_network(self, comparison: "NetworkComparison") -> None:
        """Draw a network."""
        if self.plot is not None:
            from accelsim.report.plot.folder import save_network_plots

            save_network_plots(comparison, self.plot, self.format)

    def make(
        self,
        layer: "Layer",
        hardware: "Hardware",
        comparison: "Comparison",
        progress: Callable[[int, int], None],
    ) -> None:
        """Draw the runs; time them once more for the timeline."""
        if self.plot is not None:
            from accelsim.report.plot import overview, save_figure
            from accelsim.report.plot.folder import save_layer_plots

            if self.plot.suffix:
                save_figure(overview(comparison), self.plot)
            else:
                save_layer_plots(comparison, self.plot, self.format)
        if self.trace is not None:
            from accelsim.report.timeline import recording
            from accelsim.simulation import record

            schemes = [result.scheme for result in comparison.results]
            batch = comparison.baseline.batch
            cycles = sum(result.total_cycles for result in comparison.results)
            with recording(self.trace) as recorder:
                record(
                    layer, hardware, schemes, recorder, batch=batch,
                    settled=lambda count: progress(count, cycles),
                )  # fmt: skip
