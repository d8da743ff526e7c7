"""The gradients of whole networks: finite differences, and PyTorch where it is installed."""

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import SyntheticInputs, evaluate, range_normalized, with_parameters
from accelsim.network.backward import backpropagate
from accelsim.network.graph_file import parse_network
from accelsim.network.loss import checked_targets, cross_entropy, loss_of
from accelsim.network.synthetic_examples import SyntheticExamples

PERCEPTRON = {
    "name": "perceptron",
    "inputs": {"image": [7]},
    "sequential": True,
    "layers": [
        {"name": "fc1", "kind": "linear", "out_features": 6, "bias": True},
        {"name": "gelu", "kind": "gelu"},
        {"name": "fc2", "kind": "linear", "out_features": 3, "bias": True},
    ],
}

CONVOLUTIONS = {
    "name": "convolutions",
    "inputs": {"image": [2, 7, 8]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 4, "kernel": 3, "padding": 1},
        {"name": "bn1", "kind": "batch_norm"},
        {"name": "relu1", "kind": "relu"},
        {"name": "pool", "kind": "max_pool", "kernel": 3, "stride": 2, "padding": 1},
        {"name": "deep", "kind": "depthwise_conv2d", "kernel": 3, "padding": 1},
        {"name": "grouped", "kind": "conv2d", "out_channels": 4, "kernel": 1, "groups": 2},
        {"name": "sum", "kind": "add", "inputs": ["grouped", "pool"]},
        {"name": "relu2", "kind": "relu"},
        {"name": "conv2", "kind": "conv2d", "out_channels": 3, "kernel": 3, "stride": 2},
        {"name": "average", "kind": "average_pool", "kernel": 2, "stride": 1, "input": "relu2"},
        {"name": "gap", "kind": "global_average_pool"},
        {"name": "flat", "kind": "reshape", "shape": [4]},
        {"name": "ahead", "kind": "linear", "out_features": 3, "bias": True},
        {"name": "conv2.gap", "kind": "global_average_pool", "input": "conv2"},
        {"name": "conv2.flat", "kind": "reshape", "shape": [3]},
        {"name": "both", "kind": "concat", "inputs": ["ahead", "conv2.flat"]},
        {"name": "fc", "kind": "linear", "out_features": 5},
    ],
}

