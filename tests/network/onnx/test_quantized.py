"""Quantized models: real weights, grids, and integers equal to ONNX Runtime's."""

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import (
    DynamicGrid,
    Linear,
    TensorGrid,
    evaluate,
    layer_output,
    load_network,
)
from accelsim.network.layers import Conv2d
from accelsim.numerics import IntegerRange, RequantizationMode
from tests.network.onnx import models
from tests.network.onnx.models import Model
from tests.oracles.integers import Scales, ours

SEEDS = range(0, 200, 25)


@pytest.fixture
def load(tmp_path):
    def from_proto(proto):
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return load_network(path)

    return from_proto


def scale(random, size=None):
    return np.asarray(random.uniform(1e-3, 0.05, size), np.float32)


def integers(random, shape, dtype=np.int8):
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max + 1, shape).astype(dtype)


def weights_of(random, shape):
    """Seven bits: some processors add two products of u8 and s8 in 16 saturating bits."""
    return random.integers(-63, 64, shape).astype(np.int8)


def test_a_qdq_model_is_its_float_layers_between_tensors_with_grids(load):
    random = np.random.default_rng(0)
    model = Model(x=random.normal(size=(2, 3, 6, 6)).astype(np.float32))

    def on_grid(tensor, step):
        integer = model.add("QuantizeLinear", tensor, np.float32(step), np.int8(3))
        return model.add("DequantizeLinear", integer, np.float32(step), np.int8(3))

    w, scales = weights_of(random, (5, 3, 3, 3)), scale(random, 5)
    zeros = np.zeros(5, np.int8)
    weights = model.add("DequantizeLinear", w, scales, zeros, axis=0)
    hidden = model.add("Relu", model.add("Conv", on_grid("x", 0.03), weights))
    hidden = model.add("Flatten", model.add("MaxPool", on_grid(hidden, 0.05), kernel_shape=[4, 4]))
    v = weights_of(random, (5, 4))
    second = model.add("DequantizeLinear", v, np.float32(0.02), np.int8(0))
    output = on_grid(model.add("MatMul", hidden, second), 0.1)
    network = load(model.proto(output))
    assert [node.kind for node in network.nodes] == [
        "conv2d", "relu", "max_pool", "reshape", "linear",
    ]  # fmt: skip
    conv = network.nodes[0].name
    assert network.grids["x"] == TensorGrid(np.float32(0.03), np.int8(3), "int8")
    assert network.grids[f"{conv}.weights"] == TensorGrid(scales, zeros, "int8")
    np.testing.assert_array_equal(
        network.parameters[f"{conv}.weights"], w * scales.astype(float).reshape(-1, 1, 1, 1)
    )
    mine = evaluate(network, model.inputs, quantized=True)[network.outputs[0]]
    (theirs,) = models.run(model.proto(output), model.inputs)
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


def requantized(network, node, x, bias=None):
    """The layer's integers by the sums of products and the mode f32-rne, from the grids alone."""
    x_grid, y_grid = network.grids[network.node(node).inputs[0]], network.grids[node]
    w_grid = network.grids[f"{node}.weights"]
    w = w_grid.quantize(network.parameters[f"{node}.weights"]).astype(np.int64)
    w = w - w_grid._along(w_grid.zero_point, w)
    layer = network.node(node).work

    acc = layer_output(layer, x.astype(np.int64) - x_grid.zero_point, w, bias).astype(np.int64)
    channels_last = np.moveaxis(acc, 1, -1) if acc.ndim == 4 else acc[None, None]
    scales = Scales(
        np.float32(x_grid.scale), np.atleast_1d(w_grid.scale).astype(np.float32),
        np.float32(y_grid.scale),
    )  # fmt: skip
    mode = RequantizationMode.F32_RNE
    q = ours(channels_last, scales, int(y_grid.zero_point), mode, integer_range(y_grid.dtype))
    return np.moveaxis(q, -1, 1) if acc.ndim == 4 else q[0, 0]


def integer_range(dtype):

    return IntegerRange(8, signed=dtype == "int8")


