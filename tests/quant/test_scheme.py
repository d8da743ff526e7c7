import dataclasses

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.quant import Decision, Observation, Range, Scheme


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
        ("block-householder/spill", {}, "block-householder mixes samples, which no realisation"),
        ("per-sample/static", {}, "per-sample takes its range from the finished tensor"),
        ("per-tile/spill", {}, "per-tile finds its ranges on chip.*allowed: per-tile/static"),
        (7, {}, "scheme = 7: must be a string"),
        ("current", {"output_bits": 1}, "output_bits = 1: must be a whole number from 2 to 16"),
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


def test_a_slug_fits_a_file_name():
    assert Scheme.parse("in-hindsight:momentum=0.95").slug == "in-hindsight-momentum-0.95-static"


def test_an_estimator_knows_the_bits_of_its_tensor():
    assert Scheme.parse("power-of-two", output_bits=6).new_estimator().bits == 6


def test_a_decision_may_say_more_than_a_range():
    scheme = Scheme.parse("current", output_bits=6)
    assert scheme.output_grid(Decision(Range(-1, 3))) == scheme.output_grid(Range(-1, 3))
    assert scheme.output_grid(Decision.magnitude(3.0)).scale == 3 / 31
    assert scheme.output_grid(Decision.fixed_step(0.125, 6)).scale == 0.125