ATTENTION = {
    "name": "attention",
    "inputs": {"tokens": [4, 6]},
    "sequential": True,
    "layers": [
        {"name": "norm", "kind": "layer_norm"},
        {"name": "q", "kind": "linear", "out_features": 6, "bias": True, "rows": 4},
        {"name": "qs", "kind": "reshape", "shape": [4, 2, 3]},
        {"name": "qh", "kind": "transpose", "order": [1, 0, 2]},
        {"name": "k", "kind": "linear", "out_features": 6, "rows": 4, "input": "norm"},
        {"name": "ks", "kind": "reshape", "shape": [4, 2, 3]},
        {"name": "kh", "kind": "transpose", "order": [1, 2, 0], "folds": True},
        {"name": "scores", "kind": "matmul", "inputs": ["qh", "kh"]},
        {"name": "scaled", "kind": "scale", "factor": 0.5, "folds": True},
        {"name": "shares", "kind": "softmax"},
        {"name": "mixed", "kind": "matmul", "inputs": ["shares", "qh"]},
        {"name": "back", "kind": "transpose", "order": [1, 0, 2]},
        {"name": "joined", "kind": "reshape", "shape": [4, 6]},
        {"name": "residual", "kind": "add", "inputs": ["joined", "tokens"]},
        {"name": "norm2", "kind": "layer_norm"},
        {"name": "out", "kind": "linear", "out_features": 5, "bias": True, "rows": 4},
    ],
}
OTHERS = {
    "name": "others",
    "inputs": {"image": [3, 4, 4]},
    "sequential": True,
    "layers": [
        {"name": "conv", "kind": "conv2d", "out_channels": 4, "kernel": 1, "bias": True},
        {"name": "larger", "kind": "scale", "factor": 5.0},
        {"name": "relu6", "kind": "relu6"},
        {"name": "smaller", "kind": "scale", "factor": 0.3},
        {"name": "tokens", "kind": "tokens"},
        {"name": "places", "kind": "bias"},
        {"name": "gain", "kind": "gain", "shape": [4]},
        {"name": "turned", "kind": "scale", "factor": -0.7},
        {"name": "shares", "kind": "softmax"},
        {"name": "wider", "kind": "scale", "factor": 3.0},
        {"name": "gelu", "kind": "gelu"},
        {"name": "part", "kind": "slice", "axis": 0, "start": 3, "stop": 11},
        {"name": "mixed", "kind": "transpose", "order": [1, 0]},
        {"name": "one", "kind": "linear", "out_features": 5, "rows": 4},
        {"name": "two", "kind": "linear", "out_features": 5, "rows": 4, "input": "mixed"},
        {"name": "product", "kind": "mul", "inputs": ["one", "two"]},
        {"name": "both", "kind": "concat", "inputs": ["product", "one"]},
        {"name": "fc", "kind": "linear", "out_features": 3, "bias": True},
    ],
}
GATES = {
    "name": "gates",
    "inputs": {"image": [3, 6, 5]},
    "sequential": True,
    "layers": [
        {"name": "conv", "kind": "conv2d", "out_channels": 8, "kernel": 3, "padding": 1},
        {"name": "swish", "kind": "hard_sigmoid", "gates": True},
        {"name": "pool", "kind": "global_average_pool"},
        {"name": "squeeze", "kind": "conv2d", "out_channels": 4, "kernel": 1, "bias": True},
        {"name": "silu", "kind": "sigmoid", "gates": True},
        {"name": "excite", "kind": "conv2d", "out_channels": 8, "kernel": 1, "bias": True},
        {"name": "gate", "kind": "hard_sigmoid", "factor": 0.4},
        {"name": "gated", "kind": "mul", "inputs": ["swish", "gate"]},
        {"name": "conv2", "kind": "conv2d", "out_channels": 6, "kernel": 3, "bias": True},
        {"name": "leaky", "kind": "leaky_relu", "leak": 0.2},
        {"name": "clip", "kind": "clip", "low": -0.3, "high": 1.7},
        {"name": "fc1", "kind": "linear", "out_features": 9, "bias": True},
        {"name": "elu", "kind": "elu"},
        {"name": "fc2", "kind": "linear", "out_features": 9, "bias": True},
        {"name": "tanh", "kind": "tanh"},
        {"name": "fc3", "kind": "linear", "out_features": 7, "bias": True},
        {"name": "sigmoid", "kind": "sigmoid"},
        {"name": "fc4", "kind": "linear", "out_features": 3, "bias": True},
    ],
}
DOCUMENTS = [PERCEPTRON, CONVOLUTIONS, ATTENTION, OTHERS, GATES]
names = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d["name"])


def complete(document, batch=3, seed=1):
    """A network with made-up parameters and a step's examples, in float64."""
    network = parse_network(document, "test")
    (arrays,) = SyntheticExamples(network, batch, seed).steps(1)
    network = with_parameters(network, arrays, seed)
    for name, array in network.parameters.items():
        network.parameters[name] = array.astype(np.float64)
    return network, {name: arrays[name].astype(np.float64) for name in network.inputs}, arrays


def gradients_of(network, inputs, targets):
    arrays = evaluate(network, inputs, training=True)
    _, at_outputs = loss_of({name: arrays[name] for name in network.outputs}, targets)
    return backpropagate(network, arrays, at_outputs, to_inputs=True)


def loss_at(network, inputs, targets):
    arrays = evaluate(network, inputs, training=True)
    return loss_of({name: arrays[name] for name in network.outputs}, targets)[0]


def numeric(array, loss, places):
    """Central differences of the loss by some elements of an array."""
    found = []
    for place in places:
        old = array[place]
        array[place] = old + 1e-5
        above = loss()
        array[place] = old - 1e-5
        found.append((above - loss()) / 2e-5)
        array[place] = old
    return found


@names
def test_every_gradient_of_the_loss_equals_finite_differences(document):
    network, inputs, targets = complete(document)
    found = gradients_of(network, inputs, targets)
    variables = {name: array for name, array in network.parameters.items()
                 if not name.endswith((".mean", ".variance"))} | inputs  # fmt: skip
    gradients = dict(found.parameters) | {name: found.results[name] for name in inputs}
    assert set(gradients) == set(variables)
    draws = np.random.default_rng(0)
    for name, array in variables.items():
        assert gradients[name].shape == array.shape
        chosen = draws.choice(array.size, min(array.size, 12), replace=False)
        places = [np.unravel_index(flat, array.shape) for flat in chosen]
        expected = numeric(array, lambda: loss_at(network, inputs, targets), places)
        ours = [gradients[name][place] for place in places]
        np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=2e-9, err_msg=name)


