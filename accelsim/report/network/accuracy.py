"""How far a network's outputs are from float, operation by operation and at the end."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from accelsim.report.format import NOTHING, percent
from accelsim.report.network.lines import LONGEST_NAMES, name_of, shortened, side_by_side
from accelsim.report.network.units import table_of
from accelsim.report.training import loss_lines, phase_lines
from accelsim.result import NetworkResult

ACCURACY_COLUMNS = 4
"""Schemes side by side in the table of accuracies."""

MOST_OUTPUTS = 4
"""A network with more outputs than these has its operations' figures only."""


def accuracy_tables(results: Sequence[NetworkResult]) -> list[Table]:
    """SQNR of what every operation stores and of the network's outputs, and the top-1 agreement.

    Of a training, whose operations are many, that of each phase; and the losses.
    """
    tables = []
    for start in range(0, len(results), ACCURACY_COLUMNS):
        group = results[start : start + ACCURACY_COLUMNS]
        table = table_of("SQNR against float, dB", group, ratio=False)
        if group[0].training:
            for name, ratios in phase_lines(group):
                table.add_row(name, *map(_decibels, ratios))
        else:
            _add_operations(table, group)
        _add_outputs(table, group)
        if group[0].steps:
            table.add_row()
            table.add_row(Text("Loss, before the update", style="bold"))
            for name, losses in loss_lines(group):
                table.add_row(f"  {name}", *(f"{loss:.4f}" for loss in losses))
        tables.append(table)
    return tables


def _add_operations(table: Table, results: Sequence[NetworkResult]) -> None:
    for rows in side_by_side(results):
        numerics = [row and row.numerics for row in rows]
        cells = [_decibels(own.sqnr_db) if own else NOTHING for own in numerics]
        if set(cells) != {NOTHING}:
            name = name_of(next(row for row in rows if row))
            table.add_row(shortened(name, LONGEST_NAMES[3]), *cells)


def _add_outputs(table: Table, results: Sequence[NetworkResult]) -> None:
    """The network's outputs, but not those of layers that nothing connects."""
    if not 1 <= len(results[0].outputs) <= MOST_OUTPUTS:
        return
    table.add_row()
    for outputs in zip(*(result.outputs for result in results), strict=True):
        name = shortened(f"output {outputs[0].node}", LONGEST_NAMES[2])
        table.add_row(Text(name, style="bold"), *(_decibels(each.sqnr_db) for each in outputs))
        table.add_row("  cosine", *(f"{each.cosine:.6f}" for each in outputs))
        agreement = [each.top1_agreement for each in outputs]
        if None not in agreement:
            name = f"  same top-1, of {outputs[0].samples}"
            table.add_row(name, *(percent(share) for share in agreement if share is not None))


def _decibels(value: float) -> str:
    return f"{value:.2f}"
