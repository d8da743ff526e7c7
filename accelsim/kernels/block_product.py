"""Products of operands in blocks that share a power of two.

The order of a sum is fixed, as float32 sums depend on it. A layer's output: block of channels by
block of channels, in each the kernel's rows and columns. A gradient to the weights: block of images
(or of rows) by block, in each the output's rows and columns. Tiles are cut between blocks and never
change that order, so no tiling changes a bit.
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
    group_start,
    groups,
    in_channels,
    channel_start,
    channel_stop,
    block,
    span,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    pad_top,
    pad_left,
    input_dilation_h,
    input_dilation_w,
):
    """Add to the float32 tile `acc` what channels `channel_start` to `channel_stop` of groups give.

    `x` (B, H, W, all channels) and `w` (KH, KW, C, tn) are int32 elements; the tn filters are those
    of `groups` from `group_start` on, of `in_channels` each. `x_steps` (blocks, B, H, W) and
    `w_steps` (blocks, KH, KW, tn) are the float64 distance of their grid points; the blocks of `x`
    are counted anew every `span` channels. `acc` (tb, th, tw, tn) is the tile of the output from
    (batch_start, row_start, column_start). The integer sum of a block times both steps is rounded
    to float32 and added in float32.
    """
    kernel_h, kernel_w = w.shape[:2]
    tile_b, tile_h, tile_w, tile_n = acc.shape
    height, width = x.shape[1:3]
    each, channels, x_channels = tile_n // groups, w.shape[2], x.shape[3]
    x_flat, w_flat, step_flat = x.reshape(-1), w.reshape(-1), w_steps.reshape(-1)
    acc_flat = acc.reshape(-1)
    sums = np.empty(each, np.int32)
    for b in range(tile_b):
        image = batch_start + b
        for row in range(tile_h):
            for column in range(tile_w):
                for local in range(groups):
                    base, first = (group_start + local) * in_channels, local * each
                    for start in range(channel_start, channel_stop, block):
                        stop = min(start + block, channel_stop)
                        at = base + start
                        place = at // span * -(-span // block) + at % span // block
                        for kh in range(kernel_h):
                            ih = (row_start + row) * stride_h - pad_top + kh * dilation_h
                            if ih < 0 or ih % input_dilation_h or ih // input_dilation_h >= height:
                                continue
                            ih //= input_dilation_h
                            for kw in range(kernel_w):
                                iw = (column_start + column) * stride_w - pad_left + kw * dilation_w
                                if (
                                    iw < 0
                                    or iw % input_dilation_w
                                    or iw // input_dilation_w >= width
                                ):
                                    continue
                                iw //= input_dilation_w
                                step = x_steps[place, image, ih, iw]
                                if each == 1:
                                    total = np.int32(0)
                                    for c in range(start, stop):
                                        total += x[image, ih, iw, base + c] * w[kh, kw, c, first]
                                    scale = step * w_steps[start // block, kh, kw, first]
                                    acc[b, row, column, first] += np.float32(total * scale)
                                    continue
                                tap = kh * kernel_w + kw
                                o = (tap * channels + start) * tile_n + first
                                i = ((image * height + ih) * width + iw) * x_channels + at
                                _add_products(
                                    x_flat[i : i + stop - start], w_flat, sums, o, tile_n, each
                                )
                                o = (start // block * kernel_h * kernel_w + tap) * tile_n + first
                                w_step = step_flat[o : o + each]
                                o = ((b * tile_h + row) * tile_w + column) * tile_n + first
                                totals = acc_flat[o : o + each]
                                for n in range(each):
                                    totals[n] += np.float32(sums[n] * (step * w_step[n]))


@jit
def _add_products(values, w, sums, offset, columns, each):
    """What a block of channels gives: `sums` of `values` times rows of `w`, four at a time."""
    count = values.size
    whole = count - count % 4
    sums[:] = 0
    for c in range(0, whole, 4):
        o = offset + c * columns
        w0, w1 = w[o : o + each], w[o + columns : o + columns + each]
        o += 2 * columns
        w2, w3 = w[o : o + each], w[o + columns : o + columns + each]
        v0, v1, v2, v3 = values[c], values[c + 1], values[c + 2], values[c + 3]
        for n in range(each):
            sums[n] += v0 * w0[n] + v1 * w1[n] + v2 * w2[n] + v3 * w3[n]
    for c in range(whole, count):
        o = offset + c * columns
        row, value = w[o : o + each], values[c]
        for n in range(each):
            sums[n] += value * row[n]


@jit
def add_gradient_blocks(
    x,
    x_steps,
    dy,
    dy_steps,
    acc,
    by_rows,
    image_start,
    image_stop,
    row_start,
    row_stop,
    columns,
    filter_start,
    out_channels,
    in_channels,
    channel_start,
    span,
    block,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    pad_top,
    pad_left,
):
    """Add to the float32 tile `acc` (tn, KH, KW, tc) of the weights what some positions give.

    Filters from `filter_start` on, each group's `out_channels` reading its own `in_channels` from
    `channel_start` on. `x` (B, H, W, all channels) and `dy` (B, OH, OW, all filters) are int32
    elements, `x_steps` and `dy_steps` the float64 distance of their grid points, with one entry for
    each block of images, or of rows (`by_rows`, where rows of both are the same). Blocks of images
    are counted anew every `span`.
    """
    filters, kernel_h, kernel_w, channels = acc.shape
    height, width = x.shape[1:3]
    sums = np.empty(channels, np.int32)
    first, last = (row_start, row_stop) if by_rows else (image_start, image_stop)
    others = (image_start, image_stop) if by_rows else (row_start, row_stop)
    for start in range(first, last, block):
        stop = min(start + block, last)
        place = start // span * -(-span // block) + start % span // block
        for other in range(others[0], others[1]):
            for column in range(columns):
                for n in range(filters):
                    filter_ = filter_start + n
                    base = filter_ // out_channels * in_channels + channel_start
                    for kh in range(kernel_h):
                        ih = 0 if by_rows else other * stride_h - pad_top + kh * dilation_h
                        if ih < 0 or ih >= height:
                            continue
                        for kw in range(kernel_w):
                            iw = column * stride_w - pad_left + kw * dilation_w
                            if iw < 0 or iw >= width:
                                continue
                            sums[:] = 0
                            for p in range(start, stop):
                                image, row, x_row = (other, p, p) if by_rows else (p, other, ih)
                                value = dy[image, row, column, filter_]
                                values = x[image, x_row, iw, base : base + channels]
                                for c in range(channels):
                                    sums[c] += value * values[c]
                            image, row, x_row = place, other, ih
                            if by_rows:
                                image, row, x_row = other, place, place
                            step = dy_steps[image, row, column, filter_]
                            x_step = x_steps[image, x_row, iw, base : base + channels]
                            totals = acc[n, kh, kw]
                            for c in range(channels):
                                totals[c] += np.float32(sums[c] * (step * x_step[c]))
