"""What the statistics unit sees: the extremes of finished accumulators, channel by channel."""

from accelsim.kernels.jit import jit


@jit
def observe_channels(acc, channel_start, minima, maxima):
    """Let the tile `acc` (tb, th, tw, tc) lower `minima` and raise `maxima`.

    Both are int64 and span all channels of the tensor; channel c of the tile is
    `channel_start + c` there. Start them at the largest and the smallest int64.
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
