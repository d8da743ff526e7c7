"""The whole network in figures: bytes, time, update steps, energy."""

from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text

from accelsim.hardware import EnergyTable
from accelsim.report.energy import energy_rows, microjoules
from accelsim.report.format import NOTHING, percent
from accelsim.report.kinds import bytes_by_kind
from accelsim.report.network.units import Units, ratio_of, table_of
from accelsim.result import NetworkResult, UpdateStep


def totals_table(
    results: Sequence[NetworkResult], tables: Sequence[EnergyTable], units: Units
) -> Table:
    """What every scheme comes to, side by side; energy by each of the tables."""
    table = table_of("", results)

    def row(name: str, cell: Callable[[NetworkResult], str], ratio: str = "") -> None:
        cells = [cell(result) for result in results]
        table.add_row(f"  {name}", *cells, *([ratio] if len(results) == 2 else []))

    unit = "MB of 1024 KB (of 1024 bytes)" if units.megabytes else "KB of 1024 bytes"
    table.add_row(Text(f"DRAM traffic in {unit}", style="bold"))
    for key in _move_keys(results):
        counts = {id(r): bytes_by_kind(r).get(key, 0) for r in results}
        row(" ".join(key), lambda r, counts=counts: units.cell(counts[id(r)]))  # type: ignore[misc]
    row("total", lambda r: units.moved(r.total_bytes), ratio_of([r.total_bytes for r in results]))
    row("moved in whole bursts", lambda r: units.moved(r.bus_bytes))
    if any(result.chip_bytes for result in results):
        row("beside it, kept on chip", lambda r: units.moved(r.chip_bytes))
    table.add_row()
    table.add_row(Text("Time", style="bold"))
    row("cycles", lambda r: f"{r.total_cycles:,}", ratio_of([r.total_cycles for r in results]))
    row(f"latency, {units.heads()[1]}", lambda r: units.time(r.latency_us))
    for unit in ("array", "vector unit", "dram"):
        row(f"{unit} busy", lambda r, unit=unit: _busy(r, unit))  # type: ignore[misc]
    if any(result.statistics_held_cycles for result in results):
        row("held by statistics", lambda r: f"{r.statistics_held_cycles:,}")
    row("M MACs", lambda r: f"{r.macs / 1e6:,.1f}")
    if any(result.update_step for result in results):
        _update_rows(table, row, results, units)
        for energy_table in tables:
            per_step = [result.energy_pj_per_step(energy_table) for result in results]
            table.add_row(
                f"  uJ, {energy_table.name}", *map(microjoules, per_step),
                *([ratio_of(per_step)] if len(results) == 2 else []),
            )  # fmt: skip
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
    row(
        moved,
        lambda r: units.moved(r.bytes_per_step),
        ratio_of([r.bytes_per_step for r in results]),
    )
    row(
        "cycles",
        lambda r: f"{r.cycles_per_step:,.1f}",
        ratio_of([r.cycles_per_step for r in results]),
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


def phase_energy_table(results: Sequence[NetworkResult], by: EnergyTable) -> Table:
    """Energy phase by phase, by one table."""
    table = table_of(f"Energy in uJ by {by.name}", results)
    for phase in results[0].phases:
        energies = [result.phase(phase).energy(by).total_pj for result in results]
        ratio = [f"{energies[1] / energies[0]:.2f}"] if len(results) == 2 else []
        table.add_row(f"  {phase}", *(microjoules(pj) for pj in energies), *ratio)
    return table
