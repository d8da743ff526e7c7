"""A whole network under one scheme or several, as tables that fit 80 columns."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.hardware import EnergyTable
from accelsim.report.energy import energy_notes
from accelsim.report.network.accuracy import accuracy_tables
from accelsim.report.network.lines import line_tables, node_rows, phase_rows, shortened
from accelsim.report.network.sentences import conditions, sentences
from accelsim.report.network.totals import period_text, phase_energy_table, totals_table
from accelsim.report.network.units import groups_of, units_of
from accelsim.result import NetworkComparison, NetworkResult

__all__ = [
    "conditions",
    "network_text",
    "network_title",
    "node_rows",
    "period_text",
    "sentences",
    "shortened",
]


def network_text(
    comparison: NetworkComparison, tables: Sequence[EnergyTable] = ()
) -> RenderableType:
    """Totals side by side, then phase by phase in training, then operation by operation.

    The energy is shown by each of the `tables`.
    """
    results = comparison.results
    parts: list[RenderableType] = [Text(network_title(results[0]), style="bold"), ""]
    units = units_of(results)
    for group in groups_of(results):
        parts += [totals_table(group, tables, units), ""]
    if len(results[0].phases) > 1:
        parts += [*line_tables("Phase", results, phase_rows(results)), ""]
        for table in tables:
            parts += [phase_energy_table(results[:4], table), ""]
    parts += [*line_tables("Operation", results, node_rows(results)), ""]
    if any(row.numerics for row in results[0].operations):
        parts += [*accuracy_tables(results), ""]
    parts += [Text(sentence) for sentence in sentences(comparison)]
    energies = [result.energy(table) for table in tables for result in results]
    parts += [Text(note) for note in energy_notes(energies)]
    return Group(*parts)


def network_title(result: NetworkResult) -> str:
    """What ran, and where."""
    what = "training step of " if result.training else ""
    return (
        f"{what}{result.network} on {result.hardware} at {result.clock_mhz:g} MHz, "
        f"batch {result.batch}"
    )
