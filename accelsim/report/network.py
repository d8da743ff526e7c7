"""A whole network under one scheme or several, as tables that fit 80 columns."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.hardware import EnergyTable
from accelsim.report.energy import energy_notes, energy_rows, microjoules
from accelsim.report.format import (
    KB,
    NOTHING,
    heading,
    in_megabytes,
    in_milliseconds,
    kib,
    percent,
)
from accelsim.report.kinds import bytes_by_kind
from accelsim.report.palette import scheme_colours
from accelsim.report.training import loss_lines, phase_lines
from accelsim.result import NetworkComparison, NetworkResult, OperationResult, UpdateStep

SCHEMES_PER_TABLE = 3
"""Schemes side by side in one table of 80 columns; the first is repeated in the next table."""

LONGEST_NAMES = {1: 40, 2: 26, 3: 17}
"""Characters of an operation's name by the number of schemes; longer ones lose their middle."""

ACCURACY_COLUMNS = 4
"""Schemes side by side in the table of accuracies."""

CLIPPED_SHARE, CLIPPED_DECIBELS = 0.005, 3.0
"""From so much clipping, and so much worse than under another scheme, the report says so."""

MOST_OUTPUTS = 4
"""A network with more outputs than these has its operations' figures only."""

Row = tuple[str, Sequence[Sequence[OperationResult]]]
"""A line of a table: its name, and for each result the operations that it sums."""


class Units(NamedTuple):
    """What the bytes and times of all tables are in: one choice, by the largest total."""

    megabytes: bool
    milliseconds: bool

    def heads(self) -> tuple[str, str]:
        """Above the columns of bytes and of time."""
        return ("MB" if self.megabytes else "KB", "ms" if self.milliseconds else "us")

    def moved(self, count: float) -> str:
        """Bytes in a cell."""
        return kib(count / KB if self.megabytes else count)

    def cell(self, count: int) -> str:
        """The same where none is a dash."""
        return self.moved(count) if count else NOTHING

    def time(self, microseconds: float) -> str:
        """Time in a cell."""
        return f"{microseconds / 1000 if self.milliseconds else microseconds:,.1f}"


def _units(results: Sequence[NetworkResult]) -> Units:
    return Units(
        in_megabytes(max(result.bus_bytes for result in results)),
        in_milliseconds(max(result.latency_us for result in results)),
    )


def network_text(
    comparison: NetworkComparison, tables: Sequence[EnergyTable] = ()
) -> RenderableType:
    """Totals side by side, then phase by phase in training, then operation by operation.

    The energy is shown by each of the `tables`.
    """
    results = comparison.results
    parts: list[RenderableType] = [Text(network_title(results[0]), style="bold"), ""]
    units = _units(results)
    for group in _groups(results):
        parts += [_totals(group, tables, units), ""]
    if len(results[0].phases) > 1:
        parts += [*_by_line("Phase", results, _phase_rows(results)), ""]
        for table in tables:
            parts += [_phase_energy(results[:4], table), ""]
    parts += [*_by_line("Operation", results, node_rows(results)), ""]
    if any(row.numerics for row in results[0].operations):
        parts += [*_accuracy(results), ""]
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


def _groups(results: Sequence[NetworkResult]) -> Iterable[tuple[NetworkResult, ...]]:
    """The baseline with each few of the others."""
    others, step = results[1:], SCHEMES_PER_TABLE - 1
    for start in range(0, max(len(others), 1), step):
        yield (results[0], *others[start : start + step])


