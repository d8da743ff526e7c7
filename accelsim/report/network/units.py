"""What the figures of a network are written in: one choice for all tables, by the largest."""

from collections.abc import Sequence
from typing import NamedTuple

from accelsim.hardware import EnergyTable
from accelsim.report.energy import EnergyUnit, energy_unit
from accelsim.report.format import KB, NOTHING, in_megabytes, in_milliseconds, kib
from accelsim.result import NetworkResult


class Units(NamedTuple):
    """What the bytes, times and energies of all tables are in."""

    megabytes: bool
    milliseconds: bool
    energy: EnergyUnit

    def heads(self) -> tuple[str, str]:
        """Above the columns of bytes and of time."""
        return ("MB" if self.megabytes else "KB", "ms" if self.milliseconds else "us")

    def moved(self, count: float) -> str:
        """Bytes in a cell."""
        return kib(count / KB if self.megabytes else count)

    def cell(self, count: float) -> str:
        """The same where none is a dash."""
        return self.moved(count) if count else NOTHING

    def time(self, microseconds: float) -> str:
        """Time in a cell."""
        return f"{microseconds / 1000 if self.milliseconds else microseconds:,.1f}"


def units_of(results: Sequence[NetworkResult], tables: Sequence[EnergyTable] = ()) -> Units:
    """Those that the largest total asks for; energies are by any of the tables."""
    return Units(
        in_megabytes(max(result.bus_bytes for result in results)),
        in_milliseconds(max(result.latency_us for result in results)),
        energy_unit(result.energy(table) for table in tables for result in results),
    )


def ratio_of(pair: Sequence[float]) -> str:
    """The second over the first, where there are just two."""
    if len(pair) != 2:
        return ""
    return f"{pair[1] / pair[0]:.2f}" if pair[0] else NOTHING
