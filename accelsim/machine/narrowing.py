"""Accumulators that wait in DRAM in fewer bits than on chip."""

import numpy as np

from accelsim.numerics import IntegerRange


class Narrowing:
    """Accumulators in DRAM, in fewer bits than on chip: rounded half to even, and shifted back.

    The shift is fixed beforehand by the largest sum there can be, as the range is not known yet.
    """

    def __init__(self, stored_bits: int, accumulator_bits: int, sum_bound: int) -> None:
        # The one sum of magnitude 2**(bits - 1) is negative, and needs no bit more.
        largest = min(sum_bound, 2 ** (accumulator_bits - 1) - 1)
        self.shift = max(0, largest.bit_length() + 1 - stored_bits)
        self.limits = IntegerRange(stored_bits, signed=True)

    def narrowed(self, sums: np.ndarray) -> np.ndarray:
        """Sums as they are stored."""
        if not self.shift:
            return sums
        wide = sums.astype(np.int64)
        half = 1 << (self.shift - 1)
        rounded = (wide + (half - 1) + ((wide >> self.shift) & 1)) >> self.shift
        return np.clip(rounded, self.limits.minimum, self.limits.maximum)

    def widened(self, stored: np.ndarray) -> np.ndarray:
        """Stored sums back at the weight they had."""
        return stored << self.shift if self.shift else stored
