"""MXINT8: blocks of 32 values that share a power of two (OCP Microscaling Formats 1.0).

A block is a scale X = 2**e, stored as the byte e + 127 (E8M0), and 32 elements of 8 bits in two's
complement with 6 fraction bits. An element q stands for X * q * 2**-6. As the specification has it,
e = floor(log2(largest magnitude)) less the exponent of the largest element, 0 for INT8; elements
are rounded to nearest, ties to even, and clamped. -128 is not used, so that a block has as much
room on either side of zero: the largest element is 1 + 63/64. Our own choices: a block of zeros has
the smallest scale, e = -127, and a last block may be short.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.quant.checks import finite_array

BLOCK = 32
ELEMENT_BITS = 8
FRACTION_BITS = 6
SCALE_BITS = 8
SCALE_BIAS = 127
LARGEST_ELEMENT = 127
LARGEST_EXPONENT = 127
"""Byte 255 is NaN."""


@dataclass(frozen=True, eq=False)
class Microscaled:
    """A tensor in blocks along one axis, counted anew every `span` elements."""

    elements: NDArray[np.int8]
    scales: NDArray[np.uint8]
    """Of each block, in its place along the axis: 2**(byte - 127)."""
    saturated_count: int = 0
    """Elements that were clamped."""
    axis: int = -1
    span: int | None = None

    @property
    def reals(self) -> NDArray[np.float64]:
        """The numbers that are stored."""
        size = self.elements.shape[self.axis]
        place = np.arange(size)
        span = self.span or size
        blocks = place // span * -(-span // BLOCK) + place % span // BLOCK
        return np.asarray(self.elements * steps_of(self.scales).take(blocks, self.axis))


def steps_of(scales: ArrayLike) -> NDArray[np.float64]:
    """The distance of neighbouring elements in blocks with these scale bytes, exactly."""
    exponents = np.asarray(scales).astype(np.int64) - SCALE_BIAS - FRACTION_BITS
    return np.ldexp(1.0, exponents)


def microscaled(values: ArrayLike, axis: int = -1, span: int | None = None) -> Microscaled:
    """Real numbers in blocks along an axis, anew every `span` of them; the last may be short."""
    from accelsim.kernels.microscale import to_blocks

    array = finite_array("values", values)
    last = np.moveaxis(array, axis, -1)
    span = span or last.shape[-1]
    spans = np.ascontiguousarray(last).reshape(-1, span)
    elements = np.empty(spans.shape, np.int8)
    exponents = np.empty((len(spans), -(-span // BLOCK)), np.int16)
    clamped = to_blocks(
        spans, BLOCK, -SCALE_BIAS, FRACTION_BITS, float(LARGEST_ELEMENT), elements, exponents
    )
    if exponents.max(initial=0) > LARGEST_EXPONENT:
        largest = np.abs(array).max()
        raise AccelsimError(f"magnitude = {largest!r}: must be below 2**128 in mxint8")
    scales = (exponents + SCALE_BIAS).astype(np.uint8)
    return Microscaled(
        _back(elements.reshape(last.shape), axis),
        _back(scales.reshape(*last.shape[:-1], -1), axis),
        int(clamped), axis, span,
    )  # fmt: skip


def _back(array: np.ndarray, axis: int) -> np.ndarray:
    """With the last axis where it was."""
    return np.ascontiguousarray(np.moveaxis(array, -1, axis))