@pytest.mark.parametrize("first", SEEDS)
def test_qlinear_conv_is_bit_exact_with_the_grids_of_the_file(load, first):
    for seed in range(first, first + 25):
        random = np.random.default_rng(seed)
        kind = np.int8 if seed % 2 else np.uint8
        groups, channels = int(random.integers(1, 4)), int(random.integers(1, 7))
        shape = (2, groups * channels, int(random.integers(3, 9)), int(random.integers(3, 9)))
        w = weights_of(random, (groups * int(random.integers(1, 7)), channels, 3, 2))
        w_scale = scale(random, len(w)) if seed % 3 else scale(random)
        bias = random.integers(-2000, 2000, len(w)).astype(np.int32)
        model = Model(x=integers(random, shape, kind))
        output = model.add(
            "QLinearConv", "x", scale(random), integers(random, (), kind), w, w_scale,
            np.zeros(np.shape(w_scale), np.int8), np.float32(random.uniform(0.05, 0.5)),
            integers(random, (), kind), bias, group=groups, pads=[1, 0, 0, 1],
            strides=[1, int(random.integers(1, 3))],
        )  # fmt: skip
        proto = model.proto(output)
        network = load(proto)
        (theirs,) = models.run(proto, model.inputs)
        mine = requantized(network, "n0", model.inputs["x"], bias)
        np.testing.assert_array_equal(mine, theirs)
        assert network.node("n0").work.has_bias
        x_scale = float(network.grids["x"].scale)
        np.testing.assert_allclose(
            network.parameters["n0.bias"], bias * x_scale * np.asarray(w_scale, float), rtol=1e-12
        )


@pytest.mark.parametrize("first", SEEDS)
def test_qlinear_matmul_is_bit_exact_with_the_grids_of_the_file(load, first):
    for seed in range(first, first + 25):
        random = np.random.default_rng(seed)
        kind = np.int8 if seed % 2 else np.uint8
        rows, depth, columns = (int(n) for n in random.integers(1, [9, 60, 30]))
        w = weights_of(random, (depth, columns))
        w_scale = scale(random, columns) if seed % 3 else scale(random)
        model = Model(x=integers(random, (rows, depth), kind))
        output = model.add(
            "QLinearMatMul", "x", scale(random), integers(random, (), kind), w, w_scale,
            np.zeros(np.shape(w_scale), np.int8), np.float32(random.uniform(0.05, 0.5)),
            integers(random, (), kind),
        )  # fmt: skip
        proto = model.proto(output)
        network = load(proto)
        assert network.layers == (Linear("n0", depth, columns),)
        (theirs,) = models.run(proto, model.inputs)
        np.testing.assert_array_equal(requantized(network, "n0", model.inputs["x"]), theirs)


@pytest.mark.parametrize("first", SEEDS)
@pytest.mark.parametrize("kind", ["ConvInteger", "MatMulInteger"])
def test_sums_of_integers_are_exact(load, kind, first):
    for seed in range(first, first + 25):
        random = np.random.default_rng(seed)
        zero = np.uint8(random.integers(0, 256))
        if kind == "ConvInteger":
            channels = int(random.integers(1, 9))
            x = integers(random, (2, channels, 5, int(random.integers(3, 9))), np.uint8)
            w = weights_of(random, (int(random.integers(1, 9)), channels, 3, 2))
            fields = {"pads": [0, 1, 1, 0], "strides": [1, 2]}
        else:
            depth = int(random.integers(1, 90))
            x = integers(random, (int(random.integers(1, 9)), depth), np.uint8)
            w, fields = weights_of(random, (depth, int(random.integers(1, 30)))), {}
        model = Model(x=x)
        proto = model.proto(model.add(kind, "x", w, zero, np.int8(0), **fields))
        network = load(proto)
        real = {"x": network.grids["x"].dequantize(x)}
        (theirs,) = models.run(proto, model.inputs)
        np.testing.assert_array_equal(evaluate(network, real)["n0"], theirs)


@pytest.mark.parametrize("first", SEEDS)
def test_a_dynamic_grid_is_that_of_dynamic_quantize_linear(first):
    for seed in range(first, first + 25):
        random = np.random.default_rng(seed)
        x = random.normal(random.normal(), 10 ** random.uniform(-3, 3), random.integers(1, 200))
        x = x.astype(np.float32)
        model = Model(x=x)
        outputs = model.add("DynamicQuantizeLinear", "x", outputs=3)
        integer, step, zero = models.run(model.proto(*outputs), model.inputs)
        grid = DynamicGrid().grid_of(x)
        assert np.float32(grid.scale) == step
        assert grid.zero_point == zero
        np.testing.assert_array_equal(DynamicGrid().quantize(x), integer)


def test_a_tensor_of_zeros_has_a_dynamic_grid():
    np.testing.assert_array_equal(DynamicGrid().rounded(np.zeros(5)), np.zeros(5))


