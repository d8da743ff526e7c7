"""Real numbers brought into blocks that share a power of two."""

import math

import numpy as np

from accelsim.kernels.jit import jit


@jit
def to_blocks(values, block, lowest_exponent, fraction_bits, largest_element, elements, exponents):
    """Elements and exponents of blocks along the last axis; returns how many were clamped.

    `values` (rows, n) is float64; `exponents` (rows, blocks) int16 and `elements` (rows, n) int8
    are filled: floor(log2(largest magnitude)), not below the lowest, and the values over
    2**(exponent - fraction_bits), to nearest, ties to even, at most the largest element.
    """
    rows, size = values.shape
    clamped = 0
    for row in range(rows):
        for start in range(0, size, block):
            stop = min(start + block, size)
            piece, out = values[row, start:stop], elements[row, start:stop]
            largest = 0.0
            for i in range(stop - start):
                largest = max(largest, abs(piece[i]))
            exponent = lowest_exponent
            if largest > 0.0:
                # frexp gives a mantissa from 0.5 up: its exponent is one above that of the floor.
                exponent = max(exponent, math.frexp(largest)[1] - 1)
            exponents[row, start // block] = exponent
            scale = math.ldexp(1.0, fraction_bits - exponent)  # exact, as the product is
            for i in range(stop - start):
                rounded = np.rint(piece[i] * scale)
                kept = min(max(rounded, -largest_element), largest_element)
                clamped += kept != rounded
                out[i] = kept
    return clamped
