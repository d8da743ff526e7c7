"""What the statistics unit saw of a tensor, and the real range it stands for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.quant.checks import frozen
from accelsim.quant.grid import Range
from accelsim.quant.requantization import accumulator_scales


@dataclass(frozen=True, eq=False)
class Statistics:
    """The smallest and largest accumulator of each output channel of the nest, int64."""

    minima: NDArray[np.int64]
    maxima: NDArray[np.int64]

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
        """Of accumulators in the nest's layout, (copies*batch, height, width, channels).

        Channels of different copies are kept apart: channel n of copy c is number c*channels + n.
        """
        array = np.asarray(accumulators)
        if array.ndim != 4 or array.size == 0 or copies < 1 or len(array) % copies:
            raise AccelsimError(
                f"accumulators has shape {array.shape}: must be (copies*batch, height, width, "
                f"channels) with {copies=} and no axis of length 0"
            )
        grouped = array.reshape(copies, -1, array.shape[3])
        return cls(grouped.min(axis=1).reshape(-1), grouped.max(axis=1).reshape(-1))

    def to_range(self, input_scale: float, weight_scales: ArrayLike) -> Range:
        """The real range of the whole tensor; it holds zero."""
        scales = accumulator_scales(input_scale, weight_scales)
        if scales.size not in (1, self.minima.size):
            raise AccelsimError(
                f"weight_scales has {scales.size} channels: must have {self.minima.size}, or 1"
            )
        return Range.covering(
            float(np.min(self.minima * scales)), float(np.max(self.maxima * scales))
        )


def _integers(field: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim != 1 or array.size == 0:
        raise AccelsimError(
            f"{field} has dtype {array.dtype} and shape {array.shape}: "
            "must be a vector of integers, one per channel"
        )
    return array.astype(np.int64)
