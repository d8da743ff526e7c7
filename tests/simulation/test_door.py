"""One door: layers and networks go through `compare` and `simulate` alike."""

from pathlib import Path

import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.network import load_network, workloads_folder
from accelsim.result import Comparison, NetworkComparison, NetworkResult, Result


def test_what_is_named_decides_what_comes_back():
    layer = accelsim.load_layer("digits-cnn.conv1")
    network = load_network("digits-cnn")
    for work in (layer, "digits-cnn.conv1"):
        assert isinstance(accelsim.compare(work, data=None), Comparison)
        assert isinstance(accelsim.simulate(work, data=None), Result)
    for work in (network, "digits-cnn", workloads_folder() / "digits-cnn.yaml"):
        assert isinstance(accelsim.compare(work, data=None), NetworkComparison)
        assert isinstance(accelsim.simulate(work, data=None), NetworkResult)
    one, other = accelsim.compare("digits-cnn"), accelsim.compare(network)
    assert one == other


def test_values_flow_unless_they_are_left_out():
    result = accelsim.simulate("digits-cnn")
    assert result.data == "synthetic" and result.outputs
    assert all(row.numerics for row in result.operations)
    timed = accelsim.simulate("digits-cnn", data=None)
    assert timed.data == "none" and not timed.outputs
    assert timed.total_bytes == result.total_bytes
    assert accelsim.simulate("digits-cnn.conv1").data == "synthetic"


def test_a_policy_is_taken_for_a_layer_too():
    policy = "activations=in-hindsight,gradients=current"
    assert accelsim.simulate("digits-cnn.conv1", scheme=policy, data=None).scheme == (
        "in-hindsight/static"
    )
    back = accelsim.simulate("digits-cnn.conv2", scheme=policy, data=None, operation="grad-input")
    assert back.scheme == "current/spill"


@pytest.mark.parametrize(
    ("work", "options", "message"),
    [
        ("digits-cnn", {"kind": "gradient"}, "kind: must be left out, it is for a single layer"),
        ("digits-cnn", {"operation": "grad-input"}, "operation: must be left out"),
        (
            "digits-cnn.conv1",
            {"training": accelsim.TrainingOptions()},
            "training: must be left out, it is for a whole network",
        ),
        (Path("nowhere.onnx"), {}, "nowhere.onnx"),
        (7, {}, "work = 7: must be a Layer or a Network, or the name or file of one"),
        ("digits-cnn", {"schemes": []}, "must name at least one scheme"),
        ("digits-cnn", {"schemes": "current"}, r"must be a list, such as \['current'\]"),
        ("digits-cnn", {"data": [1, 2]}, "data: holds int: must be arrays by the names"),
        ("digits-cnn", {"data": 1}, "data: holds int"),
        ("digits-cnn.conv1", {"data": {"image": 1}}, "data: holds dict: must be StepTensors"),
    ],
)
def test_what_is_not_for_this_kind_of_work_is_refused(work, options, message):
    with pytest.raises(AccelsimError, match=message) as error:
        accelsim.compare(work, **options)
    assert "\n" not in str(error.value)


def test_a_result_of_a_layer_is_no_past_of_a_network():
    past = accelsim.simulate("digits-cnn.conv1")
    with pytest.raises(AccelsimError, match="resume: must be left out"):
        accelsim.simulate("digits-cnn", resume=past)
