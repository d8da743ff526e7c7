"""A network line by line: its phases, and its nodes with what they apply on the way."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from accelsim.report.network.grid import Column, fit, grids, scheme_heads
from accelsim.report.network.measures import Measure, array_measures
from accelsim.report.network.units import ratio_of
from accelsim.result import NetworkResult, OperationResult

LONGEST_NAME, LONGEST_BESIDE_MANY = 26, 20
"""Characters of an operation's name, and beside more than two schemes; longer ones lose their
middle."""

Key = TypeVar("Key", bound=Hashable)

Row = tuple[str, Sequence[Sequence[OperationResult]]]
"""A line of a table: its name, and for each result the operations that it sums."""


def phase_rows(results: Sequence[NetworkResult]) -> list[Row]:
    """A line for each phase of a training step."""
    return [
        (phase, [[row for row in r.operations if row.phase == phase] for r in results])
        for phase in results[0].phases
    ]


def node_rows(results: Sequence[NetworkResult]) -> list[Row]:
    """A line for each node, all its phases together.

    A node that is applied on the way and has work in another phase stands behind who applies it;
    one that is applied on the way under the first scheme only, behind what it follows.
    """
    operations = results[0].operations
    names = {row.node: name_of(row) for row in reversed(operations)}
    places = {row.node: (place, 0) for place, row in reversed([*enumerate(operations)])}
    for row in operations:
        behind = {node: (places[row.node][0], n) for n, node in enumerate(row.applies, 1)}
        places |= {node: place for node, place in behind.items() if node in places}
    nodes = sorted(names, key=lambda node: places[node])
    for result in results[1:]:
        names = {row.node: name_of(row) for row in reversed(result.operations)} | names
        nodes = _woven(nodes, [row.node for row in result.operations])
    return [
        (names[node], [[row for row in r.operations if row.node == node] for r in results])
        for node in nodes
    ]


def side_by_side(results: Sequence[NetworkResult]) -> list[list[OperationResult | None]]:
    """Every operation under each scheme; None where another one does its work, or nobody."""
    keyed = []
    for result in results:
        times: Counter[tuple[str, str, str]] = Counter()
        own = {}
        for row in result.operations:
            key = row.node, row.kind, row.phase
            own[*key, times[key]] = row
            times[key] += 1
        keyed.append(own)
    order = list(keyed[0])
    for own in keyed[1:]:
        order = _woven(order, list(own))
    return [[own.get(key) for own in keyed] for key in order]


def _woven(order: Sequence[Key], others: Sequence[Key]) -> list[Key]:
    """An order, with what others have beside it behind what it follows there."""
    found, known, at = list(order), set(order), 0
    for key in others:
        if key in known:
            at = found.index(key) + 1
        else:
            found.insert(at, key)
            known.add(key)
            at += 1
    return found


def name_of(row: OperationResult) -> str:
    """The node, and what it applies on the way, without the path they share.

    What has a number for a name is called what it is: `features.0.0 +relu6`.
    """
    path = row.node.rpartition(".")[0]
    own = [node.removeprefix(f"{path}.") for node in row.applies]
    kinds = row.applied_kinds or own
    applied = [k if name.isdigit() else name for name, k in zip(own, kinds, strict=True)]
    return " +".join((row.node, *applied))


def shortened(name: str, longest: int) -> str:
    """A name without what is applied, then without its middle, until it is short enough."""
    if len(name) <= longest:
        return name
    node, plus, _ = name.partition(" +")
    name = f"{node} +" if plus else node
    if len(name) <= longest:
        return name
    tail = longest // 3
    return f"{name[: longest - 1 - tail]}~{name[-tail:]}"


def longest_name(results: Sequence[NetworkResult]) -> int:
    """Characters that are left for the name of an operation."""
    return LONGEST_NAME if len(results) <= 2 else LONGEST_BESIDE_MANY


def line_tables(
    first: str, results: Sequence[NetworkResult], rows: Sequence[Row], measures: Sequence[Measure]
) -> list[Table]:
    """Every line by every measure, as many columns side by side as 80 columns hold.

    Of one scheme all measures stand beside each other, and how the array was used; of two bytes and
    time, with their ratios, then energy; of more each measure has tables of its own, in which the
    first scheme is repeated.
    """
    lines = [*rows, ("total", [result.operations for result in results])]
    names = [shortened(name, longest_name(results)) for name, _ in rows]
    shown: list[str | Text] = [*names, "", Text("total", style="bold")]
    if len(results) == 1:
        told = [*measures, *array_measures(results[0])]
        several = len({measure.source for measure in measures if measure.source}) > 1
        columns = []
        for measure in told:
            head = f"{measure.unit}\n{measure.source if several else ''}".strip()
            columns += _columns(results, lines, measure, [(head, "")])
        return grids(first, shown, columns, repeated=0)
    blocks = []
    for measure in measures:
        two = len(results) == 2
        heads = scheme_heads(results, measure.unit if two else "", narrow=True)
        title = f"{first}{'' if two else f', {measure.unit}'}\n{measure.source}".strip()
        blocks.append((title, _columns(results, lines, measure, heads)))
    if len(results) == 2:
        bytes_and_time = [column for _, columns in blocks[:2] for column in columns]
        if fit(first, shown, bytes_and_time):
            blocks = [(first, bytes_and_time), *blocks[2:]]
    return [table for title, columns in blocks for table in grids(title, shown, columns)]


def _columns(
    results: Sequence[NetworkResult],
    lines: Sequence[Row],
    measure: Measure,
    heads: Sequence[tuple[str, str]],
) -> list[Column]:
    """One measure of all lines: a column for each scheme, and one of ratios where there are two."""
    figures = [
        [measure.of(place, chosen) for place, chosen in enumerate(by_result)]
        for _, by_result in lines
    ]
    cells = [[measure.text(value) for value in line] for line in figures]
    if len(results) == 2:
        heads = [*heads, ("ratio", "")]
        cells = [[*own, ratio_of(line)] for own, line in zip(cells, figures, strict=True)]
    columns = zip(*(*cells[:-1], [""] * len(heads), cells[-1]), strict=True)
    return [Column(head, own, style) for (head, style), own in zip(heads, columns, strict=True)]
