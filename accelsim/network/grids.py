"""The integers that a file gives for a tensor: scale, zero point and width."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown

Array = NDArray[Any]

INTEGER_TYPES = ("int8", "uint8", "int16", "uint16", "int32")


@dataclass(frozen=True, eq=False)
class TensorGrid:
    """Real value = scale * (integer - zero point), one of each or one per slice along `axis`.

    `axis` counts the axes of the tensor, the batch included.
    """

    scale: Array
    zero_point: Array
    dtype: str = "int8"
    axis: int = 0

    def __post_init__(self) -> None:
        scale = np.asarray(self.scale, dtype=np.float64)
        zero = np.asarray(self.zero_point, dtype=np.int64)
        if self.dtype not in INTEGER_TYPES:
            raise AccelsimError(
                f"dtype = {shown(self.dtype)}: must be one of {', '.join(INTEGER_TYPES)}"
            )
        if scale.ndim > 1 or zero.shape not in ((), scale.shape):
            raise AccelsimError(
                f"scale and zero point have shapes {scale.shape} and {zero.shape}: must be one "
                "number each, or as many as slices"
            )
        if not np.isfinite(scale).all() or (scale <= 0).any():
            raise AccelsimError(f"scale = {shown(scale.tolist())}: must be above 0 and finite")
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", zero)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorGrid)
            and self.dtype == other.dtype
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def __hash__(self) -> int:
        return hash((self.dtype, self.scale.tobytes(), self.zero_point.tobytes()))

    def along(self, axis: int) -> "TensorGrid":
        """The same grid with its slices along another axis."""
        return TensorGrid(self.scale, self.zero_point, self.dtype, axis)

    def quantize(self, array: Array) -> Array:
        """The integers: to nearest, ties to even, saturated."""
        limits = np.iinfo(self.dtype)
        integers = np.rint(array / self._along(self.scale, array)) + self._along(
            self.zero_point, array
        )
        return np.clip(integers, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, integers: Array) -> Array:
        """The real values, in float64."""
        centred = np.asarray(integers, np.int64) - self._along(self.zero_point, integers)
        return np.asarray(centred * self._along(self.scale, integers), np.float64)

    def rounded(self, array: Array) -> Array:
        """The real values that the integers stand for."""
        return self.dequantize(self.quantize(array))

    def _along(self, values: Array, array: Array) -> Array:
        if values.ndim == 0:
            return values
        shape = [1] * np.ndim(array)
        shape[self.axis] = -1
        return values.reshape(shape)


@dataclass(frozen=True)
class DynamicGrid:
    """A grid of unsigned 8-bit integers that each tensor finds for itself, as ONNX defines it.

    Range and scale are computed in float32: `scale = (max(x, 0) - min(x, 0)) / 255`, the zero point
    is `-min / scale` to nearest, ties to even. A tensor of zeros has scale 1 here.
    """

    def grid_of(self, array: Array) -> TensorGrid:
        """The grid of this tensor."""
        x = np.asarray(array, dtype=np.float32)
        low = np.minimum(x.min(initial=0), np.float32(0))
        high = np.maximum(x.max(initial=0), np.float32(0))
        scale = np.float32((high - low) / np.float32(255))
        if scale == 0:
            return TensorGrid(np.ones(()), np.zeros((), np.int64), "uint8")
        zero = np.clip(np.rint(-low / scale), 0, 255)
        return TensorGrid(np.asarray(scale), zero.astype(np.int64), "uint8")

    def quantize(self, array: Array) -> Array:
        """The integers of this tensor, in float32 arithmetic."""
        grid = self.grid_of(array)
        x = np.asarray(array, dtype=np.float32) / grid.scale.astype(np.float32)
        return np.clip(np.rint(x) + grid.zero_point, 0, 255).astype(np.uint8)

    def rounded(self, array: Array) -> Array:
        """The real values that the integers stand for."""
        return self.grid_of(array).dequantize(self.quantize(array))
