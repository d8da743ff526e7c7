"""Training steps of whole networks with values: the bits of an obvious twin, held against float."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim import compare, simulate
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.lowering.training_plan import plan_training
from accelsim.network import range_normalized, with_parameters
from accelsim.network.graph_file import parse_network
from accelsim.network.synthetic_examples import SyntheticExamples
from accelsim.quant import Policy, Scheme
from accelsim.result import NetworkComparison
from accelsim.simulation.training_values import Learner
from tests.naive.training import NaiveTraining
from tests.network.test_backward import ATTENTION, CONVOLUTIONS, GATES, OTHERS, PERCEPTRON

PLAIN = TrainingOptions()

# The mean of three integers is no tie of rounding, which a last bit of float64 would decide.
RESIDUAL = {
    "name": "residual",
    "inputs": {"image": [2, 6, 12]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 4, "kernel": 3, "padding": 1},
        {"name": "bn1", "kind": "batch_norm"},
        {"name": "relu1", "kind": "relu"},
        {"name": "pool", "kind": "max_pool", "kernel": 2},
        {"name": "conv2", "kind": "conv2d", "out_channels": 4, "kernel": 3, "padding": 1},
        {"name": "add", "kind": "add", "inputs": ["conv2", "pool"]},
        {"name": "conv3", "kind": "conv2d", "out_channels": 5, "kernel": [2, 3], "stride": [3, 2],
         "padding": [1, 0, 0, 1], "bias": True},
        {"name": "relu3", "kind": "relu"},
        {"name": "gap", "kind": "global_average_pool"},
        {"name": "fc", "kind": "linear", "out_features": 3, "bias": True},
    ],
}  # fmt: skip


def examples(network, batch=4, steps=3, seed=2):
    return list(SyntheticExamples(network, batch, seed, "walk:0.3").steps(steps))


def learner(network, scheme, options=PLAIN, hardware=None, batch=4):
    hardware = hardware or load_hardware("edge", {"fusion": "none"})
    policy = scheme if isinstance(scheme, Policy) else Policy.parse(scheme)
    jobs = plan_training(network, batch, policy, hardware, options)
    return Learner(network, batch, policy, hardware, jobs, options)


def trained(document, scheme, steps=2, batch=4, **options):
    """The result of some steps of a network on its own examples."""
    network = parse_network(document, "test") if isinstance(document, dict) else document
    hardware = load_hardware("edge", options.pop("machine", {}))
    return simulate(network, hardware, scheme, batch=batch, steps=steps, seed=2,
                    training=TrainingOptions(**options))  # fmt: skip


def follow(ours, twin, steps):
    """Train both, step by step: a loss, every gradient and every weight are the twin's."""
    (output,) = ours.network.outputs
    for number, arrays in enumerate(steps):
        loss = twin.step({"image": arrays["image"]}, arrays[f"{output}.labels"])
        ours.take(number, arrays)
        assert ours.loss == pytest.approx(loss, rel=1e-12)
        assert set(ours.backward.parameters) == set(twin.gradients)
        for tensor, gradient in twin.gradients.items():
            # Products have an order of their own; sums of the vector unit are rounded once.
            exact = tensor.endswith(".weights")
            np.testing.assert_allclose(
                ours.backward.parameters[tensor], gradient, rtol=0 if exact else 1e-6,
                atol=0 if exact else 1e-9, err_msg=tensor,
            )  # fmt: skip
            np.testing.assert_allclose(
                ours.descent.parameters[tensor], twin.parameters[tensor], rtol=1e-6, atol=1e-7
            )


@pytest.mark.parametrize("name", ["current", "in-hindsight"])
def test_every_gradient_and_every_weight_has_the_bits_of_the_naive_twin(name):
    network = parse_network(RESIDUAL, "test")
    steps = examples(network)
    network = with_parameters(network, steps[0], 2, training=True)
    ours = learner(network, name, TrainingOptions(learning_rate=0.5))
    follow(ours, NaiveTraining(network, dynamic=name == "current", rate=0.5), steps)


@pytest.mark.parametrize(
    "document",
    [PERCEPTRON, CONVOLUTIONS, ATTENTION, OTHERS, GATES, RESIDUAL],
    ids=lambda d: d["name"],
)
def test_the_float_gradients_are_the_limit_of_many_bits(document):
    """14 bits: sums of 16-bit products leave accumulators of 32 bits."""
    found = {}
    for bits in (8, 14):
        wide = {"input_bits": bits, "weight_bits": bits, "output_bits": bits}
        scheme = Scheme("current", "spill", **wide)
        found[bits] = trained(document, scheme, steps=1, gradient_bits=bits)
        assert all(row.numerics.overflow_count == 0 for row in found[bits].operations)
    for coarse, fine in zip(found[8].operations, found[14].operations, strict=True):
        name = fine.node, fine.phase
        assert fine.numerics.sqnr_db > 40, name
        assert coarse.numerics.sqnr_db > 5, name
        assert fine.numerics.sqnr_db > coarse.numerics.sqnr_db + 12, name
    assert found[14].steps[0].loss == pytest.approx(found[14].steps[0].float_loss, rel=1e-3)


