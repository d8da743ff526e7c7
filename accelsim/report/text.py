"""One run, or several side by side, as tables that fit 80 columns."""

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.hardware import DEFAULT_TABLE, EnergyTable, load_energy_table
from accelsim.report.energy import energy_notes, energy_rows
from accelsim.report.format import NOTHING, brief_percent, broken, heading, kib, percent
from accelsim.report.palette import scheme_styles
from accelsim.report.sequence import sequence_parts
from accelsim.result import Amortised, Comparison, ConsumerPrice, Numerics, Phase, Result, StepCost

COLUMNS_PER_TABLE = 3
"""Schemes side by side in one table of 80 columns; the first is repeated in the next table."""


def result_text(
    result: Result,
    title: str = "",
    notes: Sequence[str] = (),
    tables: Sequence[EnergyTable] = (),
) -> RenderableType:
    """One run: `title` above instead of the layer's own name, `notes` below."""
    return comparison_text(Comparison((result,)), title, notes, tables)


def comparison_text(
    comparison: Comparison,
    title: str = "",
    notes: Sequence[str] = (),
    tables: Sequence[EnergyTable] = (),
) -> RenderableType:
    """Bytes, time, energy and values side by side, then how each unit spent its cycles, then notes.

    The energy is shown by each of the `tables`.
    """
    results = comparison.results
    parts: list[RenderableType] = [Text(title or _title(comparison.baseline), style="bold"), ""]
    for group in _groups(results):
        parts += [_figures(Comparison(group), tables), ""]
    parts += [_units(results), "", *sequence_parts(results)]
    parts += [Text(sentence) for sentence in ratio_sentences(comparison)]
    parts += [Text(sentence) for sentence in (*_tile_sentences(results), *_step_sentences(results))]
    parts += [Text(f"Left out: {reason}.") for reason in comparison.left_out]
    energies = [result.energy(table) for table in tables for result in results]
    parts += [Text(note) for note in (*energy_notes(energies), *notes)]
    return Group(*parts)


def _title(result: Result) -> str:
    return f"{result.layer} on {result.hardware} at {result.clock_mhz:g} MHz, batch {result.batch}"


def _groups(results: Sequence[Result]) -> Iterable[tuple[Result, ...]]:
    """The baseline with each few of the others."""
    others, step = results[1:], COLUMNS_PER_TABLE - 1
    for start in range(0, max(len(others), 1), step):
        yield (results[0], *others[start : start + step])


class _Rows:
    """A table of figures, one column per scheme, and one of ratios where there are two."""

    def __init__(self, comparison: Comparison) -> None:
        self.results = comparison.results
        self.two = len(self.results) == 2
        self.table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
        self.table.add_column("")
        styles = scheme_styles(result.scheme for result in self.results)
        for result in self.results:
            self.table.add_column(
                Text(heading(result.scheme), style=styles[result.scheme]), justify="right"
            )
        if self.two:
            self.table.add_column("ratio", justify="right")

    def section(self, name: str) -> None:
        if self.table.row_count:
            self.table.add_row()
        self.table.add_row(Text(name, style="bold"))

    def row(self, name: str, cell: Callable[[Result], str], ratio: str = "") -> None:
        self.add(name, [cell(result) for result in self.results], ratio)

    def add(self, name: str, cells: Sequence[str], ratio: str = "") -> None:
        self.table.add_row(f"  {name}", *cells, *([ratio] if self.two else []))


def _figures(comparison: Comparison, tables: Sequence[EnergyTable]) -> Table:
    rows = _Rows(comparison)
    ratio = comparison.ratios[0] if rows.two else None
    _traffic_rows(rows, f"{ratio.bytes_ratio:.2f}" if ratio else "")
    _time_rows(rows, f"{ratio.cycles_ratio:.2f}" if ratio else "")
    if any(result.amortised for result in comparison.results):
        _amortised_rows(rows)
    for table in tables:
        _energy_rows(rows, table)
    if any(any(result.consumers) for result in comparison.results):
        _consumer_rows(rows, tables or (load_energy_table(DEFAULT_TABLE),))
    if any(result.numerics for result in comparison.results):
        difference = ratio.sqnr_difference_db if ratio else None
        _value_rows(rows, "" if difference is None else f"{difference:+.2f} dB")
    return rows.table


