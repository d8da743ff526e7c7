import tracemalloc

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import load_network, with_parameters, with_weights
from accelsim.network.graph_file import parse_network
from accelsim.network.weight_files import pytorch_parameters

NETWORK = {
    "name": "small",
    "inputs": {"image": [3, 6, 6]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 4, "kernel": 3},
        {"name": "bn1", "kind": "batch_norm"},
        {"name": "fc", "kind": "linear", "out_features": 5, "bias": True},
        {"name": "norm", "kind": "layer_norm"},
        {"name": "places", "kind": "bias"},
    ],
}
SHAPES = {
    "conv1.weight": (4, 3, 3, 3), "bn1.weight": (4,), "bn1.bias": (4,), "bn1.running_mean": (4,),
    "bn1.running_var": (4,), "fc.weight": (5, 64), "fc.bias": (5,), "norm.weight": (5,),
    "norm.bias": (5,), "places.bias": (5,),
}  # fmt: skip


@pytest.fixture
def network():
    return parse_network(NETWORK, "test")


@pytest.fixture
def store(tmp_path):
    def to_file(**changed):
        draw = np.random.default_rng(1)
        arrays = {name: draw.uniform(0, 1, shape) for name, shape in SHAPES.items()}
        arrays["bn1.num_batches_tracked"] = np.int64(7)
        arrays = {n: a for n, a in (arrays | changed).items() if a is not None}
        path = tmp_path / "weights.npz"
        np.savez_compressed(path, **arrays)
        return path, arrays

    return to_file


def test_every_parameter_comes_from_its_array_by_pytorch_s_name(network, store):
    path, arrays = store()
    found = with_weights(network, path).parameters
    assert {name: array.shape for name, array in found.items()} == {
        "conv1.weights": (4, 3, 3, 3), "bn1.gamma": (4,), "bn1.beta": (4,), "bn1.mean": (4,),
        "bn1.variance": (4,), "fc.weights": (5, 64), "fc.bias": (5,), "norm.gamma": (5,),
        "norm.beta": (5,), "places.bias": (5,),
    }  # fmt: skip
    for own, name in (
        ("conv1.weights", "conv1.weight"), ("bn1.gamma", "bn1.weight"), ("bn1.beta", "bn1.bias"),
        ("bn1.mean", "bn1.running_mean"), ("bn1.variance", "bn1.running_var"),
        ("norm.gamma", "norm.weight"), ("norm.beta", "norm.bias"),
    ):  # fmt: skip
        np.testing.assert_array_equal(found[own], arrays[name])


def test_safetensors_are_read_as_npz_are(network, store, tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    path, arrays = store()
    other = tmp_path / "weights.safetensors"
    save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, other)
    ours, theirs = (with_weights(network, p).parameters for p in (path, other))
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_halves_become_float32_and_doubles_stay(network, store):
    path, _ = store(**{"fc.bias": np.ones(5, np.float16)})
    found = with_weights(network, path).parameters
    assert found["fc.bias"].dtype == np.float32
    assert found["fc.weights"].dtype == np.float64


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fc.bias": None}, "the parameter 'fc.bias' of small is missing"),
        (
            {"fc.bias": None, "norm.bias": None},
            r"the parameter 'fc.bias' of small is missing \(2 such\)",
        ),
        ({"fc.bais": np.ones(5)}, "'fc.bais' is no parameter of small; did you mean 'fc.bias'"),
        (
            {"conv1.weight": None, "module.conv1.weight": np.ones((4, 3, 3, 3))},
            "'module.conv1.weight' is no parameter of small; did you mean 'conv1.weight'",
        ),
        ({"fc.weight": np.ones((64, 5))}, r"'fc.weight' has shape \(64, 5\), expected \(5, 64\)"),
        ({"fc.bias": np.ones(5, np.int8)}, "'fc.bias' has dtype int8: must be floating-point"),
        ({"fc.bias": np.full(5, np.nan)}, "'fc.bias' holds NaN or infinite values"),
        ({"bn1.running_var": np.full(4, -1.0)}, "'bn1.running_var' holds -1: must be 0 or above"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(network, store, changed, message):
    path, _ = store(**changed)
    with pytest.raises(AccelsimError, match=message) as refusal:
        with_weights(network, path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_headers_are_checked_before_weights_are_unpacked(network, store):
    for changed in ({"whatever": np.zeros(2**22)}, {"fc.weight": np.zeros((5, 2**20))}):
        path, _ = store(**changed)
        tracemalloc.start()
        with pytest.raises(AccelsimError, match=r"is no parameter|has shape"):
            with_weights(network, path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


def test_a_network_that_brings_its_weights_takes_no_others(network, store):
    path, _ = store()
    made = with_parameters(network, {"image": np.ones((2, 3, 6, 6))})
    with pytest.raises(AccelsimError, match="network 'small' brings its own weights"):
        with_weights(made, path)


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [  # entries of torchvision's state_dict without its counters
        ("vgg16", 32, {"features.0.weight", "features.28.bias", "classifier.6.bias"}),
        ("mobilenetv2", 262, {"features.1.conv.0.1.running_var", "classifier.1.weight"}),
        ("resnet50", 267, {"layer4.2.bn3.running_mean", "layer2.0.downsample.1.bias"}),
    ],
)
def test_the_shelf_has_the_names_of_torchvision(name, count, some):
    names = pytorch_parameters(load_network(name))
    assert len(names) == count
    assert some < set(names)
