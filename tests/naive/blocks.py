"""Blocks of 32 values that share a power of two, number by number."""

import math

import numpy as np

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


def naive_blocks(array, axis=-1, span=None):
    """The same of a tensor, blocks along an axis, anew every `span` elements.

    Scale bytes are given for every element, each time the one of its block.
    """
    array = np.moveaxis(np.asarray(array, np.float64), axis, -1)
    span = span or array.shape[-1]
    elements, scales = np.zeros(array.shape, np.int64), np.zeros(array.shape, np.int64)
    clamped = 0
    for place in np.ndindex(array.shape[:-1]):
        for first in range(0, array.shape[-1], span):
            for start in range(first, first + span, BLOCK):
                part = slice(start, min(start + BLOCK, first + span))
                elements[place][part], byte, more = naive_block(array[place][part])
                scales[place][part] = byte
                clamped += more
    return np.moveaxis(elements, -1, axis), np.moveaxis(scales, -1, axis), clamped


class Sum:
    """A running float32 sum of blocks of products."""

    def __init__(self, x, w, start=0.0):
        (self.xq, self.xs, _), (self.wq, self.ws, _) = x, w
        self.total = np.float32(start)

    def add(self, pairs):
        """A block: places in both operands; all of it shares a scale on either side."""
        products = sum(int(self.xq[a]) * int(self.wq[b]) for a, b in pairs)
        exponents = {int(self.xs[a]) + int(self.ws[b]) for a, b in pairs}
        (exponent,) = exponents
        self.total += np.float32(math.ldexp(products, exponent - 2 * 127 - 12))


def cut(size):
    return [range(start, min(start + BLOCK, size)) for start in range(0, size, BLOCK)]


def of_input(x, groups):
    """Activations in blocks of channels, shared by groups where these fill them."""
    per_group = x.shape[3] // groups
    shared = groups > 1 and BLOCK % per_group == 0
    return naive_blocks(x, 3, None if shared else per_group)


def naive_forward(nest, x, w, bias):
    """Sums of a layer: channel block by channel block, in each the kernel's positions."""
    xb, wb = of_input(x, nest.groups), naive_blocks(w, 3)
    out = np.zeros(nest.output_shape, np.float32)
    for image, oh, ow, n in np.ndindex(out.shape):
        copy, group = image // nest.batch, n // nest.out_channels
        f = copy * nest.groups * nest.out_channels + n
        total = Sum(xb, wb, 0.0 if bias is None else bias[f])
        for block in cut(nest.in_channels):
            for kh, kw in np.ndindex(nest.kernel_height, nest.kernel_width):
                ih = oh * nest.stride_h - nest.pad_top + kh * nest.dilation_h
                iw = ow * nest.stride_w - nest.pad_left + kw * nest.dilation_w
                if 0 <= ih < nest.in_height and 0 <= iw < nest.in_width:
                    base = group * nest.in_channels
                    total.add([((image, ih, iw, base + c), (f, kh, kw, c)) for c in block])
        out[image, oh, ow, n] = total.total
    return out


def naive_input_gradient(nest, dy, w):
    """The same of the gradient to the input of a forward nest; kernels are walked backwards."""
    per_copy = nest.groups * nest.out_channels
    yb, wb = of_input(dy, nest.groups), naive_blocks(w, 0, nest.out_channels)
    out = np.zeros(nest.input_shape, np.float32)
    for image, ih, iw, channel in np.ndindex(out.shape):
        copy, (group, c) = image // nest.batch, divmod(channel, nest.in_channels)
        total = Sum(yb, wb)
        for block in cut(nest.out_channels):
            for kh in reversed(range(nest.kernel_height)):
                for kw in reversed(range(nest.kernel_width)):
                    oh, off_h = divmod(ih + nest.pad_top - kh * nest.dilation_h, nest.stride_h)
                    ow, off_w = divmod(iw + nest.pad_left - kw * nest.dilation_w, nest.stride_w)
                    inside = 0 <= oh < nest.out_height and 0 <= ow < nest.out_width
                    if off_h or off_w or not inside:
                        continue
                    filters = [group * nest.out_channels + n for n in block]
                    total.add(
                        [((image, oh, ow, f), (copy * per_copy + f, kh, kw, c)) for f in filters]
                    )
        out[image, ih, iw, channel] = total.total
    return out


def naive_weight_gradient(nest, x, dy, axis):
    """The gradient to the weights: block of images (axis 0) or rows (1), then other positions."""
    spans = (nest.batch, nest.batch) if axis == 0 else (nest.in_height, nest.out_height)
    xb, yb = naive_blocks(x, axis, spans[0]), naive_blocks(dy, axis, spans[1])
    out = np.zeros(nest.weight_shape, np.float32)
    per_copy = nest.groups * nest.out_channels
    for f, kh, kw, c in np.ndindex(out.shape):
        copy, n = divmod(f, per_copy)
        channel = n // nest.out_channels * nest.in_channels + c
        total = Sum(xb, yb)
        sizes = (nest.batch, nest.out_height) if axis == 0 else (nest.out_height, nest.batch)
        for block in cut(sizes[0]):
            for other in range(sizes[1]):
                for ow in range(nest.out_width):
                    pairs = []
                    for along in block:
                        b, oh = (along, other) if axis == 0 else (other, along)
                        ih = oh * nest.stride_h - nest.pad_top + kh * nest.dilation_h
                        iw = ow * nest.stride_w - nest.pad_left + kw * nest.dilation_w
                        if 0 <= ih < nest.in_height and 0 <= iw < nest.in_width:
                            image = copy * nest.batch + b
                            pairs.append(((image, ih, iw, channel), (image, oh, ow, n)))
                    if pairs:
                        total.add(pairs)
        out[f, kh, kw, c] = total.total
    return out