def _traffic_rows(rows: _Rows, ratio: str) -> None:
    rows.section("DRAM traffic in KB of 1024 bytes")
    for tensor, direction, phase in traffic_keys(rows.results):
        name = f"{tensor} {direction}" + (f", {phase}" if phase else "")
        rows.row(name, lambda r, key=(tensor, direction, phase): _bytes_cell(r, *key))  # type: ignore[misc]
    rows.row("total", lambda r: kib(r.total_bytes), ratio)
    rows.row("total in bytes", lambda r: f"{r.total_bytes:,}", ratio)
    rows.row("moved in whole bursts", lambda r: f"{r.bus_bytes:,}")
    if any(result.dram for result in rows.results):
        rows.row("row hits", lambda r: f"{r.dram.row_hit_rate:.1%}" if r.dram else "-")
        rows.row("activates", lambda r: f"{r.dram.activates:,}" if r.dram else "-")
        rows.row("mean read latency, ns", _latency_cell)
    if len({result.consumer_load_bytes for result in rows.results}) > 1:
        rows.row("loaded by the consumer", lambda r: f"{r.consumer_load_bytes:,}")
    if any(result.consumer_range_bytes for result in rows.results):
        rows.row("its ranges, by the consumer", lambda r: f"{r.consumer_range_bytes:,}")


def _latency_cell(result: Result) -> str:
    return f"{result.dram.read_latency_mean_ns:.0f}" if result.dram else "-"