def _table(
    first: str, results: Sequence[NetworkResult], *, pairs: Units | None = None, ratio: bool = True
) -> Table:
    """A table with a column, or with units in `pairs` one for bytes and one for time, for each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(Text(first, style="bold"), no_wrap=True, vertical="bottom")
    colours = scheme_colours(result.scheme for result in results)
    for unit in pairs.heads() if pairs else ("",):
        for result in results:
            label = heading(result.scheme).replace("-", "-\n") if pairs else heading(result.scheme)
            head = f"{label}\n{unit}".strip()
            table.add_column(Text(head, style=colours[result.scheme]), justify="right")
        if ratio and len(results) == 2:
            table.add_column("ratio", justify="right")
    return table


def _totals(results: Sequence[NetworkResult], tables: Sequence[EnergyTable], units: Units) -> Table:
    table = _table("", results)

    def row(name: str, cell: Callable[[NetworkResult], str], ratio: str = "") -> None:
        cells = [cell(result) for result in results]
        table.add_row(f"  {name}", *cells, *([ratio] if len(results) == 2 else []))

    unit = "MB of 1024 KB (of 1024 bytes)" if units.megabytes else "KB of 1024 bytes"
    table.add_row(Text(f"DRAM traffic in {unit}", style="bold"))
    for key in _move_keys(results):
        counts = {id(r): bytes_by_kind(r).get(key, 0) for r in results}
        row(" ".join(key), lambda r, counts=counts: units.cell(counts[id(r)]))  # type: ignore[misc]
    row("total", lambda r: units.moved(r.total_bytes), _ratio([r.total_bytes for r in results]))
    row("moved in whole bursts", lambda r: units.moved(r.bus_bytes))
    if any(result.chip_bytes for result in results):
        row("beside it, kept on chip", lambda r: units.moved(r.chip_bytes))
    table.add_row()
    table.add_row(Text("Time", style="bold"))
    row("cycles", lambda r: f"{r.total_cycles:,}", _ratio([r.total_cycles for r in results]))
    row(f"latency, {units.heads()[1]}", lambda r: units.time(r.latency_us))
    for unit in ("array", "vector unit", "dram"):
        row(f"{unit} busy", lambda r, unit=unit: _busy(r, unit))  # type: ignore[misc]
    if any(result.statistics_held_cycles for result in results):
        row("held by statistics", lambda r: f"{r.statistics_held_cycles:,}")
    row("M MACs", lambda r: f"{r.macs / 1e6:,.1f}")
    if any(result.update_step for result in results):
        _update_rows(table, row, results, units)
        for energy_table in tables:
            row(
                f"uJ, {energy_table.name}",
                lambda r, by=energy_table: microjoules(r.energy_pj_per_step(by)),  # type: ignore[misc]
                _ratio([r.energy_pj_per_step(energy_table) for r in results]),
            )
    for energy_table in tables:
        _energy(table, results, energy_table)
    return table


def _update_rows(
    table: Table, row: Callable[..., None], results: Sequence[NetworkResult], units: Units
) -> None:
    """What a step costs that looks at every tensor, and a step on average over a period."""

    def cell(read: Callable[[UpdateStep], str]) -> Callable[[NetworkResult], str]:
        return lambda result: read(result.update_step) if result.update_step else NOTHING

    moved = units.heads()[0]
    table.add_row()
    table.add_row(Text("Update steps", style="bold"))
    row("one in so many steps", cell(period_text))
    row(moved, cell(lambda step: units.moved(step.bytes)))
    row("  of these, search", cell(lambda step: units.cell(step.search_bytes)))
    row("cycles", cell(lambda step: f"{step.cycles:,}"))
    row(
        "  of these, search",
        cell(lambda step: f"{step.search_cycles:,}" if step.search_cycles else NOTHING),
    )
    table.add_row(Text("Per step, amortised", style="bold"))
    row(moved, lambda r: units.moved(r.bytes_per_step), _ratio([r.bytes_per_step for r in results]))
    row(
        "cycles",
        lambda r: f"{r.cycles_per_step:,.1f}",
        _ratio([r.cycles_per_step for r in results]),
    )


def period_text(step: UpdateStep) -> str:
    """Steps from one update to the next, of all operations."""
    shortest, longest = step.shortest_period_steps, step.longest_period_steps
    return f"{shortest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"


def _energy(table: Table, results: Sequence[NetworkResult], by: EnergyTable) -> None:
    energies = [result.energy(by) for result in results]
    table.add_row()
    table.add_row(Text(f"Energy in uJ by {by.name}", style="bold"))
    for name, cells in energy_rows(energies):
        ratio = ""
        if len(results) == 2 and name == "total":
            ratio = f"{energies[1].total_pj / energies[0].total_pj:.2f}"
        table.add_row(f"  {name}", *cells, *([ratio] if len(results) == 2 else []))


def _busy(result: NetworkResult, name: str) -> str:
    found = [unit for unit in result.units if unit.unit == name]
    return percent(found[0].busy_cycles / result.total_cycles) if found else NOTHING


def _move_keys(results: Sequence[NetworkResult]) -> list[tuple[str, str]]:
    """Kind and direction of each row, the output last."""
    keys = {key: None for result in results for key in bytes_by_kind(result)}
    return sorted(keys, key=lambda key: key[0] == "output")


def _ratio(pair: Sequence[float]) -> str:
    if len(pair) != 2:
        return ""
    return f"{pair[1] / pair[0]:.2f}" if pair[0] else NOTHING


def _phase_rows(results: Sequence[NetworkResult]) -> list[Row]:
    return [
        (phase, [[row for row in r.operations if row.phase == phase] for r in results])
        for phase in results[0].phases
    ]


def _phase_energy(results: Sequence[NetworkResult], by: EnergyTable) -> Table:
    table = _table(f"Energy in uJ by {by.name}", results)
    for phase in results[0].phases:
        energies = [result.phase(phase).energy(by).total_pj for result in results]
        ratio = [f"{energies[1] / energies[0]:.2f}"] if len(results) == 2 else []
        table.add_row(f"  {phase}", *(microjoules(pj) for pj in energies), *ratio)
    return table


def node_rows(results: Sequence[NetworkResult]) -> list[Row]:
    """A line for each node, all its phases together.

    A node that is applied on the way and has work in another phase stands behind who applies it.
    """
    operations = results[0].operations
    names = {row.node: _name(row) for row in reversed(operations)}
    places = {row.node: (place, 0) for place, row in reversed([*enumerate(operations)])}
    for row in operations:
        behind = {node: (places[row.node][0], n) for n, node in enumerate(row.applies, 1)}
        places |= {node: place for node, place in behind.items() if node in places}
    nodes = sorted(names, key=lambda node: places[node])
    return [
        (names[node], [[row for row in r.operations if row.node == node] for r in results])
        for node in nodes
    ]


def _name(row: OperationResult) -> str:
    """The node, and what it applies on the way, without the path they share."""
    path = row.node.rpartition(".")[0]
    applied = [node.removeprefix(f"{path}.") for node in row.applies]
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


def _by_line(first: str, results: Sequence[NetworkResult], rows: Sequence[Row]) -> list[Table]:
    """Bytes and time of every line, as many schemes side by side as 80 columns hold."""
    tables = []
    units = _units(results)
    places = {id(result): place for place, result in enumerate(results)}
    for group in _groups(results):
        table = _table(first, group, pairs=units)
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
    cells += [_ratio(moved)] if len(results) == 2 else []
    cells += [units.time(time) for time in times]
    return cells + ([_ratio(cycles)] if len(results) == 2 else [])


def _accuracy(results: Sequence[NetworkResult]) -> list[Table]:
    """SQNR of what every operation stores and of the network's outputs, and the top-1 agreement.

    Of a training, whose operations are many, that of each phase; and the losses.
    """
    tables = []
    for start in range(0, len(results), ACCURACY_COLUMNS):
        group = results[start : start + ACCURACY_COLUMNS]
        table = _table("SQNR against float, dB", group, ratio=False)
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
    for rows in zip(*(result.operations for result in results), strict=True):
        cells = [_decibels(row.numerics.sqnr_db) if row.numerics else NOTHING for row in rows]
        if set(cells) != {NOTHING}:
            table.add_row(shortened(_name(rows[0]), LONGEST_NAMES[3]), *cells)


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


def _options(result: NetworkResult) -> str:
    """How the training step was done."""
    chosen = result.options
    bits = chosen["weight_gradient_bits"]
    return (
        f"Gradients in {chosen['gradient_bits']} bits"
        + (", and in 16 for the way to the weights" if chosen["bifurcation"] else "")
        + f"; weight gradients in {f'{bits} bits' if bits else 'float32'}; update of float32 "
        + f"weights {'with' if chosen['momentum'] else 'without'} momentum"
        + (f" at a rate of {chosen['learning_rate']:g}" if result.steps else "")
        + ", then requantized."
    )


def sentences(comparison: NetworkComparison) -> list[str]:
    """Every other scheme against the first, and what holds for all of them."""
    first = comparison.baseline
    sentences = [
        f"{ratio.scheme} moves {ratio.bytes_ratio:.2f} times the bytes and takes "
        f"{ratio.cycles_ratio:.2f} times the cycles of {ratio.baseline}."
        for ratio in comparison.ratios
    ]
    sentences += _amortised(comparison)
    sentences += conditions(first)
    if first.data != "none":
        sentences += _clipped(comparison.results)
    return sentences


def conditions(first: NetworkResult) -> list[str]:
    """What holds for all schemes alike."""
    fusion = first.machine["fusion"]
    kept = {
        "none": "every operation loads and stores its tensors",
        "drain": "activations are applied by the operation before them (+)",
        "chain": "activations are applied by the operation before them (+), tensors that fit "
        f"{first.machine['sram']['chain_kib']:g} KiB stay on chip until they were read last",
    }
    found = [_options(first)] if first.training else []
    found.append(f"Fusion {fusion}: {kept[fusion]}. Operations do not overlap.")
    if first.data == "none":
        return [
            *found, "Timing only: bytes and cycles of a step in the steady state, without values."
        ]  # fmt: skip
    what = (
        "a step in float64 from the same weights" if first.training
        else "the float network on the same inputs"
    )  # fmt: skip
    return [
        *found,
        _tensors(first),
        f"SQNR: what each operation stores against {what}, so the errors of all operations "
        "before it are in it.",
    ]


def _amortised(comparison: NetworkComparison) -> list[str]:
    """The same with update steps, and which kind of step was measured."""
    sentences = []
    pairs = zip(comparison.results[1:], comparison.ratios, strict=True)
    for result, ratio in pairs:
        if result.update_step or comparison.baseline.update_step:
            sentences.append(
                f"Update steps included, {ratio.scheme} moves {ratio.bytes_per_step_ratio:.2f} "
                f"times the bytes and takes {ratio.cycles_per_step_ratio:.2f} times the cycles of "
                f"{ratio.baseline} per step."
            )
    for result in comparison.results:
        if result.update_step:
            differ = [row.differs_from_plain for row in result.operations if row.amortised]
            kind = f"an update for {sum(differ)} of the {len(differ)} operations that have such"
            sentences.append(
                f"Under {result.scheme} the measured step is {kind if any(differ) else 'plain'}."
            )
    return sentences


def _clipped(results: Sequence[NetworkResult]) -> list[str]:
    """For each scheme the operation whose range clipped most, where another scheme's did not."""
    sentences = []
    for result in results:
        found = []
        for rows in zip(result.operations, *(other.operations for other in results), strict=True):
            own, *all_of_them = (row.numerics for row in rows)
            best = max((each.sqnr_db for each in all_of_them if each), default=0.0)
            if own and own.saturated_share >= CLIPPED_SHARE:
                found.append((best - own.sqnr_db, own.saturated_share, rows[0].node))
        lost, share, node = max(found, default=(0.0, 0.0, ""))
        if lost >= CLIPPED_DECIBELS:
            sentences.append(
                f"{result.scheme} clips {percent(share)} of what {node} stores, {lost:.1f} dB "
                "below the best scheme here: its range does not fit this step. A larger --batch "
                "or batches to --calibrate with make ranges steadier."
            )
    return sentences


def _tensors(result: NetworkResult) -> str:
    """Where inputs and weights come from, and which step was measured."""
    inputs = result.data
    if result.data == "synthetic":
        inputs += f" (seed {result.seed}, drift {result.drift})"
    before = f"{result.step} steps" if result.step != 1 else "1 step"
    if result.calibration_batches:
        before += f" and {result.calibration_batches} calibration batches"
    return f"Inputs: {inputs}; weights: {result.weights}. Measured after {before}."
