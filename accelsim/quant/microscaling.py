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
    """A tensor in blocks along its last axis."""

    elements: NDArray[np.int8]
    scales: NDArray[np.uint8]
    """Of each block: 2**(byte - 127)."""
    saturated_count: int = 0
    """Elements that were clamped."""

    @property
    def reals(self) -> NDArray[np.float64]:
        """The numbers that are stored."""
        steps = steps_of(self.scales).repeat(BLOCK, -1)[..., : self.elements.shape[-1]]
        return np.asarray(self.elements * steps)


def steps_of(scales: ArrayLike) -> NDArray[np.float64]:
    """The distance of neighbouring elements in blocks with these scale bytes, exactly."""
    exponents = np.asarray(scales).astype(np.int64) - SCALE_BIAS - FRACTION_BITS
    return np.ldexp(1.0, exponents)


def microscaled(values: ArrayLike) -> Microscaled:
    """Real numbers in blocks along their last axis; the last block may be short."""
    array = finite_array("values", values)
    channels = array.shape[-1]
    count = -(-channels // BLOCK)
    padded = np.zeros((*array.shape[:-1], count * BLOCK))
    padded[..., :channels] = np.abs(array)
    largest = padded.reshape(*array.shape[:-1], count, BLOCK).max(-1, initial=0.0)
    # frexp gives a mantissa from 0.5 up, so its exponent is one above that of the floor.
    exponents = np.where(largest > 0, np.frexp(largest)[1] - 1, -SCALE_BIAS)
    if exponents.max(initial=0) > LARGEST_EXPONENT:
        raise AccelsimError(f"magnitude = {largest.max()!r}: must be below 2**128 in mxint8")
    scales = (np.maximum(exponents, -SCALE_BIAS) + SCALE_BIAS).astype(np.uint8)
    steps = steps_of(scales).repeat(BLOCK, -1)[..., :channels]
    rounded = np.rint(array / steps)
    elements = np.clip(rounded, -LARGEST_ELEMENT, LARGEST_ELEMENT)
    return Microscaled(elements.astype(np.int8), scales, int((elements != rounded).sum()))
