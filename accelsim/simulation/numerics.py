"""How far a tensor is from its float reference, and how its grid was used."""

import numpy as np

from accelsim.quant import Errors, Grid, Range, range_staleness
from accelsim.result import Numerics, ValueRange


def numerics_of(
    reference: np.ndarray,
    reals: np.ndarray,
    used: Range,
    observed: Range,
    *,
    grid: Grid | None,
    levels_used: int,
    saturated_count: int = 0,
    overflow_count: int = 0,
) -> Numerics:
    """What stored numbers stand for, held against the reference.

    `used` is what the grid was made from, `observed` what was seen of the tensor. `grid` is that of
    all of it, where it has one.
    """
    errors = Errors(reference, reals.reshape(reference.shape))
    return Numerics(
        sqnr_db=errors.sqnr_db,
        cosine=errors.cosine,
        mean_squared_error=errors.mean_squared_error,
        bias=errors.bias,
        saturated_share=saturated_count / reals.size,
        underflow_share=errors.underflow_share,
        levels_used=levels_used,
        overflow_count=overflow_count,
        range_used=_value_range(used),
        range_observed=_value_range(observed),
        range_staleness=range_staleness(used, observed),
        output_scale=grid.scale if grid else None,
        output_zero_point=grid.zero_point if grid else None,
    )


def _value_range(limits: Range) -> ValueRange:
    return ValueRange(limits.minimum, limits.maximum)
