"""From finished accumulators to the integers that are stored."""

import math

import numpy as np

from accelsim.kernels.counter_random import random_bits, stream_state
from accelsim.kernels.jit import jit

NEAREST_EVEN, HALF_UP, HALF_AWAY, STOCHASTIC, SINGLE, TFLITE_DOUBLE, F32_RNE = range(7)
"""The codes of `numerics.RequantizationMode`; here because compiled code freezes what it reads."""


@jit
def requantize_tile(
    acc,
    out,
    multipliers,
    shifts,
    zero_point,
    minimum,
    maximum,
    mode_code,
    seed,
    batch_start,
    row_start,
    column_start,
    channel_start,
    height,
    width,
    channels,
):
    """Fill `out` with clamp(round(acc * multiplier / 2**shift) + zero_point); count the clamped.

    `acc` (int32 or int64, values within 32 bits) and `out` (int32) are the tile (tb, th, tw, tc)
    that starts at the four `_start` indices of an output of (.., height, width, channels).
    `multipliers` (0 to 2**31 - 1) and `shifts` (0 to 62) are int64 and span all its channels; in
    the float32 mode they stand for the float32 nearest to multiplier / 2**shift.
    Stochastic rounding draws by `seed` and the element's index in the whole output, so neither
    tiling nor order matters.
    """
    tile_b, tile_h, tile_w, tile_c = acc.shape
    multiplier = multipliers[channel_start : channel_start + tile_c]
    shift = shifts[channel_start : channel_start + tile_c]
    state = stream_state(seed)
    scale = float32_scales(multiplier, shift)
    clamped = 0
    for b in range(tile_b):
        for h in range(tile_h):
            row_index = ((batch_start + b) * height + row_start + h) * width + column_start
            for w in range(tile_w):
                if mode_code == F32_RNE:
                    clamped += _rescale_run(
                        acc[b, h, w], out[b, h, w], scale, zero_point, minimum, maximum
                    )
                    continue
                clamped += _requantize_run(
                    acc[b, h, w],
                    out[b, h, w],
                    multiplier,
                    shift,
                    zero_point,
                    minimum,
                    maximum,
                    mode_code,
                    state,
                    (row_index + w) * channels + channel_start,
                )
    return clamped


@jit
def _requantize_run(
    acc, out, multiplier, shift, zero_point, minimum, maximum, mode_code, state, first_index
):
    """Requantize the channels of one position; the choice of a mode leaves the loop when compiled.

    Every mode is one floor, `(product + offset) >> shift`, with an offset below 2**shift; the
    double one has another before it.
    """
    clamped = 0
    for c in range(acc.size):
        product = int(acc[c]) * int(multiplier[c])
        bits = int(shift[c])
        if mode_code == TFLITE_DOUBLE:
            first = min(bits, 31)
            product = (product + ((1 << first) >> 1)) >> first
            bits -= first
        half = (1 << bits) >> 1
        # Zero where nothing is rounded, else one.
        unit = min(half, 1)
        if mode_code == NEAREST_EVEN:
            offset = half - unit + ((product >> bits) & unit)
        elif mode_code in (HALF_UP, SINGLE):
            offset = half
        elif mode_code in (HALF_AWAY, TFLITE_DOUBLE):
            offset = half - unit if product < 0 else half
        else:
            offset = random_bits(state, first_index + c, bits)
        value = ((product + offset) >> bits) + zero_point
        inside = min(max(value, minimum), maximum)
        clamped += inside != value
        out[c] = inside
    return clamped


@jit
def float32_scales(multipliers, shifts):
    """The float32 nearest to each multiplier / 2**shift."""
    scales = np.empty(multipliers.size, np.float32)
    for c in range(multipliers.size):
        # Exact as a double: 31 bits and a power of two.
        scales[c] = np.float32(math.ldexp(float(multipliers[c]), -int(shifts[c])))
    return scales


@jit
def _rescale_run(acc, out, scale, zero_point, minimum, maximum):
    """Requantize the channels of one position in float32.

    Clamping after rounding gives what clamping before it does, as the limits are integers; and no
    product leaves an int64, being at most 2**31 * 2**31.
    """
    clamped = 0
    for c in range(acc.size):
        value = int(np.rint(np.float32(acc[c]) * scale[c])) + zero_point
        inside = min(max(value, minimum), maximum)
        clamped += inside != value
        out[c] = inside
    return clamped
