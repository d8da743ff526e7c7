"""Products of operands in blocks of channels that share a power of two.

The order of a sum is fixed, as float32 sums depend on it: block of channels by block of channels,
in each the kernel's rows and columns. Tiles are cut between blocks, so no tiling changes a bit.
"""

import numpy as np

from accelsim.kernels.jit import jit


@jit
def add_blocks(
    x,
    x_steps,
    w,
    w_steps,
    acc,
    batch_start,
    row_start,
    column_start,
    channel_start,
    channel_stop,
    block,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    pad_top,
    pad_left,
):
    """Add to the float32 tile `acc` what input channels `channel_start` to `channel_stop` give.

    `x` (B, H, W, C) and `w` (KH, KW, C, tn) are int32 elements, `x_steps` (blocks, B, H, W) and
    `w_steps` (blocks, KH, KW, tn) the float64 distance of their grid points. `acc` (tb, th, tw, tn)
    is the tile of the output from (batch_start, row_start, column_start), of `w`'s filters. The
    integer sum of a block times both steps is rounded to float32 and added in float32.
    """
    kernel_h, kernel_w = w.shape[:2]
    tile_b, tile_h, tile_w, tile_n = acc.shape
    height, width = x.shape[1:3]
    sums = np.empty(tile_n, np.int32)
    for b in range(tile_b):
        for row in range(tile_h):
            for column in range(tile_w):
                for start in range(channel_start, channel_stop, block):
                    stop = min(start + block, channel_stop)
                    for kh in range(kernel_h):
                        ih = (row_start + row) * stride_h - pad_top + kh * dilation_h
                        if ih < 0 or ih >= height:
                            continue
                        for kw in range(kernel_w):
                            iw = (column_start + column) * stride_w - pad_left + kw * dilation_w
                            if iw < 0 or iw >= width:
                                continue
                            sums[:] = 0
                            for c in range(start, stop):
                                value = x[batch_start + b, ih, iw, c]
                                for n in range(tile_n):
                                    sums[n] += value * w[kh, kw, c, n]
                            step = x_steps[start // block, batch_start + b, ih, iw]
                            for n in range(tile_n):
                                scale = step * w_steps[start // block, kh, kw, n]
                                acc[b, row, column, n] += np.float32(sums[n] * scale)
