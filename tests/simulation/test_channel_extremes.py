"""A norm of channels: the range of its result follows from the extremes of its operand's channels.

So an estimator that needs no more than extremes makes no vector work go over its operand again.
"""

import numpy as np
import pytest
from hypothesis import given

from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.lowering.plan import plan_inference
from accelsim.lowering.training_plan import plan_training
from accelsim.network import range_normalized, with_parameters
from accelsim.network.graph_file import parse_network
from accelsim.network.synthetic_examples import SyntheticExamples
from accelsim.numerics import RequantizationMode
from accelsim.quant import Observation, Policy, Range, Scheme, estimator_names, make_estimator
from accelsim.simulation.training_values import Learner
from tests.kernels.test_requantize import quick, tensors, whole

BATCH, CHANNELS, SIDE = 4, 8, 12
ELEMENTS = BATCH * CHANNELS * SIDE * SIDE
WAITING = "current", "running", "power-of-two"
DETERMINISTIC = [mode for mode in RequantizationMode if mode is not RequantizationMode.STOCHASTIC]

NORMED = {
    "name": "normed",
    "inputs": {"image": [3, SIDE, SIDE]},
    "sequential": True,
    "layers": [
        {"name": "conv", "kind": "conv2d", "out_channels": CHANNELS, "kernel": 3, "padding": 1},
        {"name": "bn", "kind": "batch_norm"},
        {"name": "relu", "kind": "relu"},
        {"name": "again", "kind": "batch_norm", "folds": False},
        {"name": "gap", "kind": "global_average_pool"},
        {"name": "fc", "kind": "linear", "out_features": 3, "bias": True},
    ],
}


def normed(**first):
    """The network; what is given is said of its first norm."""
    layers = [{**layer, **first} if layer["name"] == "bn" else layer for layer in NORMED["layers"]]
    return parse_network({**NORMED, "layers": layers}, "normed")


def norms(scheme, machine=None, network=None):
    """The forward work of both norms in a training: sweeps, and operations for each element."""
    hardware = load_hardware("edge", machine or {})
    jobs = plan_training(network or normed(), BATCH, Policy.parse(scheme), hardware)
    work = {job.node: job.work for job in jobs if job.phase == "forward"}
    return [
        (work[name].sweeps, tuple(count / ELEMENTS for count in work[name].operations))
        for name in ("bn", "again")
    ]


def test_estimators_say_whether_their_range_follows_from_the_extremes():
    found = {name for name in estimator_names() if make_estimator(name).of_extremes}
    waiting = {name for name in found if make_estimator(name).needs_current}
    assert waiting == set(WAITING)
    assert not {"chunked", "per-sample", "per-tile", "dsgc", "bit-adaptive", "mxint8"} & found


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize("ranged", [False, True], ids=["batch_norm", "range_batch_norm"])
def test_the_range_of_a_norm_is_that_of_its_operands_extremes_to_the_last_bit(name, ranged):
    network = range_normalized(normed()) if ranged else normed()
    steps = list(SyntheticExamples(network, BATCH, 3, "walk:0.3").steps(3))
    network = with_parameters(network, steps[0], 3, training=True)
    gamma = network.parameters["bn.gamma"]
    gamma[::2] *= -1  # a line that falls changes its ends
    gamma[1] = 0
    policy, hardware = Policy.parse(name), load_hardware("edge", {"fusion": "none"})
    jobs = plan_training(network, BATCH, policy, hardware)
    learner = Learner(network, BATCH, policy, hardware, jobs, TrainingOptions())
    beside = {norm: make_estimator(name) for norm in ("bn", "again")}
    for number, arrays in enumerate(steps):
        learner.take(number, arrays)
        flow = learner.forward
        for norm, estimator in beside.items():
            node = network.node(norm)
            held = flow.held[node.inputs[0]]
            ends = np.stack([end(held.integers, axis=(0, 2, 3)) for end in (np.min, np.max)])
            ends = ends[:, :, None, None]
            gamma, beta = (network.parameters[f"{norm}.{p}"] for p in ("gamma", "beta"))
            if ranged and norm == "bn":
                mean, width = flow.drained["conv"]
                statistics = mean, node.work.range_factor(BATCH) * width
            else:
                statistics = node.work.statistics(held.reals)
            result = node.work.forward([held.grid.dequantize(ends), gamma, beta, *statistics])
            limits = estimator.decision_from(Observation(Range.of(result))).limits
            assert flow.held[norm].used == limits
            estimator.observe(Observation(Range.of(result)))
        network = flow.network


