"""The float reference: what a layer and its gradients are without any quantization."""

import numpy as np

from accelsim.network.nest import Nest


def float_output(
    nest: Nest, x: np.ndarray, weights: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """The layer in float64, from and to the nest's channels-last layouts."""
    from accelsim.kernels.product import convolve_whole

    x, w = _doubles(x), _doubles(weights.transpose(1, 2, 3, 0))
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


def float_input_gradient(nest: Nest, gradient: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gradient to the input of a forward nest, from that of its output; in float64.

    Each group's filters change places with its input channels and turn by half a circle, see
    `Nest.input_gradient`.
    """
    _, height, width, depth = weights.shape
    planes = nest.copies * nest.groups
    by_group = weights.reshape(planes, -1, height, width, depth)[:, :, ::-1, ::-1]
    turned = by_group.transpose(0, 4, 2, 3, 1).reshape(planes * depth, height, width, -1)
    return float_output(nest.input_gradient(), gradient, turned, None)


def float_weight_gradient(nest: Nest, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient to the weights of a forward nest, in their DRAM layout; in float64."""
    from accelsim.kernels.weight_gradient import whole_weight_gradient

    filters, *window = nest.weight_shape
    sums = np.zeros((*window, filters))
    x, gradient = _doubles(x), _doubles(gradient)
    steps = (
        nest.stride_h, nest.stride_w, nest.dilation_h, nest.dilation_w, nest.pad_top, nest.pad_left
    )  # fmt: skip
    whole_weight_gradient(
        x, gradient, sums, nest.copies, nest.is_depthwise, nest.out_channels, steps
    )
    return np.ascontiguousarray(sums.transpose(3, 0, 1, 2))


def _doubles(array: np.ndarray) -> np.ndarray:
    """As kernels take it: a read-only array would compile them once more."""
    return np.require(array, np.float64, ["C", "W"])
