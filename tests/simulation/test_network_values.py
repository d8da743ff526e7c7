"""Real tensors through whole networks: the bits of an obvious twin, held against float."""

import json
from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering.plan import plan_inference
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.network import SyntheticInputs, evaluate, load_network, with_parameters
from accelsim.network.graph_file import parse_network
from accelsim.quant import Scheme
from accelsim.result import NetworkComparison
from accelsim.simulation import compare, simulate
from accelsim.simulation.flow import Flow
from accelsim.simulation.weights import Weights
from tests.naive.network import NaiveNetwork
from tests.network.test_backward import GATES
from tests.simulation.test_networks import TINY

RESIDUAL = {
    "name": "residual",
    "inputs": {"image": [3, 9, 10]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 6, "kernel": 3, "padding": 1},
        {"name": "bn1", "kind": "batch_norm"},
        {"name": "relu1", "kind": "relu"},
        {"name": "pool", "kind": "max_pool", "kernel": 3, "stride": 2, "padding": 1},
        {"name": "conv2", "kind": "conv2d", "out_channels": 6, "kernel": 3, "padding": 1},
        {"name": "bn2", "kind": "batch_norm"},
        {"name": "add", "kind": "add", "inputs": ["bn2", "pool"]},
        {"name": "relu2", "kind": "relu"},
        {"name": "conv3", "kind": "conv2d", "out_channels": 4, "kernel": 3, "stride": 2},
        {"name": "relu3", "kind": "relu"},
        {"name": "gap", "kind": "global_average_pool"},
        {"name": "fc", "kind": "linear", "out_features": 5, "bias": True},
    ],
}

ATTENTION = {
    "name": "attention",
    "inputs": {"tokens": [7, 12]},
    "sequential": True,
    "layers": [
        {"name": "q", "kind": "linear", "out_features": 12, "bias": True, "rows": 7},
        {"name": "qs", "kind": "reshape", "shape": [7, 3, 4]},
        {"name": "qh", "kind": "transpose", "order": [1, 0, 2]},
        {
            "name": "k", "kind": "linear", "out_features": 12, "bias": True, "rows": 7,
            "input": "tokens",
        },
        {"name": "ks", "kind": "reshape", "shape": [7, 3, 4]},
        {"name": "kh", "kind": "transpose", "order": [1, 2, 0], "folds": True},
        {"name": "scores", "kind": "matmul", "inputs": ["qh", "kh"]},
        {"name": "scaled", "kind": "scale", "factor": 0.5, "folds": True},
        {"name": "shares", "kind": "softmax"},
        {"name": "mixed", "kind": "matmul", "inputs": ["shares", "qh"]},
    ],
}  # fmt: skip


def complete(document, batch=2, seed=3, steps=3):
    """The network with made-up parameters, and the inputs of some steps."""
    network = parse_network(document, "test")
    inputs = list(SyntheticInputs(network, batch, seed, "walk:0.3").steps(steps))
    return with_parameters(network, inputs[0], seed), inputs


@pytest.mark.parametrize("document", [RESIDUAL, ATTENTION], ids=["residual", "attention"])
@pytest.mark.parametrize("fusion", ["none", "drain"])
@pytest.mark.parametrize("name", ["current", "in-hindsight"])
def test_every_tensor_has_the_bits_of_the_naive_twin(document, fusion, name):
    network, steps = complete(document)
    hardware, scheme = load_hardware("edge", {"fusion": fusion}), Scheme.parse(name)
    jobs = plan_inference(network, 2, scheme, hardware)
    flow = Flow(network, 2, scheme, hardware, jobs, Weights(network))
    twin = NaiveNetwork(network, dynamic=name == "current", fused=fusion == "drain")
    for number, inputs in enumerate(steps):
        expected = twin.step(inputs)
        flow.begin(number, inputs)
        for node in network.nodes:
            flow.take(node)
            integers, scale, zero_point = expected[node.name]
            held = flow.held[node.name]
            assert (held.grid.scale, held.grid.zero_point) == (scale, zero_point), node.name
            np.testing.assert_array_equal(held.integers, integers, err_msg=node.name)
            assert len(np.unique(integers)) > 3


@pytest.mark.parametrize("fusion", ["none", "drain"])
def test_activations_and_gates_lose_no_more_than_their_bits(fusion):
    network = parse_network(GATES, "test")
    found = {}
    for bits in (8, 14):
        scheme = Scheme("current", "spill", input_bits=bits, weight_bits=bits, output_bits=bits)
        hardware = load_hardware("edge", {"fusion": fusion})
        found[bits] = simulate(network, hardware, scheme, batch=4, seed=1)
    for coarse, fine in zip(found[8].operations, found[14].operations, strict=True):
        assert coarse.numerics.sqnr_db > 25, fine.node
        assert fine.numerics.sqnr_db > coarse.numerics.sqnr_db + 25, fine.node
    applied = {row.node: row.applies for row in found[8].operations}
    assert applied["gated"] == () and applied["conv"] == ()