@pytest.mark.parametrize("kind", ["ConvInteger", "MatMulInteger"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_a_dynamically_quantized_model_gets_its_weights_real(load, kind, per_channel):
    random = np.random.default_rng(4)
    conv = kind == "ConvInteger"
    shape = (2, 3, 6, 6) if conv else (4, 20)
    model = Model(x=random.normal(size=shape).astype(np.float32))
    w = weights_of(random, (5, 3, 3, 3) if conv else (20, 5))
    steps = scale(random, 5) if per_channel else scale(random)
    integer, x_scale, x_zero = model.add("DynamicQuantizeLinear", "x", outputs=3)
    sums = model.add("Cast", model.add(kind, integer, w, x_zero), to=1)
    shown = steps.reshape(1, 5, 1, 1) if conv and per_channel else steps
    output = model.add("Mul", sums, model.add("Mul", x_scale, shown))
    if not conv:
        output = model.add("Add", output, random.normal(size=5).astype(np.float32))
    proto = model.proto(output)
    network = load(proto)
    (layer,) = network.layers
    assert isinstance(layer, Conv2d if conv else Linear)
    assert layer.has_bias == (not conv)
    assert network.grids["x"] == DynamicGrid()
    along = (-1, 1, 1, 1) if conv else (-1, 1)
    real = (w if conv else w.T) * np.broadcast_to(steps, 5).astype(float).reshape(along)
    np.testing.assert_allclose(network.parameters[f"{layer.name}.weights"], real, rtol=1e-12)
    mine = evaluate(network, model.inputs, quantized=True)[network.outputs[0]]
    (theirs,) = models.run(proto, model.inputs)
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_qlinear_add_and_products_of_two_activations(load):
    random = np.random.default_rng(1)
    model = Model(a=integers(random, (2, 3, 4, 5)), b=integers(random, (2, 3, 5, 6)))
    grids = [np.float32(0.02), np.int8(1), np.float32(0.03), np.int8(-2)]
    product = model.add(
        "QLinearMatMul", "a", *grids[:2], "b", *grids[2:], np.float32(0.05), np.int8(4)
    )
    output = model.add(
        "QLinearAdd", product, np.float32(0.05), np.int8(4), product, np.float32(0.05),
        np.int8(4), np.float32(0.1), np.int8(0), domain="com.microsoft",
    )  # fmt: skip
    proto = model.proto(output)
    network = load(proto)
    real = {name: network.grids[name].dequantize(model.inputs[name]) for name in "ab"}
    mine = evaluate(network, real, quantized=True)[network.outputs[0]]
    (theirs,) = models.run(proto, model.inputs)
    away = np.abs(network.grids[network.outputs[0]].quantize(mine).astype(int) - theirs)
    assert away.max() <= 1 and (away > 0).mean() < 0.01  # float32 and float64 differ near ties


def test_a_quantized_gate_of_each_channel(load):
    random = np.random.default_rng(5)
    model = Model(x=integers(random, (2, 6, 5, 4)))
    own, mean = (np.float32(0.04), np.int8(3)), (np.float32(0.02), np.int8(-7))
    leaky, gate = (np.float32(0.03), np.int8(-60)), (np.float32(1 / 256), np.int8(-128))
    gated = np.float32(0.02), np.int8(-5)

    def add(kind, *sources, **fields):
        return model.add(kind, *sources, domain="com.microsoft", **fields)

    hidden = add("QLinearLeakyRelu", "x", *own, *leaky, alpha=0.1)
    factor = add("QLinearGlobalAveragePool", hidden, *leaky, *mean, channels_last=0)
    factor = add("QLinearSigmoid", factor, *mean, *gate)
    proto = model.proto(add("QLinearMul", hidden, *leaky, factor, *gate, *gated))
    network = load(proto)
    assert [node.kind for node in network.nodes] == [
        "leaky_relu", "global_average_pool", "sigmoid", "mul",
    ]  # fmt: skip
    real = {"x": network.grids["x"].dequantize(model.inputs["x"])}
    (output,) = network.outputs
    mine = evaluate(network, real, quantized=True)[output]
    (theirs,) = models.run(proto, model.inputs)
    away = np.abs(network.grids[output].quantize(mine).astype(int) - theirs)
    assert away.max() <= 1 and (away > 0).mean() < 0.02  # float32 and float64 differ near ties


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda m: m.add("MatMulInteger", *dynamic(m)), "an output holds integer sums without a"),
        (
            lambda m: m.add("Relu", m.add("Cast", m.add("MatMulInteger", *dynamic(m)), to=1)),
            "it reads the sums",
        ),
        (
            lambda m: m.add(
                "QuantizeLinear",
                m.add("QuantizeLinear", "x", np.float32(1), np.int8(0)),
                np.float32(2),
                np.int8(0),
            ),
            "on another grid than before",
        ),
        (
            lambda m: m.add("QuantizeLinear", "x", np.float32(-1), np.int8(0)),
            "scale = -1.0: must be above 0",
        ),
    ],
)
def test_a_quantized_model_that_makes_no_sense_is_refused(load, build, message):
    model = Model(x=np.zeros((2, 6), np.float32))
    with pytest.raises(AccelsimError, match=message) as refusal:
        load(model.proto(build(model)))
    assert "\n" not in str(refusal.value)


def dynamic(model):
    integer, _, zero = model.add("DynamicQuantizeLinear", "x", outputs=3)
    return integer, np.ones((6, 3), np.int8), zero
