"""Values through a network: the integers of single layers, close to float where bits are many."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering.plan import plan_inference
from accelsim.network.evaluation import evaluate
from accelsim.network.graph_file import parse_network
from accelsim.quant import Scheme
from accelsim.simulation import compare_networks, simulate_network
from accelsim.simulation.float_network import (
    float_network,
    synthetic_inputs,
    with_synthetic_parameters,
)
from accelsim.simulation.network_values import NetworkValues
from tests.simulation.test_networks import TINY

ATTENTION = {
    "name": "attention",
    "inputs": {"tokens": [6, 8]},
    "sequential": True,
    "layers": [
        {"name": "norm", "kind": "layer_norm"},
        {"name": "ql", "kind": "linear", "out_features": 8, "bias": True},
        {"name": "q0", "kind": "reshape", "shape": [6, 2, 4]},
        {"name": "q", "kind": "transpose", "order": [1, 0, 2]},
        {"name": "kl", "kind": "linear", "out_features": 8, "input": "norm"},
        {"name": "k0", "kind": "reshape", "shape": [6, 2, 4]},
        {"name": "k1", "kind": "transpose", "order": [1, 0, 2]},
        {"name": "k", "kind": "transpose", "order": [0, 2, 1], "folds": True},
        {"name": "scores", "kind": "matmul", "inputs": ["q", "k"]},
        {"name": "scaled", "kind": "scale", "factor": 0.5},
        {"name": "softmax", "kind": "softmax"},
        {"name": "mixed", "kind": "matmul", "inputs": ["softmax", "q"]},
        {"name": "gelu", "kind": "gelu"},
    ],
}


def values_of(document, scheme, hardware, batch=2, steps=2, seed=0):
    """The last step's values of a network with made-up parameters, and the float network."""
    network = parse_network(document, document["name"])
    inputs = synthetic_inputs(network, batch, steps, seed, 0.05)
    network = with_synthetic_parameters(network, inputs[0], seed)
    values = NetworkValues(
        network, plan_inference(network, batch, scheme, hardware), scheme, hardware
    )
    found = [values.step(arrays, number) for number, arrays in enumerate(inputs)][-1]
    return network, inputs[-1], found, evaluate(network, inputs[-1])


@pytest.mark.parametrize("document", [TINY, ATTENTION], ids=lambda d: d["name"])
def test_the_float_network_by_kernels_is_the_one_by_numpy(document):
    scheme, hardware = Scheme.parse("current"), load_hardware("edge")
    network, inputs, _, exact = values_of(document, scheme, hardware, steps=1)
    found = float_network(network, inputs)
    assert found.keys() == exact.keys()
    for name, array in exact.items():
        np.testing.assert_allclose(found[name], array, atol=1e-9)


@pytest.mark.parametrize("document", [TINY, ATTENTION], ids=lambda d: d["name"])
@pytest.mark.parametrize("scheme", ["in-hindsight", "current"])
@pytest.mark.parametrize("fusion", ["none", "drain"])
def test_finely_quantized_values_are_those_of_the_float_network(document, scheme, fusion):
    fine = Scheme.parse(scheme, weight_bits=12, input_bits=14, output_bits=14)
    hardware = load_hardware("edge", {"fusion": fusion})
    _, _, found, exact = values_of(document, fine, hardware, steps=2)
    numerics = found.numerics(exact)
    assert len(numerics) == len(plan_inference(
        parse_network(document, "x"), 2, fine, hardware
    ))  # fmt: skip
    for name, row in numerics.items():
        # A range of the past clips a few; one of the present does not.
        assert row.sqnr_db > (12 if scheme == "in-hindsight" else 45), name
        assert row.overflow_count == 0


