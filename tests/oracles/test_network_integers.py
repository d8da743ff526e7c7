"""A quantized model's integers through a whole network are those of ONNX Runtime."""

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering.plan import plan_inference
from accelsim.network import load_network
from accelsim.quant import Scheme
from accelsim.simulation import simulate
from accelsim.simulation.flow import Flow
from accelsim.simulation.network import compare_networks
from accelsim.simulation.weights import Weights
from tests.network.onnx import models
from tests.network.onnx.models import Model


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
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    network = load_network(tmp_path / "model.onnx")
    hardware = load_hardware("edge", {"requantizer.mode": "f32-rne", "fusion": fusion})
    scheme = Scheme.parse("current")
    jobs = plan_inference(network, 3, scheme, hardware)
    flow = Flow(network, 3, scheme, hardware, jobs, Weights(network, file_grids=True))
    flow.begin(0, {"x": network.grids["x"].dequantize(model.inputs["x"])})
    for node in network.nodes:
        flow.take(node)
    (theirs,) = models.run(proto, model.inputs)
    mine = flow.held[network.outputs[0]].integers
    np.testing.assert_array_equal(mine, theirs)
    assert len(np.unique(theirs)) > 8
    np.testing.assert_array_equal(flow.held["x"].integers, model.inputs["x"])


def test_the_grids_of_a_file_are_asked_for(tmp_path):
    model, output = quantized_model(0)
    (tmp_path / "model.onnx").write_bytes(model.proto(output).SerializeToString())
    network = load_network(tmp_path / "model.onnx")
    inputs = {"x": network.grids["x"].dequantize(model.inputs["x"])}
    result = compare_networks(network, "edge", ["current"], inputs, file_grids=True).baseline
    assert result.options == {"file_grids": True}
    last = result.operations[-1].numerics
    assert last.output_scale == pytest.approx(0.1) and last.output_zero_point == 128
    own = simulate(network, "edge", "current", inputs)
    assert own.operations[-1].numerics.output_scale != last.output_scale
    narrow = Scheme("current", "spill", output_bits=4)
    with pytest.raises(AccelsimError, match=r"uint8 in the file, the scheme has 4 bits"):
        compare_networks(network, "edge", [narrow], inputs, file_grids=True)
    with pytest.raises(AccelsimError, match="'digits-cnn' comes without grids"):
        compare_networks("digits-cnn", file_grids=True)
