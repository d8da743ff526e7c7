import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.lowering import TrainingOptions
from accelsim.network import evaluate, layer_tensors, load_layer, load_network
from accelsim.network.layers import Conv2d, Linear, MatMul
from accelsim.network.vector import HardSigmoid, Sigmoid
from accelsim.simulation import simulate
from tests.network.onnx import models
from tests.network.onnx.models import Model, onnx

RANDOM = np.random.default_rng(3)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


@pytest.fixture
def load(tmp_path):
    def from_proto(proto, **options):
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return load_network(path, **options)

    return from_proto


def check(load, model, output, opset=17, atol=2e-5):
    """Our graph gives what ONNX Runtime gives; returns the network."""
    proto = model.proto(output, opset=opset)
    (theirs,) = models.run(proto, model.inputs)
    network = load(proto)
    arrays = evaluate(network, model.inputs)
    assert len(network.outputs) == 1
    np.testing.assert_allclose(arrays[network.outputs[0]], theirs, rtol=2e-5, atol=atol)
    return network


IMAGE = (2, 6, 9, 8)
CASES = {
    "conv": lambda m: m.add(
        "Conv", "x", normal(4, 6, 3, 2), normal(4), pads=[1, 0, 2, 1], strides=[2, 1]
    ),
    "conv-groups": lambda m: m.add("Conv", "x", normal(8, 3, 3, 3), group=2, dilations=[2, 1]),
    "conv-depthwise": lambda m: m.add("Conv", "x", normal(6, 1, 3, 3), normal(6), group=6),
    "conv-same-upper": lambda m: m.add(
        "Conv", "x", normal(4, 6, 3, 4), auto_pad="SAME_UPPER", strides=[2, 2]
    ),
    "conv-same-lower": lambda m: m.add(
        "Conv", "x", normal(4, 6, 2, 4), auto_pad="SAME_LOWER", strides=[2, 3]
    ),
    "conv-valid": lambda m: m.add("Conv", "x", normal(4, 6, 2, 4), auto_pad="VALID"),
    "conv-norm": lambda m: m.add(
        "BatchNormalization",
        m.add("Conv", "x", normal(4, 6, 1, 1)),
        normal(4),
        normal(4),
        normal(4),
        np.abs(normal(4)),
        epsilon=1e-3,
    ),
    "norm": lambda m: m.add(
        "BatchNormalization", "x", normal(6), normal(6), normal(6), np.abs(normal(6))
    ),
    "relu6": lambda m: m.add("Clip", "x", np.float32(0), np.float32(6)),
    "clip-relu": lambda m: m.add("Clip", "x", np.float32(0)),
    "relu": lambda m: m.add("Relu", "x"),
    "clip": lambda m: m.add("Clip", "x", np.float32(-0.4), np.float32(0.7)),
    "clip-below": lambda m: m.add("Clip", "x", np.float32(-0.4)),
    "clip-above": lambda m: m.add("Clip", "x", "", np.float32(0.7)),
    "clip-nothing": lambda m: m.add("Add", m.add("Clip", "x"), "x"),
    "sigmoid": lambda m: m.add("Sigmoid", "x"),
    "tanh": lambda m: m.add("Tanh", "x"),
    "hard-sigmoid": lambda m: m.add("HardSigmoid", "x"),
    "hard-sigmoid-fields": lambda m: m.add("HardSigmoid", "x", alpha=0.4, beta=0.3),
    "hard-swish": lambda m: m.add("HardSwish", "x"),
    "leaky-relu": lambda m: m.add("LeakyRelu", "x", alpha=0.3),
    "elu": lambda m: m.add("Elu", "x", alpha=1.3),
    "mul-channels": lambda m: m.add("Mul", "x", m.add("GlobalAveragePool", "x")),
    "mul-each-other": lambda m: m.add(
        "Mul",
        m.add("GlobalAveragePool", "x"),
        m.add("Slice", "x", np.array([0]), np.array([1]), np.array([1])),
    ),
    "max-pool": lambda m: m.add(
        "MaxPool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]
    ),
    "max-pool-ceil": lambda m: m.add(
        "MaxPool", "x", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1
    ),
    "average-pool": lambda m: m.add(
        "AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "average-pool-padded": lambda m: m.add(
        "AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "global-pool": lambda m: m.add("Flatten", m.add("GlobalAveragePool", "x")),
    "reduce-mean": lambda m: m.add("ReduceMean", "x", axes=[2, 3], keepdims=0),
    "add": lambda m: m.add("Add", m.add("Relu", "x"), "x"),
    "mul": lambda m: m.add("Mul", m.add("Relu", "x"), "x"),
    "add-constant": lambda m: m.add("Add", "x", normal(6, 1, 1)),
    "sub-constant": lambda m: m.add("Sub", "x", normal(1, 6, 1, 8)),
    "mul-constant": lambda m: m.add("Mul", normal(1, 6, 1, 1), "x"),
    "div-scalar": lambda m: m.add("Div", "x", np.float32(0.37)),
    "concat": lambda m: m.add("Concat", "x", m.add("Relu", "x"), axis=1),
    "concat-last": lambda m: m.add("Concat", "x", m.add("Relu", "x"), axis=-1),
    "slice": lambda m: m.add("Slice", "x", np.array([-5]), np.array([7]), np.array([2])),
    "gather": lambda m: m.add("Gather", "x", np.array(1), axis=2),
    "split": lambda m: m.add(
        "Sub", m.add("Split", "x", np.array([2, 4]), outputs=2, axis=1)[1], np.float32([1])
    ),
    "reshape": lambda m: m.add("Reshape", "x", np.array([0, -1, 8])),
    "transpose": lambda m: m.add("Transpose", "x", perm=[0, 3, 1, 2]),
    "tokens": lambda m: m.add(
        "Transpose", m.add("Reshape", "x", np.array([0, 6, -1])), perm=[0, 2, 1]
    ),
    "softmax": lambda m: m.add("Softmax", "x", axis=3),
    "layer-norm": lambda m: m.add(
        "LayerNormalization", "x", normal(9, 8), normal(9, 8), axis=2, epsilon=1e-3
    ),
    "layer-norm-alone": lambda m: m.add("LayerNormalization", "x", normal(8)),
    "gemm": lambda m: m.add(
        "Gemm", m.add("Flatten", "x"), normal(5, 432), normal(5), transB=1, alpha=0.5, beta=2.0
    ),
    "gemm-turned": lambda m: m.add("Gemm", m.add("Flatten", "x"), normal(432, 5), normal(1, 5)),
    "matmul": lambda m: m.add("MatMul", "x", normal(8, 5)),
    "matmul-bias": lambda m: m.add("Add", m.add("MatMul", "x", normal(8, 5)), normal(5)),
    "products": lambda m: m.add("MatMul", "x", m.add("Transpose", "x", perm=[0, 1, 3, 2])),
    "scaled-products": lambda m: m.add(
        "Mul", m.add("MatMul", "x", m.add("Transpose", "x", perm=[0, 1, 3, 2])), np.float32(0.25)
    ),
    "identity": lambda m: m.add("Relu", m.add("Dropout", m.add("Identity", "x"))),
    "squeeze": lambda m: m.add("Squeeze", m.add("GlobalAveragePool", "x"), np.array([2, 3])),
    "shape": lambda m: m.add(
        "Reshape",
        "x",
        m.add(
            "Concat",
            m.add("Slice", m.add("Shape", "x"), np.array([0]), np.array([2])),
            np.array([-1]),
            axis=0,
        ),
    ),
}
KINDS = {
    "conv-norm": ["conv2d", "batch_norm"],
    "matmul-bias": ["linear", "reshape"],
    "tokens": ["tokens"],
    "scaled-products": ["transpose", "matmul", "scale"],
}


@pytest.mark.parametrize("case", CASES)
def test_a_node_gives_what_onnx_runtime_gives(load, case):
    model = Model(x=normal(*IMAGE))
    network = check(load, model, CASES[case](model))
    if case in KINDS:
        assert [node.kind for node in network.nodes] == KINDS[case]


def test_gelu_in_every_form(load):
    def written_out(m, form):
        scaled = m.add("Div", "x", np.float32(np.sqrt(2)))
        one = m.add("Add", m.add("Erf", scaled), np.float32(1))
        if form == "half last":
            return m.add("Mul", m.add("Mul", "x", one), np.float32(0.5))
        if form == "half first":
            return m.add("Mul", m.add("Mul", "x", np.float32(0.5)), one)
        return m.add("Mul", "x", m.add("Mul", one, np.float32(0.5)))

    for form in ("half last", "half first", "half of the sum"):
        model = Model(x=normal(2, 5, 7))
        network = check(load, model, written_out(model, form))
        assert [node.kind for node in network.nodes] == ["gelu"]
    model = Model(x=normal(2, 5, 7))
    assert check(load, model, model.add("Gelu", "x"), opset=20).nodes[0].kind == "gelu"


def random_graph(random, depth):
    """Convolutions, norms, pools and sums in a row, with residual additions, then a classifier."""
    model = Model(x=random.normal(size=(2, 3, 10, 10)).astype(np.float32))

    def draw(*shape):
        return (random.normal(size=shape) / 2).astype(np.float32)

    tensor, channels, earlier = "x", 3, {}
    for _ in range(depth):
        kind = random.choice(["conv", "depthwise", "norm", "relu", "add", "concat", "gain"])
        before = tensor
        if kind == "conv":
            wider = int(random.integers(2, 7))
            tensor = model.add(
                "Conv", tensor, draw(wider, channels, 3, 3), draw(wider), pads=[1] * 4
            )
            channels = wider
        elif kind == "depthwise":
            tensor = model.add(
                "Conv", tensor, draw(channels, 1, 3, 3), group=channels, pads=[1] * 4
            )
        elif kind == "norm":
            four = [draw(channels) for _ in range(3)]
            tensor = model.add("BatchNormalization", tensor, *four, np.abs(draw(channels)) + 0.5)
        elif kind == "relu":
            tensor = model.add("Relu", tensor)
        elif kind == "gain":
            tensor = model.add("Mul", tensor, draw(channels, 1, 1))
        elif kind == "add" and channels in earlier:
            tensor = model.add("Add", tensor, earlier[channels])
        elif kind == "concat" and channels < 12:
            tensor = model.add("Concat", tensor, before, axis=1)
            channels *= 2
        earlier[channels] = tensor
    tensor = model.add("MaxPool", tensor, kernel_shape=[2, 2], strides=[2, 2])
    tensor = model.add("Flatten", tensor)
    return model, model.add("Gemm", tensor, draw(channels * 25, 4), draw(4))


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_give_what_onnx_runtime_gives(load, seed):
    model, output = random_graph(np.random.default_rng(seed), 8)
    check(load, model, output, atol=1e-3)


def attention(model, tokens, width, heads):
    def part(name):
        linear = model.add("Add", model.add("MatMul", name, normal(width, width)), normal(width))
        return model.add("Reshape", linear, np.array([0, tokens, heads, width // heads]))

    q = model.add("Transpose", part("x"), perm=[0, 2, 1, 3])
    k = model.add("Transpose", part("x"), perm=[0, 2, 3, 1])
    v = model.add("Transpose", part("x"), perm=[0, 2, 1, 3])
    scores = model.add("Div", model.add("MatMul", q, k), np.float32(2))
    values = model.add("MatMul", model.add("Softmax", scores, axis=-1), v)
    merged = model.add("Transpose", values, perm=[0, 2, 1, 3])
    return model.add("Add", model.add("Reshape", merged, np.array([0, tokens, width])), "x")


def test_attention_is_two_products_without_copies(load):
    model = Model(x=normal(2, 6, 8))
    network = check(load, model, attention(model, 6, 8, 2))
    assert [type(layer) for layer in network] == [Linear] * 3 + [MatMul] * 2
    for node in network.nodes:
        if node.kind in ("transpose", "scale", "reshape"):
            assert node.work.work(2).is_nothing


def test_an_open_batch_is_the_first_axis_and_layers_have_their_tensors(load, tmp_path):
    model = Model(x=normal(3, 4, 5, 5))
    weights = normal(6, 4, 3, 3)
    output = model.add("Relu", model.add("Conv", "x", weights))
    network = load(model.proto(output, batch="N"))
    assert network.name == "model"
    assert network.inputs == {"x": (4, 5, 5)}
    assert network.layers == (Conv2d("n0", 4, 6, 3, 5, 5),)
    assert load_layer(f"{tmp_path}/model.onnx:n0") == network.layers[0]
    arrays = evaluate(network, model.inputs)
    tensors = layer_tensors(network, "n0", arrays)
    assert tensors.check(network.layers[0]) == 3
    np.testing.assert_array_equal(tensors.weights, weights)
    np.testing.assert_array_equal(tensors.input, model.inputs["x"])
    with pytest.raises(AccelsimError, match="node 'n1' is a relu, must be a matrix layer"):
        layer_tensors(network, "n1", arrays)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda m: m.add("Softplus", "x"),
            r"node 'n0' \('Softplus'\): there is no such operation here",
        ),
        (lambda m: m.add("Softmax", "x", axis=1), "axis = 1: only the last one"),
        (lambda m: m.add("Transpose", "x", perm=[1, 0, 2, 3]), "the batch must stay the first"),
        (lambda m: m.add("Concat", "x", "x", axis=0), "the batch cannot be concatenated"),
        (lambda m: m.add("Reshape", "x", np.array([4, -1])), "the first axis must stay the batch"),
        (lambda m: m.add("Sub", "x", m.add("Relu", "x")), "a difference of two activations"),
        (lambda m: m.add("Div", np.float32(1), "x"), "a constant over an activation"),
        (lambda m: m.add("Erf", "x"), "only as part of Gelu"),
        (lambda m: m.add("Add", "x", normal(2, 6, 9, 8)), "differs between samples"),
        (lambda m: m.add("Conv", "x", m.add("Relu", "x")), "'t0' must be a constant"),
    ],
)
def test_what_is_not_known_is_named_with_its_node_and_the_way_out(load, build, message):
    model = Model(x=normal(*IMAGE))
    proto = model.proto(build(model))
    with pytest.raises(AccelsimError, match=message) as refusal:
        load(proto)
    assert "--skip-unsupported" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_not_known_can_stand_for_its_bytes(load):
    model = Model(x=normal(*IMAGE))
    hidden = model.add("Softplus", model.add("Conv", "x", normal(4, 6, 3, 3)))
    network = load(model.proto(model.add("Relu", hidden)), skip_unsupported=True)
    assert [node.kind for node in network.nodes] == ["conv2d", "opaque", "relu"]
    opaque = network.nodes[1]
    assert network.shape_of(opaque.name) == (4, 7, 6)
    assert opaque.work.work(2).inputs == (2 * 4 * 7 * 6,)
    with pytest.raises(AccelsimError, match=r"node n1 \(Softplus\): has bytes but no values"):
        evaluate(network, model.inputs)


def lstm(model, weights, recurrent):
    sequence = model.add("Transpose", "x", perm=[0, 2, 1])
    outputs = ["", "last"]
    model.add("LSTM", sequence, weights, recurrent, hidden_size=4, layout=1)
    model.nodes[-1].output[:] = outputs
    return "last"


def test_the_weights_of_what_is_not_known_count_in_full(load):
    model = Model(x=normal(*IMAGE))
    hidden = model.add("Conv", "x", normal(6, 6, 3, 3))
    transposed = model.add("ConvTranspose", hidden, normal(6, 5, 3, 3), normal(5))
    network = load(model.proto(transposed), skip_unsupported=True)
    weight_bytes = 4 * (6 * 5 * 9 + 5)
    assert network.nodes[1].work.parameter_bytes == weight_bytes
    for training, times in ((None, 1), (TrainingOptions(), 2)):  # backward as well
        result = simulate(network, training=training, data=None)
        moves = [move for row in result.operations for move in row.moves]
        loaded = [move.bytes for move in moves if move.tensor == "n1.parameters"]
        assert sum(loaded) == times * weight_bytes

    model = Model(x=normal(1, 6, 9))
    weights, recurrent = normal(1, 16, 6), normal(1, 16, 4)
    network = load(model.proto(lstm(model, weights, recurrent)), skip_unsupported=True)
    assert [node.kind for node in network.nodes] == ["transpose", "opaque"]
    assert network.nodes[1].work.parameter_bytes == weights.nbytes + recurrent.nbytes


def test_weights_of_eight_bits_count_as_such_where_their_node_is_not_known(load):
    model = Model(x=normal(*IMAGE))
    integers = np.ones((6, 5, 3, 3), np.int8)
    weights = model.add("DequantizeLinear", integers, np.float32(0.1), np.int8(0))
    network = load(model.proto(model.add("ConvTranspose", "x", weights)), skip_unsupported=True)
    assert network.nodes[0].work.parameter_bytes == integers.nbytes


def test_constants_of_a_node_of_two_results_count_once(load):
    model = Model(x=normal(*IMAGE))
    first, second = model.add("Mystery", "x", normal(7, 3), outputs=2)
    proto = model.proto(model.add("Concat", first, second, axis=1))
    for name in (first, second):
        info = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(IMAGE))
        proto.graph.value_info.append(info)
    network = load(proto, skip_unsupported=True)
    assert [node.work.parameter_bytes for node in network.nodes[:2]] == [4 * 7 * 3, 0]