def traffic_keys(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    """Tensor, direction and phase of each row; the phase is empty where a run has but one."""
    keys: dict[tuple[str, str], set[str]] = {}
    split = set()
    for result in results:
        for row in result.traffic:
            keys.setdefault((row.tensor, row.direction), set()).add(row.phase)
        pairs = [(row.tensor, row.direction) for row in result.traffic if row.bytes]
        split |= {pair for pair in pairs if pairs.count(pair) > 1}
    found = []
    for pair, phases in keys.items():
        found += [(*pair, phase) for phase in sorted(phases)] if pair in split else [(*pair, "")]
    # The output leaves last, whichever scheme came first.
    return sorted(found, key=lambda key: key[0] == "output")


def bytes_of(result: Result, tensor: str, direction: str, phase: str = "") -> int:
    """DRAM bytes of one row; an empty phase stands for all."""
    return sum(
        row.bytes
        for row in result.traffic
        if (row.tensor, row.direction) == (tensor, direction) and phase in ("", row.phase)
    )


def _bytes_cell(result: Result, tensor: str, direction: str, phase: str) -> str:
    count = bytes_of(result, tensor, direction, phase)
    return kib(count) if count else NOTHING


def _time_rows(rows: _Rows, ratio: str) -> None:
    clocks = sorted({result.clock_mhz for result in rows.results})
    rows.section("Time")
    rows.row("cycles", lambda r: f"{r.total_cycles:,}", ratio)
    for phase in _searching_phases(rows.results):
        rows.row(f"  {phase}", lambda r, phase=phase: _phase_cell(r, phase))  # type: ignore[misc]
    if any(result.statistics_held_cycles for result in rows.results):
        rows.row("  drain held by statistics", lambda r: f"{r.statistics_held_cycles:,}")
    at = " / ".join(f"{clock:g}" for clock in clocks)
    rows.row(f"latency, us at {at} MHz", lambda r: f"{r.latency_us:,.2f}", ratio)
    rows.row("array utilisation", lambda r: percent(r.array_utilisation))
    rows.row("  while it is busy", lambda r: percent(r.array_busy_utilisation))
    rows.row("roofline bound", lambda r: r.roofline.bound)
    rows.row("  compute bound, cycles", lambda r: f"{r.roofline.compute_bound_cycles:,}")
    rows.row("  memory bound, cycles", lambda r: f"{r.roofline.memory_bound_cycles:,}")
    rows.row("  MACs per DRAM byte", lambda r: f"{r.roofline.macs_per_byte:.1f}")


def _searching_phases(results: Sequence[Result]) -> list[str]:
    """The phases of all runs where one of them looks for ranges in the finished tensor."""
    phases = [phase.phase for result in results for phase in result.phases]
    return list(dict.fromkeys(phases)) if {"search", "mix"} & set(phases) else []


def _phase_cell(result: Result, name: str) -> str:
    cycles = [phase.cycles for phase in result.phases if phase.phase == name]
    return f"{cycles[0]:,}" if cycles else NOTHING


def _amortised_rows(rows: _Rows) -> None:
    """What an update step costs and what it comes to per step, whichever step was measured."""

    def cell(read: Callable[[Amortised], str]) -> Callable[[Result], str]:
        return lambda result: read(result.amortised) if result.amortised else NOTHING

    def searched(cost: StepCost) -> Phase:
        return next((p for p in cost.phases if p.phase == "search"), Phase("search", 0, 0))

    rows.section("Update steps")
    rows.row("one in so many steps", cell(lambda a: f"{a.period_steps:,}"))
    rows.row("reads of the tensor", cell(lambda a: f"{a.passes:,}"))
    rows.row("KB", cell(lambda a: kib(a.update.bytes)))
    rows.row("  of these, search", cell(lambda a: kib(searched(a.update).bytes)))
    rows.row("cycles", cell(lambda a: f"{a.update.cycles:,}"))
    rows.row("  of these, search", cell(lambda a: f"{searched(a.update).cycles:,}"))
    rows.row("KB per step, amortised", cell(lambda a: kib(a.bytes_per_step)))
    rows.row("cycles per step, amortised", cell(lambda a: f"{a.cycles_per_step:,.1f}"))


def _energy_rows(rows: _Rows, table: EnergyTable) -> None:
    energies = [result.energy(table) for result in rows.results]
    rows.section(f"Energy in uJ, {table.name}")
    for name, cells in energy_rows(energies):
        ratio = ""
        if rows.two and name == "total":
            ratio = f"{energies[1].total_pj / energies[0].total_pj:.2f}"
        rows.add(name, cells, ratio)


def _consumer_rows(rows: _Rows, tables: Sequence[EnergyTable]) -> None:
    """What reading the output costs a stated operation beyond plain integers; "-" where nothing.

    Per step: amortised where steps differ.
    """

    def cell(table: EnergyTable, figure: Callable[[ConsumerPrice], str]) -> Callable[[Result], str]:
        def of(result: Result) -> str:
            known = [one for one in result.consumers if one is not None]
            if any(one.refused for one in known):
                return "refused"
            return figure(result.consumer_price_per_step(table)) if known else NOTHING

        return of

    rows.section("Consumer, beyond one of static data")
    rows.row("bytes", cell(tables[0], lambda price: f"{price.bytes:+,.0f}"))
    rows.row("cycles", cell(tables[0], lambda price: f"{price.cycles:+,.0f}"))
    for table in tables:
        energy = cell(table, lambda price: f"{price.energy_pj / 1e6:+,.2f}")
        rows.row(f"energy in uJ, {table.name}", energy)


def _value_rows(rows: _Rows, difference: str) -> None:
    def cell(read: Callable[[Numerics], str]) -> Callable[[Result], str]:
        return lambda result: read(result.numerics) if result.numerics else NOTHING

    rows.section("Output against float")
    rows.row("SQNR, dB", cell(lambda n: f"{n.sqnr_db:.2f}"), difference)
    rows.row("cosine", cell(lambda n: f"{n.cosine:.6f}"))
    rows.row("saturated outputs", cell(lambda n: percent(n.saturated_share)))
    rows.row("underflow to zero", cell(lambda n: percent(n.underflow_share)))
    rows.row("levels used", cell(lambda n: f"{n.levels_used:,}"))
    rows.row("accumulator overflows", cell(lambda n: f"{n.overflow_count:,}"))
    rows.row("range used, minimum", cell(lambda n: f"{n.range_used.minimum:.4g}"))
    rows.row("range used, maximum", cell(lambda n: f"{n.range_used.maximum:.4g}"))
    rows.row("range observed, minimum", cell(lambda n: f"{n.range_observed.minimum:.4g}"))
    rows.row("range observed, maximum", cell(lambda n: f"{n.range_observed.maximum:.4g}"))
    rows.row("width used over observed", cell(lambda n: f"{n.range_staleness:.3f}"))


def _units(results: Sequence[Result]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(Text("Units", style="bold"))
    table.add_column("", overflow="fold")
    for name in ("busy cycles", "busy", "starved", "blocked", "idle"):
        table.add_column(name, justify="right")
    styles = scheme_styles(result.scheme for result in results)
    for unit in max((r.units for r in results), key=len):
        for position, result in enumerate(results):
            time = result.unit(unit.unit)
            shares = (time.busy_cycles, time.starved_cycles, time.blocked_cycles, time.idle_cycles)
            table.add_row(
                unit.unit if position == 0 else "",
                Text(broken(result.scheme), style=styles[result.scheme]),
                f"{time.busy_cycles:,}",
                *(brief_percent(cycles / result.total_cycles) for cycles in shares),
            )
    return table


def ratio_sentences(comparison: Comparison) -> list[str]:
    """Every other scheme against the first, each in a sentence."""
    sentences = []
    for ratio in comparison.ratios:
        sentence = (
            f"{ratio.scheme} moves {ratio.bytes_ratio:.2f} times the bytes and takes "
            f"{ratio.cycles_ratio:.2f} times the cycles of {ratio.baseline}"
        )
        if ratio.sqnr_difference_db is not None:
            sentence += f"; SQNR {ratio.sqnr_difference_db:+.2f} dB"
        sentences.append(f"{sentence}.")
    baseline = comparison.baseline
    for result in comparison.results[1:]:
        if result.amortised or baseline.amortised:
            moved = result.bytes_per_step / baseline.bytes_per_step
            taken = result.cycles_per_step / baseline.cycles_per_step
            sentences.append(
                f"Update steps included, {result.scheme} moves {moved:.2f} times the bytes and "
                f"takes {taken:.2f} times the cycles of {baseline.scheme} per step."
            )
    return sentences


def _tile_sentences(results: Sequence[Result]) -> list[str]:
    tiles: dict[str, list[str]] = {}
    for result in results:
        tiles.setdefault(_tile(result), []).append(result.scheme)
    if len(tiles) == 1:
        return [f"Tile: {next(iter(tiles))}."]
    return [f"Tile of {' and '.join(schemes)}: {tile}." for tile, schemes in tiles.items()]


def _tile(result: Result) -> str:
    t = result.tiling
    groups = f"{t['groups']} groups of " if t["groups"] > 1 else ""
    if t["outermost"] in ("input channels", "output channels"):  # of a gradient to the weights
        return (
            f"weights of {groups}{t['out_channels']} output and {t['in_channels']} input "
            f"channels, summed over {t['batch']} x {t['rows']} x {t['columns']} outputs (batch, "
            f"rows, columns) at a time, {t['outermost']} outermost; {t['folds']:,} folds on the "
            "array"
        )
    return (
        f"{t['batch']} x {t['rows']} x {t['columns']} outputs (batch, rows, columns) of {groups}"
        f"{t['out_channels']} channels, {t['in_channels']} input channels at a time, "
        f"{t['outermost']} outermost; {t['folds']:,} folds on the array"
    )


def _step_sentences(results: Sequence[Result]) -> list[str]:
    if all(result.data == "none" for result in results):
        return ["Timing only: bytes and cycles of a step in the steady state, without values."]
    sentences = [f"Step {results[0].step} is measured."]
    if results[0].calibration_batches:
        sentences.append(
            f"Before step 0 each estimator saw {results[0].calibration_batches} batches, which are "
            "in no figure."
        )
    past = [result.scheme for result in results if _bootstrapped(result)]
    if past:
        sentences.append(
            f"Step 0 was the bootstrap of {' and '.join(dict.fromkeys(past))}: no range was known "
            "yet, so it ran as the dynamic program (spill)."
        )
    sentences = [" ".join(sentences)]
    for result in results:
        if result.amortised:
            kind = "a plain step" if result.realisation == "static" else "an update step"
            sentences.append(f"Under {result.scheme} it is {kind}.")
    return sentences


def _bootstrapped(result: Result) -> bool:
    """Whether a static scheme began with a step that was not."""
    if result.trace is None or not result.scheme.endswith("/static"):
        return False
    first = result.trace.steps[0]
    return first.step == 0 and first.realisation != "static"
