"""A quantized model's integers through a whole network are those of ONNX Runtime."""

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering.plan import plan_inference
from accelsim.network import evaluate, load_network
from accelsim.quant import Errors, Scheme
from accelsim.simulation import compare, simulate
from accelsim.simulation.flow import Flow
from accelsim.simulation.weights import Weights
from tests.network.onnx import models
from tests.network.onnx.models import Model, onnx

quantization = pytest.importorskip("onnxruntime.quantization")


def flowed(network, inputs, scheme, fusion="drain", mode="f32-rne"):
    """What the machine holds after a step."""
    hardware = load_hardware("edge", {"requantizer.mode": mode, "fusion": fusion})
    scheme, batch = Scheme.parse(scheme), len(next(iter(inputs.values())))
    jobs = plan_inference(network, batch, scheme, hardware)
    flow = Flow(network, batch, scheme, hardware, jobs, Weights(network))
    flow.begin(0, inputs)
    for node in network.nodes:
        flow.take(node)
    return flow.held


def loaded(folder, proto):
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    return load_network(folder / "model.onnx")


def quantized_model(seed):
    """QLinearConv, QLinearConv, then QLinearMatMul over the flattened image: all integers."""
    random = np.random.default_rng(seed)
    step = np.float32(0.02)
    model = Model(x=random.integers(0, 256, (3, 3, 8, 8)).astype(np.uint8))

    def weights(*shape):
        # Seven bits: some processors add two products of u8 and s8 in 16 saturating bits.
        scales = random.uniform(0.002, 0.01, shape[0]).astype(np.float32)
        return random.integers(-63, 64, shape).astype(np.int8), scales

    source, input_step, zero = "x", step, np.uint8(random.integers(100, 150))
    for channels, depth in ((6, 3), (4, 6)):
        w, scales = weights(channels, depth, 3, 3)
        y_step, y_zero = np.float32(random.uniform(0.05, 0.2)), np.uint8(random.integers(256))
        bias = random.integers(-2000, 2000, channels).astype(np.int32)
        source = model.add(
            "QLinearConv", source, input_step, zero, w, scales, np.zeros(channels, np.int8),
            y_step, y_zero, bias, pads=[1, 1, 1, 1], strides=[2, 2],
        )  # fmt: skip
        input_step, zero = y_step, y_zero
    flat = model.add("Flatten", source)
    w = random.integers(-63, 64, (16, 5)).astype(np.int8)
    output = model.add(
        "QLinearMatMul", flat, input_step, zero, w, np.float32(0.01), np.int8(0),
        np.float32(0.1), np.uint8(128),
    )  # fmt: skip
    return model, output


@pytest.mark.parametrize("fusion", ["none", "drain"])
@pytest.mark.parametrize("seed", range(5))
def test_every_integer_of_a_quantized_model_equals_onnx_runtimes(tmp_path, seed, fusion):
    model, output = quantized_model(seed)
    proto = model.proto(output)
    network = loaded(tmp_path, proto)
    held = flowed(
        network, {"x": network.grids["x"].dequantize(model.inputs["x"])}, "from-file", fusion
    )
    (theirs,) = models.run(proto, model.inputs)
    np.testing.assert_array_equal(held[network.outputs[0]].integers, theirs)
    assert len(np.unique(theirs)) > 8
    np.testing.assert_array_equal(held["x"].integers, model.inputs["x"])


