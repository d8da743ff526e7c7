from math import prod

import numpy as np
import pytest

from accelsim.network.vector import (
    Add,
    AveragePool,
    BatchNorm,
    Bias,
    Clip,
    Concat,
    Elu,
    Gain,
    Gelu,
    GlobalAveragePool,
    HardSigmoid,
    LayerNorm,
    LeakyRelu,
    MaxPool,
    Mul,
    RangeBatchNorm,
    Relu,
    Relu6,
    Reshape,
    Scale,
    Sigmoid,
    Slice,
    Softmax,
    Tanh,
    Tokens,
    Transpose,
)
from tests.naive import vector as naive

IMAGE = (3, 7, 6)
POOLS = [
    {"kernel": 2},
    {"kernel": 3, "stride": 2, "padding": 1},
    {"kernel": (3, 2), "stride": (1, 2), "padding": (1, 0)},
    {"kernel": 3, "stride": 2, "ceil_mode": True},
    {"kernel": 3, "stride": 2, "padding": (0, 1, 2, 0), "ceil_mode": True},
    {"kernel": 2, "stride": 3},
]
ACTIVATIONS = [
    Gelu((IMAGE,)),
    Clip((IMAGE,), low=-1.2, high=2.3),
    Clip((IMAGE,), high=2.3),
    Clip((IMAGE,), low=1.2),
    LeakyRelu((IMAGE,), leak=0.2),
    Elu((IMAGE,), alpha=0.7),
    Tanh((IMAGE,)),
    Sigmoid((IMAGE,)),
    Sigmoid((IMAGE,), gates=True),
    HardSigmoid((IMAGE,)),
    HardSigmoid((IMAGE,), gates=True),
    HardSigmoid((IMAGE,), gates=True, factor=0.7, shift=-0.4),
    HardSigmoid((IMAGE,), gates=True, factor=0.7, shift=2.6),
]
OPERATIONS = [
    Add((IMAGE, IMAGE, IMAGE)),
    Mul((IMAGE, IMAGE, IMAGE)),
    Scale((IMAGE,), factor=-0.3),
    Relu((IMAGE,)),
    Relu6((IMAGE,)),
    *ACTIVATIONS,
    Mul((IMAGE, (3, 1, 1))),
    Mul(((3, 1, 1), (1, 7, 6))),
    *[MaxPool((IMAGE,), **fields) for fields in POOLS],
    *[AveragePool((IMAGE,), **fields) for fields in POOLS],
    *[AveragePool((IMAGE,), **fields, count_padding=False) for fields in POOLS],
    GlobalAveragePool((IMAGE,)),
    BatchNorm((IMAGE,)),
    BatchNorm(((5,),), epsilon=1e-3),
    RangeBatchNorm((IMAGE,)),
    RangeBatchNorm((IMAGE,), constant=0.54, from_drain=False),
    LayerNorm(((4, 6),)),
    LayerNorm((IMAGE,), axes=3, epsilon=0.1),
    Softmax(((2, 4, 5),)),
    Concat(((2, 3), (4, 3), (1, 3))),
    Concat(((2, 3), (2, 5)), axis=1),
    Reshape((IMAGE,), shape=(-1, 2)),
    Transpose((IMAGE,), order=(2, 0, 1)),
    Tokens((IMAGE,)),
    Slice((IMAGE,), axis=1, start=2, stop=5),
    Bias((IMAGE,)),
    Bias(((4, 5),), shape=5),
    Gain((IMAGE,), shape=(3, 1, 6)),
    Gain(((4, 5),), shape=(4, 1)),
]


def name(operation):
    fields = [str(v) for k, v in vars(operation).items() if k != "shapes"]
    return "-".join([operation.kind, *fields]).replace(" ", "")


