"""What an estimator asks of the statistics unit, and what it is told, in real units."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError, whole
from accelsim.hardware import Statistic
from accelsim.quant.checks import finite_array, positive
from accelsim.quant.grid import Range

LARGEST_MAGNITUDE = 1e100
"""What an estimator may be shown; a square of it is still a float."""


@dataclass(frozen=True)
class Request:
    """What an estimator wants to see of one step's tensor, beside its extremes."""

    statistics: frozenset[Statistic] = frozenset()
    threshold: float | None = None
    """For EXCEEDANCES: the magnitude to compare with, above zero."""
    chunks: int | None = None
    """For CHUNKS: how many. A tensor of fewer positions has as many chunks as positions."""

    def __post_init__(self) -> None:
        for statistic, given in (
            (Statistic.EXCEEDANCES, self.threshold),
            (Statistic.CHUNKS, self.chunks),
        ):
            if (statistic in self.statistics) != (given is not None):
                raise AccelsimError(
                    f"request: {statistic} and its number come together, not {given} alone"
                    if given is not None
                    else f"request: {statistic} needs a number, the threshold or the chunk count"
                )
        if self.threshold is not None:
            positive("request: threshold", self.threshold)
        if self.chunks is not None:
            whole("request: chunks", self.chunks, 1, 2**31)

    def __contains__(self, statistic: Statistic) -> bool:
        return statistic in self.statistics


@dataclass(frozen=True)
class Observation:
    """What was seen of one step's tensor, in real units. None: nobody asked for it."""

    range: Range
    count: int = 0
    """How many numbers the tensor has; 0 where nobody counted."""
    sum: float | None = None
    sum_of_squares: float | None = None
    threshold: float | None = None
    above: int | None = None
    """Numbers with a magnitude above the threshold."""
    above_half: int | None = None
    """Numbers with a magnitude above half the threshold."""
    samples: tuple[Range, ...] | None = None
    chunks: tuple[Range, ...] | None = None
    tensor: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    """The tensor, samples on axis 0. Whoever uses it pays for reading it, see Decision.passes."""

    def __post_init__(self) -> None:
        if self.range.magnitude > LARGEST_MAGNITUDE:
            raise AccelsimError(
                f"magnitude = {self.range.magnitude!r}: must be at most {LARGEST_MAGNITUDE}"
            )

    @classmethod
    def of(cls, values: ArrayLike, request: Request | None = None) -> "Observation":
        """What a statistics unit would tell of real numbers, samples on axis 0, channels last."""
        request = Request() if request is None else request
        array = finite_array("values", values)
        if array.size == 0 or array.ndim == 0:
            raise AccelsimError(f"values has shape {array.shape}: must hold at least one value")
        magnitude, threshold = np.abs(array), request.threshold
        moments = Statistic.MOMENTS in request and magnitude.max() <= LARGEST_MAGNITUDE
        summed = moments or Statistic.SUM in request
        return cls(
            range=Range.of(array),
            count=array.size,
            sum=math.fsum(array.flat) if summed else None,
            sum_of_squares=math.fsum(np.square(array).flat) if moments else None,
            threshold=threshold,
            above=None if threshold is None else int((magnitude > threshold).sum()),
            above_half=None if threshold is None else int((magnitude > threshold / 2).sum()),
            samples=_ranges(array, len(array)) if Statistic.SAMPLES in request else None,
            chunks=_ranges(array, request.chunks) if request.chunks else None,
            tensor=array if Statistic.TENSOR in request else None,
        )

    @property
    def max_abs(self) -> float:
        """The largest magnitude."""
        return self.range.magnitude

    @property
    def variance(self) -> float:
        """The mean square minus the square of the mean, never below zero."""
        if self.sum is None or self.sum_of_squares is None or not self.count:
            raise self._lacks(Statistic.MOMENTS)
        return max(0.0, self.sum_of_squares / self.count - (self.sum / self.count) ** 2)

    @property
    def shares_above(self) -> tuple[float, float]:
        """The shares of the numbers above the threshold and above its half."""
        if self.above is None or self.above_half is None or not self.count:
            raise self._lacks(Statistic.EXCEEDANCES)
        return self.above / self.count, self.above_half / self.count

    @property
    def sample_ranges(self) -> tuple[Range, ...]:
        """The range of each sample; an error where nobody asked."""
        if self.samples is None:
            raise self._lacks(Statistic.SAMPLES)
        return self.samples

    @property
    def chunk_ranges(self) -> tuple[Range, ...]:
        """The range of each chunk; an error where nobody asked."""
        if self.chunks is None:
            raise self._lacks(Statistic.CHUNKS)
        return self.chunks

    @property
    def values(self) -> NDArray[np.float64]:
        """The tensor; an error where nobody asked."""
        if self.tensor is None:
            raise self._lacks(Statistic.TENSOR)
        return self.tensor

    def _lacks(self, statistic: Statistic) -> AccelsimError:
        return AccelsimError(
            f"observation holds no {statistic}: the step must be run with the estimator's request"
        )


def _ranges(array: NDArray[np.float64], groups: int) -> tuple[Range, ...]:
    """The ranges of runs of positions, split as numpy.array_split does."""
    positions = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
    parts = np.array_split(positions, min(groups, len(positions)))
    return tuple(Range.of(part) for part in parts)
