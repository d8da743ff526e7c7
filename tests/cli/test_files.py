"""Networks and machines from other tools' files, at the door."""

import json

import numpy as np
import pytest

from accelsim.network import load_network
from accelsim.network.weight_files import pytorch_parameters

TOPOLOGY = "name, h, w, fh, fw, c, n, s,\nConv1,16,16,3,3,4,8,1,\nFC,1,1,1,1,32,10,1,\n"
CONFIGURATION = """[architecture_presets]
ArrayHeight: 8
ArrayWidth: 8
IfmapSramSzkB: 16
FilterSramSzkB: 16
OfmapSramSzkB: 16
Dataflow: ws
"""


def test_a_topology_and_a_configuration_are_a_network_and_a_machine(answer, tmp_path):
    net, machine = tmp_path / "net.csv", tmp_path / "scale.cfg"
    net.write_text(TOPOLOGY)
    machine.write_text(CONFIGURATION)
    assert "Conv1" in answer("networks", net)
    one = json.loads(answer("simulate", f"{net}:Conv1", "-H", machine, "--timing-only", "--json"))
    (array,) = (unit for unit in one["units"] if unit["unit"] == "array")
    # ceil(36 / 8) * ceil(8 / 8) * (14 * 14 + 2 * 8 + 8 - 2)
    assert array["busy_cycles"] == 5 * 218
    assert "FC" in answer("compare", net, "--hardware", machine)


def test_an_onnx_model_is_a_network(answer, tmp_path, refusal):
    onnx = pytest.importorskip("onnx")
    weights = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    shape = [1, 3, 8, 8]
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["x", "w"], ["a"], name="conv"),
            onnx.helper.make_node("Softplus", ["a"], ["b"], name="softplus"),
        ],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_empty_tensor_value_info("b")],
        [weights],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    assert "--skip-unsupported" in refusal("networks", path)
    assert "opaque" in answer("networks", path, "--skip-unsupported")
    timed = answer("compare", path, "--skip-unsupported")
    assert "softplus" in timed and "Timing only" in timed
    reason = "The network has no values, as only the bytes are known of node softplus (Softplus)."
    assert reason in " ".join(timed.split())
    assert "opaque" in refusal("compare", path, "--skip-unsupported", "--steps", "3")
    layer = f"{path}:conv"
    assert "conv2d" in answer("simulate", layer, "--timing-only", "--skip-unsupported")


def test_weights_of_a_network_come_from_a_file(answer, tmp_path, refusal):
    draw = np.random.default_rng(1)
    names = pytorch_parameters(load_network("digits-cnn"))
    arrays = {name: draw.uniform(0.1, 1, shape) for name, (_, shape) in names.items()}
    path = tmp_path / "weights.npz"
    np.savez(path, **arrays)
    given = answer("compare", "digits-cnn", "--weights", path, "--scheme", "current")
    assert "weights: given." in given
    assert given != answer("compare", "digits-cnn", "--scheme", "current")
    last = list(arrays)[-1]
    np.savez(path, **{name: array for name, array in arrays.items() if name != last})
    assert f"'{last}' of digits-cnn is missing" in refusal(
        "simulate", "digits-cnn", "--weights", path
    )
    weights = "--weights", path
    timing = "digits-cnn", *weights, "--timing-only"
    np.savez(path, **arrays)
    assert "--timing-only has no values" in refusal("compare", *timing)
    training = "digits-cnn", *weights, "--training", "--scheme", "current", "--steps", "1"
    assert "weights: given and synthetic" in answer("compare", *training, "--range-norm")
    assert "it is for whole networks" in refusal("compare", "mlp.fc1", *weights)


def test_inputs_of_a_network_come_from_a_file(answer, tmp_path, refusal):
    images = np.random.default_rng(1).normal(size=(2, 3, 1, 8, 8))  # two steps of three images
    path = tmp_path / "images.npz"
    np.savez(path, image=images)
    text = answer("compare", "digits-cnn", "--tensors", path)
    assert "batch 3" in text and "Inputs: given; weights: synthetic." in text
    numbered = tmp_path / "numbered.npz"
    np.savez(numbered, **{f"image.{i}": step for i, step in enumerate(images)})
    assert answer("compare", "digits-cnn", "--tensors", numbered) == text
    np.savez(path, picture=images)
    assert "unknown array 'picture'" in refusal("compare", "digits-cnn", "--tensors", path)
    np.savez(path, **{"image.0": images[0, :, :, :4]})
    assert "(batch, 1, 8, 8)" in refusal("compare", "digits-cnn", "--tensors", path)
