"""How far a network's outputs are from float, operation by operation and at the end."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from accelsim.report.format import NOTHING, percent
from accelsim.report.network.grid import Column, grids, scheme_heads
from accelsim.report.network.lines import (
    LONGEST_BESIDE_MANY,
    longest_name,
    name_of,
    shortened,
    side_by_side,
)
from accelsim.report.training import loss_lines, phase_lines
from accelsim.result import NetworkResult

MOST_OUTPUTS = 4
"""A network with more outputs than these has its operations' figures only."""


Line = tuple[str | Text, Sequence[str]]
"""A name, and a cell for each scheme."""


def accuracy_tables(results: Sequence[NetworkResult]) -> list[Table]:
    """SQNR of what every operation stores and of the network's outputs, and the top-1 agreement.

    Of a training, whose operations are many, that of each phase; and the losses.
    """
    blank = "", [""] * len(results)
    lines = list(_phases(results) if results[0].training else _operations(results))
    lines += [line for output in _outputs(results) for line in (blank, *output)]
    if results[0].steps:
        losses = [(f"  {name}", [f"{x:.4f}" for x in row]) for name, row in loss_lines(results)]
        lines += [blank, (Text("Loss, before the update", style="bold"), blank[1]), *losses]
    names, cells = zip(*lines, strict=True)
    heads = zip(
        scheme_heads(results, narrow=len(results) > 2), zip(*cells, strict=True), strict=True
    )
    columns = [Column(head, own, style) for (head, style), own in heads]
    return grids("SQNR against float, dB", names, columns, repeated=0)


def _phases(results: Sequence[NetworkResult]) -> Iterator[Line]:
    for name, ratios in phase_lines(results):
        yield name, [_decibels(ratio) for ratio in ratios]


def _operations(results: Sequence[NetworkResult]) -> Iterator[Line]:
    for rows in side_by_side(results):
        numerics = [row and row.numerics for row in rows]
        cells = [_decibels(own.sqnr_db) if own else NOTHING for own in numerics]
        if set(cells) != {NOTHING}:
            name = name_of(next(row for row in rows if row))
            yield shortened(name, longest_name(results)), cells


def _outputs(results: Sequence[NetworkResult]) -> Iterator[list[Line]]:
    """The network's outputs, but not those of layers that nothing connects."""
    if not 1 <= len(results[0].outputs) <= MOST_OUTPUTS:
        return
    for outputs in zip(*(result.outputs for result in results), strict=True):
        name = shortened(f"output {outputs[0].node}", LONGEST_BESIDE_MANY)
        found: list[Line] = [
            (Text(name, style="bold"), [_decibels(each.sqnr_db) for each in outputs]),
            ("  cosine", [f"{each.cosine:.6f}" for each in outputs]),
        ]
        agreement = [each.top1_agreement for each in outputs]
        if None not in agreement:
            name = f"  same top-1, of {outputs[0].samples}"
            found.append((name, [percent(share) for share in agreement if share is not None]))
        yield found


def _decibels(value: float) -> str:
    return f"{value:.2f}"
