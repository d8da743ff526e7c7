"""Fixed-point basics: integer ranges, multiplier and shift, rounding, overflow, sum bounds."""

import operator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError

MULTIPLIER_BITS = 31
"""A normalised multiplier lies in [2**30, 2**31): 31 significant bits."""

MAXIMUM_SHIFT = 62
"""A product of a 32-bit accumulator and a multiplier, plus 2**62, still fits 64 bits."""

_INT32_MAXIMUM = 2**31 - 1


class RequantizationMode(StrEnum):
    """How an accumulator becomes an integer of the output, before zero point and clamp.

    With `m` and `s` the multiplier and shift of `fixed_point_scales`, acc * m * 2**-s is rounded:
    """

    NEAREST_EVEN = "nearest-even"
    """To nearest, ties to even."""
    HALF_UP = "half-up"
    """To nearest, ties towards plus infinity."""
    HALF_AWAY = "half-away"
    """To nearest, ties away from zero."""
    STOCHASTIC = "stochastic"
    """Up with a probability equal to the fraction: unbiased."""
    SINGLE = "single"
    """As TFLite's single rounding and ruy's portable kernels: half-up under the name known there.
    (acc * m + 2**(30 - e)) >> (31 - e), where e = 31 - s is TFLite's exponent."""
    TFLITE_DOUBLE = "tflite-double"
    """As TFLite's reference kernels: first half-up, at 31 bits or at all s if these are fewer; then
    half-away at the rest. A value near a tie may be carried over it by the first rounding."""
    F32_RNE = "f32-rne"
    """As ONNX Runtime and XNNPACK: acc and m * 2**-s each rounded to float32, multiplied in
    float32, and the product rounded to nearest, ties to even."""

    @property
    def code(self) -> int:
        """The number that kernels know this mode by: its position in this class."""
        return list(RequantizationMode).index(self)


class Overflow(StrEnum):
    """What an accumulator does with an exact sum that leaves its width."""

    WRAP = "wrap"
    SATURATE = "saturate"


@dataclass(frozen=True)
class IntegerRange:
    """The integers that `bits` bits can hold, two's complement if `signed`."""

    bits: int
    signed: bool

    def __post_init__(self) -> None:
        try:
            bits = operator.index(self.bits)
        except TypeError:
            raise _not_allowed("bits", self.bits, "an integer from 1 to 32") from None
        if isinstance(self.bits, bool) or not 1 <= bits <= 32:
            raise _not_allowed("bits", self.bits, "an integer from 1 to 32")
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "signed", bool(self.signed))

    @property
    def minimum(self) -> int:
        """The smallest integer of the range."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The largest integer of the range."""
        return self.minimum + self.levels - 1

    @property
    def levels(self) -> int:
        """How many integers the range holds."""
        return 1 << self.bits


def fixed_point_scales(reals: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Turn non-negative finite reals into int64 multipliers and shifts, element by element.

    The multiplier is rounded to nearest, ties away from zero, as TFLite's QuantizeMultiplier does.
    Reals from 2**-32 to below 2**31 get a normalised multiplier in [2**30, 2**31) and a relative
    error of at most 2**-31. Smaller reals keep the largest shift and lose bits of the multiplier,
    down to zero; larger ones saturate to (2**31 - 1, 0).
    """
    reals = np.asarray(reals, dtype=np.float64)
    bad = ~(np.isfinite(reals) & (reals >= 0))
    if bad.any():
        raise _not_allowed("scale", float(reals[bad].flat[0]), "a finite number, zero or larger")
    shifts = MULTIPLIER_BITS - np.frexp(reals)[1].astype(np.int64)
    shifts = np.minimum(shifts, MAXIMUM_SHIFT)
    too_large = shifts < 0
    # Scaling by a power of two is exact, so the multiplier is rounded once.
    scaled = np.ldexp(np.where(too_large, 0.0, reals), np.maximum(shifts, 0))
    # Below 2**31 a double has room for the half: the sum is exact.
    multipliers = np.floor(scaled + 0.5).astype(np.int64)
    carried = multipliers == 1 << MULTIPLIER_BITS
    multipliers[carried] >>= 1
    shifts[carried] -= 1
    too_large |= shifts < 0
    multipliers[too_large] = _INT32_MAXIMUM
    shifts[too_large] = 0
    return multipliers, shifts


def exact_sum_bound(
    reduction: int, input_magnitude: int, weight_magnitude: int, bias_magnitude: int = 0
) -> int:
    """The largest magnitude of a sum of `reduction` products and a bias.

    No partial sum exceeds it either, in whatever order the products are added.
    """
    return int(reduction) * abs(int(input_magnitude)) * abs(int(weight_magnitude)) + abs(
        int(bias_magnitude)
    )


def fits_int32(bound: int) -> bool:
    """Whether every integer of magnitude `bound` or less is an int32."""
    return bound <= _INT32_MAXIMUM


def _not_allowed(field: str, value: Any, allowed: str) -> AccelsimError:
    return AccelsimError(f"{field} is {value!r}; allowed: {allowed}")