def test_range_batch_norm_trains_too():
    network = range_normalized(parse_network(CONVOLUTIONS, "test"))
    (targets,) = SyntheticExamples(network, 3, 1).steps(1)
    network = with_parameters(network, targets, 1)
    inputs = {"image": targets["image"].astype(np.float64)}
    weights = network.parameters["conv1.weights"] = np.float64(network.parameters["conv1.weights"])
    found = gradients_of(network, inputs, targets).parameters["conv1.weights"]
    places = [(0, 0, 1, 1), (1, 1, 0, 2), (3, 0, 2, 2)]
    expected = numeric(weights, lambda: loss_at(network, inputs, targets), places)
    np.testing.assert_allclose([found[place] for place in places], expected, rtol=1e-4)


def test_a_tensor_with_several_readers_adds_up_what_they_hand_back():
    network, inputs, targets = complete(CONVOLUTIONS)
    found = gradients_of(network, inputs, targets)
    both = found.operands["conv2", 0] + found.operands["average", 0]
    np.testing.assert_array_equal(found.results["relu2"], both)
    alone = backpropagate(network, evaluate(network, inputs, training=True),
                     {"fc": found.results["fc"]})  # fmt: skip
    assert "image" not in alone.results
    assert ("conv1", 0) not in alone.operands


@names
def test_gradients_equal_those_of_pytorch(document):
    torch = pytest.importorskip("torch")
    network, inputs, targets = complete(document)
    found = gradients_of(network, inputs, targets)
    theirs = {
        name: torch.tensor(array, requires_grad=True)
        for name, array in [*network.parameters.items(), *inputs.items()]
    }
    tensors = dict(theirs)
    for node in network.nodes:
        tensors[node.name] = in_torch(torch, node, [tensors[i] for i in node.inputs], theirs)
    (output,) = network.outputs
    logits = tensors[output]
    labels = torch.tensor(targets[f"{output}.labels"]).reshape(-1)
    torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels).backward()
    for name, gradient in found.parameters.items():
        np.testing.assert_allclose(gradient, theirs[name].grad.numpy(), atol=1e-12, err_msg=name)


def in_torch(torch, node, operands, parameters):
    """One node by PyTorch's own functions."""
    f, work = torch.nn.functional, node.work
    own = {key.removeprefix(f"{node.name}."): value for key, value in parameters.items()
           if key.startswith(f"{node.name}.")}  # fmt: skip
    x, shape = operands[0], (len(operands[0]),)
    match node.kind:
        case "linear":
            if work.rows == 1:
                x = x.reshape(*shape, -1)
            return f.linear(x, own["weights"], own.get("bias"))
        case "conv2d" | "depthwise_conv2d":
            return f.conv2d(x, own["weights"], own.get("bias"), work.stride, work.padding[:2],
                            groups=work.groups)  # fmt: skip
        case "matmul":
            return operands[0] @ operands[1]
        case "batch_norm":
            return f.batch_norm(x, None, None, own["gamma"], own["beta"], training=True)
        case "layer_norm":
            return f.layer_norm(x, x.shape[-1:], own["gamma"], own["beta"])
        case "max_pool":
            return f.max_pool2d(x, work.kernel, work.stride, work.padding[:2])
        case "average_pool":
            return f.avg_pool2d(x, work.kernel, work.stride)
        case "global_average_pool":
            return x.mean((2, 3), keepdim=True)
        case "reshape":
            return x.reshape(*shape, *work.sample_shape)
        case "transpose":
            return x.permute(0, *(axis + 1 for axis in work.order))
        case "concat":
            return torch.cat(operands, 1)
        case "scale":
            return x * work.factor
        case "tokens":
            return x.flatten(2).transpose(1, 2)
        case "bias" | "gain":
            return x + own["bias"] if node.kind == "bias" else x * own["gain"]
        case "slice":
            return x[:, work.start : work.stop]
        case "softmax":
            return f.softmax(x, -1)
    simple = {
        "relu": f.relu,
        "relu6": f.relu6,
        "gelu": f.gelu,
        "tanh": f.tanh,
        "elu": f.elu,
        "add": lambda t: t + operands[1],
        "mul": lambda t: t * operands[1],
        "clip": lambda t: t.clip(work.low, work.high),
        "leaky_relu": lambda t: f.leaky_relu(t, work.leak),
        "sigmoid": lambda t: gate(t, f.sigmoid(t)),
        "hard_sigmoid": lambda t: gate(t, (t * work.factor + work.shift).clip(0, 1)),
    }

    def gate(t, openness):
        return t * openness if work.gates else openness

    return simple[node.kind](x)


