import copy
import pickle

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import (
    Conv2d,
    Linear,
    MatMul,
    Network,
    Node,
    operand_shapes,
    range_normalized,
    result_shape,
)
from accelsim.network.vector import (
    Add,
    BatchNorm,
    GlobalAveragePool,
    RangeBatchNorm,
    Relu,
    Transpose,
)

IMAGE = (4, 8, 8)


def conv(name, **fields):
    return Conv2d(name, 4, 4, 3, 8, 8, padding=1, **fields)


def residual():
    """image -> a -> norm -> relu -> b; b + image -> pool -> fc."""
    nodes = (
        Node("a", conv("a"), ("image",)),
        Node("norm", BatchNorm((IMAGE,)), ("a",)),
        Node("relu", Relu((IMAGE,)), ("norm",)),
        Node("b", conv("b"), ("relu",)),
        Node("sum", Add((IMAGE, IMAGE)), ("b", "image")),
        Node("pool", GlobalAveragePool((IMAGE,)), ("sum",)),
        Node("fc", Linear("fc", 4, 10), ("pool",)),
    )
    return Network("residual", nodes, {"image": IMAGE})


def test_a_network_knows_its_layers_consumers_shapes_and_outputs():
    network = residual()
    assert network.layer_names == ("a", "b", "fc")
    assert list(network) == [network.layer("a"), network.layer("b"), network.layer("fc")]
    assert len(network) == 3
    assert network.consumers_of("image") == ("a", "sum")
    assert network.consumers_of("b") == ("sum",)
    assert network.outputs == ("fc",)
    assert network.shape_of("image") == network.shape_of("sum") == IMAGE
    assert network.shape_of("pool") == (4, 1, 1)
    assert network.shape_of("fc") == (10,)
    assert network.node("pool").inputs == ("sum",)
    assert network.node("pool").kind == "global_average_pool"


def test_a_network_is_a_value():
    assert residual() == residual()
    assert copy.deepcopy(residual()) == residual()
    assert pickle.loads(pickle.dumps(residual())).consumers_of("image") == ("a", "sum")
    assert hash(residual()) == hash(residual())


def test_a_node_that_reads_one_tensor_twice_is_one_consumer():
    network = Network("n", (Node("double", Add((IMAGE, IMAGE)), ("x", "x")),), {"x": IMAGE})
    assert network.consumers_of("x") == ("double",)


def test_layers_that_are_not_connected_read_tensors_of_their_own():
    network = Network.of_layers("list", [conv("a"), MatMul("qk", 3, 4, 5, copies=2)])
    assert network.inputs == {"a.input": IMAGE, "qk.input": (2, 3, 4), "qk.weights": (2, 4, 5)}
    assert network.outputs == ("a", "qk")


def test_the_shapes_of_layers_in_a_graph_leave_the_batch_out():
    assert operand_shapes(conv("a")) == (IMAGE,)
    assert operand_shapes(Linear("l", 6, 5)) == ((6,),)
    assert operand_shapes(Linear("l", 6, 5, rows=7)) == ((7, 6),)
    assert result_shape(Linear("l", 6, 5)) == (5,)
    assert result_shape(Linear("l", 6, 5, rows=7)) == (7, 5)
    assert result_shape(MatMul("m", 3, 4, 5)) == (1, 3, 5)


@pytest.mark.parametrize(
    ("work", "given"),
    [
        (Linear("w", 256, 5), IMAGE),
        (Linear("w", 8, 5, rows=32), IMAGE),
        (MatMul("w", 8, 8, 8, copies=4), IMAGE),
    ],
)
def test_a_layer_reads_a_tensor_whose_axes_it_can_merge(work, given):
    inputs = ("x",) * len(operand_shapes(work))
    Network("n", (Node("w", work, inputs),), {"x": given})
    wrong = (given[0] + 1, *given[1:])
    with pytest.raises(AccelsimError, match=r"node 'w': input = 'x': it gives \(5, 8, 8\), "):
        Network("n", (Node("w", work, inputs),), {"x": wrong})


def test_rows_are_not_taken_for_features():
    node = Node("w", Linear("w", 32, 5, rows=8), ("x",))
    with pytest.raises(AccelsimError, match=r"it gives \(32, 8\), \(8, 32\) is needed"):
        Network("n", (node,), {"x": (32, 8)})


