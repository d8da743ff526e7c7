"""Exact products of the gradient to the weights, summed over boxes of the output's gradient.

Like the forward kernels: int32, int64 or float64 throughout, C-contiguous, indexed as flat memory.
Sums are laid out as weights are on chip, (kernel height, kernel width, in, out channels), so that
vectors run along the output channels.
"""

import numpy as np

from accelsim.kernels.jit import jit

CHUNK = 64
"""Positions worked on together, so that their operands stay in the first-level cache."""

NARROW = 8
"""Below this many output channels a vector is filled with positions instead."""


@jit
def weight_gradient_tile(
    x,
    dy,
    acc,
    image_start,
    image_stop,
    row_start,
    row_stop,
    column_start,
    column_stop,
    group_start,
    n_start,
    n_count,
    out_channels,
    channel_start,
    in_channels,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    pad_top,
    pad_left,
):
    """Add to `acc` the products over a box of positions of the output's gradient.

    `x` (B, H, W, groups*C) and `dy` (B, OH, OW, groups*N) are whole tensors. `acc` is the tile
    (KH, KW, c, tg*n_count) of the weights that starts at input channel `channel_start` and, in each
    of tg groups from `group_start`, takes `n_count` output channels from `n_start`.
    """
    kernel_h, kernel_w, channels, columns = acc.shape
    height, width, x_channels = x.shape[1:]
    out_height, out_width, y_channels = dy.shape[1:]
    x_flat, y_flat, acc_flat = x.reshape(-1), dy.reshape(-1), acc.reshape(-1)
    rows, row_size = row_stop - row_start, column_stop - column_start
    positions = (image_stop - image_start) * rows * row_size
    x_offsets = np.empty(CHUNK, np.int64)
    y_offsets = np.empty(CHUNK, np.int64)
    narrow = n_count < NARROW
    packed = np.empty((n_count + 1) * CHUNK if narrow else 0, x.dtype)
    for local_group in range(columns // n_count):
        group = group_start + local_group
        x_channel = group * in_channels + channel_start
        y_channel = group * out_channels + n_start
        for chunk in range(0, positions, CHUNK):
            chunk_stop = min(chunk + CHUNK, positions)
            for tap in range(kernel_h * kernel_w):
                kh, kw = tap // kernel_w, tap % kernel_w
                count = 0
                for position in range(chunk, chunk_stop):
                    image = image_start + position // (rows * row_size)
                    oh = row_start + position // row_size % rows
                    ow = column_start + position % row_size
                    ih = oh * stride_h - pad_top + kh * dilation_h
                    iw = ow * stride_w - pad_left + kw * dilation_w
                    if 0 <= ih < height and 0 <= iw < width:
                        x_pixel = (image * height + ih) * width + iw
                        x_offsets[count] = x_pixel * x_channels + x_channel
                        y_pixel = (image * out_height + oh) * out_width + ow
                        y_offsets[count] = y_pixel * y_channels + y_channel
                        count += 1
                a_offset = tap * channels * columns + local_group * n_count
                if narrow:
                    _add_narrow(
                        x_flat,
                        y_flat,
                        acc_flat,
                        x_offsets[:count],
                        y_offsets[:count],
                        a_offset,
                        columns,
                        n_count,
                        channels,
                        packed,
                    )
                else:
                    _add_wide(
                        x_flat,
                        y_flat,
                        acc_flat,
                        x_offsets[:count],
                        y_offsets[:count],
                        a_offset,
                        columns,
                        n_count,
                        channels,
                    )


@jit
def _add_wide(x, y, acc, x_offsets, y_offsets, a_offset, columns, n_count, channels):
    """Multiply (channels, positions) of `x` with (positions, n_count) of `y`, vectors along n.

    Eight positions a time save seven of eight loads and stores of the accumulators.
    """
    whole = x_offsets.size - x_offsets.size % 8
    for p in range(0, whole, 8):
        o0, o1, o2, o3 = x_offsets[p], x_offsets[p + 1], x_offsets[p + 2], x_offsets[p + 3]
        o4, o5, o6, o7 = x_offsets[p + 4], x_offsets[p + 5], x_offsets[p + 6], x_offsets[p + 7]
        y0 = y[y_offsets[p] : y_offsets[p] + n_count]
        y1 = y[y_offsets[p + 1] : y_offsets[p + 1] + n_count]
        y2 = y[y_offsets[p + 2] : y_offsets[p + 2] + n_count]
        y3 = y[y_offsets[p + 3] : y_offsets[p + 3] + n_count]
        y4 = y[y_offsets[p + 4] : y_offsets[p + 4] + n_count]
        y5 = y[y_offsets[p + 5] : y_offsets[p + 5] + n_count]
        y6 = y[y_offsets[p + 6] : y_offsets[p + 6] + n_count]
        y7 = y[y_offsets[p + 7] : y_offsets[p + 7] + n_count]
        for c in range(channels):
            a = acc[a_offset + c * columns : a_offset + c * columns + n_count]
            x0, x1, x2, x3 = x[o0 + c], x[o1 + c], x[o2 + c], x[o3 + c]
            x4, x5, x6, x7 = x[o4 + c], x[o5 + c], x[o6 + c], x[o7 + c]
            for n in range(n_count):
                a[n] += (
                    x0 * y0[n]
                    + x1 * y1[n]
                    + x2 * y2[n]
                    + x3 * y3[n]
                    + x4 * y4[n]
                    + x5 * y5[n]
                    + x6 * y6[n]
                    + x7 * y7[n]
                )
    for p in range(whole, x_offsets.size):
        y0 = y[y_offsets[p] : y_offsets[p] + n_count]
        for c in range(channels):
            a = acc[a_offset + c * columns : a_offset + c * columns + n_count]
            x0 = x[x_offsets[p] + c]
            for n in range(n_count):
                a[n] += x0 * y0[n]


@jit
def _add_narrow(x, y, acc, x_offsets, y_offsets, a_offset, columns, n_count, channels, packed):
    """The same with vectors along the positions, which are laid side by side in `packed`."""
    count = x_offsets.size
    for n in range(n_count):
        for p in range(count):
            packed[n * count + p] = y[y_offsets[p] + n]
    column = packed[n_count * count : (n_count + 1) * count]
    for c in range(channels):
        for p in range(count):
            column[p] = x[x_offsets[p] + c]
        for n in range(n_count):
            of_n = packed[n * count : (n + 1) * count]
            total = acc[a_offset + c * columns + n]
            for p in range(count):
                total += column[p] * of_n[p]
            acc[a_offset + c * columns + n] = total


@jit
def depthwise_gradient_tile(
    x,
    dy,
    acc,
    image_start,
    image_stop,
    row_start,
    row_stop,
    column_start,
    column_stop,
    group_start,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    pad_top,
    pad_left,
):
    """Add to `acc` the products where each group has one input and one output channel.

    `x` (B, H, W, groups) and `dy` (B, OH, OW, groups) are whole tensors; `acc` is the tile
    (KH, KW, 1, tg) of the weights from `group_start`.
    """
    kernel_h, kernel_w, _, tile_g = acc.shape
    height, width, groups = x.shape[1:]
    out_height, out_width = dy.shape[1:3]
    x_flat, y_flat, acc_flat = x.reshape(-1), dy.reshape(-1), acc.reshape(-1)
    for image in range(image_start, image_stop):
        for oh in range(row_start, row_stop):
            for kh in range(kernel_h):
                ih = oh * stride_h - pad_top + kh * dilation_h
                if not 0 <= ih < height:
                    continue
                for kw in range(kernel_w):
                    tap = (kh * kernel_w + kw) * tile_g
                    a = acc_flat[tap : tap + tile_g]
                    for ow in range(column_start, column_stop):
                        iw = ow * stride_w - pad_left + kw * dilation_w
                        if not 0 <= iw < width:
                            continue
                        o = ((image * height + ih) * width + iw) * groups + group_start
                        of_x = x_flat[o : o + tile_g]
                        o = ((image * out_height + oh) * out_width + ow) * groups + group_start
                        of_y = y_flat[o : o + tile_g]
                        for g in range(tile_g):
                            a[g] += of_x[g] * of_y[g]


def whole_weight_gradient(x, dy, acc, copies, depthwise, out_channels, steps):
    """Add all products to `acc`, all weights as they lie on chip: one call for each copy.

    `steps` are the stride, the dilation and the top-left padding, each (height, width), in a row;
    `out_channels` counts per group.
    """
    images, filters = dy.shape[0] // copies, acc.shape[3] // copies
    for copy in range(copies):
        positions = copy * images, (copy + 1) * images, 0, dy.shape[1], 0, dy.shape[2]
        tile = np.ascontiguousarray(acc[..., copy * filters : (copy + 1) * filters])
        if depthwise:
            depthwise_gradient_tile(x, dy, tile, *positions, 0, *steps)
        else:
            weight_gradient_tile(
                x, dy, tile, *positions, 0, 0, out_channels, out_channels, 0, acc.shape[2], *steps
            )
        acc[..., copy * filters : (copy + 1) * filters] = tile
