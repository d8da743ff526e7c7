"""The whole network in figures: bytes, time, update steps, energy."""

from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text

from accelsim.hardware import EnergyTable
from accelsim.report.energy import EnergyUnit, energy_rows
from accelsim.report.format import NOTHING, percent
from accelsim.report.kinds import bytes_by_kind
from accelsim.report.network.grid import Column, grids, scheme_heads
from accelsim.report.network.units import Units, ratio_of
from accelsim.result import NetworkResult, UpdateStep


class _Lines:
    """Lines with a cell for each scheme, and a ratio where there are two."""

    def __init__(self, results: Sequence[NetworkResult]) -> None:
        self.results = results
        self._names: list[str | Text] = []
        self._cells: list[Sequence[str]] = []

    def section(self, name: str) -> None:
        """A heading, parted from what is above it."""
        if self._names:
            self._add("", [])
        self._add(Text(name, style="bold"), [])

    def row(self, name: str, cell: Callable[[NetworkResult], str], ratio: str = "") -> None:
        """What `cell` makes of each scheme."""
        self._add(f"  {name}", [*map(cell, self.results), ratio])

    def values(
        self, name: str, of: Callable[[NetworkResult], float], text: Callable[[float], str]
    ) -> None:
        """A figure of each scheme, and the second over the first."""
        figures = [of(result) for result in self.results]
        self._add(f"  {name}", [*map(text, figures), ratio_of(figures)])

    def cells(self, name: str, cells: Sequence[str], ratio: str = "") -> None:
        """A text of each scheme."""
        self._add(f"  {name}", [*cells, ratio])

    def _add(self, name: str | Text, cells: Sequence[str]) -> None:
        self._names.append(name)
        self._cells.append(cells or [""] * (len(self.results) + 1))

    def tables(self) -> list[Table]:
        """As many schemes side by side as 80 columns hold."""
        heads = scheme_heads(self.results, narrow=len(self.results) > 2)
        if len(self.results) == 2:
            heads.append(("ratio", ""))
        cells = list(zip(*self._cells, strict=True))
        columns = [Column(head, cells[n], style) for n, (head, style) in enumerate(heads)]
        return grids("", self._names, columns)


def totals_tables(
    results: Sequence[NetworkResult], energy_tables: Sequence[EnergyTable], units: Units
) -> list[Table]:
    """What every scheme comes to, side by side; energy by each of the energy tables."""
    lines = _Lines(results)
    lines.section(f"DRAM traffic in {'MB of 1024 KB' if units.megabytes else 'KB of 1024 bytes'}")
    moved = [bytes_by_kind(result) for result in results]
    for key in _move_keys(results):
        lines.cells(" ".join(key), [units.cell(each.get(key, 0)) for each in moved])
    lines.values("total", lambda r: r.total_bytes, units.moved)
    lines.row("moved in whole bursts", lambda r: units.moved(r.bus_bytes))
    if any(result.chip_bytes for result in results):
        lines.row("beside it, kept on chip", lambda r: units.moved(r.chip_bytes))
    lines.section("Time")
    lines.values("cycles", lambda r: r.total_cycles, lambda count: f"{count:,}")
    lines.row(f"latency, {units.heads()[1]}", lambda r: units.time(r.latency_us))
    for unit in ("array", "vector unit", "dram"):
        lines.row(f"{unit} busy", lambda r, unit=unit: _busy(r, unit))  # type: ignore[misc]
    if any(result.statistics_held_cycles for result in results):
        lines.row("held by statistics", lambda r: f"{r.statistics_held_cycles:,}")
    lines.row("M MACs", lambda r: f"{r.macs / 1e6:,.1f}")
    lines.row("  without zero operands", lambda r: f"{r.useful_macs / 1e6:,.1f}")
    if any(result.update_step for result in results):
        _add_updates(lines, units)
        for table in energy_tables:
            per_step = [result.energy_pj_per_step(table) for result in results]
            cells = [units.energy.text(pj) for pj in per_step]
            lines.cells(f"{units.energy.name}, {table.name}", cells, ratio_of(per_step))
    for table in energy_tables:
        _add_energy(lines, table, units.energy)
    return lines.tables()


def _add_updates(lines: _Lines, units: Units) -> None:
    """What a step costs that looks at every tensor, and a step on average over a period."""

    def cell(read: Callable[[UpdateStep], str]) -> Callable[[NetworkResult], str]:
        return lambda result: read(result.update_step) if result.update_step else NOTHING

    def searched(step: UpdateStep) -> str:
        return f"{step.search_cycles:,}" if step.search_cycles else NOTHING

    moved = units.heads()[0]
    lines.section("Update steps")
    lines.row("one in so many steps", cell(period_text))
    lines.row(moved, cell(lambda step: units.moved(step.bytes)))
    lines.row("  of these, search", cell(lambda step: units.cell(step.search_bytes)))
    lines.row("cycles", cell(lambda step: f"{step.cycles:,}"))
    lines.row("  of these, search", cell(searched))
    lines.section("Per step, amortised")
    lines.values(moved, lambda r: r.bytes_per_step, units.moved)
    lines.values("cycles", lambda r: r.cycles_per_step, lambda count: f"{count:,.1f}")


def period_text(step: UpdateStep) -> str:
    """Steps from one update to the next, of all operations."""
    shortest, longest = step.shortest_period_steps, step.longest_period_steps
    return f"{shortest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"


def _add_energy(lines: _Lines, by: EnergyTable, unit: EnergyUnit) -> None:
    energies = [result.energy(by) for result in lines.results]
    lines.section(f"Energy in {unit.name} by {by.name}")
    for name, cells in energy_rows(energies, unit):
        total = [energy.total_pj for energy in energies] if name == "total" else []
        lines.cells(name, cells, ratio_of(total))


def _busy(result: NetworkResult, name: str) -> str:
    found = [unit for unit in result.units if unit.unit == name]
    return percent(found[0].busy_cycles / result.total_cycles) if found else NOTHING


def _move_keys(results: Sequence[NetworkResult]) -> list[tuple[str, str]]:
    """Kind and direction of each row, the output last."""
    keys = {key: None for result in results for key in bytes_by_kind(result)}
    return sorted(keys, key=lambda key: key[0] == "output")