def test_a_layer_in_a_network_gives_the_integers_of_the_layer_alone():
    document = {"name": "one", "inputs": {"image": [3, 12, 12]}, "layers": [
        {"name": "conv", "kind": "conv2d", "in_channels": 3, "height": 12, "width": 12,
         "out_channels": 8, "kernel": 3, "bias": True, "input": "image"},
    ]}  # fmt: skip
    scheme, hardware = Scheme.parse("current"), load_hardware("edge")
    network, image, found, _ = values_of(document, scheme, hardware, steps=1)
    layer = network.layer("conv")
    tensors = accelsim.StepTensors(
        image["image"], network.parameters["conv.weights"], network.parameters["conv.bias"]
    )
    for realisation in ("current/spill", "current/recompute"):
        alone = accelsim.simulate(layer, hardware, realisation, tensors)
        np.testing.assert_array_equal(found.held["conv"].integers, alone.output)
        assert found.held["conv"].grid.scale == alone.numerics.output_scale


@pytest.mark.parametrize("kind", ["relu", "relu6"])
@pytest.mark.parametrize("outputs", ["asymmetric", "symmetric"])
def test_an_activation_at_the_drain_clamps_and_has_the_finer_grid(kind, outputs):
    layers = [
        {"name": "conv", "kind": "conv2d", "out_channels": 8, "kernel": 3},
        {"name": "act", "kind": kind},
    ]
    document = {**TINY, "layers": layers}
    scheme = replace(Scheme.parse("current"), outputs=outputs)
    sqnr = {}
    for fusion in ("none", "drain"):
        hardware = load_hardware("edge", {"fusion": fusion})
        _, _, found, exact = values_of(document, scheme, hardware, steps=1)
        reals = found.held["act"].reals
        assert reals.min() == 0
        assert kind == "relu" or reals.max() <= 6 + found.held["act"].grid.scale
        sqnr[fusion] = list(found.numerics(exact).values())[-1].sqnr_db
    assert sqnr["drain"] >= sqnr["none"] - 0.5
    assert outputs == "symmetric" or sqnr["drain"] > sqnr["none"] + 1


def test_what_a_consumer_reads_are_the_integers_its_producer_left():
    scheme, hardware = Scheme.parse("current"), load_hardware("edge")
    _, _, found, _ = values_of(TINY, scheme, hardware)
    held = found.held
    # A maximum, a view and an applied activation keep the grid; the pool takes its integers as is.
    assert held["relu1"] is held["bn1"] is held["conv1"]
    assert held["pool"].grid == held["conv1"].grid
    blocks = held["relu1"].integers.reshape(2, 8, 6, 2, 6, 2)
    np.testing.assert_array_equal(held["pool"].integers, blocks.max(axis=(3, 5)))


def test_values_change_no_byte_and_no_cycle_and_the_report_says_synthetic():
    network = parse_network(TINY, "tiny")
    timed = compare_networks(network, batch=2)
    valued = compare_networks(network, batch=2, data="synthetic")
    for one, other in zip(timed.results, valued.results, strict=True):
        assert other.data == "synthetic" and one.data == "none"
        assert other.step == 1
        rows = zip(one.operations, other.operations, strict=True)
        assert all(a == replace(b, numerics=None) for a, b in rows)
        assert all(row.numerics for row in other.operations)
    again = compare_networks(network, batch=2, data="synthetic")
    assert again.to_json() == valued.to_json()
    other = compare_networks(network, batch=2, data="synthetic", seed=1)
    assert other.to_json() != valued.to_json()


def test_realisations_of_one_range_give_the_same_values():
    results = compare_networks(
        parse_network(TINY, "tiny"), "edge",
        ["current/spill", "current/recompute", "current/lazy"], data="synthetic",
    ).results  # fmt: skip
    numerics = [[row.numerics for row in result.operations] for result in results]
    assert numerics[0] == numerics[1] == numerics[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "real"}, "data='real'"),
        ({"data": "synthetic", "steps": 1}, "steps = 1"),
        ({"data": "synthetic", "seed": -1}, "seed"),
    ],
)
def test_a_mistake_is_one_line(arguments, message):
    with pytest.raises(AccelsimError, match=message) as error:
        simulate_network(parse_network(TINY, "tiny"), **arguments)
    assert "\n" not in str(error.value)
