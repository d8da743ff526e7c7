"""Energy tables as they are chosen from, and what runs come to by them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.hardware import DEFAULT_TABLE, EnergyTable, Hardware
from accelsim.result import COMPONENTS, Energy, area_of


def table_document(table: EnergyTable) -> dict[str, Any]:
    """A table as plain data: the fields of its YAML file."""
    return {"schema": "accelsim.energy-table/1", **table.model_dump(mode="json")}


def tables_document(tables: Sequence[EnergyTable]) -> dict[str, Any]:
    """Several tables as plain data."""
    return {
        "schema": "accelsim.energy-table-list/1",
        "default": DEFAULT_TABLE,
        "tables": [table.model_dump(mode="json") for table in tables],
    }


def tables_text(tables: Sequence[EnergyTable]) -> RenderableType:
    """What the same actions cost by each table, and where its figures come from."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    grid.add_column("pJ")
    for table in tables:
        grid.add_column(table.name, justify="right")
    for name, cells in (
        ("8 x 8 bit multiply", [table.multiplier(8, 8).pj for table in tables]),
        ("32 bit add", [table.adder(32).pj for table in tables]),
        ("32 bit compare", [table.comparator(32).pj for table in tables]),
        ("64 bits read of 64 KiB", [table.memory(64, 64, write=False).pj for table in tables]),
        ("64 bits written to 64 KiB", [table.memory(64, 64, write=True).pj for table in tables]),
    ):
        grid.add_row(name, *(f"{pj:.3g}" for pj in cells))
    grid.add_row(
        "bit from or to DRAM",
        *("\n".join(f"{d.name} {d.pj_per_bit:.4g}" for d in table.dram) for table in tables),
    )
    return Group(
        grid,
        "",
        *(Text(f"{table.name}: {table.source.strip()}") for table in tables),
        "",
        Text(
            f"{DEFAULT_TABLE} is used where none is named. An ideal DRAM costs as the first of a "
            "table's DRAMs, or as NAME:dram=... says."
        ),
        Text("accelsim energy NAME prints one as YAML, to start a table of your own from."),
    )


def area_document(hardware: Hardware, table: EnergyTable) -> dict[str, Any]:
    """The area of a machine as plain data."""
    return {
        "schema": "accelsim.area/1",
        "hardware": hardware.name,
        "table": table.name,
        "area": [row.to_dict() for row in area_of(hardware, table)],
    }


def area_text(hardware: Hardware, table: EnergyTable) -> RenderableType:
    """The area of a machine, component by component, and what the table has no figure for."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    grid.add_column("component")
    grid.add_column("um2", justify="right")
    areas = area_of(hardware, table)
    for row in areas:
        grid.add_row(row.component, "no figure" if row.um2 is None else f"{row.um2:,.0f}")
    grid.add_row("known, together", f"{sum(row.um2 or 0 for row in areas):,.0f}")
    return Group(
        Text(f"Area of {hardware.name}, {table.name}, {table.technology_nm:g} nm", style="bold"),
        "",
        grid,
        "",
        Text(area_gap([row.component for row in areas if row.um2 is None])),
        Text("Operands of 8 bits."),
    )


def area_gap(without: Sequence[str]) -> str:
    """What an area of known components is without, as a sentence for whatever prints one."""
    absent = f"{', '.join(without)} (no figure), " if without else ""
    return f"Areas are without {absent}registers, wires and control."


class EnergyUnit(NamedTuple):
    """What energies are written in."""

    name: str
    pj: float

    def text(self, pj: float) -> str:
        """An energy in a cell, to three digits where it is small."""
        value = pj / self.pj
        return f"{value:,.1f}" if value >= 100 else f"{value:.3g}"


MICROJOULES, MILLIJOULES = EnergyUnit("uJ", 1e6), EnergyUnit("mJ", 1e9)


def energy_unit(energies: Iterable[Energy]) -> EnergyUnit:
    """That of a table with these totals: mJ from 100,000 uJ on, which would not fit its columns."""
    largest_pj = max((energy.total_pj for energy in energies), default=0.0)
    return MILLIJOULES if largest_pj >= 1e5 * MICROJOULES.pj else MICROJOULES


def energy_rows(
    energies: Sequence[Energy], unit: EnergyUnit = MICROJOULES
) -> list[tuple[str, list[str]]]:
    """A line per component and one of the total, with a cell per run; all by the same table."""
    used = {row.component for energy in energies for row in energy.components}
    rows = [
        (name, [unit.text(energy.pj_of(name)) for energy in energies])
        for name in COMPONENTS
        if name in used
    ]
    return [*rows, ("total", [unit.text(energy.total_pj) for energy in energies])]


def energy_notes(energies: Sequence[Energy]) -> list[str]:
    """What stood in, once for each table."""
    notes: dict[str, dict[str, None]] = {}
    for energy in energies:
        notes.setdefault(energy.table, {}).update(dict.fromkeys(energy.notes))
    return [f"Energy, {name}: {'; '.join(found)}." for name, found in notes.items() if found]
