"""Requantization of one tensor with exact fractions."""

from fractions import Fraction

import numpy as np

from tests.naive.numerics import naive_random_bits, naive_round


def naive_requantize(
    acc, multipliers, shifts, zero_point, minimum, maximum, mode="nearest-even", seed=0
):
    """(int32 values, how many were clamped) of a whole channels-last tensor of accumulators."""
    out = np.empty(acc.shape, np.int32)
    clamped = 0
    channels = acc.shape[-1]
    for index in range(acc.size):
        multiplier, shift = int(multipliers[index % channels]), int(shifts[index % channels])
        product = int(acc.flat[index]) * multiplier
        if mode == "stochastic":
            rounded = (product + naive_random_bits(seed, index, shift)) // 2**shift
        else:
            rounded = naive_round(Fraction(product, 2**shift), mode)
        value = rounded + zero_point
        clamped += not minimum <= value <= maximum
        out.flat[index] = min(max(value, minimum), maximum)
    return out, clamped
