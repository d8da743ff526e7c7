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
    dtype=np.int64,
):
    """Exact sums (copies*batch, out_height, out_width, groups*N) of a layer.

    `x_centred` is (copies*batch, H, W, groups*C), `w_dram_layout` is (copies*groups*N, KH, KW, C),
    `bias` has one entry per filter (copies*groups*N) or is None, `padding` is
    (top, left, bottom, right).
    """
    x, w = np.asarray(x_centred, dtype), np.asarray(w_dram_layout, dtype)
    images, height, width, _ = x.shape
    columns, kernel_h, kernel_w, in_channels = w.shape
    top, left, bottom, right = padding
    out_channels = columns // (copies * groups)
    out_height = naive_out_size(height, kernel_h, stride[0], dilation[0], top, bottom)
    out_width = naive_out_size(width, kernel_w, stride[1], dilation[1], left, right)
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
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


def on_chip(w_dram_layout, dtype=np.int64):
    """Weights from (columns, KH, KW, C) to the (KH, KW, C, columns) that kernels read."""
    return np.ascontiguousarray(np.asarray(w_dram_layout, dtype).transpose(1, 2, 3, 0))