@pytest.mark.parametrize(
    ("nodes", "inputs", "message"),
    [
        ((), {}, "nodes is empty"),
        ((Node("a", conv("a"), ("b",)), Node("b", conv("b"), ("a",))), {}, "'b': stands there or "),
        ((Node("a", conv("a"), ("a",)),), {}, "'a': stands there or later; must be an earlier"),
        ((Node("a", conv("a"), ("imgae",)),), {"image": IMAGE}, "did you mean 'image'"),
        ((Node("a", conv("a"), ("x",)),) * 2, {"x": IMAGE}, "'a' is given twice"),
        ((Node("x", conv("x"), ("x",)),), {"x": IMAGE}, "'x' is given twice"),
        ((Node("a", conv("a"), ()),), {}, "a conv2d reads 1 tensors, inputs names 0"),
        ((Node("a", Relu((IMAGE,)), ("x",)),), {"x": (4, 8)}, r"gives \(4, 8\), \(4, 8, 8\) is"),
        ((Node("a", conv("a"), ("x",)),), {"x": (4, 0, 8)}, "input 'x' = 0: must be a whole"),
        ((Node("a", conv("a"), ("x",)),), {"x": (2**20, 2**20)}, "at most 2147483647 elements"),
        ((Node("a", conv("a"), ("x",)),), {"x": (1,) * 9}, "must have 1 to 8 axes"),
        ((Node("a", BatchNorm((IMAGE,)), ("x",)),), {"x": IMAGE}, "'x' must be a Conv2d or"),
    ],
)
def test_a_graph_that_does_not_hold_together_is_refused(nodes, inputs, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        Network("n", nodes, inputs)
    assert "\n" not in str(refusal.value)


def test_a_batch_norm_folds_only_into_a_layer_that_nobody_else_reads():
    def network(folds):
        nodes = (
            Node("a", conv("a"), ("x",)),
            Node("norm", BatchNorm((IMAGE,), folds=folds), ("a",)),
            Node("sum", Add((IMAGE, IMAGE)), ("a", "norm")),
        )
        return Network("n", nodes, {"x": IMAGE})

    assert network(False).outputs == ("sum",)
    with pytest.raises(AccelsimError, match="'norm': folds = True: 'a' must be a Conv2d or Linear"):
        network(True)


@pytest.mark.parametrize("source", ["image", "relu", "rows"])
def test_a_norm_takes_its_statistics_from_the_drain_of_a_layer_with_its_channels_alone(source):
    # The drain sees sums before a ReLU, and of a linear layer of several rows no channel of rows.
    def network(from_drain):
        shape = (18, 7) if source == "rows" else (3, 6, 6)
        nodes = [
            Node("conv", Conv2d("conv", 3, 3, 1, 6, 6), ("image",)),
            Node("relu", Relu(((3, 6, 6),)), ("conv",)),
            Node("rows", Linear("rows", 6, 7, rows=18), ("image",)),
            Node("norm", RangeBatchNorm((shape,), folds=False, from_drain=from_drain), (source,)),
        ]
        return Network("t", tuple(nodes), {"image": (3, 6, 6)})

    with pytest.raises(AccelsimError, match=f"'norm': from_drain = True: '{source}' must be") as no:
        network(True)
    assert "say from_drain: false" in str(no.value)
    assert network(False).node("norm")


def test_ranges_replace_the_batch_norms_that_there_are():
    nodes = (Node("conv", Conv2d("conv", 3, 3, 1, 6, 6), ("image",)),)
    bare = Network("bare", nodes, {"image": (3, 6, 6)})
    with pytest.raises(AccelsimError, match="network 'bare': has no batch_norm that ranges"):
        range_normalized(bare)
    shapes = ((3, 6, 6),)
    nodes += (
        Node("first", BatchNorm(shapes), ("conv",)),
        Node("relu", Relu(shapes), ("first",)),
        Node("second", BatchNorm(shapes, folds=False), ("relu",)),
    )
    own = {f"first.{name}": np.ones(3) for name in ("gamma", "beta", "mean", "variance")}
    own["conv.weights"] = np.ones((3, 3, 1, 1))
    network = range_normalized(Network("two", nodes, {"image": (3, 6, 6)}, own))
    assert set(network.parameters) == set(own) - {"first.variance"}
    drained = [network.node(name).work.from_drain for name in ("first", "second")]
    assert drained == [True, False]


def test_a_transpose_folds_only_into_a_product_that_reads_it_second():
    turn = Node("t", Transpose(((2, 5, 3),), order=(0, 2, 1), folds=True), ("k",))
    product = MatMul("p", 3, 5, 3, copies=2)

    def network(*inputs):
        return Network("n", (turn, Node("p", product, inputs)), {"k": (2, 5, 3), "q": (2, 3, 5)})

    turned = MatMul("p", 4, 3, 5, copies=2)
    inputs = {"k": (2, 5, 3), "q": (2, 4, 3)}
    Network("n", (turn, Node("p", turned, ("q", "t"))), inputs)
    with pytest.raises(AccelsimError, match="node 't': folds = True: 'p' must be a matmul"):
        network("t", "k")


def test_a_node_refuses_what_is_no_operation():
    with pytest.raises(AccelsimError, match="node 'a': work = 7: must be a layer or a vector"):
        Node("a", 7, ())
    with pytest.raises(AccelsimError, match="node 'a': holds the layer 'b'"):
        Node("a", conv("b"), ("x",))
    with pytest.raises(AccelsimError, match="node name = 'a b'"):
        Node("a b", Relu((IMAGE,)), ("x",))


def test_an_unknown_name_is_refused_with_what_is_known():
    with pytest.raises(AccelsimError, match=r"has no node 'bb'; .*known: a, norm"):
        residual().node("bb")
    with pytest.raises(AccelsimError, match="has no tensor 'imag'; did you mean 'image'"):
        residual().consumers_of("imag")
    with pytest.raises(AccelsimError, match="has no tensor 'imag'"):
        residual().shape_of("imag")
