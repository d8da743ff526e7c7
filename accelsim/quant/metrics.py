"""How far an approximation is from its reference, and how well a grid was used.

All are defined for all finite arrays. Those of a pair work in float64 on arrays of one shape; NaN,
infinity, magnitudes above 1e100, other shapes and empty arrays are errors.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.quant.checks import finite_array
from accelsim.quant.grid import Grid, Range

_LARGEST = 1e100


def sqnr_db(reference: ArrayLike, approximation: ArrayLike) -> float:
    """10 log10(sum reference**2 / sum (approximation - reference)**2).

    +inf where the two are equal, zero reference included; -inf for a zero reference otherwise.
    """
    signal, other = _pair(reference, approximation)
    noise = other - signal
    signal_size, noise_size = _magnitude(signal), _magnitude(noise)
    if noise_size == 0:
        return math.inf
    if signal_size == 0:
        return -math.inf
    # Divided by their largest value first, so that no square overflows or vanishes.
    power = float(np.sum((signal / signal_size) ** 2) / np.sum((noise / noise_size) ** 2))
    return 10 * math.log10(power) + 20 * (math.log10(signal_size) - math.log10(noise_size))


def cosine_similarity(reference: ArrayLike, approximation: ArrayLike) -> float:
    """The cosine of the angle between the two, from -1 to 1.

    1 where both are zero (they agree), 0 where one of them is.
    """
    first, second = _pair(reference, approximation)
    sizes = _magnitude(first), _magnitude(second)
    if 0 in sizes:
        return 1.0 if sizes[0] == sizes[1] else 0.0
    first, second = first.ravel() / sizes[0], second.ravel() / sizes[1]
    norm = math.sqrt(float(np.sum(first * first))) * math.sqrt(float(np.sum(second * second)))
    return min(1.0, max(-1.0, float(np.sum(first * second)) / norm))


def mean_squared_error(reference: ArrayLike, approximation: ArrayLike) -> float:
    """The mean of (approximation - reference)**2."""
    first, second = _pair(reference, approximation)
    noise = second - first
    size = _magnitude(noise)
    return float(np.mean((noise / size) ** 2)) * size * size if size else 0.0


def bias(reference: ArrayLike, approximation: ArrayLike) -> float:
    """The mean of approximation - reference: how far rounding and clipping lean to one side."""
    first, second = _pair(reference, approximation)
    return float(np.mean(second - first))


def saturated_share(reference: ArrayLike, grid: Grid) -> float:
    """The share of the numbers whose nearest grid point is beyond the grid's ends."""
    values = _filled(finite_array("reference", reference))
    with np.errstate(over="ignore", under="ignore"):
        integers = np.rint(values / grid.scale) + grid.zero_point
    beyond = (integers < grid.integers.minimum) | (integers > grid.integers.maximum)
    return float(np.mean(beyond))


def underflow_share(reference: ArrayLike, approximation: ArrayLike) -> float:
    """The share of the numbers other than zero that became zero; 0 where all are zero."""
    first, second = _pair(reference, approximation)
    nonzero = first != 0
    return float(np.mean(second[nonzero] == 0)) if nonzero.any() else 0.0


def levels_used(integers: ArrayLike) -> int:
    """How many different integers occur: of 8 bits, at most 256."""
    array = _filled(np.asarray(integers))
    if array.dtype.kind not in "iu":
        raise AccelsimError(f"integers has dtype {array.dtype}: must be integers")
    return int(np.unique(array).size)


def range_staleness(used: Range, observed: Range) -> float:
    """The width of the range used over that of the range observed: 1 is fresh.

    Above 1 the grid is too coarse, below 1 it saturates. 1 where both are degenerate, infinite
    where only the observed one is.
    """
    # Halved, as the width of the largest range is not a float.
    width = used.maximum / 2 - used.minimum / 2
    observed_width = observed.maximum / 2 - observed.minimum / 2
    if observed_width == 0:
        return 1.0 if width == 0 else math.inf
    return width / observed_width


def _pair(
    reference: ArrayLike, approximation: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first = finite_array("reference", reference)
    second = finite_array("approximation", approximation)
    if first.shape != second.shape or first.size == 0:
        raise AccelsimError(
            f"approximation has shape {second.shape} and reference {first.shape}: "
            "must be the same and not empty"
        )
    largest = max(_magnitude(first), _magnitude(second))
    if largest > _LARGEST:
        raise AccelsimError(f"magnitude = {largest!r}: must be at most {_LARGEST}")
    return first, second


def _filled(array: NDArray[Any]) -> NDArray[Any]:
    if array.size == 0:
        raise AccelsimError(f"shape = {array.shape}: must hold at least one number")
    return array


def _magnitude(values: NDArray[np.float64]) -> float:
    return float(np.max(np.abs(values)))
