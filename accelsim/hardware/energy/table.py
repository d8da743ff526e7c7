"""An energy table: published figures, and the rules that lead from them to other sizes and widths.

Arithmetic. An n-bit figure becomes that of other widths by the number of full adders: an adder or
a comparator is linear in its width, a multiplier of a x b bits in the product a * b. Source: the
scaling of the Aladdin figures in HWComponents (`width_a` and `width_b` linear each); Horowitz's two
multipliers, 8 and 32 bits, differ by a factor of 15.5 where the rule says 16. Between two given
widths the figure is the power law through both; beyond them the rule starts at the nearest one. So
a width is that of a unit built for it, not of a wide unit that is used in part.

Memory. An access of n bits costs n / word_bits of the published access. Between two given sizes the
figure is the power law through both (a straight line in log-log); below the smallest and above the
largest, that of the nearest two goes on, and the report says so.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import Field

from accelsim.errors import AccelsimError
from accelsim.hardware.part import Part, number, show, whole
from accelsim.hardware.text import write_yaml

FLOAT_BITS = 32


class Figure(NamedTuple):
    """What one action costs, the area of what does it (None: not in the table), and a remark."""

    pj: float
    um2: float | None = None
    note: str = ""


def _required(low: float, high: float, description: str) -> Any:
    return Field(ge=low, le=high, strict=True, description=description)


def _text(longest: int, description: str) -> Any:
    return Field(min_length=1, max_length=longest, strict=True, description=description)


_AREA = "its area in square micrometres; null where the source gives none"


class Arithmetic(Part):
    """An arithmetic unit of one width."""

    bits: int = whole(8, 1, 64, "width of its operands")
    pj: float = _required(0, 1e9, "energy of one operation in pJ")
    um2: float | None = Field(default=None, ge=0, le=1e12, strict=True, description=_AREA)


class Memory(Part):
    """A memory of one size."""

    kib: float = _required(0.001, 1 << 20, "its size in KiB of 1024 bytes")
    read_pj: float = _required(0, 1e9, "energy of reading one word in pJ")
    write_pj: float = _required(0, 1e9, "energy of writing one word in pJ")
    um2: float | None = Field(default=None, ge=0, le=1e12, strict=True, description=_AREA)


class DramEnergy(Part):
    """A DRAM of one technology."""

    name: str = _text(40, "as in the names of the DRAM presets: lpddr4, ddr4, hbm2, ...")
    pj_per_bit: float = _required(0, 1e9, "energy of one bit moved, either way, in pJ")


class EnergyTable(Part):
    """Published figures under one name. What a table lacks has a stand-in that reports name."""

    name: str = _text(60, "what reports call the table")
    source: str = _text(2000, "who published the figures, and where")
    technology_nm: float = number(45, 1, 1000, "process of the logic and the memories")
    multiply: tuple[Arithmetic, ...] = Field(
        min_length=1, description="integer multipliers, one line for each published width"
    )
    add: tuple[Arithmetic, ...] = Field(
        min_length=1, description="integer adders, one line for each published width"
    )
    compare: tuple[Arithmetic, ...] = Field(
        default=(), description="integer comparators; where there are none, an adder stands in"
    )
    multiply_float: tuple[Arithmetic, ...] = Field(
        default=(),
        description="floating-point multipliers; where there are none, an integer one stands in",
    )
    add_float: tuple[Arithmetic, ...] = Field(
        default=(),
        description="floating-point adders; where there are none, an integer one stands in",
    )
    word_bits: int = whole(64, 1, 4096, "bits of the memory access that the figures are for")
    sram: tuple[Memory, ...] = Field(
        min_length=2, description="on-chip memories, one line for each published size"
    )
    dram: tuple[DramEnergy, ...] = Field(
        min_length=1, description="DRAMs, one line for each technology"
    )
    dram_default: str = _text(
        40, "the DRAM where a machine names none of these (the ideal DRAM names none)"
    )

    def model_post_init(self, context: Any, /) -> None:
        """Refuse sizes out of order and a default that is not there."""
        for field in ("multiply", "add", "compare", "multiply_float", "add_float"):
            _ascending(field, [item.bits for item in getattr(self, field)])
        _ascending("sram", [item.kib for item in self.sram])
        if self.dram_default not in self.dram_names:
            raise AccelsimError(
                f"dram_default={show(self.dram_default)}: must be one of "
                f"{', '.join(self.dram_names)}"
            )

    def to_yaml(self) -> str:
        """Write the table as YAML that loads back to an equal one, each field explained."""
        return write_yaml(self)

    @property
    def dram_names(self) -> tuple[str, ...]:
        """The DRAMs there are figures for."""
        return tuple(item.name for item in self.dram)

    def multiplier(self, bits_a: int, bits_b: int) -> Figure:
        """An integer multiplier of bits_a x bits_b."""
        return _scaled(self.multiply, bits_a * bits_b, 2)

    def adder(self, bits: int) -> Figure:
        """An integer adder."""
        return _scaled(self.add, bits, 1)

    def comparator(self, bits: int) -> Figure:
        """An integer comparator; a comparison is a subtraction, so an adder may stand in."""
        if self.compare:
            return _scaled(self.compare, bits, 1)
        return self.adder(bits)._replace(
            note=f"{self.name} has no comparator: its adder stands in, as a comparison subtracts"
        )

    def float_multiplier(self) -> Figure:
        """A float32 multiplier, or a 32-bit integer one."""
        if self.multiply_float:
            return _scaled(self.multiply_float, FLOAT_BITS**2, 2)
        return self.multiplier(FLOAT_BITS, FLOAT_BITS)._replace(
            note=f"{self.name} has no float32 multiplier: its 32-bit integer one stands in"
        )

    def float_adder(self) -> Figure:
        """A float32 adder, or a 32-bit integer one."""
        if self.add_float:
            return _scaled(self.add_float, FLOAT_BITS, 1)
        return self.adder(FLOAT_BITS)._replace(
            note=f"{self.name} has no float32 adder: its 32-bit integer one stands in"
        )

    def memory(self, kib: float, bits: int, *, write: bool) -> Figure:
        """An access of `bits` to an on-chip memory of this size."""
        column = "write_pj" if write else "read_pj"
        pj = _power_law([(item.kib, getattr(item, column)) for item in self.sram], kib)
        first, last = self.sram[0].kib, self.sram[-1].kib
        note = ""
        if not first <= kib <= last:
            note = (
                f"{self.name} has memories of {first:g} to {last:g} KiB: "
                f"{kib:g} KiB is extrapolated"
            )
        return Figure(pj * bits / self.word_bits, self._memory_um2(kib), note)

    def _memory_um2(self, kib: float) -> float | None:
        known = [(item.kib, item.um2) for item in self.sram if item.um2 is not None]
        return _power_law(known, kib) if len(known) == len(self.sram) else None

    def dram_bit(self, technology: str) -> Figure:
        """One bit to or from a DRAM; the default where the table has no such technology."""
        found = {item.name: item.pj_per_bit for item in self.dram}
        if technology in found:
            return Figure(found[technology])
        what = f"{technology} is not in {self.name}" if technology else "the DRAM is ideal"
        return Figure(found[self.dram_default], None, f"{what}: {self.dram_default} stands in")


def _ascending(field: str, sizes: Sequence[float]) -> None:
    if any(b <= a for a, b in pairwise(sizes)):
        raise AccelsimError(f"{field}: must be in ascending order, each size once, not {sizes}")


def _scaled(figures: Sequence[Arithmetic], work: int, power: int) -> Figure:
    """The figure for `work` full adders, from figures of `bits ** power` of them."""

    def at(column: str) -> float | None:
        known = [(f.bits**power, getattr(f, column)) for f in figures]
        if any(value is None for _, value in known):
            return None
        x, y = known[0] if work <= known[0][0] else known[-1]
        if known[0][0] < work < known[-1][0]:
            return _power_law(known, work)
        return float(y * work / x)

    pj = at("pj")
    assert pj is not None
    return Figure(pj, at("um2"))


def _power_law(points: Sequence[tuple[float, float]], x: float) -> float:
    """The value at x on straight lines through the points, in log-log; the end ones go on."""
    last = len(points) - 2
    segment = next((i for i in range(last) if x <= points[i + 1][0]), last)
    (x0, y0), (x1, y1) = points[segment : segment + 2]
    if y0 <= 0 or y1 <= 0:
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return float(y0 * (x / x0) ** (math.log(y1 / y0) / math.log(x1 / x0)))
