"""What the statistics unit saw of a tensor: exact integers, and the real numbers they stand for."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError, whole
from accelsim.hardware import Statistic
from accelsim.quant.checks import frozen
from accelsim.quant.grid import Range
from accelsim.quant.observation import Observation, Request
from accelsim.quant.requantization import accumulator_scales

_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True, eq=False)
class Extremes:
    """The smallest and largest accumulators of each group of positions, (groups, channels), int64.

    A channel of which a group saw nothing has its minimum above its maximum.
    """

    minima: NDArray[np.int64]
    maxima: NDArray[np.int64]

    def to_ranges(self, scales: NDArray[np.float64]) -> tuple[Range, ...]:
        """The real range of each group; it holds zero."""
        seen = self.minima <= self.maxima
        low = np.where(seen, self.minima * scales, 0.0).min(axis=1)
        high = np.where(seen, self.maxima * scales, 0.0).max(axis=1)
        return tuple(Range.covering(float(a), float(b)) for a, b in zip(low, high, strict=True))


@dataclass(frozen=True, eq=False)
class Statistics:
    """The registers of the statistics unit at a tensor's end, per output channel of the nest.

    The smallest and largest accumulator are always there. None: nobody asked for it.
    """

    minima: NDArray[np.int64]
    maxima: NDArray[np.int64]
    count: int = 0
    """Accumulators in the whole tensor; 0 where nobody counted."""
    sums: tuple[int, ...] | None = None
    squares: tuple[int, ...] | None = None
    """The sum of the squares of each channel; beyond 64 bits, so Python integers."""
    threshold: float | None = None
    above: int | None = None
    above_half: int | None = None
    samples: Extremes | None = None
    chunks: Extremes | None = None
    tensor: NDArray[np.integer[Any]] | None = None
    """The accumulators, samples on axis 0, channels last: read back, no register holds them."""

    def __post_init__(self) -> None:
        minima, maxima = _integers("minima", self.minima), _integers("maxima", self.maxima)
        if minima.shape != maxima.shape:
            raise AccelsimError(
                f"minima has {minima.size} channels and maxima {maxima.size}: must be the same"
            )
        wrong = minima > maxima
        if wrong.any():
            channel = int(np.argmax(wrong))
            raise AccelsimError(
                f"minima[{channel}] = {minima[channel]}: must be at most "
                f"maxima[{channel}] = {maxima[channel]}"
            )
        object.__setattr__(self, "minima", frozen(minima))
        object.__setattr__(self, "maxima", frozen(maxima))

    @classmethod
    def of(cls, accumulators: ArrayLike, copies: int = 1) -> "Statistics":
        """The extremes of accumulators in the nest's layout, (copies*batch, height, width, n).

        Channels of different copies are kept apart: channel n of copy c is number c*channels + n.
        """
        array = np.asarray(accumulators)
        if array.ndim != 4 or array.size == 0 or copies < 1 or len(array) % copies:
            raise AccelsimError(
                f"accumulators has shape {array.shape}: must be (copies*batch, height, width, "
                f"channels) with {copies=} and no axis of length 0"
            )
        grouped = array.reshape(copies, -1, array.shape[3])
        return cls(
            grouped.min(axis=1).reshape(-1), grouped.max(axis=1).reshape(-1), int(array.size)
        )

    def to_range(self, input_scale: float, weight_scales: ArrayLike) -> Range:
        """The real range of the whole tensor; it holds zero."""
        scales = self._scales(input_scale, weight_scales)
        return Range.covering(
            float(np.min(self.minima * scales)), float(np.max(self.maxima * scales))
        )

    def to_observation(self, input_scale: float, weight_scales: ArrayLike) -> Observation:
        """All that was kept, in real units."""
        scales = self._scales(input_scale, weight_scales)
        channels = np.broadcast_to(scales, self.minima.shape)
        return Observation(
            range=self.to_range(input_scale, weight_scales),
            count=self.count,
            sum=_dot(self.sums, channels),
            sum_of_squares=_dot(self.squares, channels * channels),
            threshold=self.threshold,
            above=self.above,
            above_half=self.above_half,
            samples=self.samples.to_ranges(scales) if self.samples else None,
            chunks=self.chunks.to_ranges(scales) if self.chunks else None,
            tensor=self._real_tensor(channels),
        )

    def _real_tensor(self, scales: NDArray[np.float64]) -> NDArray[np.float64] | None:
        if self.tensor is None:
            return None
        copies = scales.size // self.tensor.shape[-1]
        real = self.tensor.reshape(copies, -1, self.tensor.shape[-1]) * scales.reshape(
            copies, 1, -1
        )
        return np.asarray(real.reshape(self.tensor.shape), dtype=np.float64)

    def _scales(self, input_scale: float, weight_scales: ArrayLike) -> NDArray[np.float64]:
        scales = accumulator_scales(input_scale, weight_scales)
        if scales.size not in (1, self.minima.size):
            raise AccelsimError(
                f"weight_scales has {scales.size} channels: must have {self.minima.size}, or 1"
            )
        return scales


class Registers:
    """The statistics unit's registers while a tensor passes, tile by tile in any order.

    `output_shape` is the nest's, (copies*batch, height, width, channels). `scales` are the real
    values of one unit of each channel's accumulators, for a threshold in real units: a magnitude is
    above it where its integer is above floor(threshold / scale). `samples`: equal runs of images.
    """

    def __init__(
        self,
        output_shape: tuple[int, int, int, int],
        copies: int = 1,
        request: Request | None = None,
        scales: ArrayLike = 1.0,
        samples: int | None = None,
    ) -> None:
        self.request = Request() if request is None else request
        images, self._height, self._width, self._channels = output_shape
        self._images_per_copy = images // copies
        self._positions = images * self._height * self._width
        channels = copies * self._channels
        self._extremes = _fresh_extremes(1, channels)
        self._count = 0
        self._sums = np.zeros(channels, np.int64)
        self._squares = np.zeros((2, channels), np.int64)
        self._thresholds, self._counts = (
            self._limits(scales, channels),
            np.zeros((2, channels), int),
        )
        samples = images if samples is None else whole("samples", samples, 1, images)
        self._samples = self._groups(Statistic.SAMPLES, samples, channels)
        self._chunks = self._groups(Statistic.CHUNKS, self.request.chunks or 0, channels)

    def _groups(self, statistic: Statistic, groups: int, channels: int) -> Extremes | None:
        if statistic not in self.request:
            return None
        return _fresh_extremes(min(groups, self._positions), channels)

    def _limits(self, scales: ArrayLike, channels: int) -> NDArray[np.int64]:
        threshold = self.request.threshold
        if threshold is None:
            return np.zeros((2, channels), np.int64)
        units = np.broadcast_to(np.asarray(scales, np.float64), (channels,))
        with np.errstate(over="ignore"):
            limits = np.floor([threshold / units, threshold / 2 / units])
        # No accumulator of 32 bits is above this; it only keeps the number in its type.
        return np.minimum(limits, 2.0**40).astype(np.int64)

    def observe(self, block: NDArray[Any], starts: tuple[int, int, int, int]) -> None:
        """Take in the accumulators of one box of the output, which begins at `starts`."""
        from accelsim.kernels import statistics as kernels

        image, row, column, channel = starts
        first = image // self._images_per_copy * self._channels + channel
        self._count += block.size
        kernels.observe_channels(block, first, self._extremes.minima[0], self._extremes.maxima[0])
        if Statistic.MOMENTS in self.request or Statistic.SUM in self.request:
            kernels.observe_moments(block, first, self._sums, self._squares)
        if Statistic.EXCEEDANCES in self.request:
            kernels.count_above(block, first, self._thresholds, self._counts)
        for groups in (self._samples, self._chunks):
            if groups is not None:
                kernels.observe_groups(
                    block, image, row, column, first, self._positions,
                    (self._height, self._width), groups.minima, groups.maxima,
                )  # fmt: skip

    def read(self) -> Statistics:
        """The registers as they stand, when the last tile has passed."""
        moments = Statistic.MOMENTS in self.request
        counts = [int(n) for n in self._counts.sum(axis=1)] if self.request.threshold else None
        low, high = self._squares
        return Statistics(
            minima=self._extremes.minima[0],
            maxima=self._extremes.maxima[0],
            count=self._count,
            sums=tuple(int(s) for s in self._sums)
            if moments or Statistic.SUM in self.request
            else None,
            squares=tuple(int(a) + (int(b) << 32) for a, b in zip(low, high, strict=True))
            if moments
            else None,
            threshold=self.request.threshold,
            above=counts[0] if counts else None,
            above_half=counts[1] if counts else None,
            samples=self._samples,
            chunks=self._chunks,
        )


def _fresh_extremes(groups: int, channels: int) -> Extremes:
    return Extremes(
        np.full((groups, channels), _INT64.max), np.full((groups, channels), _INT64.min)
    )


def _dot(integers: tuple[int, ...] | None, scales: NDArray[np.float64]) -> float | None:
    """The sum of the integers times their scales, rounded once per channel and once at the end."""
    if integers is None:
        return None
    return math.fsum(float(n) * float(s) for n, s in zip(integers, scales, strict=True))


def _integers(field: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim != 1 or array.size == 0:
        raise AccelsimError(
            f"{field} has dtype {array.dtype} and shape {array.shape}: "
            "must be a vector of integers, one per channel"
        )
    return array.astype(np.int64)