@pytest.mark.parametrize(("kind", "ours"), [("Sigmoid", Sigmoid), ("HardSigmoid", HardSigmoid)])
def test_a_tensor_times_its_own_gate_is_one_operation(load, kind, ours):
    for turned in False, True:
        model = Model(x=normal(*IMAGE))
        hidden = model.add("Conv", "x", normal(4, 6, 3, 3))
        factors = [hidden, model.add(kind, hidden)]
        output = model.add("Mul", *(factors[::-1] if turned else factors))
        network = check(load, model, output)
        assert [node.kind for node in network.nodes] == ["conv2d", ours.kind]
        assert network.nodes[1].work.gates


def test_a_gate_that_others_read_or_that_gates_another_tensor_stays_by_itself(load):
    model = Model(x=normal(*IMAGE))
    gate = model.add("Sigmoid", "x")
    network = check(load, model, model.add("Add", model.add("Mul", "x", gate), gate))
    assert [node.kind for node in network.nodes] == ["sigmoid", "mul", "add"]
    model = Model(x=normal(*IMAGE))
    output = model.add("Mul", "x", model.add("Sigmoid", model.add("Relu", "x")))
    assert [node.kind for node in check(load, model, output).nodes] == ["relu", "sigmoid", "mul"]


def test_parts_that_no_output_needs_are_left_out(load):
    model = Model(x=normal(*IMAGE))
    kept = model.add("Relu", "x")
    model.add("Conv", "x", normal(4, 6, 3, 3))
    network = load(model.proto(kept))
    assert [node.kind for node in network.nodes] == ["relu"]
    assert network.parameters == {}


def test_values_need_all_inputs_and_weights():
    with pytest.raises(AccelsimError, match=r"has no parameter 'fc1.bias'; only networks from"):
        evaluate(load_network("mlp"), {"image": np.zeros((1, 784))})
    with pytest.raises(AccelsimError, match="the input 'image' is missing"):
        evaluate(load_network("mlp"), {})
    with pytest.raises(AccelsimError, match=r"has shape \(1, 5\), expected \(batch, 784\)"):
        evaluate(load_network("mlp"), {"image": np.zeros((1, 5))})