@pytest.mark.parametrize("scheme", ["in-hindsight", "current/lazy"])
@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
def test_time_and_bytes_are_the_same_with_values_and_without(scheme, fusion):
    network, hardware = parse_network(RESIDUAL, "test"), load_hardware("edge", {"fusion": fusion})
    for options in (PLAIN, TrainingOptions(bifurcation=True, momentum=True),
                    TrainingOptions(weight_gradient_bits=8)):  # fmt: skip
        valued = simulate(network, hardware, scheme, batch=2, training=options)
        timed = simulate(network, hardware, scheme, None, batch=2, training=options)
        assert (valued.data, timed.data) == ("synthetic", "none")
        for row, other in zip(valued.operations, timed.operations, strict=True):
            assert row.numerics is not None, (row.node, row.phase)
            assert row == replace(other, numerics=row.numerics)


def test_the_same_again_whatever_runs_beside_it():
    network, options = parse_network(CONVOLUTIONS, "test"), TrainingOptions(momentum=True)
    both, again = (compare(network, batch=3, steps=3, training=options) for _ in range(2))
    assert both.to_json() == again.to_json()
    assert NetworkComparison.from_json(both.to_json()) == both
    alone = simulate(network, "edge", "current", batch=3, steps=3, training=options)
    assert alone == both.results[1]
    assert [step.step for step in alone.steps] == [0, 1, 2]
    assert (alone.step, alone.options["learning_rate"]) == (2, 0.01)


@pytest.mark.parametrize("options", [{}, {"bifurcation": True}, {"weight_gradient_bits": 8}])
@pytest.mark.parametrize(
    "realisations",
    [
        ("in-hindsight/static", "in-hindsight/spill", "in-hindsight/recompute"),
        ("current/spill", "current/lazy", "current/recompute", "current/resident"),
    ],
)
def test_what_is_done_about_a_range_changes_no_bit(realisations, options):
    first, *others = (trained(RESIDUAL, scheme, steps=3, **options) for scheme in realisations)
    for other in others:
        assert other.steps == first.steps
        assert [r.numerics for r in other.operations] == [r.numerics for r in first.operations]
        assert other.total_bytes > first.total_bytes or "current" in first.scheme


def test_a_range_in_hindsight_is_that_of_the_step_before():
    hindsight = trained(RESIDUAL, "in-hindsight", steps=2)
    current = trained(RESIDUAL, "current", steps=1)
    assert hindsight.steps[0] == current.steps[0]  # its first step is a bootstrap
    checked = 0
    for late, early in zip(hindsight.operations, current.operations, strict=True):
        if late.phase != "update" and late.numerics.output_scale is not None:
            derived = late.kind in ("global_average_pool", "relu", "max_pool")
            if not derived:
                assert late.numerics.range_used == early.numerics.range_observed
                checked += 1
    assert checked >= 9


def test_gradients_have_estimators_of_their_own():
    mixed, static, dynamic = (
        trained(RESIDUAL, scheme, steps=2, learning_rate=0.0)
        for scheme in (
            "activations=current,gradients=in-hindsight", "in-hindsight", "current",
        )
    )  # fmt: skip

    def figures(result, *phases):
        return [row.numerics for row in result.operations if row.phase in phases]

    assert figures(mixed, "forward") == figures(dynamic, "forward")
    assert figures(mixed, "forward") != figures(static, "forward")
    assert figures(mixed, "grad-input") != figures(dynamic, "grad-input")


def test_training_on_what_can_be_told_apart_lowers_the_loss_as_float_does():
    options = TrainingOptions(momentum=True, learning_rate=0.05)
    schemes = ["in-hindsight", "current", "current/spill16"]
    found = compare("digits-cnn", "edge", schemes, batch=12, steps=24, seed=2, training=options)
    for result in found.results:
        losses = [(step.loss, step.float_loss) for step in result.steps]
        first, last = np.mean(losses[:3], axis=0), np.mean(losses[-3:], axis=0)
        assert (last < 0.6 * first).all()
        assert abs(last[0] - last[1]) < 0.15 * first[1]


