"""A whole network under one scheme or several, as tables that fit 80 columns."""

from collections.abc import Sequence
from itertools import chain

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.hardware import EnergyTable
from accelsim.report.energy import energy_notes
from accelsim.report.network.accuracy import accuracy_tables
from accelsim.report.network.lines import (
    line_tables,
    node_rows,
    phase_rows,
    shortened,
)
from accelsim.report.network.measures import measures_of
from accelsim.report.network.ratios import ratio_sentences, ratio_tables
from accelsim.report.network.sentences import conditions, remarks
from accelsim.report.network.totals import period_text, totals_tables
from accelsim.report.network.units import units_of
from accelsim.result import NetworkComparison, NetworkResult

__all__ = [
    "conditions",
    "network_text",
    "network_title",
    "node_rows",
    "period_text",
    "phase_rows",
    "ratio_sentences",
    "remarks",
    "shortened",
    "units_of",
]


def network_text(
    comparison: NetworkComparison, tables: Sequence[EnergyTable] = ()
) -> RenderableType:
    """Totals side by side, then phase by phase in training, then operation by operation.

    The energy is shown by each of the `tables`.
    """
    results, units = comparison.results, units_of(comparison.results, tables)
    measures = measures_of(results, tables, units)
    groups = [totals_tables(results, tables, units)]
    if len(results[0].phases) > 1:
        groups.append(line_tables("Phase", results, phase_rows(results), measures))
    groups.append(line_tables("Operation", results, node_rows(results), measures))
    if any(row.numerics for row in results[0].operations):
        groups.append(accuracy_tables(results))
    if len(results) > 2:
        groups.append(ratio_tables(comparison, tables))
    parts: list[RenderableType] = [Text(network_title(results[0]), style="bold"), ""]
    for table in chain.from_iterable(groups):
        parts += [table, ""]
    said = ratio_sentences(comparison) if len(results) == 2 else []
    parts += [Text(sentence) for sentence in (*said, *remarks(comparison))]
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
