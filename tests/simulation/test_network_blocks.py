"""Networks in blocks that share a power of two: the blocks of an obvious twin, and their bytes."""

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering.plan import plan_inference
from accelsim.network import Layer
from accelsim.network.graph_file import parse_network
from accelsim.network.vector import Relu, Relu6
from accelsim.quant import Scheme
from accelsim.simulation.network_values import flow_of
from accelsim.simulation.weights import Weights
from tests.naive.blocks import naive_blocks, naive_forward
from tests.simulation.test_network_values import ATTENTION, complete

MX = Scheme.parse("mxint8")
BLOCKS = {
    "name": "blocks",
    "inputs": {"image": [3, 6, 5]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 40, "kernel": 3, "padding": 1},
        {"name": "relu1", "kind": "relu6"},
        {
            "name": "conv2", "kind": "conv2d", "out_channels": 40, "kernel": 3, "padding": 1,
            "groups": 40, "bias": True,
        },
        {"name": "relu2", "kind": "relu"},
        {"name": "add", "kind": "add", "inputs": ["relu2", "relu1"]},
        {"name": "pool", "kind": "max_pool", "kernel": 2},
        {"name": "gap", "kind": "global_average_pool"},
        {"name": "fc", "kind": "linear", "out_features": 35, "bias": True},
    ],
}  # fmt: skip

FLATTENED = {
    "name": "flattened",
    "inputs": {"image": [3, 4, 3]},
    "sequential": True,
    "layers": [
        {"name": "conv", "kind": "conv2d", "out_channels": 64, "kernel": 2},
        {"name": "fc1", "kind": "linear", "out_features": 40, "bias": True},
        {"name": "fc2", "kind": "linear", "out_features": 5},
    ],
}  # fmt: skip


def stored(reals):
    """What a tensor (batch, ...) stands for in blocks of its channels."""
    elements, scales, _ = naive_blocks(reals, 1 if np.ndim(reals) == 4 else -1)
    return np.ldexp(elements * 1.0, scales - 127 - 6)


def naive_network(network, inputs, fused):
    """The real numbers that each node leaves."""
    held = {name: stored(array) for name, array in inputs.items()}
    batch = len(next(iter(inputs.values())))
    for node in network.nodes:
        work, operands = node.work, [held[name] for name in node.inputs]
        if isinstance(work, Relu | Relu6) and fused:
            held[node.name] = held[node.inputs[0]]
            continue
        if not isinstance(work, Layer):
            held[node.name] = stored(work.forward(operands))
            continue
        own = {n.split(".")[-1]: a for n, a in network.parameters.items()
               if n.startswith(f"{node.name}.")}  # fmt: skip
        x, w = operands[0], own["weights"]
        if node.kind == "linear" and x.ndim == 4:  # flattened as it lies, channels innermost
            w = w.reshape(len(w), *x.shape[1:]).transpose(0, 2, 3, 1).reshape(w.shape)
            x = x.transpose(0, 2, 3, 1)
        x = work.to_nest_input(x.reshape(work.input_shape(batch)))
        bias = np.float32(own["bias"]) if "bias" in own else None
        sums = naive_forward(work.nest(batch), x, work.to_nest_weights(w), bias)
        after = network.consumers_of(node.name)
        if fused and after and isinstance(network.node(after[0]).work, Relu | Relu6):
            top = 6.0 if isinstance(network.node(after[0]).work, Relu6) else np.inf
            sums = np.clip(sums, 0, np.float32(top))
        held[node.name] = stored(work.from_nest_output(np.float64(sums)))
    return held


@pytest.mark.parametrize(
    ("document", "fusion"), [(BLOCKS, "drain"), (BLOCKS, "none"), (FLATTENED, "none")]
)
def test_every_tensor_is_that_of_the_twin(document, fusion):
    network, inputs = complete(document, steps=1)
    hardware = load_hardware("edge", {"fusion": fusion})
    jobs = plan_inference(network, 2, MX, hardware)
    flow = flow_of(MX)(network, 2, MX, hardware, jobs, Weights(network))
    flow.begin(0, inputs[0])
    expected = naive_network(network, inputs[0], fusion == "drain")
    for node in network.nodes:
        flow.take(node)
        own = expected[node.name].reshape(flow.held[node.name].reals.shape)
        np.testing.assert_array_equal(flow.held[node.name].reals, own, err_msg=node.name)


def test_values_cost_no_cycle_and_come_close_to_float():
    network, inputs = complete(BLOCKS, steps=1)
    valued = accelsim.simulate(network, "edge", MX, inputs)
    timed = accelsim.simulate(network, "edge", MX, None, batch=2)
    assert valued.total_cycles == timed.total_cycles
    assert [row.moves for row in valued.operations] == [row.moves for row in timed.operations]
    assert valued.outputs[0].sqnr_db > 25
    assert all(row.numerics.output_scale is None for row in valued.operations)


def test_scales_travel_with_their_tensors():
    """A byte for each 32 channels of a position, as often as the elements move."""
    network = parse_network(BLOCKS, "test")
    result = accelsim.simulate(network, "edge", MX, None)
    moved = {}
    for row in result.operations:
        for move in row.moves:
            key = move.tensor, move.direction
            moved[key] = moved.get(key, 0) + move.bytes
    positions = 6 * 5
    assert moved["image.scales", "load"] == positions
    assert moved["relu1.scales", "store"] == positions * 2
    assert moved["relu1.scales", "load"] == 2 * positions * 2, "conv2 and add read it"
    assert moved["conv2.weights.scales", "load"] == 40 * 9
    assert moved["add.scales", "store"] == moved["add.scales", "load"] == positions * 2
    assert moved["gap.scales", "load"] == 2
    assert moved["fc.scales", "store"] == 2


def test_scales_stay_on_chip_with_their_tensors():
    network = parse_network(BLOCKS, "test")
    chained = accelsim.simulate(
        network, load_hardware("edge", {"fusion": "chain"}), MX, None
    )  # fmt: skip
    in_dram = {move.tensor for row in chained.operations for move in row.moves
               if move.memory == "dram"}  # fmt: skip
    assert "relu1.scales" not in in_dram
    assert "fc.scales" in in_dram


def conv(groups, channels=48):
    return [
        {"name": "first", "kind": "conv2d", "out_channels": channels, "kernel": 1},
        {"name": "odd", "kind": "conv2d", "out_channels": 48, "kernel": 1, "groups": groups},
    ]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (conv(2), "node 'odd' has groups of 24 channels, which must divide 32"),
        ([*conv(1), {"name": "flat", "kind": "reshape", "shape": [-1]}],
         "node 'flat' makes vectors of 192 out of vectors of 48 channels"),
        ([*conv(1), {"name": "fc", "kind": "linear", "out_features": 2}],
         "node 'fc' reads vectors of 48 channels in other pieces"),
        ([*conv(1), {"name": "half", "kind": "scale", "factor": 0.5, "folds": True}],
         "node 'half' multiplies by 0.5 in the requantizer"),
    ],
)  # fmt: skip
def test_what_needs_other_blocks_is_refused_by_node_and_reason(layers, message):
    document = {"name": "odd", "inputs": {"image": [3, 2, 2]}, "sequential": True, "layers": layers}
    with pytest.raises(AccelsimError, match=message):
        accelsim.simulate(parse_network(document, "test"), "edge", MX, None)


def test_a_product_of_two_tensors_is_refused_first():
    with pytest.raises(AccelsimError, match="node 'scores' multiplies two tensors"):
        accelsim.simulate(parse_network(ATTENTION, "test"), "edge", MX, None)