@pytest.mark.parametrize("realisation", ["recompute", "resident", "lazy"])
def test_what_a_program_does_about_a_range_changes_no_value(realisation):
    network, steps = complete(RESIDUAL)
    one, other = (
        simulate(network, "edge", f"current/{name}", steps) for name in ("spill", realisation)
    )
    assert [row.numerics for row in one.operations] == [row.numerics for row in other.operations]
    assert one.outputs == other.outputs
    assert one.total_bytes != other.total_bytes


@pytest.mark.parametrize("training", [None, TrainingOptions()])
def test_schemes_that_leave_the_same_values_compute_them_once(training):
    network = parse_network(RESIDUAL, "test")
    schemes = ["in-hindsight", *(f"current/{name}" for name in ("spill", "spill16", "lazy"))]
    seen = []

    def count(chosen):
        seen.clear()
        found = compare(
            network, "edge", chosen, batch=2, training=training,
            progress=lambda done, total: seen.append(total),
        )  # fmt: skip
        return found, seen[-1]

    (together, pieces), *alone = (count(chosen) for chosen in (schemes, *([s] for s in schemes)))
    for result, (own, _) in zip(together.results, alone, strict=True):
        assert result == own.baseline
    values = 2 * (1 if training is None else 2) * len(network.nodes)
    assert pieces == sum(own for _, own in alone) - values
    assert together.results[1].outputs == together.results[3].outputs
    assert together.results[1].outputs != together.results[2].outputs


def test_stored_accumulators_of_16_bits_cost_accuracy():
    network, steps = complete(RESIDUAL)
    exact, rounded = compare(network, "edge", ["current/spill", "current/spill16"], steps).results
    assert exact.outputs != rounded.outputs
    assert rounded.outputs[0].sqnr_db > 20


@pytest.mark.parametrize("document", [RESIDUAL, ATTENTION], ids=["residual", "attention"])
def test_the_float_network_is_the_limit_of_many_bits(document):
    network, steps = complete(document)
    fine = {"input_bits": 13, "weight_bits": 13, "output_bits": 13}
    result = simulate(network, "edge", Scheme("current", "spill", **fine), steps)
    assert all(row.numerics.overflow_count == 0 for row in result.operations)
    assert all(row.numerics.sqnr_db > 50 for row in result.operations)
    (output,) = result.outputs
    assert output.sqnr_db > 50 and output.cosine > 0.99999


@pytest.mark.parametrize(
    "scheme", ["in-hindsight", "current", "current/lazy", "sigma-ema", "delayed"]
)
def test_time_and_bytes_are_the_same_with_values_and_without(scheme):
    valued = simulate("digits-cnn", "edge", scheme, "synthetic", batch=2)
    timed = simulate("digits-cnn", "edge", scheme, None, batch=2)
    assert (valued.data, timed.data) == ("synthetic", "none")
    for row, other in zip(valued.operations, timed.operations, strict=True):
        assert row.numerics is not None and other.numerics is None
        assert (row.total_cycles, row.moves, row.actions) == (
            other.total_cycles, other.moves, other.actions,
        )  # fmt: skip


def test_the_same_again_whatever_runs_beside_it():
    both = compare("digits-cnn", data="synthetic", batch=3, steps=3)
    assert both.to_json() == compare("digits-cnn", data="synthetic", batch=3, steps=3).to_json()
    assert NetworkComparison.from_json(both.to_json()) == both
    alone = simulate("digits-cnn", "edge", "current", "synthetic", batch=3, steps=3)
    assert alone == both.results[1]
    assert json.loads(both.to_json())["results"][0]["weights"] == "synthetic"


def test_errors_are_those_of_the_stored_tensor_against_the_float_network():
    network, steps = complete(RESIDUAL)
    result = simulate(network, "edge", "current", steps)
    floats = evaluate(network, steps[-1])
    rows = {row.node: row for row in result.operations}
    assert list(rows) == ["conv1", "pool", "conv2", "add", "conv3", "gap", "fc"]
    seen = rows["conv1"].numerics
    assert seen.range_observed.minimum == 0  # the ReLU that it applies is in it
    assert seen.range_observed.maximum == pytest.approx(floats["relu1"].max(), rel=0.03)
    assert rows["add"].numerics.range_observed.maximum == pytest.approx(
        floats["relu2"].max(), rel=0.05
    )
    assert result.outputs[0].top1_agreement in (0.0, 0.5, 1.0)


def test_what_a_relu_cuts_is_not_saturation():
    network, steps = complete(RESIDUAL)
    result = simulate(network, "edge", "current", steps)
    assert {row.numerics.saturated_share for row in result.operations} == {0.0}
    late = simulate(network, "edge", "fixed:maximum=1.0", steps)
    assert 0 < late.operations[0].numerics.saturated_share < 0.5


