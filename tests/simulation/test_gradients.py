"""The float gradients are those of the naive twin, and of finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingBits, lower, training_operations
from accelsim.machine import Operands, run
from accelsim.network import (
    Conv2d,
    Linear,
    MatMul,
    Nest,
    operation_of_layer,
    synthetic_steps,
)
from accelsim.network.reference import (
    float_input_gradient,
    float_output,
    float_weight_gradient,
)
from accelsim.quant import Scheme
from accelsim.simulation import compare, simulate
from tests.naive.product import naive_input_gradient, naive_weight_gradient
from tests.strategies import nests


def windows(nest):
    return {
        "copies": nest.copies,
        "groups": nest.groups,
        "stride": (nest.stride_h, nest.stride_w),
        "dilation": (nest.dilation_h, nest.dilation_w),
        "padding": (nest.pad_top, nest.pad_left, nest.pad_bottom, nest.pad_right),
        "dtype": np.float64,
    }


@settings(max_examples=60)
@given(nests(), st.integers(0, 2**32))
def test_both_float_gradients_are_those_of_the_naive_twin(nest, seed):
    rng = np.random.default_rng(seed)
    x, w, dy = (
        rng.standard_normal(s) for s in (nest.input_shape, nest.weight_shape, nest.output_shape)
    )
    expected = naive_input_gradient(dy, w, nest.input_shape, **windows(nest))
    np.testing.assert_allclose(float_input_gradient(nest, dy, w), expected, atol=1e-9)
    expected = naive_weight_gradient(x, dy, nest.weight_shape, **windows(nest))
    np.testing.assert_allclose(float_weight_gradient(nest, x, dy), expected, atol=1e-9)


def difference(loss, array, step=1e-5):
    """The gradient of `loss` to every element of `array`, by central differences."""
    gradient = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + step
        above = loss()
        array[index] = value - step
        gradient[index] = (above - loss()) / (2 * step)
        array[index] = value
    return gradient


def test_gradients_of_a_small_network_are_its_finite_differences():
    rng = np.random.default_rng(3)
    first = Nest(1, 2, 1, 3, 4, 7, 6, 3, 3, 2, 1, pad_top=1, pad_left=1, pad_bottom=1)
    second = Nest(1, 2, 2, 2, 3, first.out_height, first.out_width, 2, 2, dilation_w=2)
    x = rng.standard_normal(first.input_shape)
    w1, w2 = rng.standard_normal(first.weight_shape), rng.standard_normal(second.weight_shape)
    mix = rng.standard_normal(second.output_shape)

    def loss():
        hidden = np.tanh(float_output(first, x, w1, None))
        return float((mix * float_output(second, hidden, w2, None)).sum())

    hidden = np.tanh(float_output(first, x, w1, None))
    inner = float_input_gradient(second, mix, w2) * (1 - hidden**2)
    for array, gradient in (
        (w2, float_weight_gradient(second, hidden, mix)),
        (w1, float_weight_gradient(first, x, inner)),
        (x, float_input_gradient(first, inner, w1)),
    ):
        np.testing.assert_allclose(gradient, difference(loss, array), atol=1e-6)


LAYERS = [
    Conv2d("conv", 6, 8, 3, 9, 9, stride=2, padding=1, bias=True),
    Conv2d.depthwise("depthwise", 8, 3, 9, 9, stride=2, padding=1),
    Linear("linear", 24, 10, bias=True, rows=3),
    MatMul("matmul", 5, 8, 7, copies=3),
]


def test_a_layer_has_three_operations_of_its_own_name_width_and_shape():
    bits = TrainingBits(gradient_to_weights=16)
    for layer in LAYERS:
        forward, to_input, to_weights = training_operations(layer, 2, bits).values()
        nest = layer.nest(2)
        assert forward.nest == nest
        assert to_input.name == f"{layer.name}.grad-input"
        assert (to_input.output_shape, to_input.weight_shape) == (
            nest.input_shape, nest.weight_shape,
        )  # fmt: skip
        assert (to_input.output_bits, to_input.second_output_bits) == (8, 16)
        assert (to_weights.output_shape, to_weights.weight_shape) == (
            nest.weight_shape, nest.output_shape,
        )  # fmt: skip
        assert (to_weights.weight_bits, to_weights.output_bits) == (16, 32)
        assert to_weights.output_float
        assert to_weights.nest.useful_macs == to_input.nest.useful_macs == nest.useful_macs


def test_weight_gradients_of_sixteen_bits_come_close_to_the_float_ones():
    """Heavy tails: one scale for all of dy leaves eight bits little of most of it."""
    hardware, rng = load_hardware("edge"), np.random.default_rng(5)
    for layer in LAYERS:
        nest = layer.nest(2)
        x = rng.standard_normal(nest.input_shape)
        dy = rng.standard_normal(nest.output_shape) * np.exp(
            rng.standard_normal((*nest.output_shape[:3], 1))
        )
        exact = float_weight_gradient(nest, x, dy)
        errors = []
        for width in (8, 16):
            bits = TrainingBits(gradient_to_weights=width)
            operation = training_operations(layer, 2, bits)["grad-weight"]
            x_scale = np.abs(x).max() / 127
            dy_scale = np.abs(dy).max() / (2 ** (width - 1) - 1)
            operands = Operands(
                input=np.rint(x / x_scale).astype(np.int32),
                input_zero_point=0,
                weights=np.rint(dy / dy_scale).astype(np.int32),
                weight_zero_points=np.zeros(1, np.int64),
                sum_bound=nest.batch * nest.out_height * nest.out_width * 127 * 2**15,
                scales=x_scale * dy_scale,
            )
            program = lower(operation, hardware, "static")
            outcome = run(program, hardware, operands).outcome
            assert outcome.overflow_count == 0
            errors.append(np.abs(outcome.output - exact).max() / np.abs(exact).max())
        assert errors[1] < 0.02
        assert errors[1] < errors[0]


def user_gradient(layer, operation, tensors):
    """In the user's layout, from what is known of each kind of layer."""
    first, second = tensors.input, tensors.weights
    if isinstance(layer, Linear):
        return first @ second if operation == "grad-input" else second.T @ first
    if isinstance(layer, MatMul):
        turned = second.transpose(0, 2, 1) if operation == "grad-input" else second
        return (first if operation == "grad-input" else first.transpose(0, 2, 1)) @ turned
    first, second, nest = first.transpose(0, 2, 3, 1), second.transpose(0, 2, 3, 1), layer.nest(2)
    if operation == "grad-input":
        found = naive_input_gradient(first, second, nest.input_shape, **windows(nest))
    else:
        found = naive_weight_gradient(first, second, nest.weight_shape, **windows(nest))
    return found.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("operation", ["grad-input", "grad-weight"])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_gradient_runs_under_any_scheme_and_comes_close_to_the_float_one(layer, operation):
    steps = synthetic_steps(operation_of_layer(layer, operation), batch=2, kind="gradient")
    static, dynamic = compare(
        layer, "edge", [Scheme.parse(s, input_bits=12, weight_bits=12, output_bits=12)
                        for s in ("in-hindsight", "current")],
        steps, operation=operation,
    ).results  # fmt: skip
    assert static.layer == f"{layer.name}.{operation}"
    assert static.total_bytes < dynamic.total_bytes
    expected = user_gradient(layer, operation, steps[-1])
    numerics = dynamic.numerics
    real = numerics.output_scale * (dynamic.output - numerics.output_zero_point)
    assert real.shape == expected.shape
    assert np.abs(real - expected).max() < 0.02 * np.abs(expected).max()
    assert numerics.sqnr_db > 25


@pytest.mark.parametrize("operation", ["grad-input", "grad-weight"])
def test_a_gradient_without_values_takes_the_cycles_of_one_with(operation):
    for scheme in ("in-hindsight/static", "current/resident"):
        timed = simulate(LAYERS[0], "mcu", scheme, None, batch=2, operation=operation)
        valued = simulate(LAYERS[0], "mcu", scheme, batch=2, operation=operation)
        assert timed.total_cycles == valued.total_cycles
        assert timed.traffic == valued.traffic


def test_an_unknown_operation_is_refused_with_the_known_ones():
    with pytest.raises(AccelsimError, match="operation = 'backward': must be one of forward, gr"):
        simulate(LAYERS[0], operation="backward")
