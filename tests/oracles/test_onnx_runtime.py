"""The mode f32-rne is ONNX Runtime's, on 8 bits: the kernel alone, and whole simulated layers.

Signed inputs meet all weights. Unsigned ones meet weights of 7 bits: on processors without VNNI
the u8 x s8 kernels of ONNX Runtime add two products in 16 saturating bits.
"""

import numpy as np
import pytest

import accelsim
from accelsim.numerics import RequantizationMode
from accelsim.quant import Range, Scheme
from tests.oracles import onnx_models
from tests.oracles.integers import (
    INT8,
    KINDS,
    UINT8,
    Scales,
    channels_of_one_accumulator,
    convolution,
    fitting_output_scale,
    ours,
)

MODE = RequantizationMode.F32_RNE


def drawn(random, shape, signed):
    low, high = (-128, 128) if signed else (0, 256)
    return random.integers(low, high, shape).astype(np.int8 if signed else np.uint8)


def drawn_weights(random, shape, signed_input):
    reach = 127 if signed_input else 63
    return random.integers(-reach, reach + 1, shape).astype(np.int8)


def drawn_zeros(random, signed):
    return [int(zero) for zero in drawn(random, 2, signed)]


def drawn_scales(random, channels, per_channel):
    weights = random.uniform(1e-4, 0.05, channels if per_channel else 1).astype(np.float32)
    return np.float32(random.uniform(1e-3, 0.2)), weights


@pytest.mark.parametrize("signed", [True, False], ids=["s8", "u8"])
@pytest.mark.parametrize("per_channel", [True, False], ids=["per-channel", "per-tensor"])
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_convolutions_equal_qlinearconv(signed, per_channel, first):
    for seed in range(first, first + 20):
        random = np.random.default_rng([seed, signed, per_channel])
        batch, cin, cout = (int(n) for n in random.integers(1, [4, 40, 40]))
        size = random.integers(3, 9, 2)
        kernel = random.integers(1, 4, 2)
        stride = int(random.integers(1, 3))
        x = drawn(random, (batch, cin, *size), signed)
        w = drawn_weights(random, (cout, cin, *kernel), signed)
        bias = random.integers(-3000, 3000, cout)
        zeros = drawn_zeros(random, signed)
        x_nhwc = x.astype(np.int64).transpose(0, 2, 3, 1) - zeros[0]
        acc = convolution(x_nhwc, w.transpose(0, 2, 3, 1), bias, stride)
        input_scale, weight_scales = drawn_scales(random, cout, per_channel)
        output_scale = fitting_output_scale(acc, input_scale, weight_scales, random)
        scales = Scales(input_scale, weight_scales, output_scale)
        theirs = onnx_models.convolution(x, w, bias, scales, zeros, strides=(stride, stride))
        mine = ours(acc, scales, zeros[1], MODE, INT8 if signed else UINT8)
        np.testing.assert_array_equal(mine.transpose(0, 3, 1, 2), theirs)


@pytest.mark.parametrize("signed", [True, False], ids=["s8", "u8"])
@pytest.mark.parametrize("per_channel", [True, False], ids=["per-channel", "per-tensor"])
def test_random_products_equal_qlinearmatmul(signed, per_channel):
    for seed in range(30):
        random = np.random.default_rng([seed, signed, per_channel, 1])
        rows, depth, columns = (int(n) for n in random.integers(1, [30, 300, 60]))
        x = drawn(random, (rows, depth), signed)
        w = drawn_weights(random, (depth, columns), signed)
        zeros = drawn_zeros(random, signed)
        acc = (x.astype(np.int64) - zeros[0]) @ w.astype(np.int64)
        input_scale, weight_scales = drawn_scales(random, columns, per_channel)
        output_scale = fitting_output_scale(acc, input_scale, weight_scales, random)
        scales = Scales(input_scale, weight_scales, output_scale)
        theirs = onnx_models.product(x, w, scales, zeros)
        mine = ours(acc[None, None], scales, zeros[1], MODE, INT8 if signed else UINT8)
        np.testing.assert_array_equal(mine[0, 0], theirs)