@pytest.mark.parametrize("mode", DETERMINISTIC)
@quick
@given(tensor=tensors())
def test_the_extremes_of_the_integers_are_those_of_the_sums_as_rounding_keeps_their_order(
    mode, tensor
):
    acc, multipliers, shifts = tensor

    def requantized(sums):
        return whole(sums, multipliers, shifts, 3, -128, 127, mode)[0]

    for end in (np.min, np.max):
        of_sums = end(acc, axis=(0, 1, 2), keepdims=True)
        of_integers = end(requantized(acc), axis=(0, 1, 2), keepdims=True)
        np.testing.assert_array_equal(requantized(of_sums), of_integers)


def test_a_range_that_is_known_is_one_sweep_of_the_statistics_and_the_norm():
    assert norms("in-hindsight") == [(1, (3, 3)), (1, (3, 2))]  # the first applies a ReLU


@pytest.mark.parametrize("scheme", WAITING)
def test_extremes_come_from_the_drain_or_with_the_statistics_for_two_comparisons(scheme):
    assert norms(scheme) == [(1, (3, 3)), (1, (3 + 2, 2))]


@pytest.mark.parametrize("scheme", ["chunked", "per-sample"])
def test_what_needs_more_than_extremes_goes_over_the_operand_again(scheme):
    assert norms(scheme) == [(2, (3, 3)), (2, (3, 2))]


@pytest.mark.parametrize(
    "machine",
    [
        {"requantizer.mode": "stochastic"},
        {"stat_unit.compares": "magnitude"},
    ],
)
def test_a_drain_that_cannot_tell_the_integers_extremes_leaves_them_to_the_vector_unit(machine):
    assert norms("power-of-two", machine)[0] == (1, (3 + 2, 3))


def test_range_batch_norm_knows_its_extremes_and_reads_its_operand_once():
    both = range_normalized(normed())
    assert norms("current", network=both) == [(1, (3,)), (1, (3, 2))]
    assert norms("in-hindsight", network=both) == [(1, (3,)), (1, (3, 2))]
    assert norms("chunked", network=both) == [(2, (3,)), (2, (3, 2))]
    at_random = {"requantizer.mode": "stochastic"}
    assert norms("current", at_random, both)[0] == (2, (3,))


def test_an_activation_that_falls_and_rises_is_seen_in_the_result():
    def sweeps(after, fusion):
        layers = [
            {"name": "conv", "kind": "conv2d", "out_channels": 8, "kernel": 3},
            {"name": "bn", "kind": "batch_norm", "folds": False},
            {"name": "after", "kind": after},
            {"name": "add", "kind": "add", "inputs": ["conv", "after"]},
        ]
        network = parse_network({**NORMED, "layers": layers}, "t")
        hardware = load_hardware("edge", {"fusion": fusion})
        jobs = plan_inference(network, 2, Scheme.parse("current"), hardware)
        return next(job.work.sweeps for job in jobs if job.node == "bn")

    assert sweeps("relu", "drain") == sweeps("relu", "none") == sweeps("gelu", "none") == 1
    assert sweeps("gelu", "drain") == 2


def test_backward_a_dynamic_range_is_one_read_more_of_a_norm():
    static, dynamic = (
        {
            job.node: job.work
            for job in plan_training(normed(), BATCH, Policy.parse(scheme), load_hardware("edge"))
            if job.phase == "grad-input" and job.kind == "batch_norm"
        }
        for scheme in ("in-hindsight", "current")
    )
    for name, work in dynamic.items():
        assert (static[name].sweeps, work.sweeps) == (1, 2)
        assert work.operations == static[name].operations == (3 * ELEMENTS, 4 * ELEMENTS)
        assert work.all_operations == (3 * ELEMENTS, 4 * ELEMENTS, 4 * ELEMENTS)
