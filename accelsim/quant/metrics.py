"""How far an approximation is from its reference, and how well a grid was used.

All are defined for all finite arrays. Those of a pair work in float64 on arrays of one shape; NaN,
infinity, magnitudes above 1e100, other shapes and empty arrays are errors.
"""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.quant.checks import finite_array
from accelsim.quant.grid import Grid, Range

_LARGEST = 1e100


class Errors:
    """An approximation held against its reference; each figure is found when it is first asked for.

    NaN, infinity, magnitudes above 1e100, other shapes and empty arrays are errors.
    """

    def __init__(self, reference: ArrayLike, approximation: ArrayLike) -> None:
        self._first, self._second = _pair(reference, approximation)

    @cached_property
    def sqnr_db(self) -> float:
        """10 log10(sum reference**2 / sum (approximation - reference)**2).

        +inf where the two are equal, zero reference included; -inf for a zero reference otherwise.
        """
        if self._noise_size == 0:
            return math.inf
        if self._sizes[0] == 0:
            return -math.inf
        power = self._powers[0] / self._noise_power
        return 10 * math.log10(power) + 20 * (
            math.log10(self._sizes[0]) - math.log10(self._noise_size)
        )

    @cached_property
    def cosine(self) -> float:
        """The cosine of the angle between the two, from -1 to 1.

        1 where both are zero (they agree), 0 where one of them is.
        """
        sizes = self._sizes
        if 0 in sizes:
            return 1.0 if sizes[0] == sizes[1] else 0.0
        along = float(np.sum((self._first / sizes[0]) * (self._second / sizes[1])))
        norm = math.sqrt(self._powers[0]) * math.sqrt(self._powers[1])
        return min(1.0, max(-1.0, along / norm))

    @cached_property
    def mean_squared_error(self) -> float:
        """The mean of (approximation - reference)**2."""
        size = self._noise_size
        return self._noise_power / self._noise.size * size * size if size else 0.0

    @cached_property
    def bias(self) -> float:
        """The mean of approximation - reference: how far rounding and clipping lean to a side."""
        return float(np.mean(self._noise))

    @cached_property
    def underflow_share(self) -> float:
        """The share of the numbers other than zero that became zero; 0 where all are zero."""
        nonzero = int(np.count_nonzero(self._first))
        lost = int(np.count_nonzero((self._first != 0) & (self._second == 0)))
        return lost / nonzero if nonzero else 0.0

    # Squares are taken of numbers divided by the largest, so that none overflows or vanishes.

    @cached_property
    def _sizes(self) -> tuple[float, float]:
        return _magnitude(self._first), _magnitude(self._second)

    @cached_property
    def _powers(self) -> tuple[float, float]:
        """The sums of squares of both, each over its largest square."""
        return _power(self._first, self._sizes[0]), _power(self._second, self._sizes[1])

    @cached_property
    def _noise(self) -> NDArray[np.float64]:
        return np.asarray(self._second - self._first)

    @cached_property
    def _noise_size(self) -> float:
        return _magnitude(self._noise)

    @cached_property
    def _noise_power(self) -> float:
        return _power(self._noise, self._noise_size)


def saturated_share(reference: ArrayLike, grid: Grid) -> float:
    """The share of the numbers whose nearest grid point is beyond the grid's ends."""
    values = _filled(finite_array("reference", reference))
    with np.errstate(over="ignore", under="ignore"):
        integers = np.rint(values / grid.scale) + grid.zero_point
    beyond = (integers < grid.integers.minimum) | (integers > grid.integers.maximum)
    return float(np.mean(beyond))


def levels_used(integers: ArrayLike) -> int:
    """How many different integers occur: of 8 bits, at most 256."""
    array = _filled(np.asarray(integers))
    if array.dtype.kind not in "iu":
        raise AccelsimError(f"integers has dtype {array.dtype}: must be integers")
    lowest, highest = int(array.min()), int(array.max())
    if highest - lowest < array.size and highest < 2**63:
        # Counting is quicker than sorting, and needs no more room than the array has.
        return int(np.count_nonzero(np.bincount((array.astype(np.int64) - lowest).ravel())))
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


def _power(values: NDArray[np.float64], size: float) -> float:
    return float(np.sum((values / size) ** 2)) if size else 0.0


def _magnitude(values: NDArray[np.float64]) -> float:
    return max(abs(float(values.min())), abs(float(values.max())))