def test_a_network_brings_its_own_weights_and_inputs():
    network, steps = complete(RESIDUAL)
    result = simulate(network, "edge", "current", steps)
    assert (result.data, result.weights, result.batch, result.step) == ("given", "given", 2, 2)
    calibrated = simulate(network, "edge", "in-hindsight", steps, calibrate=2)
    assert (calibrated.step, calibrated.calibration_batches) == (0, 2)
    plain = simulate(network, "edge", "in-hindsight", steps)
    assert calibrated.operations[0].numerics == plain.operations[0].numerics


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 1}, "steps=1: scheme 'in-hindsight/static' needs a past"),
        ({"data": "real"}, "data='real': must be 'synthetic'"),
        ({"data": []}, "must hold at least one step"),
        (
            {"data": {"picture": np.zeros((1, 1, 8, 8))}},
            "must hold the inputs of digits",
        ),
        ({"data": {"image": np.zeros((1, 8, 8))}}, r"must be real numbers \(batch, 1, 8, 8\)"),
        ({"data": {"image": np.full((1, 1, 8, 8), np.nan)}}, "must be finite"),
        ({"batch": 100_000}, r"conv2 of digits-cnn reads and writes .* take a smaller batch"),
        ({"schemes": ["block-householder"]}, "in the next operation is not modelled; name a layer"),
    ],
)
def test_what_cannot_run_is_one_line(arguments, message):
    with pytest.raises(AccelsimError, match=message):
        compare("digits-cnn", **{"data": "synthetic", **arguments})


def test_a_network_with_unknown_work_runs_without_values():
    layers = [*RESIDUAL["layers"][:4], {"name": "odd", "kind": "opaque", "shape": [6, 5, 5]}]
    network = parse_network({**RESIDUAL, "layers": layers}, "test")
    with pytest.raises(AccelsimError, match="'odd': what it computes is not known"):
        simulate(network, data="synthetic")
    assert simulate(network, data=None).total_bytes > 0


def test_layers_that_nothing_connects_run_too():
    result = simulate("table5", "edge", "current", "synthetic")
    assert [row.node for row in result.operations] == list(load_network("table5").layer_names)
    assert len(result.outputs) == len(result.operations)
    assert all(30 < row.numerics.sqnr_db < 50 for row in result.operations)


def held_of(document, scheme, hardware):
    """What lies in memory after a step, the network, its inputs and the float network."""
    network, (inputs,) = complete(document, steps=1)
    jobs = plan_inference(network, 2, scheme, hardware)
    flow = Flow(network, 2, scheme, hardware, jobs, Weights(network))
    flow.begin(0, inputs)
    for node in network.nodes:
        flow.take(node)
    return network, inputs, flow.held, evaluate(network, inputs)


def test_a_layer_in_a_network_gives_the_integers_of_the_layer_alone():
    document = {"name": "one", "inputs": {"image": [3, 12, 12]}, "layers": [
        {"name": "conv", "kind": "conv2d", "in_channels": 3, "height": 12, "width": 12,
         "out_channels": 8, "kernel": 3, "bias": True, "input": "image"},
    ]}  # fmt: skip
    scheme, hardware = Scheme.parse("current"), load_hardware("edge")
    network, image, found, _ = held_of(document, scheme, hardware)
    layer = network.layer("conv")
    tensors = accelsim.StepTensors(
        image["image"], network.parameters["conv.weights"], network.parameters["conv.bias"]
    )
    for realisation in ("current/spill", "current/recompute"):
        alone = accelsim.simulate(layer, hardware, realisation, tensors)
        np.testing.assert_array_equal(found["conv"].integers, alone.output)
        assert found["conv"].grid.scale == alone.numerics.output_scale


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
        _, _, found, exact = held_of(document, scheme, hardware)
        reals = found["act"].reals
        assert reals.min() == 0
        assert kind == "relu" or reals.max() <= 6 + found["act"].grid.scale
        sqnr[fusion] = found["act"].numerics(exact["act"]).sqnr_db
    assert sqnr["drain"] >= sqnr["none"] - 0.5
    assert outputs == "symmetric" or sqnr["drain"] > sqnr["none"] + 1


def test_what_a_consumer_reads_are_the_integers_its_producer_left():
    scheme, hardware = Scheme.parse("current"), load_hardware("edge")
    _, _, found, _ = held_of(TINY, scheme, hardware)
    # A maximum, a view and an applied activation keep the grid; the pool takes its integers as is.
    assert found["relu1"] is found["bn1"] is found["conv1"]
    assert found["pool"].grid == found["conv1"].grid
    blocks = found["relu1"].integers.reshape(2, 8, 6, 2, 6, 2)
    np.testing.assert_array_equal(found["pool"].integers, blocks.max(axis=(3, 5)))
