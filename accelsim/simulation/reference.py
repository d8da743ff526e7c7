"""The float reference: what the layer computes without any quantization."""

import numpy as np

from accelsim.network import Nest


def float_output(
    nest: Nest, x: np.ndarray, weights: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """The layer in float64, from and to the nest's channels-last layouts."""
    from accelsim.kernels.product import convolve_whole

    x = np.ascontiguousarray(x, np.float64)
    w = np.ascontiguousarray(weights.transpose(1, 2, 3, 0), np.float64)
    output = np.zeros(nest.output_shape)
    if bias is not None:
        # Images of a copy share its channels' biases.
        by_copy = output.reshape(nest.copies, -1, nest.output_shape[3])
        by_copy += bias.reshape(nest.copies, 1, -1)
    steps = (
        nest.stride_h, nest.stride_w, nest.dilation_h, nest.dilation_w, nest.pad_top,
        nest.pad_left, nest.input_dilation_h, nest.input_dilation_w,
    )  # fmt: skip
    convolve_whole(x, w, output, nest.copies, nest.is_depthwise, nest.out_channels, steps)
    return output
