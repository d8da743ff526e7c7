"""From finished accumulators to the integers that are stored."""

from accelsim.kernels.counter_random import random_bits, stream_state
from accelsim.kernels.jit import jit

NEAREST_EVEN, HALF_UP, HALF_AWAY, STOCHASTIC = range(4)
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
    `multipliers` (0 to 2**31 - 1) and `shifts` (0 to 62) are int64 and span all its channels.
    Stochastic rounding draws by `seed` and the element's index in the whole output, so neither
    tiling nor order matters.
    """
    tile_b, tile_h, tile_w, tile_c = acc.shape
    multiplier = multipliers[channel_start : channel_start + tile_c]
    shift = shifts[channel_start : channel_start + tile_c]
    state = stream_state(seed)
    clamped = 0
    for b in range(tile_b):
        for h in range(tile_h):
            row_index = ((batch_start + b) * height + row_start + h) * width + column_start
            for w in range(tile_w):
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

    Every mode is one floor, `(product + offset) >> shift`, with an offset below 2**shift.
    """
    clamped = 0
    for c in range(acc.size):
        product = int(acc[c]) * int(multiplier[c])
        bits = int(shift[c])
        half = (1 << bits) >> 1
        # Zero where nothing is rounded, else one.
        unit = min(half, 1)
        if mode_code == NEAREST_EVEN:
            offset = half - unit + ((product >> bits) & unit)
        elif mode_code == HALF_UP:
            offset = half
        elif mode_code == HALF_AWAY:
            offset = half - unit if product < 0 else half
        else:
            offset = random_bits(state, first_index + c, bits)
        value = ((product + offset) >> bits) + zero_point
        inside = min(max(value, minimum), maximum)
        clamped += inside != value
        out[c] = inside
    return clamped
