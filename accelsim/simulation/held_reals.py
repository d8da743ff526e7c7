"""Tensors that the machine keeps without one grid: in float32, or with a grid for each filter."""

from dataclasses import dataclass

import numpy as np

from accelsim.quant import Errors, Range
from accelsim.result import Numerics, ValueRange


@dataclass(frozen=True, eq=False)
class HeldReals:
    """What the stored numbers stand for, and what is known of how they were made."""

    reals: np.ndarray
    overflow_count: int = 0
    levels_used: int = 0
    """Different integers, where they are integers."""

    def numerics(self, reference: np.ndarray) -> Numerics:
        """Held against the float network."""
        errors, seen = Errors(reference, self.reals), Range.of(self.reals)
        limits = ValueRange(seen.minimum, seen.maximum)
        return Numerics(
            sqnr_db=errors.sqnr_db,
            cosine=errors.cosine,
            mean_squared_error=errors.mean_squared_error,
            bias=errors.bias,
            saturated_share=0.0,
            underflow_share=errors.underflow_share,
            levels_used=self.levels_used,
            overflow_count=self.overflow_count,
            range_used=limits,
            range_observed=limits,
            range_staleness=1.0,
            output_scale=None,
            output_zero_point=None,
        )
