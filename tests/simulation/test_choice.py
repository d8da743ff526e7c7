"""Which schemes a run is under, of a layer and of a network."""

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.network.graph_file import parse_network
from accelsim.quant import Policy, Scheme
from accelsim.simulation import compare, simulate
from accelsim.simulation.choice import schemes_of
from tests.simulation.test_networks import TINY


@pytest.fixture(scope="module", params=["layer", "network"])
def work(request):
    return "digits-cnn.conv1" if request.param == "layer" else parse_network(TINY, "tiny")


def labels(work, schemes=None, **options):
    found = compare(work, schemes=schemes, data=None, **options)
    return [result.scheme for result in found.results], found.left_out


def test_all_of_an_estimator_is_each_of_its_realisations_in_place(work):
    found, left_out = labels(work, ["fixed", "running/all", "current"])
    realised = [scheme.label for scheme in Scheme.realised("running")]
    assert found == ["fixed/static", *realised, "current/spill"] and len(realised) == 5
    assert left_out == ()


def test_what_was_named_twice_runs_once(work):
    assert labels(work, ["current/lazy", "current/all", "current/lazy"])[0] == [
        "current/lazy", "current/spill", "current/spill16", "current/recompute", "current/resident"
    ]  # fmt: skip


def test_a_step_of_training_is_held_against_every_realisation_unless_told_otherwise():
    network, step = parse_network(TINY, "tiny"), TrainingOptions()
    found, _ = labels(network, training=step)
    assert found == ["in-hindsight/static", *(s.label for s in Scheme.realised("current"))]
    assert labels(network)[0] == ["in-hindsight/static", "current/spill"]
    assert labels(network, ["current"], training=step)[0] == ["current/spill"]


def test_what_all_stands_for_is_left_out_with_a_reason_where_named_it_is_an_error():
    network = parse_network(TINY, "tiny")
    found, (reason,) = labels(network, ["current", "block-householder/all"])
    assert found == ["current/spill"]
    assert reason.count("block-householder/") == 4 and "mixes samples" in reason
    with pytest.raises(AccelsimError, match="mixes samples"):
        labels(network, ["block-householder/spill"])
    with pytest.raises(AccelsimError, match="none of all is left; block-householder/spill: mixes"):
        labels(network, ["block-householder/all"])
    without = load_hardware("edge", {"stat_unit.squares": False})
    found, (reason,) = labels(network, ["current", "sigma-ema/all"], hardware=without)
    assert found == ["current/spill"] and "stat_unit.squares" in reason


@pytest.mark.parametrize("text", ["no-such/all", "/all", "current/al", "all/static"])
def test_a_mistyped_all_is_an_error(work, text):
    with pytest.raises(AccelsimError, match=r"no estimator|must be one of static"):
        labels(work, [text])


def test_other_schemes_stand_for_themselves():
    for one in ("current", "current/spill", "activations=current/all,gradients=current",
                Scheme.parse("current"), Policy.parse("current")):  # fmt: skip
        assert schemes_of(one) is None
    assert schemes_of("all", 3)[0] == Scheme.parse("in-hindsight", seed=3)


@pytest.mark.parametrize("text", ["all", "current/all"])
def test_one_scheme_is_asked_for_where_one_is_simulated(work, text):
    with pytest.raises(AccelsimError, match=f"scheme = '{text}': must be one scheme; `compare`"):
        simulate(work, scheme=text, data=None)
