"""The float reference: what the layer computes without any quantization."""

import numpy as np

from accelsim.network import Nest


def float_output(
    nest: Nest, x: np.ndarray, weights: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """The layer in float64, from and to the nest's channels-last layouts."""
    from accelsim.kernels.product import convolve_tile, depthwise_tile

    x = np.ascontiguousarray(x, np.float64)
    w = np.ascontiguousarray(weights.transpose(1, 2, 3, 0), np.float64)
    output = np.zeros(nest.output_shape)
    steps = (
        nest.stride_h, nest.stride_w, nest.dilation_h, nest.dilation_w, nest.pad_top,
        nest.pad_left, nest.input_dilation_h, nest.input_dilation_w,
    )  # fmt: skip
    channels = nest.groups * nest.out_channels
    for copy in range(nest.copies):
        first_image = copy * nest.batch
        tile = output[first_image : first_image + nest.batch]
        if bias is not None:
            tile += bias[copy * channels : (copy + 1) * channels]
        if nest.is_depthwise:
            depthwise_tile(x, w, tile, first_image, 0, 0, 0, copy * channels, *steps)
        else:
            convolve_tile(
                x, w, tile, first_image, 0, 0, 0, 0, nest.out_channels, nest.out_channels,
                copy * channels, 0, nest.in_channels, *steps,
            )  # fmt: skip
    return output
