"""Requantization of one tensor with exact fractions."""

from fractions import Fraction

import numpy as np

from tests.naive.numerics import naive_float32, naive_random_bits, naive_round


def naive_requantize(
    acc, multipliers, shifts, zero_point, minimum, maximum, mode="nearest-even", seed=0
):
    """(int32 values, how many were clamped) of a whole channels-last tensor of accumulators."""
    out = np.empty(acc.shape, np.int32)
    clamped = 0
    channels = acc.shape[-1]
    for index in range(acc.size):
        multiplier, shift = int(multipliers[index % channels]), int(shifts[index % channels])
        rounded = naive_rescale(int(acc.flat[index]), multiplier, shift, mode, seed, index)
        value = rounded + zero_point
        clamped += not minimum <= value <= maximum
        out.flat[index] = min(max(value, minimum), maximum)
    return out, clamped


def naive_rescale(acc: int, multiplier: int, shift: int, mode: str, seed: int, index: int) -> int:
    """acc * multiplier / 2**shift as an integer, each mode by its definition."""
    exact = Fraction(acc * multiplier, 2**shift)
    exponent = 31 - shift  # of TFLite, whose multiplier is a fraction of 31 bits
    if mode == "stochastic":
        return (acc * multiplier + naive_random_bits(seed, index, shift)) // 2**shift
    if mode == "single":
        # (acc * M + 2**(30 - e)) >> (31 - e)
        return (acc * multiplier + Fraction(2) ** (30 - exponent)) // 2**shift
    if mode == "tflite-double":
        # t = (acc * 2**max(e, 0) * M + 2**30) >> 31, then divided by 2**r, ties away from zero.
        t = (acc * 2 ** max(exponent, 0) * multiplier + 2**30) // 2**31
        return naive_round(Fraction(t, 2 ** max(-exponent, 0)), "half-away")
    if mode == "f32-rne":
        scale = naive_float32(Fraction(multiplier, 2**shift))
        return naive_round(naive_float32(naive_float32(Fraction(acc)) * scale), "nearest-even")
    return naive_round(exact, mode)


def naive_tflite_multiplier(real: float) -> tuple[int, int]:
    """(M, e) for a positive real = M * 2**(e - 31): frexp, and M rounded half away from zero."""
    exponent, fraction = 0, Fraction(real)
    while fraction >= 1:
        exponent, fraction = exponent + 1, fraction / 2
    while fraction < Fraction(1, 2):
        exponent, fraction = exponent - 1, fraction * 2
    multiplier = naive_round(fraction * 2**31, "half-away")
    if multiplier == 2**31:
        return 2**30, exponent + 1
    return multiplier, exponent