def test_the_loss_is_that_of_every_position_of_every_output():
    draws = np.random.default_rng(0)
    logits, labels = draws.normal(size=(2, 5, 3, 4)), draws.integers(5, size=(2, 3, 4))
    loss, gradient = cross_entropy(logits, labels)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own = np.take_along_axis(shares, labels[:, None], axis=1)
    assert loss == pytest.approx(-np.log(own).mean())
    expected = (shares - np.eye(5)[labels].transpose(0, 3, 1, 2)) / 24
    np.testing.assert_allclose(gradient, expected, atol=1e-15)
    assert cross_entropy(np.array([[2000.0, 0.0]]), np.array([1]))[0] == 2000


def test_a_given_gradient_is_the_gradient_of_the_loss():
    y = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros((2, 3))}
    targets = {"a.gradient": np.full((2, 3), 0.5), "b.labels": np.array([0, 2])}
    loss, gradients = loss_of(y, targets)
    assert loss == pytest.approx(7.5 + np.log(3))
    np.testing.assert_array_equal(gradients["a"], targets["a.gradient"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "holds neither of fc2.labels and fc2.gradient"),
        ({"fc2.labels": [0, 1], "fc2.gradient": np.zeros((2, 3))}, "holds both of fc2.labels"),
        ({"fc2.labels": [0, 1, 2]}, r"has shape \(3,\) of int64: must be whole .* \(2,\)"),
        ({"fc2.labels": [0.0, 1.0]}, "of float64: must be whole numbers"),
        ({"fc2.labels": [0, 3]}, "has labels from 0 to 3: must be 0 to 2"),
        ({"fc2.gradient": np.full((2, 3), np.inf)}, "must be finite"),
    ],
)
def test_a_target_that_does_not_fit_is_one_line(given, message):
    network = parse_network(PERCEPTRON, "test")
    with pytest.raises(AccelsimError, match=message):
        checked_targets(network, given, 2)


def test_gradients_begin_at_outputs():
    network, inputs, _ = complete(PERCEPTRON)
    arrays = evaluate(network, inputs, training=True)
    with pytest.raises(AccelsimError, match="'fc1' is no output; the outputs are fc2"):
        backpropagate(network, arrays, {"fc1": arrays["fc1"]})
    with pytest.raises(AccelsimError, match=r"has shape \(3, 2\), expected \(3, 3\)"):
        backpropagate(network, arrays, {"fc2": np.zeros((3, 2))})


def test_examples_of_a_class_look_alike_in_every_step_and_not_like_others():
    network = parse_network(PERCEPTRON, "test")
    first, again = (list(SyntheticExamples(network, 64, 5).steps(2)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["fc2.labels"], other["fc2.labels"])
    assert set(first[0]["fc2.labels"]) == {0, 1, 2}
    assert (first[0]["fc2.labels"] != first[1]["fc2.labels"]).any()
    means = [
        np.stack([step["image"][step["fc2.labels"] == c].mean(axis=0) for c in range(3)])
        for step in first
    ]
    within = np.abs(means[0] - means[1]).mean()
    between = np.abs(means[0] - np.roll(means[0], 1, axis=0)).mean()
    assert between > 3 * within
    plain = next(iter(SyntheticInputs(network, 64, 5).steps(1)))
    assert first[0]["image"].dtype == plain["image"].dtype


def test_every_output_has_labels_for_each_position():
    document = {**ATTENTION, "layers": [*ATTENTION["layers"],
                {"name": "side", "kind": "linear", "out_features": 3, "rows": 4,
                 "input": "norm2"}]}  # fmt: skip
    network = parse_network(document, "test")
    (arrays,) = SyntheticExamples(network, 5, 0).steps(1)
    assert arrays["out.labels"].shape == arrays["side.labels"].shape == (5, 4)
    np.testing.assert_array_equal(arrays["side.labels"], arrays["out.labels"] % 3)
    checked_targets(network, arrays, 5)
