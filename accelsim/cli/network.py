"""`accelsim compare` and `simulate` where a whole network is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.cli.options import hardware_of, whole
from accelsim.cli.output import Output, working

if TYPE_CHECKING:
    from accelsim.hardware import EnergyTable
    from accelsim.result import NetworkComparison


def names_network(reference: str) -> bool:
    """Whether a reference names a whole network, not a layer of one."""
    from accelsim.network import names_network as decide

    return decide(reference)


@dataclass(frozen=True)
class NetworkOptions:
    """What was asked for, as texts."""

    network: str
    schemes: Sequence[str] | None
    hardware: str
    overrides: Sequence[str] | None
    batch: str | None
    seed: str
    skip_unsupported: bool = False

    def compare(self) -> "NetworkComparison":
        """Run the network under each scheme."""
        numbers = {"batch": whole("--batch", self.batch), "seed": whole("--seed", self.seed)}
        arguments: dict[str, Any] = {k: v for k, v in numbers.items() if v is not None}
        if self.schemes:
            arguments["schemes"] = self.schemes
        machine = hardware_of(self.hardware, self.overrides)
        from accelsim.network import load_network
        from accelsim.simulation import compare_networks

        network = load_network(self.network, self.skip_unsupported)
        with working("simulating (the very first run compiles its kernels)"):
            return compare_networks(network, machine, **arguments)


def run_network(
    options: NetworkOptions,
    out: Output,
    folder: Path | None,
    tables: "Sequence[EnergyTable]",
    *,
    alone: bool = False,
) -> None:
    """Compare, or with `alone` simulate one scheme; then print, and draw into the folder."""
    out.check()
    if folder is not None:
        from accelsim.report.network_plots import check_plot_folder

        check_plot_folder(folder)
    comparison = options.compare()
    if folder is not None:
        from accelsim.report.network_plots import save_network_plots

        save_network_plots(comparison, folder)

    def text() -> Any:
        from accelsim.report.network import network_text

        return network_text(comparison, tables)

    def document() -> dict[str, Any]:
        rows = [r.energy(table).to_dict() for r in comparison.results for table in tables]
        record = comparison.baseline if alone else comparison
        return record.to_dict() | ({"energy": rows} if tables else {})

    out.give_record(text, document)
