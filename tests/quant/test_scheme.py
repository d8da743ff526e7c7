import dataclasses

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.quant import Decision, Observation, Policy, Range, Scheme, register
from accelsim.quant.estimators import registry
from accelsim.quant.estimators.min_max import Fixed
from accelsim.quant.scheme import REALISATIONS


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("in-hindsight", "in-hindsight/static"),
        ("current", "current/spill"),
        ("current/spill", "current/spill"),
        ("in-hindsight/spill", "in-hindsight/spill"),
        ("in-hindsight:momentum=0.95", "in-hindsight:momentum=0.95/static"),
        ("in-hindsight:momentum=0.9/spill", "in-hindsight/spill"),
        ("running", "running/spill"),
        ("per-sample", "per-sample/spill"),
        ("block-householder", "block-householder/spill"),
        ("per-tile:rows=4", "per-tile:rows=4/static"),
        ("sigma-ema:k=6", "sigma-ema:k=6.0/static"),
        ("fixed:minimum=0,maximum=6", "fixed:minimum=0.0,maximum=6.0/static"),
    ],
)
def test_a_text_becomes_a_scheme_and_its_label_reads_back(text, label):
    scheme = Scheme.parse(text)
    assert scheme.label == label
    assert Scheme.parse(label) == scheme
    assert hash(Scheme.parse(label)) == hash(scheme)


