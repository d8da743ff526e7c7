"""How values lie before and after quantization, in bins that fit the grid."""

from typing import NamedTuple

import numpy as np

from accelsim.quant.grid import Grid

INSIDE = 64
"""Bins over the grid, about; each holds the same number of grid points, or a part of one."""
OUTSIDE = 16
"""Bins of the same width beyond each end of the grid."""


class Bins(NamedTuple):
    """Bins of equal width from `lowest` on."""

    lowest: float
    width: float
    number: int


def bins_of(grid: Grid) -> Bins:
    """Bins whose edges never meet a grid point, so that rounding moves no count by chance."""
    levels = grid.integers.maximum - grid.integers.minimum + 1
    if levels >= INSIDE:
        inside, width = INSIDE, grid.scale * (levels // INSIDE)
    else:
        parts = INSIDE // levels // 2 * 2 + 1  # odd: a grid point is the middle of its part
        inside, width = levels * parts, grid.scale / parts
    lowest = grid.minimum - grid.scale / 2 - OUTSIDE * width
    return Bins(lowest, width, inside + 2 * OUTSIDE)


def counted(values: np.ndarray, bins: Bins) -> tuple[np.ndarray, int, int]:
    """How many values lie in each bin, below all and above all of them."""
    places = np.floor((np.ravel(values) - bins.lowest) / bins.width)
    places = np.clip(places, -1, bins.number).astype(np.int64) + 1
    found = np.bincount(places, minlength=bins.number + 2)
    return found[1:-1], int(found[0]), int(found[-1])
