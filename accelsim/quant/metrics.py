"""How far an approximation is from its reference. Defined for every pair of finite arrays.

All work in float64 on arrays of one shape; NaN, infinity, magnitudes above 1e100, other shapes and
empty arrays are errors.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.quant.checks import finite_array

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


def _magnitude(values: NDArray[np.float64]) -> float:
    return float(np.max(np.abs(values)))