def float_model(random):
    """A residual network: convolutions, depthwise too, ReLU, ReLU6, sums, pools, a classifier."""

    def draw(*shape, scale=1.0):
        return (random.normal(size=shape) * scale).astype(np.float32)

    def conv(source, out, depth, kernel, gain=1.0, **fields):
        w = draw(out, depth, kernel, kernel, scale=gain * (depth * kernel**2) ** -0.5)
        b = draw(out)
        return model.add("Conv", source, w, b, pads=[kernel // 2] * 4, **fields)

    model = Model(x=draw(2, 3, 12, 12))
    first = model.add("Relu", conv("x", 8, 3, 3))
    hidden = model.add("Clip", conv(first, 8, 8, 3, gain=3.0), np.float32(0), np.float32(6))
    hidden = model.add("Relu", model.add("Add", conv(hidden, 8, 1, 3, group=8), first))
    hidden = model.add("Concat", hidden, first, axis=1)
    hidden = conv(model.add("MaxPool", hidden, kernel_shape=[2, 2], strides=[2, 2]), 6, 16, 1)
    flat = model.add("Flatten", model.add("GlobalAveragePool", model.add("Relu", hidden)))
    output = model.add("Gemm", flat, draw(6, 10), draw(10))
    proto = onnx.shape_inference.infer_shapes(model.proto(output, batch="N"))
    batches = [{"x": draw(2, 3, 12, 12)} for _ in range(4)]
    return proto, batches, {"x": draw(24, 3, 12, 12)}


class Batches(quantization.CalibrationDataReader):
    """What the quantizer calibrates with."""

    def __init__(self, batches):
        self.left = iter(batches)

    def get_next(self):
        return next(self.left, None)


FORMS = [("QDQ", "QUInt8", True), ("QDQ", "QInt8", False), ("QOperator", "QUInt8", True)]


@pytest.mark.parametrize(("form", "activations", "per_channel"), FORMS)
@pytest.mark.parametrize("seed", range(2))
def test_models_of_onnx_runtimes_own_quantizer_give_its_integers(
    tmp_path, seed, form, activations, per_channel
):
    """QDQ computes in float32 between its grids: there a tie may fall to the other side."""
    proto, batches, inputs = float_model(np.random.default_rng(seed))
    (tmp_path / "float.onnx").write_bytes(proto.SerializeToString())
    path = tmp_path / "model.onnx"
    quantization.quantize_static(
        tmp_path / "float.onnx", path, Batches(batches),
        quant_format=quantization.QuantFormat[form], per_channel=per_channel, reduce_range=True,
        activation_type=quantization.QuantType[activations],
        weight_type=quantization.QuantType.QInt8,
    )  # fmt: skip
    network = load_network(path)
    # The quantizer has left ReLU and ReLU6 to its grids; they are there again.
    kinds = [node.kind for node in network.nodes]
    assert (kinds.count("relu"), kinds.count("relu6")) == (3, 1)
    (floats,) = models.run(proto, inputs)
    assert Errors(floats, evaluate(network, inputs)[network.outputs[0]]).sqnr_db > 30
    (theirs,) = models.run(onnx.load(path), inputs)
    held = flowed(network, inputs, "from-file")[network.outputs[0]]
    away = np.rint((held.reals - theirs) / held.grid.scale)
    assert np.abs(away).max() <= 1 and (away != 0).mean() < 0.02
    np.testing.assert_allclose(held.reals, theirs, atol=1.01 * held.grid.scale)
    assert len(np.unique(held.integers)) > 40


@pytest.mark.parametrize("seed", range(4))
def test_a_dynamically_quantized_perceptron_is_the_scheme_current(tmp_path, seed):
    """Its results are floats there, on a grid here: half a step apart, and a tie now and then."""
    random = np.random.default_rng(seed)
    model = Model(x=random.normal(size=(8, 40)).astype(np.float32))
    source, width = "x", 40
    for number, features in enumerate((32, 24, 10)):
        if number:
            source = model.add("Relu", source)
        integer, scale, zero = model.add("DynamicQuantizeLinear", source, outputs=3)
        w = random.integers(-63, 64, (width, features)).astype(np.int8)
        sums = model.add("Cast", model.add("MatMulInteger", integer, w, zero), to=1)
        steps = random.uniform(1e-3, 5e-3, features).astype(np.float32)
        scaled = model.add("Mul", sums, model.add("Mul", scale, steps))
        source = model.add("Add", scaled, random.normal(size=features).astype(np.float32))
        width = features
    proto = model.proto(source)
    network = loaded(tmp_path, proto)
    held = flowed(network, model.inputs, "current")[network.outputs[0]]
    (theirs,) = models.run(proto, model.inputs)
    away = np.abs(held.reals - theirs) / held.grid.scale
    assert away.max() < 1 and (away <= 0.5 + 1e-3).mean() > 0.9
    with pytest.raises(AccelsimError, match="finds the grid of x anew in each run, as the scheme"):
        simulate(network, scheme="from-file")


def test_the_grids_of_a_file_are_a_scheme_beside_others(tmp_path):
    model, output = quantized_model(0)
    network = loaded(tmp_path, model.proto(output))
    inputs = {"x": network.grids["x"].dequantize(model.inputs["x"])}
    file, spilled, own = compare(
        network, "edge", ["from-file", "from-file/spill", "current"], inputs
    ).results
    assert (file.scheme, spilled.scheme) == ("from-file/static", "from-file/spill")
    last = file.operations[-1].numerics
    assert last.output_scale == pytest.approx(0.1) and last.output_zero_point == 128
    assert [row.numerics for row in file.operations] == [row.numerics for row in spilled.operations]
    assert file.total_bytes < spilled.total_bytes == own.total_bytes
    assert own.operations[-1].numerics.output_scale != last.output_scale
    assert compare(network, schemes=["from-file"], data=None).baseline.total_bytes > 0


def test_where_the_grids_of_a_file_would_not_do_is_said(tmp_path):
    model, output = quantized_model(0)
    network = loaded(tmp_path, model.proto(output))
    for narrow in (Scheme("from-file", "static", output_bits=4), Scheme("from-file", "static", 4)):
        with pytest.raises(AccelsimError, match=r"int8 in the file, the scheme has 4 bits"):
            simulate(network, scheme=narrow)
    with pytest.raises(AccelsimError, match="'digits-cnn' comes without grids"):
        simulate("digits-cnn", scheme="from-file", data=None)
    with pytest.raises(AccelsimError, match="the grids of a file are those of a whole network"):
        simulate("digits-cnn.conv1", scheme="from-file")
    assert "from-file/static" not in [scheme.label for scheme in Scheme.every()]


def test_the_integers_of_weights_stay_those_of_the_file_under_any_scheme(tmp_path):
    model, output = quantized_model(1)
    network = loaded(tmp_path, model.proto(output))
    node = network.nodes[0]
    weights = Weights(network)
    own = weights.of(node, Scheme.parse("current"))
    np.testing.assert_array_equal(own.grid.scales, network.grids[f"{node.name}.weights"].scale)
    narrow = weights.of(node, Scheme("current", "spill", weight_bits=4))
    assert np.abs(narrow.integers).max() <= 8 < np.abs(own.integers).max()