def test_current_cannot_be_static_and_the_error_says_why():
    with pytest.raises(AccelsimError, match="'current/static': current takes its range from the "):
        Scheme.parse("current/static")


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("in-hindsight/eager", {}, "realisation = 'eager': must be one of static, spill"),
        ("in-hindsight/", {}, "realisation = ''"),
        ("hindsight", {}, "did you mean 'in-hindsight'"),
        ("dsgc/static", {}, "'dsgc/static': dsgc takes its range from the finished tensor"),
        ("block-householder/static", {}, "block-householder takes its range from the finished"),
        ("block-householder/recompute", {}, "mixes samples, so all accumulators must be stored"),
        ("per-sample/static", {}, "per-sample takes its range from the finished tensor"),
        ("per-tile/spill", {}, "per-tile finds its ranges on chip.*allowed: per-tile/static"),
        (7, {}, "scheme = 7: must be a string"),
        ("current", {"output_bits": 0}, "output_bits = 0: must be a whole number from 1 to 16"),
        ("current", {"weight_bits": 17}, "weight_bits = 17"),
        ("current", {"input_bits": 8.0}, "input_bits = 8.0"),
        ("current", {"weights": "signed"}, "weights = 'signed': must be one of symmetric, asymm"),
        ("current", {"weight_scales": "per-row"}, "weight_scales = 'per-row'"),
        ("current", {"inputs": None}, "inputs = None"),
        ("current", {"seed": -1}, "seed = -1"),
    ],
)
def test_a_wrong_scheme_is_refused_in_one_line(text, fields, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        Scheme.parse(text, **fields)
    assert "\n" not in str(refusal.value)


def test_its_grids_follow_its_fields():
    scheme = Scheme.parse("current", weight_bits=4, input_bits=8, output_bits=6)
    assert scheme.weight_grid(np.ones((3, 2))).scales.tolist() == [1 / 7] * 3
    assert scheme.input_grid(Range(-1, 1)).integers.maximum == 255
    assert scheme.output_grid(Range(-1, 1)).integers.maximum == 63
    signed = dataclasses.replace(scheme, inputs="symmetric", weights="asymmetric")
    assert signed.input_grid(Range(-1, 1)).zero_point == 0
    assert signed.weight_grid(np.ones((3, 2))).zero_points.tolist() == [-8] * 3


def test_each_tensor_gets_a_fresh_estimator():
    scheme = Scheme.parse("in-hindsight")
    first, second = scheme.new_estimator(), scheme.new_estimator()
    first.observe(Observation(Range(-1, 1)))
    assert second.range_for(1) is None


def test_an_estimator_knows_the_bits_of_its_tensor():
    assert Scheme.parse("power-of-two", output_bits=6).new_estimator().bits == 6


def test_a_decision_may_say_more_than_a_range():
    scheme = Scheme.parse("current", output_bits=6)
    assert scheme.output_grid(Decision(Range(-1, 3))) == scheme.output_grid(Range(-1, 3))
    assert scheme.output_grid(Decision.magnitude(3.0)).scale == 3 / 31
    assert scheme.output_grid(Decision.fixed_step(0.125, 6)).scale == 0.125


def test_the_scale_of_a_part_is_a_float32_or_refused():
    scheme = Scheme.parse("per-sample")
    assert scheme.part_grid(Decision(Range(0, 25.5))).scale == float(np.float32(0.1))
    with pytest.raises(AccelsimError, match="scale = inf: must be a finite number"):
        scheme.part_grid(Decision(Range(0, 1e60)))


def test_every_scheme_is_named_once_and_waits_only_where_it_must():
    schemes = Scheme.every(weight_bits=4)
    assert len(set(schemes)) == len(schemes)
    assert {scheme.weight_bits for scheme in schemes} == {4}
    found = {}
    for scheme in schemes:
        found.setdefault(scheme.estimator, []).append(scheme.realisation)
    assert found["in-hindsight"] == found["fixed"] == found["delayed"] == ["static"]
    assert found["current"] == [name for name in REALISATIONS if name != "static"]
    assert found["dsgc"] == found["current"], "its update steps wait"
    assert found["block-householder"] == [r for r in found["current"] if r != "recompute"]


def test_an_estimator_is_realised_in_each_way_it_can_be():
    found = Scheme.realised("dsgc:period=3", seed=4)
    assert [s.realisation for s in found] == [name for name in REALISATIONS if name != "static"]
    assert {(s.estimator, s.seed) for s in found} == {("dsgc:period=3", 4)}
    assert [s.label for s in Scheme.realised("in-hindsight")] == ["in-hindsight/static"]
    with pytest.raises(AccelsimError, match="no-such"):
        Scheme.realised("no-such")


def test_an_estimator_of_ones_own_is_among_every_scheme():
    @register("of-ones-own")
    class Own(Fixed):
        """A constant range under another name."""

    try:
        assert Scheme("of-ones-own", "static") in Scheme.every()
    finally:
        registry._REGISTRY.pop("of-ones-own")


@pytest.mark.parametrize(
    ("text", "activations", "gradients"),
    [
        ("activations=in-hindsight,gradients=dsgc", "in-hindsight/static", "dsgc/spill"),
        (
            "gradients=dsgc:period=10,iterations=5/recompute, activations=current",
            "current/spill",
            "dsgc:period=10,iterations=5/recompute",
        ),
        ("sigma-ema:k=6.0,momentum=0.5", *2 * ("sigma-ema:k=6.0,momentum=0.5/static",)),
    ],
)
def test_a_policy_names_a_scheme_for_each_kind_of_tensor(text, activations, gradients):
    policy = Policy.parse(text, weight_bits=4)
    assert policy.activations == policy.scheme_of("activation")
    assert policy.gradients == policy.scheme_of("gradient")
    assert (policy.activations.label, policy.gradients.label) == (activations, gradients)
    assert policy.gradients.weight_bits == 4
    assert Policy.parse(policy.label, weight_bits=4) == policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("activations=current", "must be a scheme, or activations=SCHEME,gradients=SCHEME"),
        ("activations=current,activations=current", "must be a scheme, or activations=SCHEME"),
        ("x,activations=current,gradients=current", "must be a scheme, or activations=SCHEME"),
        ("activations=curent,gradients=current", "did you mean 'current'"),
        ("activations=current/static,gradients=current", "allowed: current/spill"),
        ("weights=current", "policy = 'weights=current': must be a scheme, or activations=SCHEME"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(text, message):
    with pytest.raises(AccelsimError, match=message):
        Policy.parse(text)
    with pytest.raises(AccelsimError, match="kind = 'weight'"):
        Policy.parse("current").scheme_of("weight")
