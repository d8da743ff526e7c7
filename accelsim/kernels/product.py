"""Exact products of tiles, and the step that brings finished sums into the accumulator's width.

The product kernels have one source for three element types: int32 where the caller has proved that
no partial sum leaves it (`numerics.exact_sum_bound`), int64 where it may, float64 for the float
reference. All three arrays of a call share the type, are C-contiguous, and are indexed as flat
memory, which is what lets the compiler keep the inner loops free of index arithmetic.
"""

import numpy as np

from accelsim.kernels.jit import jit

CHUNK = 64
"""Output positions worked on together, so that their accumulators stay in the first-level cache."""

NARROW = 8
"""Below this many output channels a vector is filled with input channels instead."""


@jit
def convolve_tile(
    x,
    w,
    acc,
    batch_start,
    row_start,
    column_start,
    group_start,
    n_start,
    n_count,
    out_channels,
    weight_start,
    channel_start,
    channel_stop,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    pad_top,
    pad_left,
    step_h,
    step_w,
):
    """Add to `acc` the products of input channels `channel_start` to `channel_stop` of each group.

    `x` (B, H, W, groups*C) and `w` (KH, KW, C, copies*groups*N) are whole tensors. `acc` is the
    tile (tb, th, tw, tg*n_count) of the output that starts at (batch_start, row_start,
    column_start) and, in each of tg groups from `group_start`, takes `n_count` channels from
    `n_start`. Output channel n of group g reads column `weight_start + g*out_channels + n` of `w`.
    The elements of `x` stand `step_h` rows and `step_w` columns apart, with zeros between them.
    """
    kernel_h, kernel_w, group_channels, w_columns = w.shape
    tile_b, tile_h, tile_w, tile_channels = acc.shape
    height, width, x_channels = x.shape[1:]
    x_flat, w_flat, acc_flat = x.reshape(-1), w.reshape(-1), acc.reshape(-1)
    x_offsets = np.empty(CHUNK, np.int64)
    acc_offsets = np.empty(CHUNK, np.int64)
    channels = channel_stop - channel_start
    apart = step_h > 1 or step_w > 1
    narrow = n_count < NARROW and n_count < channels
    packed = np.empty(n_count * channels if narrow else 0, w.dtype)
    for local_group in range(tile_channels // n_count):
        group = group_start + local_group
        x_channel = group * group_channels + channel_start
        w_column = weight_start + group * out_channels + n_start
        for chunk in range(0, tile_b * tile_h * tile_w, CHUNK):
            chunk_stop = min(chunk + CHUNK, tile_b * tile_h * tile_w)
            for tap in range(kernel_h * kernel_w):
                kh, kw = tap // kernel_w, tap % kernel_w
                count = 0
                for position in range(chunk, chunk_stop):
                    row, column = position // tile_w % tile_h, position % tile_w
                    ih = (row_start + row) * stride_h - pad_top + kh * dilation_h
                    iw = (column_start + column) * stride_w - pad_left + kw * dilation_w
                    if apart:
                        if ih % step_h or iw % step_w:
                            continue
                        ih, iw = ih // step_h, iw // step_w
                    if 0 <= ih < height and 0 <= iw < width:
                        image = batch_start + position // (tile_h * tile_w)
                        pixel = (image * height + ih) * width + iw
                        x_offsets[count] = pixel * x_channels + x_channel
                        acc_offsets[count] = position * tile_channels + local_group * n_count
                        count += 1
                w_offset = (tap * group_channels + channel_start) * w_columns + w_column
                if narrow:
                    _pack_columns(w_flat, packed, w_offset, w_columns, n_count, channels)
                    _add_narrow(
                        x_flat,
                        packed,
                        acc_flat,
                        x_offsets[:count],
                        acc_offsets[:count],
                        n_count,
                        channels,
                    )
                else:
                    _add_wide(
                        x_flat,
                        w_flat,
                        acc_flat,
                        x_offsets[:count],
                        acc_offsets[:count],
                        w_offset,
                        w_columns,
                        n_count,
                        channels,
                    )


def convolve_whole(x, w, acc, copies, depthwise, out_channels, steps):
    """Add all products of a tensor to `acc`, the whole output: one call of a kernel for each copy.

    `steps` are the stride, the dilation, the top-left padding and the input dilation, each (height,
    width), in a row; `out_channels` counts per group.
    """
    images, channels = acc.shape[0] // copies, acc.shape[3]
    for copy in range(copies):
        first = copy * images
        tile = acc[first : first + images]
        if depthwise:
            depthwise_tile(x, w, tile, first, 0, 0, 0, copy * channels, *steps)
        else:
            convolve_tile(
                x, w, tile, first, 0, 0, 0, 0, out_channels, out_channels,
                copy * channels, 0, w.shape[2], *steps,
            )  # fmt: skip


@jit
def _add_wide(x, w, acc, x_offsets, acc_offsets, w_offset, w_columns, n_count, channels):
    """Multiply (positions, channels) of `x` with (channels, n_count) of `w`, vectors along n.

    Eight channels a time save seven of eight loads and stores of the accumulators.
    """
    whole = channels - channels % 8
    for c in range(0, whole, 8):
        o = w_offset + c * w_columns
        w0, w1 = w[o : o + n_count], w[o + w_columns : o + w_columns + n_count]
        o += 2 * w_columns
        w2, w3 = w[o : o + n_count], w[o + w_columns : o + w_columns + n_count]
        o += 2 * w_columns
        w4, w5 = w[o : o + n_count], w[o + w_columns : o + w_columns + n_count]
        o += 2 * w_columns
        w6, w7 = w[o : o + n_count], w[o + w_columns : o + w_columns + n_count]
        for position in range(x_offsets.size):
            a = acc[acc_offsets[position] : acc_offsets[position] + n_count]
            o = x_offsets[position] + c
            x0, x1, x2, x3 = x[o], x[o + 1], x[o + 2], x[o + 3]
            x4, x5, x6, x7 = x[o + 4], x[o + 5], x[o + 6], x[o + 7]
            for n in range(n_count):
                a[n] += (
                    x0 * w0[n]
                    + x1 * w1[n]
                    + x2 * w2[n]
                    + x3 * w3[n]
                    + x4 * w4[n]
                    + x5 * w5[n]
                    + x6 * w6[n]
                    + x7 * w7[n]
                )
    for c in range(whole, channels):
        o = w_offset + c * w_columns
        w0 = w[o : o + n_count]
        for position in range(x_offsets.size):
            a = acc[acc_offsets[position] : acc_offsets[position] + n_count]
            x0 = x[x_offsets[position] + c]
            for n in range(n_count):
                a[n] += x0 * w0[n]


@jit
def _pack_columns(w, packed, w_offset, w_columns, n_count, channels):
    """Lay each output channel's weights side by side."""
    for c in range(channels):
        for n in range(n_count):
            packed[n * channels + c] = w[w_offset + c * w_columns + n]


@jit
def _add_narrow(x, packed, acc, x_offsets, acc_offsets, n_count, channels):
    """Multiply (positions, channels) of `x` with `packed` (n_count, channels), vectors along c."""
    for position in range(x_offsets.size):
        pixel = x[x_offsets[position] : x_offsets[position] + channels]
        for n in range(n_count):
            column = packed[n * channels : (n + 1) * channels]
            total = acc[acc_offsets[position] + n]
            for c in range(channels):
                total += pixel[c] * column[c]
            acc[acc_offsets[position] + n] = total


@jit
def depthwise_tile(
    x,
    w,
    acc,
    batch_start,
    row_start,
    column_start,
    group_start,
    weight_start,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    pad_top,
    pad_left,
    step_h,
    step_w,
):
    """Add to `acc` the products where each group has one input and one output channel.

    `x` (B, H, W, groups) and `w` (KH, KW, 1, copies*groups) are whole tensors; `acc` is the tile
    (tb, th, tw, tg) of the output that starts at (batch_start, row_start, column_start,
    group_start). Output channel g reads column `weight_start + g` of `w`. The elements of `x` stand
    `step_h` rows and `step_w` columns apart, with zeros between them.
    """
    kernel_h, kernel_w, _, w_columns = w.shape
    tile_b, tile_h, tile_w, tile_g = acc.shape
    height, width, groups = x.shape[1:]
    x_flat, w_flat, acc_flat = x.reshape(-1), w.reshape(-1), acc.reshape(-1)
    x_offsets = np.empty(kernel_h * kernel_w, np.int64)
    w_offsets = np.empty(kernel_h * kernel_w, np.int64)
    apart = step_h > 1 or step_w > 1
    for position in range(tile_b * tile_h * tile_w):
        image = batch_start + position // (tile_h * tile_w)
        row, column = position // tile_w % tile_h, position % tile_w
        count = 0
        for kh in range(kernel_h):
            ih = (row_start + row) * stride_h - pad_top + kh * dilation_h
            if apart:
                if ih % step_h:
                    continue
                ih = ih // step_h
            if 0 <= ih < height:
                for kw in range(kernel_w):
                    iw = (column_start + column) * stride_w - pad_left + kw * dilation_w
                    if apart:
                        if iw % step_w:
                            continue
                        iw = iw // step_w
                    if 0 <= iw < width:
                        pixel = (image * height + ih) * width + iw
                        x_offsets[count] = pixel * groups + group_start
                        w_offsets[count] = (
                            (kh * kernel_w + kw) * w_columns + weight_start + group_start
                        )
                        count += 1
        a = acc_flat[position * tile_g : (position + 1) * tile_g]
        _add_taps(x_flat, w_flat, a, x_offsets[:count], w_offsets[:count])


@jit
def _add_taps(x, w, a, x_offsets, w_offsets):
    """Add the element-wise products of each pair of runs of `x` and `w`, four pairs at a time."""
    taps, size = x_offsets.size, a.size
    whole = taps - taps % 4
    for tap in range(0, whole, 4):
        x0 = x[x_offsets[tap] : x_offsets[tap] + size]
        x1 = x[x_offsets[tap + 1] : x_offsets[tap + 1] + size]
        x2 = x[x_offsets[tap + 2] : x_offsets[tap + 2] + size]
        x3 = x[x_offsets[tap + 3] : x_offsets[tap + 3] + size]
        w0 = w[w_offsets[tap] : w_offsets[tap] + size]
        w1 = w[w_offsets[tap + 1] : w_offsets[tap + 1] + size]
        w2 = w[w_offsets[tap + 2] : w_offsets[tap + 2] + size]
        w3 = w[w_offsets[tap + 3] : w_offsets[tap + 3] + size]
        for g in range(size):
            a[g] += x0[g] * w0[g] + x1[g] * w1[g] + x2[g] * w2[g] + x3[g] * w3[g]
    for tap in range(whole, taps):
        x0 = x[x_offsets[tap] : x_offsets[tap] + size]
        w0 = w[w_offsets[tap] : w_offsets[tap] + size]
        for g in range(size):
            a[g] += x0[g] * w0[g]


@jit
def finish_accumulators(acc, bits, saturate):
    """Bring exact sums into `bits` bits, in place; return how many were outside.

    `acc` is C-contiguous, int32 or int64, of any shape; `bits` is 1 to 62. Saturates if `saturate`
    is true and wraps otherwise.
    """
    if acc.itemsize * 8 <= bits:
        return 0
    half = 1 << (bits - 1)
    mask = 2 * half - 1
    flat = acc.reshape(-1)
    outside = 0
    for index in range(flat.size):
        value = int(flat[index])
        if saturate:
            inside = min(max(value, -half), half - 1)
        else:
            inside = ((value + half) & mask) - half
        outside += inside != value
        flat[index] = inside
    return outside
