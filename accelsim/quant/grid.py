"""Ranges of real numbers and the integer grids laid over them: real = scale * (q - zero_point)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError, whole
from accelsim.numerics import IntegerRange
from accelsim.quant.checks import finite_array, frozen, positive, real

SCALE_FLOOR = 1e-30
"""The smallest scale of a grid; far below the size of any gradient."""

DEGENERATE_SCALE = 1.0
"""The scale of a grid over a range that holds nothing but zero."""


@dataclass(frozen=True)
class Range:
    """The real numbers from minimum to maximum, both finite; zero is always among them."""

    minimum: float
    maximum: float

    def __post_init__(self) -> None:
        minimum, maximum = real("minimum", self.minimum), real("maximum", self.maximum)
        if not minimum <= 0 <= maximum:
            raise AccelsimError(
                f"range = ({minimum!r}, {maximum!r}): must hold zero, minimum <= 0 <= maximum"
            )
        # Adding zero turns -0.0 into 0.0, so that equal ranges also print and hash the same.
        object.__setattr__(self, "minimum", minimum + 0.0)
        object.__setattr__(self, "maximum", maximum + 0.0)

    @classmethod
    def covering(cls, minimum: float, maximum: float) -> "Range":
        """The smallest range that holds minimum, maximum and zero."""
        minimum, maximum = real("minimum", minimum), real("maximum", maximum)
        if minimum > maximum:
            raise AccelsimError(f"minimum = {minimum!r}: must be at most the maximum, {maximum!r}")
        return cls(min(minimum, 0.0), max(maximum, 0.0))

    @classmethod
    def of(cls, values: ArrayLike) -> "Range":
        """The smallest range that holds all values and zero; of nothing, (0, 0)."""
        array = finite_array("values", values)
        if array.size == 0:
            return cls(0.0, 0.0)
        return cls.covering(float(array.min()), float(array.max()))

    @property
    def magnitude(self) -> float:
        """The largest absolute value in the range."""
        return max(-self.minimum, self.maximum)


@dataclass(frozen=True)
class Grid:
    """The reals that a tensor's integers stand for: scale * (q - zero_point), zero among them."""

    integers: IntegerRange
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        _check_integers(self.integers)
        object.__setattr__(self, "scale", positive("scale", self.scale))
        object.__setattr__(
            self, "zero_point",
            whole("zero_point", self.zero_point, self.integers.minimum, self.integers.maximum),
        )  # fmt: skip

    @classmethod
    def affine(cls, limits: Range, bits: int, signed: bool = False) -> "Grid":
        """The grid over a range, ends on the first and last integer up to the zero's rounding.

        scale = (maximum - minimum) / (levels - 1), at least SCALE_FLOOR, and DEGENERATE_SCALE for
        the range (0, 0); zero_point = the lowest integer - minimum / scale, rounded half to even.
        """
        integers = _integers(bits, signed)
        scales, zero_points = _affine(
            np.array([limits.minimum]), np.array([limits.maximum]), integers
        )
        return cls(integers, float(scales[0]), int(zero_points[0]))

    @classmethod
    def symmetric(cls, limits: Range, bits: int, signed: bool = True) -> "Grid":
        """The grid with zero point 0 that reaches the range's magnitude at its highest integer.

        scale = magnitude / (2**(bits-1) - 1), or magnitude / (2**bits - 1) unsigned, where negative
        numbers become 0; floor and degenerate range as in `affine`. The lowest integer of a signed
        grid lies one step beyond -magnitude. One signed bit has the integers -1 and 0, and a scale
        of magnitude.
        """
        integers = _integers(bits, signed)
        return cls(integers, float(_symmetric(np.array([limits.magnitude]), integers)[0]), 0)

    @property
    def minimum(self) -> float:
        """The lowest real on the grid."""
        return self.scale * (self.integers.minimum - self.zero_point)

    @property
    def maximum(self) -> float:
        """The highest real on the grid."""
        return self.scale * (self.integers.maximum - self.zero_point)

    def quantize(self, values: ArrayLike) -> NDArray[np.int32]:
        """The nearest grid point's integer, ties to even before the zero point is added; clamped.

        NaN and infinity are errors.
        """
        return _quantize(finite_array("values", values), self.scale, self.zero_point, self.integers)

    def quantize_at_random(self, values: ArrayLike, seed: int) -> NDArray[np.int32]:
        """Stochastic rounding: floor(value / scale + u), then the zero point; clamped.

        u is uniform in [0, 1), drawn by the seed and the element's index. NaN and infinity are
        errors.
        """
        from accelsim.kernels.counter_random import uniform_draws

        array = finite_array("values", values)
        draws = uniform_draws(seed, array.size).reshape(array.shape)
        with np.errstate(over="ignore", under="ignore"):
            steps = np.floor(array / self.scale + draws)
        limits = self.integers
        return np.clip(steps + self.zero_point, limits.minimum, limits.maximum).astype(np.int32)

    def dequantize(self, integers: ArrayLike) -> NDArray[np.float64]:
        """The reals that these integers stand for."""
        return self.scale * (np.asarray(integers).astype(np.float64) - self.zero_point)