def test_the_update_follows_gradient_rate_and_momentum():
    network = parse_network(PERCEPTRON, "test")
    (arrays,) = examples(network, steps=1)
    complete = with_parameters(network, arrays, 2, training=True)
    still, moved, faster = (
        simulate(complete, "edge", "current", [arrays] * 3, training=TrainingOptions(**options))
        for options in (
            {"learning_rate": 0.0}, {"learning_rate": 0.1},
            {"learning_rate": 0.1, "momentum": True},
        )
    )  # fmt: skip
    assert len({step.loss for step in still.steps}) == 1
    losses = [[step.loss for step in result.steps] for result in (moved, faster)]
    assert losses[0][0] == losses[1][0] > losses[0][1] == losses[1][1] > losses[0][2]
    assert losses[0][2] > losses[1][2]
    ours = learner(complete, "current", TrainingOptions(momentum=True))
    before = ours.descent.parameters["fc1.weights"].copy()
    ours.take(0, arrays)
    first = ours.backward.parameters["fc1.weights"]
    ours.take(1, arrays)
    second = np.float32(0.9) * first + ours.backward.parameters["fc1.weights"]
    rate = np.float32(0.01)
    np.testing.assert_array_equal(
        ours.descent.parameters["fc1.weights"], before - rate * first - rate * second
    )


def test_batches_of_the_calibration_update_nothing():
    network = parse_network(RESIDUAL, "test")
    steps = examples(network)
    result = simulate(network, "edge", "in-hindsight", steps, calibrate=2, training=PLAIN)
    complete = with_parameters(network, steps[0], 0, training=True)
    ours = learner(complete, "in-hindsight", hardware=load_hardware("edge"))
    before = ours.descent.parameters["conv1.weights"].copy()
    ours.take(-2, steps[0])
    ours.take(-1, steps[1])
    np.testing.assert_array_equal(ours.descent.parameters["conv1.weights"], before)
    ours.take(0, steps[2])
    assert (ours.descent.parameters["conv1.weights"] != before).any()
    assert [step.loss for step in result.steps] == [ours.loss]
    assert result.calibration_batches == 2


def test_bifurcation_gives_the_weights_a_finer_gradient():
    plain, twice = (
        trained(PERCEPTRON, "current", steps=1, gradient_bits=4, bifurcation=b)
        for b in (False, True)
    )
    one, other = (
        {row.node: row.numerics.sqnr_db for row in result.phase("grad-weight").operations
         if row.macs}
        for result in (plain, twice)
    )  # fmt: skip
    assert other["fc2"] > one["fc2"] + 6
    assert other["fc1"] > one["fc1"]  # its gradient came back through 4 bits


def test_quantized_weight_gradients_are_coarser_and_have_a_grid():
    plain, coarse = (
        trained(RESIDUAL, "current", steps=1, weight_gradient_bits=bits) for bits in (None, 4)
    )
    for one, other in zip(plain.operations, coarse.operations, strict=True):
        if one.phase == "grad-weight" and one.macs:
            assert (one.numerics.levels_used, one.numerics.output_scale) == (0, None)
            assert 1 < other.numerics.levels_used <= 16
            assert other.numerics.sqnr_db < one.numerics.sqnr_db
        elif one.phase != "update":
            assert one.numerics == other.numerics


def test_a_stochastic_requantizer_rounds_gradients_at_random_and_without_bias():
    network = parse_network(RESIDUAL, "test")
    (arrays,) = examples(network, steps=1)
    network = with_parameters(network, arrays, 2, training=True)
    hardware = load_hardware("edge", {"requantizer.mode": "stochastic"})
    sums, one = [], None
    for seed in range(12):
        scheme = Scheme.parse("current", seed=seed)
        policy = Policy(replace(scheme, seed=0), scheme)  # gradients alone draw anew
        ours = learner(network, policy, TrainingOptions(gradient_bits=5), hardware)
        ours.take(0, arrays)
        sums.append(ours.backward.parameters["conv1.weights"])
        one = ours if seed == 0 else one
    again = learner(network, Policy.parse("current"), TrainingOptions(gradient_bits=5), hardware)
    again.take(0, arrays)
    np.testing.assert_array_equal(again.backward.parameters["conv1.weights"], sums[0])
    assert any((other != sums[0]).any() for other in sums[1:])
    fine = learner(network, Policy.parse("current"), TrainingOptions(gradient_bits=16), hardware)
    fine.take(0, arrays)
    exact = fine.backward.parameters["conv1.weights"]
    alone = np.mean([np.linalg.norm(each - exact) for each in sums])
    assert np.linalg.norm(np.mean(sums, axis=0) - exact) < 0.5 * alone


