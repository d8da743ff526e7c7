"""Tensors that the machine keeps without one grid: in float32, or with a grid for each filter."""

from dataclasses import dataclass

import numpy as np

from accelsim.quant import Range
from accelsim.result import Numerics
from accelsim.simulation.numerics import numerics_of


@dataclass(frozen=True, eq=False)
class HeldReals:
    """What the stored numbers stand for, and what is known of how they were made."""

    reals: np.ndarray
    overflow_count: int = 0
    levels_used: int = 0
    """Different integers, where they are integers."""

    def numerics(self, reference: np.ndarray) -> Numerics:
        """Held against the float network."""
        seen = Range.of(self.reals)
        return numerics_of(
            reference, self.reals, seen, seen, grid=None, levels_used=self.levels_used,
            overflow_count=self.overflow_count,
        )  # fmt: skip