@dataclass(frozen=True, eq=False)
class ChannelGrid:
    """A grid per output channel: weights of axis 0 index n have scales[n] and zero_points[n]."""

    integers: IntegerRange
    scales: NDArray[np.float64]
    zero_points: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_integers(self.integers)
        scales = finite_array("scales", self.scales)
        zero_points = np.asarray(self.zero_points, dtype=np.int64)
        if scales.ndim != 1 or scales.size == 0 or zero_points.shape != scales.shape:
            raise AccelsimError(
                f"scales has shape {scales.shape} and zero_points {zero_points.shape}: both must "
                "be one vector of the same length"
            )
        positive("scales", float(scales.min()))
        for extreme in (zero_points.min(), zero_points.max()):
            whole("zero_points", extreme, self.integers.minimum, self.integers.maximum)
        object.__setattr__(self, "scales", frozen(scales))
        object.__setattr__(self, "zero_points", frozen(zero_points))

    @classmethod
    def over(
        cls,
        weights: ArrayLike,
        bits: int,
        *,
        symmetric: bool = True,
        per_channel: bool = True,
        signed: bool = True,
    ) -> "ChannelGrid":
        """The grid over the minimum and maximum of weights whose axis 0 is the output channel.

        With `per_channel` each channel has a range of its own; otherwise all share the tensor's.
        Scales and zero points follow `Grid.symmetric` and `Grid.affine`.
        """
        integers = _integers(bits, signed)
        array = finite_array("weights", weights)
        if array.ndim < 1 or array.size == 0:
            raise AccelsimError(
                f"weights has shape {array.shape}: must have an axis of output channels and "
                "hold at least one value"
            )
        rows = array.reshape(len(array), -1)
        low, high = np.minimum(rows.min(axis=1), 0.0), np.maximum(rows.max(axis=1), 0.0)
        if not per_channel:
            low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
        if symmetric:
            scales = _symmetric(np.maximum(-low, high), integers)
            return cls(integers, scales, np.zeros(len(array), dtype=np.int64))
        return cls(integers, *_affine(low, high, integers))

    def quantize(self, weights: ArrayLike) -> NDArray[np.int32]:
        """As `Grid.quantize`, channel by channel on axis 0."""
        array = finite_array("weights", weights)
        scales, zero_points = self._along(array)
        return _quantize(array, scales, zero_points, self.integers)

    def dequantize(self, integers: ArrayLike) -> NDArray[np.float64]:
        """The reals that these integers stand for, channel by channel on axis 0."""
        array = np.asarray(integers).astype(np.float64)
        scales, zero_points = self._along(array)
        return np.asarray(scales * (array - zero_points), dtype=np.float64)

    def centred(self, integers: ArrayLike) -> NDArray[np.int32]:
        """The integers with their channel's zero point subtracted, as they enter the buffers."""
        array = np.asarray(integers).astype(np.int32)
        return np.asarray(array - self._along(array)[1], dtype=np.int32)

    def _along(self, array: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        if array.ndim < 1 or len(array) != len(self.scales):
            raise AccelsimError(
                f"weights has shape {array.shape}: axis 0 must have {len(self.scales)} channels"
            )
        shape = (-1,) + (1,) * (array.ndim - 1)
        return self.scales.reshape(shape), self.zero_points.reshape(shape)


def _integers(bits: Any, signed: bool) -> IntegerRange:
    return IntegerRange(whole("bits", bits, 1, 16), signed)


def _check_integers(integers: IntegerRange) -> None:
    whole("bits", integers.bits, 1, 16)


def _affine(
    low: NDArray[np.float64], high: NDArray[np.float64], integers: IntegerRange
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    steps = integers.levels - 1
    scales = _floored(high / steps - low / steps, (low == 0) & (high == 0))
    # Within the integers whatever the rounding: 0 <= -low / scale <= steps up to half an integer.
    zero_points = np.clip(
        integers.minimum + np.rint(-low / scales), integers.minimum, integers.maximum
    )
    zero_points = np.where((low == 0) & (high == 0), 0, zero_points)
    return scales, zero_points.astype(np.int64)


def _symmetric(magnitude: NDArray[np.float64], integers: IntegerRange) -> NDArray[np.float64]:
    return _floored(magnitude / max(integers.maximum, 1), magnitude == 0)


def _floored(scales: NDArray[np.float64], degenerate: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(degenerate, DEGENERATE_SCALE, np.maximum(scales, SCALE_FLOOR))


def _quantize(
    values: NDArray[np.float64], scale: Any, zero_point: Any, integers: IntegerRange
) -> NDArray[np.int32]:
    with np.errstate(over="ignore", under="ignore"):  # infinity is clamped as any other number
        steps = np.rint(values / scale)
    return np.asarray(
        np.clip(steps + zero_point, integers.minimum, integers.maximum), dtype=np.int32
    )