def test_range_batch_norm_takes_the_statistics_that_the_drain_saw():
    network = range_normalized(parse_network(RESIDUAL, "test"))
    (arrays,) = examples(network, steps=1)
    network = with_parameters(network, arrays, 2, training=True)
    coarse = Policy.parse("current", output_bits=4)
    ours = learner(network, coarse)
    ours._forward(0, arrays)
    image, weights = ours.forward.held["image"], ours.forward.weights
    made = weights.of(network.node("conv1"), coarse.activations)
    w = made.grid.dequantize(made.integers).transpose(0, 3, 1, 2)
    padded = np.pad(image.reals, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    exact = np.einsum("bchwij,ncij->bnhw", windows, w)
    norm = network.node("bn1").work
    own = [network.parameters[f"bn1.{name}"] for name in norm.parameter_shapes()]
    expected = norm.forward([ours.forward.held["conv1"].reals, *own[:2], *norm.statistics(exact)])
    held = ours.forward.held["bn1"]
    np.testing.assert_array_equal(held.integers, held.grid.quantize(expected))
    stored = norm.forward([ours.forward.held["conv1"].reals, *own], training=True)
    assert (held.integers != held.grid.quantize(stored)).any()
    result = trained(network, "current", steps=1)
    assert all(row.numerics.sqnr_db > 3 for row in result.operations)


def test_a_network_is_trained_towards_what_is_given():
    network = parse_network(PERCEPTRON, "test")
    image = np.random.default_rng(0).normal(size=(2, 7))
    by_labels = {"image": image, "fc2.labels": np.array([2, 0])}
    by_gradient = {"image": image, "fc2.gradient": np.full((2, 3), 0.25)}
    one, other = (
        simulate(network, "edge", "current", data, training=PLAIN)
        for data in (by_labels, by_gradient)
    )
    assert (one.data, one.drift, one.batch) == ("given", None, 2)
    assert one.steps[0].loss > 0 and one.steps[0].loss != other.steps[0].loss
    assert other.steps[0].loss == pytest.approx(other.steps[0].float_loss, rel=0.1)


def test_layers_that_nothing_connects_are_trained_too():
    layers = [
        {"name": "a", "kind": "conv2d", "in_channels": 2, "height": 5, "width": 6,
         "out_channels": 4, "kernel": 3},
        {"name": "b", "kind": "linear", "in_features": 7, "out_features": 3},
    ]  # fmt: skip
    result = trained({"name": "two", "layers": layers}, "current", steps=1)
    assert {row.phase for row in result.operations} == {"forward", "grad-weight", "update"}
    assert all(row.numerics.sqnr_db > 20 for row in result.operations)


@pytest.mark.parametrize("first", ["batch_norm", "range_batch_norm", "bias", "gain"])
def test_what_is_learned_at_an_input_has_a_gradient_and_the_input_has_none(first):
    own = {"shape": [3, 1, 1]} if first in ("bias", "gain") else {"folds": False}
    own |= {"from_drain": False} if first == "range_batch_norm" else {}
    result = trained(
        {
            "name": "gated",
            "inputs": {"image": [3, 6, 6], "gate": [3, 6, 6]},
            "layers": [
                {"name": "norm", "kind": first, "input": "image", **own},
                {"name": "gated", "kind": "mul", "inputs": ["norm", "gate"]},
                {"name": "conv", "kind": "conv2d", "input": "gated", "out_channels": 4,
                 "kernel": 3},
                {"name": "gap", "kind": "global_average_pool", "input": "conv"},
                {"name": "fc", "kind": "linear", "input": "gap", "out_features": 3},
            ],
        },
        "current", machine={"fusion": "none"}, learning_rate=1.0,
    )  # fmt: skip
    rows = {(row.node, row.phase): row for row in result.operations}
    moved = {m.tensor for row in result.operations for m in row.moves if m.direction == "store"}
    assert "norm.parameters.gradient" in moved
    assert not {"norm.gradient-input", "gated.gradient-input 2"} & moved
    assert rows["norm", "update"].numerics.sqnr_db > 15
    assert rows["norm", "grad-input"].total_bytes > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 1}, "steps=1: scheme 'in-hindsight/static' needs a past"),
        ({"data": {"image": np.zeros((1, 7))}}, "holds neither of fc2.labels and fc2.gradient"),
        ({"data": {"fc2.labels": [0]}}, "must hold the inputs of perceptron, image, and what its"),
        ({"schemes": ["per-sample"]}, "join samples whose ranges differ; allowed: data=None"),
        ({"training": {"learning_rate": -1}}, "learning_rate=-1: must be a number from 0 to 100"),
        ({"training": {"learning_rate": float("nan")}}, "learning_rate=nan: must be a number"),
    ],
)
def test_what_cannot_be_trained_is_one_line(arguments, message):
    network = parse_network(PERCEPTRON, "test")
    with pytest.raises(AccelsimError, match=message):
        options = TrainingOptions(**arguments.pop("training", {}))
        compare(network, **arguments, training=options)


def test_a_training_that_would_not_fit_memory_is_refused():
    with pytest.raises(AccelsimError, match=r"all tensors of vgg16 have .* take a smaller batch"):
        simulate("vgg16", training=PLAIN, batch=16)
