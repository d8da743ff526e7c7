"""Made-up parameters and inputs: seeded, keyed by name, and of a sane size everywhere."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import SyntheticInputs, evaluate, load_network, with_parameters

NETWORK = load_network("digits-cnn")


def first(network, batch=4, seed=0):
    return next(iter(SyntheticInputs(network, batch, seed).steps(1)))


def test_parameters_are_the_same_again_and_other_seeds_give_others():
    one, same = (with_parameters(NETWORK, first(NETWORK), 5).parameters for _ in range(2))
    other = with_parameters(NETWORK, first(NETWORK), 6).parameters
    assert set(one) == set(same) == set(other)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not any(np.array_equal(one[name], other[name]) for name in one)


def test_what_a_file_gives_stays_and_the_rest_does_not_depend_on_it():
    weights = np.ones((10, 32), np.float32)
    given = replace(NETWORK, parameters={"fc.weights": weights})
    made = with_parameters(given, first(NETWORK)).parameters
    assert made["fc.weights"] is weights
    alone = with_parameters(NETWORK, first(NETWORK)).parameters
    assert np.array_equal(made["conv2.weights"], alone["conv2.weights"])


def test_weights_have_the_spread_of_he():
    weights = with_parameters(NETWORK, first(NETWORK)).parameters["conv3.weights"]
    assert weights.std() == pytest.approx(np.sqrt(2 / (9 * 32)), rel=0.05)
    assert abs(weights.mean()) < 0.01


@pytest.mark.parametrize("name", ["digits-cnn", "resnet18-64"])
def test_normalizations_take_their_operands_statistics_so_that_sizes_stay(name):
    network = load_network(name)
    inputs = first(network, batch=2)
    arrays = evaluate(with_parameters(network, inputs), inputs)
    norms = [node.name for node in network.nodes if node.kind == "batch_norm"]
    sizes = [arrays[name].std() for name in norms]
    assert min(sizes) > 0.5 and max(sizes) < 2


def test_inputs_walk_and_more_steps_only_append():
    long = list(SyntheticInputs(NETWORK, 2, 0, "walk:0.5").steps(4))
    short = list(SyntheticInputs(NETWORK, 2, 0, "walk:0.5").steps(2))
    for one, other in zip(short, long, strict=False):
        assert np.array_equal(one["image"], other["image"])
    spreads = [step["image"].std() for step in long]
    assert max(spreads) / min(spreads) > 1.3
    calm = [step["image"].std() for step in SyntheticInputs(NETWORK, 2, 0, 0.0).steps(4)]
    assert max(calm) / min(calm) < 1.3
    batches = list(SyntheticInputs(NETWORK, 2).calibration(2))
    assert not np.array_equal(batches[0]["image"], long[0]["image"])


def test_mistakes_name_the_field():
    with pytest.raises(AccelsimError, match="batch = 0"):
        SyntheticInputs(NETWORK, 0)
    with pytest.raises(AccelsimError, match="calibrate = -1"):
        list(SyntheticInputs(NETWORK).calibration(-1))
