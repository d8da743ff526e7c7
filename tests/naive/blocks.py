"""Blocks of 32 values that share a power of two, number by number."""

import math

import numpy as np

from tests.naive.product import naive_out_size

BLOCK = 32


def naive_block(values):
    """(elements, scale byte, clamped) of up to 32 numbers in MXINT8."""
    largest = max(abs(float(value)) for value in values)
    exponent = -127
    if largest:
        exponent = max(-127, math.frexp(largest)[1] - 1)
    elements, clamped = [], 0
    for value in values:
        q = round(math.ldexp(float(value), 6 - exponent))  # Python rounds ties to even
        clamped += abs(q) > 127
        elements.append(max(-127, min(127, q)))
    return elements, exponent + 127, clamped


def naive_blocks(array):
    """The same of a tensor, blocks along its last axis."""
    array = np.asarray(array, np.float64)
    elements = np.zeros(array.shape, np.int64)
    scales = np.zeros((*array.shape[:-1], math.ceil(array.shape[-1] / BLOCK)), np.int64)
    clamped = 0
    for place in np.ndindex(array.shape[:-1]):
        for number, start in enumerate(range(0, array.shape[-1], BLOCK)):
            part = slice(start, start + BLOCK)
            elements[place][part], scales[place][number], more = naive_block(array[place][part])
            clamped += more
    return elements, scales, clamped


def naive_block_convolution(x, w, bias, *, stride, dilation, padding):
    """float32 sums of a layer in blocks: channel block by channel block, then kernel positions.

    `x` (images, H, W, C) and `w` (N, KH, KW, C) are real numbers, `padding` is (top, left, bottom,
    right).
    """
    (xq, xs, _), (wq, ws, _) = naive_blocks(x), naive_blocks(w)
    images, height, width, channels = xq.shape
    filters, kernel_h, kernel_w, _ = wq.shape
    top, left, bottom, right = padding
    out_h = naive_out_size(height, kernel_h, stride[0], dilation[0], top, bottom)
    out_w = naive_out_size(width, kernel_w, stride[1], dilation[1], left, right)
    out = np.zeros((images, out_h, out_w, filters), np.float32)
    for image, oh, ow, n in np.ndindex(out.shape):
        total = np.float32(0 if bias is None else bias[n])
        for block in range(math.ceil(channels / BLOCK)):
            part = slice(block * BLOCK, (block + 1) * BLOCK)
            for kh, kw in np.ndindex(kernel_h, kernel_w):
                ih = oh * stride[0] - top + kh * dilation[0]
                iw = ow * stride[1] - left + kw * dilation[1]
                if not (0 <= ih < height and 0 <= iw < width):
                    continue
                products = xq[image, ih, iw, part] * wq[n, kh, kw, part]
                exponent = int(xs[image, ih, iw, block]) + int(ws[n, kh, kw, block]) - 2 * 127 - 12
                total = total + np.float32(math.ldexp(int(products.sum()), exponent))
        out[image, oh, ow, n] = total
    return out
