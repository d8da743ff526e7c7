"""Between the cycles of the machine and the clocks of the DRAM, exactly and in integers."""

from fractions import Fraction
from typing import NamedTuple


class ClockRatio(NamedTuple):
    """DRAM clocks per machine cycle, as a fraction.

    Both counts start at time 0. What the machine does in a cycle, the DRAM sees at its first clock
    not before; what the DRAM does at a clock, the machine sees in its first cycle not before.
    """

    clocks: int
    cycles: int

    @classmethod
    def of(cls, clock_mhz: float, clock_ps: int) -> "ClockRatio":
        """From the machine's clock in MHz, read as a decimal, and the DRAM's period in ps."""
        ratio = 1_000_000 / (Fraction(repr(float(clock_mhz))) * clock_ps)
        return cls(ratio.numerator, ratio.denominator)

    def clock_at(self, cycle: int) -> int:
        """Give the first DRAM clock that is not before the cycle."""
        return -(-cycle * self.clocks // self.cycles)

    def cycle_at(self, clock: int) -> int:
        """Give the first machine cycle that is not before the DRAM clock."""
        return -(-clock * self.cycles // self.clocks)
