"""One quantized layer from integers to integers: the slow, obvious twin of a whole run."""

from dataclasses import replace

import numpy as np

from tests.naive.numerics import naive_finish
from tests.naive.product import naive_convolution, naive_input_gradient, naive_weight_gradient
from tests.naive.requantize import naive_requantize


def naive_accumulators(nest, operands, accumulator, direction="forward"):
    """(finished accumulators, how many overflowed), channels-last int64."""
    x = operands.input.astype(np.int64) - operands.input_zero_point
    w = (operands.weights - operands.weight_zero_points.reshape(-1, 1, 1, 1)).astype(np.int64)
    exact = EXACT_SUMS[direction](nest, x, w, operands.bias)
    return naive_finish(exact, accumulator.bits, str(accumulator.overflow))


def _forward(nest, x, w, bias):
    return naive_convolution(
        x,
        w,
        bias,
        copies=nest.copies,
        groups=nest.groups,
        stride=(nest.stride_h, nest.stride_w),
        dilation=(nest.dilation_h, nest.dilation_w),
        padding=(nest.pad_top, nest.pad_left, nest.pad_bottom, nest.pad_right),
        apart=(nest.input_dilation_h, nest.input_dilation_w),
    )


def _input_gradient(nest, dy, w, bias):
    """By the forward layer whose gradient the nest is: its stride, padding and input shape."""
    assert bias is None
    stride = nest.input_dilation_h, nest.input_dilation_w
    top, left = nest.kernel_reach_h - 1 - nest.pad_top, nest.kernel_reach_w - 1 - nest.pad_left
    reached = [
        (nest.in_height - 1) * stride[0] + nest.kernel_reach_h - top,
        (nest.in_width - 1) * stride[1] + nest.kernel_reach_w - left,
    ]
    padding = (
        top, left, max(0, reached[0] - nest.out_height), max(0, reached[1] - nest.out_width)
    )  # fmt: skip
    return naive_input_gradient(
        dy, w, nest.output_shape, copies=nest.copies, groups=nest.groups, stride=stride,
        dilation=(nest.dilation_h, nest.dilation_w), padding=padding,
    )  # fmt: skip


def _weight_gradient(nest, x, dy, bias):
    assert bias is None
    return naive_weight_gradient(
        x, dy, nest.weight_shape, copies=nest.copies, groups=nest.groups,
        stride=(nest.stride_h, nest.stride_w), dilation=(nest.dilation_h, nest.dilation_w),
        padding=(nest.pad_top, nest.pad_left, nest.pad_bottom, nest.pad_right),
    )  # fmt: skip


EXACT_SUMS = {
    "forward": _forward,
    "grad-input": _input_gradient,
    "grad-weight": _weight_gradient,
}


def naive_output(nest, accumulators, requantization, direction="forward"):
    """(output integers, how many saturated); each copy has multipliers of its own."""
    how = requantization
    if direction == "grad-weight":  # one scale for all weights
        nest = replace(nest, copies=1)
    images, _, _, channels = accumulators.shape
    output = np.empty(accumulators.shape, np.int32)
    saturated = 0
    for copy in range(nest.copies):
        own = slice(copy * channels, (copy + 1) * channels)
        first, last = copy * images // nest.copies, (copy + 1) * images // nest.copies
        # Stochastic rounding draws by the element's index in the whole tensor, so the images
        # before this copy's go along, as zeros.
        until_here = accumulators[:last].copy()
        until_here[:first] = 0
        zeros, clamped_zeros = naive_requantize(
            until_here[:first], how.multipliers[own], how.shifts[own], how.zero_point,
            how.minimum, how.maximum, str(how.mode), how.seed,
        )  # fmt: skip
        integers, clamped = naive_requantize(
            until_here, how.multipliers[own], how.shifts[own], how.zero_point,
            how.minimum, how.maximum, str(how.mode), how.seed,
        )  # fmt: skip
        output[first:last] = integers[first:]
        saturated += clamped - clamped_zeros
        assert (integers[:first] == zeros).all()
    return output, saturated
