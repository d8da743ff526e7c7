"""What is told of some operations of a network: bytes, time, energy, and how the array was used."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from accelsim.hardware import EnergyTable, load_hardware
from accelsim.report.energy import EnergyUnit
from accelsim.report.format import NOTHING, percent
from accelsim.report.network.units import Units
from accelsim.result import NetworkResult, OperationResult, energy_of, merged


class Measure(NamedTuple):
    """A figure of some operations of a result, and how it is written."""

    unit: str
    of: Callable[[int, Sequence[OperationResult]], float]
    """Of operations of the result at this place."""
    text: Callable[[float], str]
    source: str = ""
    """By whose figures."""


def measures_of(
    results: Sequence[NetworkResult], tables: Sequence[EnergyTable], units: Units
) -> list[Measure]:
    """Bytes and time, then energy by each of the tables."""
    moved, time = units.heads()
    clocks = [result.clock_mhz for result in results]
    return [
        Measure(moved, lambda n, rows: sum(row.total_bytes for row in rows), units.moved),
        Measure(
            time, lambda n, rows: sum(row.total_cycles for row in rows) / clocks[n], units.time
        ),
        *(_energy_measure(results, table, units.energy) for table in tables),
    ]


def _energy_measure(
    results: Sequence[NetworkResult], table: EnergyTable, unit: EnergyUnit
) -> Measure:
    machines = [load_hardware(result.machine) for result in results]

    def energy(place: int, rows: Sequence[OperationResult]) -> float:
        actions = merged(action for row in rows for action in row.actions)
        return energy_of(actions, machines[place], table).total_pj

    return Measure(unit.name, energy, unit.text, table.name)


def array_measures(result: NetworkResult) -> list[Measure]:
    """All cycles, those in which the array was busy, and its products of those that it could do."""
    peak = load_hardware(result.machine).peak_macs_per_cycle

    def busy_cycles(rows: Sequence[OperationResult]) -> int:
        units = (unit for row in rows for unit in row.units if unit.unit == "array")
        return sum(unit.busy_cycles for unit in units)

    def share(rows: Sequence[OperationResult]) -> float:
        most = peak * busy_cycles(rows)
        return sum(row.macs for row in rows) / most if most else 0.0

    def count(value: float) -> str:
        return f"{value:,}" if value else NOTHING

    def of_peak(value: float) -> str:
        return percent(value) if value else NOTHING

    return [
        Measure("cycles", lambda n, rows: sum(row.total_cycles for row in rows), count),
        Measure("array\ncycles", lambda n, rows: busy_cycles(rows), count),
        Measure("of its\npeak", lambda n, rows: share(rows), of_peak),
    ]