def theirs_of_one_accumulator(acc, scales, zero_point):
    """A bias is an accumulator of one's own choice: any integer of 32 bits, per channel."""
    channels = len(acc)
    x = np.zeros((1, 1, 1, 1), np.int8)
    w = np.zeros((channels, 1, 1, 1), np.int8)
    return onnx_models.convolution(x, w, acc, scales, (0, zero_point)).ravel()


@pytest.mark.parametrize("kind", KINDS)
def test_chosen_accumulators_equal_qlinearconv(kind):
    random = np.random.default_rng(7)
    acc, scales = channels_of_one_accumulator(kind, 10_000, random)
    for zero_point in (0, -128, 5):
        mine = ours(acc.reshape(1, 1, 1, -1), scales, zero_point, MODE)
        theirs = theirs_of_one_accumulator(acc, scales, zero_point)
        np.testing.assert_array_equal(mine.ravel(), theirs)


def test_onnx_runtime_is_the_oracle_of_no_other_mode():
    acc, scales = channels_of_one_accumulator("near ties", 10_000, np.random.default_rng(8))
    theirs = theirs_of_one_accumulator(acc, scales, 0)
    for mode in RequantizationMode:
        same = (ours(acc.reshape(1, 1, 1, -1), scales, 0, mode).ravel() == theirs).all()
        assert same == (mode is MODE), mode


LAYERS = {
    "convolution": accelsim.Conv2d(
        "conv",
        in_channels=5,
        out_channels=7,
        kernel=3,
        height=9,
        width=8,
        padding=1,
        stride=2,
        bias=True,
    ),
    "grouped": accelsim.Conv2d(
        "grouped", in_channels=6, out_channels=8, kernel=3, height=6, width=7, groups=2
    ),
    "depthwise": accelsim.Conv2d(
        "depthwise",
        in_channels=9,
        out_channels=9,
        kernel=3,
        height=7,
        width=7,
        groups=9,
        bias=True,
    ),
    "linear": accelsim.Linear("fc", in_features=37, out_features=11, bias=True),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("estimator", ["current", "in-hindsight"])
@pytest.mark.parametrize("signed", [True, False], ids=["s8", "u8"])
def test_a_simulated_layer_equals_onnx_runtime(layer, estimator, signed):
    symmetry = "symmetric" if signed else "asymmetric"
    scheme = Scheme.parse(
        estimator, inputs=symmetry, outputs=symmetry, weight_bits=8 if signed else 7
    )
    machine = accelsim.load_hardware("mcu", {"requantizer.mode": "f32-rne"})
    steps = [random_tensors(layer, seed) for seed in range(2)]
    result = accelsim.simulate(layer, machine, scheme, data=steps)
    assert result.numerics.overflow_count == 0
    np.testing.assert_array_equal(
        result.output, their_layer(layer, scheme, steps[-1], result.numerics)
    )


def random_tensors(layer, seed):
    random = np.random.default_rng(seed)
    return accelsim.StepTensors(
        input=random.normal(size=layer.input_shape(2)),
        weights=random.normal(size=layer.weight_shape(2)),
        bias=random.normal(size=layer.bias_shape()) if layer.has_bias else None,
    )


def their_layer(layer, scheme, tensors, numerics):
    """The integers of the layer's output by ONNX Runtime, from the real operands."""
    x_grid = scheme.input_grid(Range.of(tensors.input))
    w_grid = scheme.weight_grid(tensors.weights)
    x = x_grid.quantize(tensors.input).astype(np.int8 if x_grid.integers.signed else np.uint8)
    w = w_grid.quantize(tensors.weights).astype(np.int8)
    bias = np.zeros(len(w)) if tensors.bias is None else tensors.bias
    scales = Scales(
        np.float32(x_grid.scale),
        w_grid.scales.astype(np.float32),
        np.float32(numerics.output_scale),
    )
    zeros = x_grid.zero_point, numerics.output_zero_point
    bias = np.rint(bias / (x_grid.scale * w_grid.scales))
    if isinstance(layer, accelsim.Linear):
        images, filters = x[:, :, None, None], w[:, :, None, None]
        return onnx_models.convolution(images, filters, bias, scales, zeros)[:, :, 0, 0]
    (top, left, bottom, right), strides = layer.padding, layer.stride
    return onnx_models.convolution(
        x, w, bias, scales, zeros, layer.groups, strides, (top, left, bottom, right)
    )
