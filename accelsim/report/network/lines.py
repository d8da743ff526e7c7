"""A network line by line: its phases, and its nodes with what they apply on the way."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from accelsim.report.network.units import Units, groups_of, ratio_of, table_of, units_of
from accelsim.result import NetworkResult, OperationResult

LONGEST_NAMES = {1: 40, 2: 26, 3: 17}
"""Characters of an operation's name by the number of schemes; longer ones lose their middle."""

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


def line_tables(first: str, results: Sequence[NetworkResult], rows: Sequence[Row]) -> list[Table]:
    """Bytes and time of every line, as many schemes side by side as 80 columns hold."""
    tables = []
    units = units_of(results)
    places = {id(result): place for place, result in enumerate(results)}
    for group in groups_of(results):
        table = table_of(first, group, pairs=units)
        for name, by_result in rows:
            chosen = [by_result[places[id(result)]] for result in group]
            table.add_row(shortened(name, LONGEST_NAMES[len(group)]), *_pairs(group, chosen, units))
        table.add_row()
        total = _pairs(group, [r.operations for r in group], units)
        table.add_row(Text("total", style="bold"), *total)
        tables.append(table)
    return tables


def _pairs(
    results: Sequence[NetworkResult], chosen: Sequence[Sequence[OperationResult]], units: Units
) -> list[str]:
    moved = [sum(row.total_bytes for row in rows) for rows in chosen]
    cycles = [sum(row.total_cycles for row in rows) for rows in chosen]
    times = [count / r.clock_mhz for count, r in zip(cycles, results, strict=True)]
    cells = [units.cell(count) for count in moved]
    cells += [ratio_of(moved)] if len(results) == 2 else []
    cells += [units.time(time) for time in times]
    return cells + ([ratio_of(cycles)] if len(results) == 2 else [])