def arrays_for(operation, batch=2, seed=0):
    """Operands and parameters without ties and away from every kink."""
    random = np.random.default_rng(seed)
    shapes = [*operation.input_shapes(batch), *operation.parameter_shapes().values()]
    arrays = []
    for shape in shapes:
        count = int(np.prod(shape))
        spread = np.linspace(-7.7, 8.3, count) + 0.003
        arrays.append(random.permutation(spread).reshape(shape))
    for place, parameter in enumerate(operation.parameter_shapes(), len(operation.shapes)):
        if parameter in ("variance", "scale"):
            arrays[place] = np.abs(arrays[place]) + 0.5
    return arrays


def expected(operation, arrays):
    x = arrays[0]
    simple = {
        "add": lambda: sum(arrays), "mul": lambda: prod(arrays),
        "scale": lambda: -0.3 * x, "softmax": lambda: naive.softmax(x),
        "concat": lambda: np.concatenate(arrays, operation.axis + 1),
        "bias": lambda: x + arrays[1], "gain": lambda: x * arrays[1],
        "slice": lambda: x[:, :, 2:5],
        "tokens": lambda: np.moveaxis(x, 1, 3).reshape(len(x), -1, x.shape[1]),
        "reshape": lambda: x.reshape(len(x), -1, 2),
        "transpose": lambda: np.moveaxis(x, 3, 1),
        "global_average_pool": lambda: x.mean((2, 3)).reshape(len(x), -1, 1, 1),
        "layer_norm": lambda: naive.layer_norm(operation, *arrays),
    }  # fmt: skip
    if operation.kind in simple:
        return simple[operation.kind]()
    if operation.kind.endswith("batch_norm") or operation.kind == "batch_norm":
        return naive.channel_norm(operation, *arrays[:3])
    if operation.kind in naive.ACTIVATIONS:
        return naive.activation(operation, x)
    return naive.pool(operation, x)


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_forward_equals_the_plain_loops(operation):
    arrays = arrays_for(operation)
    output = operation.forward(arrays, training=True)
    assert output.shape == operation.output_shape(2)
    np.testing.assert_allclose(output, expected(operation, arrays), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_backward_equals_finite_differences(operation):
    arrays = arrays_for(operation, seed=1)
    output = operation.forward(arrays, training=True)
    grad = np.random.default_rng(2).normal(size=output.shape)
    found = operation.backward(grad, arrays, output)
    parameters = list(operation.parameter_shapes())
    wanted = len(operation.shapes) + len(operation.trainable)
    assert len(found) == wanted
    assert parameters[: len(operation.trainable)] == list(operation.trainable)
    step = 1e-5
    for place in range(wanted):
        assert found[place].shape == arrays[place].shape
        numeric = np.zeros_like(arrays[place])
        for index in np.ndindex(numeric.shape):
            moved = [a.copy() for a in arrays]
            moved[place][index] += step
            above = operation.forward(moved, training=True).copy()
            moved[place][index] -= 2 * step
            below = operation.forward(moved, training=True)
            numeric[index] = (grad * (above - below)).sum() / (2 * step)
        np.testing.assert_allclose(found[place], numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("operation", [*ACTIVATIONS, Relu((IMAGE,)), Relu6((IMAGE,))], ids=name)
@pytest.mark.parametrize("ends", [(-9.0, 7.0), (-0.6, 0.3), (-7.0, -1.0), (0.0, 2.0), (-4.0, 0.0)])
def test_the_reach_of_an_activation_holds_every_result_and_no_more(operation, ends):
    values = operation.forward([np.linspace(*ends, 200_001)])
    low, high = operation.reach(*ends)
    assert low - 1e-12 <= values.min() and values.max() <= high + 1e-12
    if not isinstance(operation, Gelu):  # its bounds are rounded
        np.testing.assert_allclose([low, high], [values.min(), values.max()], atol=1e-4)


@pytest.mark.parametrize("kind", [BatchNorm, RangeBatchNorm])
def test_at_inference_a_batch_norm_uses_its_running_statistics_and_folds_away(kind):
    operation = kind(((4,),), epsilon=0.01)
    x, *parameters = arrays_for(operation, batch=5)
    weights = np.random.default_rng(3).normal(size=(4, 6))
    bias = np.arange(4.0)
    product = x[:, :1] * np.ones((5, 6))
    before = product @ weights.T + bias
    folded, new_bias = operation.fold(weights, bias, parameters)
    np.testing.assert_allclose(
        product @ folded.T + new_bias, operation.forward([before, *parameters]), rtol=1e-12
    )
    alone, alone_bias = operation.fold(weights, None, parameters)
    np.testing.assert_allclose(
        product @ alone.T + alone_bias,
        operation.forward([product @ weights.T, *parameters]),
        rtol=1e-12,
    )


def test_the_range_factor_is_that_of_the_paper():
    assert RangeBatchNorm(((8, 4, 4),)).range_factor(16) == 1 / np.sqrt(2 * np.log(256))
    normal = np.random.default_rng(0).normal(size=(512, 2, 8, 8))
    _, scale = RangeBatchNorm(((2, 8, 8),)).statistics(normal)
    # The range of n normal draws is about 2 sqrt(2 ln n) sigma, so this is about 2 sigma.
    assert np.all(abs(scale - 2) < 0.3)


TORCH_CASES = [
    (BatchNorm((IMAGE,)), lambda f, x, p: f.batch_norm(x, None, None, p[0], p[1], training=True)),
    (LayerNorm(((4, 6),)), lambda f, x, p: f.layer_norm(x, (6,), p[0], p[1])),
    (Softmax(((4, 5),)), lambda f, x, p: f.softmax(x, -1)),
    (Gelu((IMAGE,)), lambda f, x, p: f.gelu(x)),
    (Relu((IMAGE,)), lambda f, x, p: f.relu(x)),
    (Relu6((IMAGE,)), lambda f, x, p: f.relu6(x)),
    (Clip((IMAGE,), -1.2, 2.3), lambda f, x, p: f.hardtanh(x, -1.2, 2.3)),
    (LeakyRelu((IMAGE,), 0.2), lambda f, x, p: f.leaky_relu(x, 0.2)),
    (Elu((IMAGE,), 0.7), lambda f, x, p: f.elu(x, 0.7)),
    (Tanh((IMAGE,)), lambda f, x, p: f.tanh(x)),
    (Sigmoid((IMAGE,)), lambda f, x, p: f.sigmoid(x)),
    (Sigmoid((IMAGE,), True), lambda f, x, p: f.silu(x)),
    (HardSigmoid((IMAGE,)), lambda f, x, p: f.hardsigmoid(x)),
    (HardSigmoid((IMAGE,), True), lambda f, x, p: f.hardswish(x)),
    (MaxPool((IMAGE,), 3, 2, 1), lambda f, x, p: f.max_pool2d(x, 3, 2, 1)),
    (MaxPool((IMAGE,), 3, 2, 1, True), lambda f, x, p: f.max_pool2d(x, 3, 2, 1, ceil_mode=True)),
    (AveragePool((IMAGE,), 3, 2, 1, True), lambda f, x, p: f.avg_pool2d(x, 3, 2, 1, True)),
    (
        AveragePool((IMAGE,), 3, 2, 1, True, False),
        lambda f, x, p: f.avg_pool2d(x, 3, 2, 1, True, False),
    ),
]


@pytest.mark.parametrize(("operation", "call"), TORCH_CASES, ids=lambda v: getattr(v, "kind", ""))
def test_forward_and_backward_equal_those_of_pytorch(operation, call):
    torch = pytest.importorskip("torch")
    arrays = arrays_for(operation, seed=4)
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    theirs = call(torch.nn.functional, tensors[0], tensors[1:])
    grad = np.random.default_rng(5).normal(size=theirs.shape)
    theirs.backward(torch.tensor(grad))
    output = operation.forward(arrays, training=True)
    np.testing.assert_allclose(output, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)
    gradients = operation.backward(grad, arrays, output)
    for ours, tensor in zip(gradients, tensors, strict=False):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-8, atol=1e-8)
