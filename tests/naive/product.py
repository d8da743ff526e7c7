"""The one loop nest of the house, in plain loops and NumPy int64."""

import numpy as np


def naive_out_size(in_size, kernel, stride, dilation, pad_before, pad_after):
    return (in_size + pad_before + pad_after - dilation * (kernel - 1) - 1) // stride + 1


def naive_convolution(
    x_centred,
    w_dram_layout,
    bias=None,
    *,
    copies=1,
    groups=1,
    stride=(1, 1),
    dilation=(1, 1),
    padding=(0, 0, 0, 0),
    apart=(1, 1),
    dtype=np.int64,
):
    """Exact sums (copies*batch, out_height, out_width, groups*N) of a layer.

    `x_centred` is (copies*batch, H, W, groups*C), `w_dram_layout` is (copies*groups*N, KH, KW, C),
    `bias` has one entry per filter (copies*groups*N) or is None, `padding` is
    (top, left, bottom, right), and negative where it cuts; `apart` is the input dilation.
    """
    x, w = np.asarray(x_centred, dtype), np.asarray(w_dram_layout, dtype)
    x = dilated(x, apart)
    images, height, width, _ = x.shape
    columns, kernel_h, kernel_w, in_channels = w.shape
    top, left, bottom, right = padding
    out_channels = columns // (copies * groups)
    out_height = naive_out_size(height, kernel_h, stride[0], dilation[0], top, bottom)
    out_width = naive_out_size(width, kernel_w, stride[1], dilation[1], left, right)
    padded = cut_or_padded(x, top, left, bottom, right)
    out = np.zeros((images, out_height, out_width, groups * out_channels), dtype)
    for image, oh, ow, channel in np.ndindex(out.shape):
        group = channel // out_channels
        copy = image // (images // copies)
        rows = slice(oh * stride[0], oh * stride[0] + dilation[0] * kernel_h, dilation[0])
        cols = slice(ow * stride[1], ow * stride[1] + dilation[1] * kernel_w, dilation[1])
        patch = padded[image, rows, cols, group * in_channels : (group + 1) * in_channels]
        filter_index = copy * groups * out_channels + channel
        out[image, oh, ow, channel] = (patch * w[filter_index]).sum()
        if bias is not None:
            out[image, oh, ow, channel] += bias[filter_index]
    return out


def dilated(x, apart):
    """`apart - 1` rows or columns of zeros between those of `x`."""
    images, height, width, channels = x.shape
    size = (height - 1) * apart[0] + 1, (width - 1) * apart[1] + 1
    wide = np.zeros((images, *size, channels), x.dtype)
    wide[:, :: apart[0], :: apart[1]] = x
    return wide


def cut_or_padded(x, top, left, bottom, right):
    """Zeros around the images; a negative amount takes rows or columns off instead."""
    padded = np.pad(x, ((0, 0), *((max(a, 0), max(b, 0)) for a, b in
                                  ((top, bottom), (left, right))), (0, 0)))  # fmt: skip
    rows = slice(max(-top, 0), padded.shape[1] - max(-bottom, 0))
    columns = slice(max(-left, 0), padded.shape[2] - max(-right, 0))
    return padded[:, rows, columns]


def naive_input_gradient(
    gradient, w_dram_layout, shape, *, copies=1, groups=1, stride=(1, 1), dilation=(1, 1),
    padding=(0, 0, 0, 0), dtype=np.int64,
):  # fmt: skip
    """What flows back to an input of `shape`: every output gives back what it was made of."""
    dy, w = np.asarray(gradient, dtype), np.asarray(w_dram_layout, dtype)
    top, left, bottom, right = padding
    images, height, width, _ = shape
    dx = np.zeros((images, height + top + bottom, width + left + right, shape[3]), dtype)
    for image, oh, ow, channel in np.ndindex(dy.shape):
        rows, cols, ins, filter_index = _patch(
            dy.shape, w.shape, (image, oh, ow, channel), copies, groups, stride, dilation
        )
        dx[image, rows, cols, ins] += dy[image, oh, ow, channel] * w[filter_index]
    return dx[:, top : top + height, left : left + width]


def naive_weight_gradient(
    x_centred, gradient, weight_shape, *, copies=1, groups=1, stride=(1, 1), dilation=(1, 1),
    padding=(0, 0, 0, 0), dtype=np.int64,
):  # fmt: skip
    """The gradient to weights of `weight_shape` (DRAM layout): every output adds its patch."""
    x, dy = np.asarray(x_centred, dtype), np.asarray(gradient, dtype)
    padded = cut_or_padded(x, *padding)
    dw = np.zeros(weight_shape, dtype)
    for image, oh, ow, channel in np.ndindex(dy.shape):
        rows, cols, ins, filter_index = _patch(
            dy.shape, weight_shape, (image, oh, ow, channel), copies, groups, stride, dilation
        )
        dw[filter_index] += dy[image, oh, ow, channel] * padded[image, rows, cols, ins]
    return dw


def _patch(out_shape, weight_shape, output, copies, groups, stride, dilation):
    """Of one output: rows, columns and channels of the padded input it is made of, its filter."""
    image, oh, ow, channel = output
    _, kernel_h, kernel_w, in_channels = weight_shape
    rows = slice(oh * stride[0], oh * stride[0] + dilation[0] * kernel_h, dilation[0])
    cols = slice(ow * stride[1], ow * stride[1] + dilation[1] * kernel_w, dilation[1])
    group = channel // (out_shape[3] // groups)
    copy = image // (out_shape[0] // copies)
    ins = slice(group * in_channels, (group + 1) * in_channels)
    return rows, cols, ins, copy * out_shape[3] + channel


def on_chip(w_dram_layout, dtype=np.int64):
    """Weights from (columns, KH, KW, C) to the (KH, KW, C, columns) that kernels read."""
    return np.ascontiguousarray(np.asarray(w_dram_layout, dtype).transpose(1, 2, 3, 0))
