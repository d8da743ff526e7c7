"""What the statistics unit keeps of finished accumulators, channel by channel.

Every figure is an exact integer, and neither tiles nor their order can change one. A tile `acc` is
(tb, th, tw, tc); its channel c is `channel_start + c` of the registers.
"""

import numpy as np

from accelsim.kernels.jit import jit

LOW_BITS = 32
LOW_MASK = 2**LOW_BITS - 1


@jit
def observe_channels(acc, channel_start, minima, maxima):
    """Let the tile lower `minima` and raise `maxima`, one int64 for each channel of the tensor.

    Start them at the largest and the smallest int64.
    """
    tile_b, tile_h, tile_w, channels = acc.shape
    rows = acc.reshape(tile_b * tile_h * tile_w, channels)
    low = minima[channel_start : channel_start + channels]
    high = maxima[channel_start : channel_start + channels]
    for row in range(rows.shape[0]):
        values = rows[row]
        for c in range(channels):
            low[c] = min(low[c], values[c])
            high[c] = max(high[c], values[c])


@jit
def observe_moments(acc, channel_start, sums, squares):
    """Add the accumulators to `sums` (channels), and their squares to `squares` (2, channels).

    A square is split: squares[0] adds up its low 32 bits, squares[1] what lies above them. Exact
    for accumulators of 32 bits, up to 2**31 of them in a channel. Start all at zero.
    """
    tile_b, tile_h, tile_w, channels = acc.shape
    rows = acc.reshape(tile_b * tile_h * tile_w, channels)
    for row in range(rows.shape[0]):
        values = rows[row]
        for c in range(channels):
            value = np.int64(values[c])
            square = value * value
            sums[channel_start + c] += value
            squares[0, channel_start + c] += square & LOW_MASK
            squares[1, channel_start + c] += square >> LOW_BITS


@jit
def count_above(acc, channel_start, thresholds, counts):
    """Count the accumulators whose magnitude is above each row of `thresholds` (n, channels)."""
    tile_b, tile_h, tile_w, channels = acc.shape
    rows = acc.reshape(tile_b * tile_h * tile_w, channels)
    for row in range(rows.shape[0]):
        values = rows[row]
        for c in range(channels):
            magnitude = abs(np.int64(values[c]))
            for limit in range(thresholds.shape[0]):
                if magnitude > thresholds[limit, channel_start + c]:
                    counts[limit, channel_start + c] += 1


@jit
def observe_groups(acc, image, row, column, channel_start, positions, shape, minima, maxima):
    """As `observe_channels`, with one row of `minima` and `maxima` for each group of positions.

    The tile starts at (image, row, column) of a tensor whose images are `shape` = (height, width);
    its `positions` are counted image by image, row by row, and cut into as many runs as `minima`
    has rows. The first positions % groups runs are one position longer, as in numpy.array_split.
    """
    tile_b, tile_h, tile_w, channels = acc.shape
    height, width = shape
    length, longer = divmod(positions, minima.shape[0])
    in_longer = longer * (length + 1)
    for b in range(tile_b):
        for h in range(tile_h):
            for w in range(tile_w):
                position = ((image + b) * height + row + h) * width + column + w
                if position < in_longer:
                    group = position // (length + 1)
                else:
                    group = longer + (position - in_longer) // length
                for c in range(channels):
                    value = np.int64(acc[b, h, w, c])
                    index = channel_start + c
                    minima[group, index] = min(minima[group, index], value)
                    maxima[group, index] = max(maxima[group, index], value)
