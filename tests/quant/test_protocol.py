"""The protocol: names, parameters, states, requests, decisions; other people's estimators."""

import json
import sys

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.quant import (
    COUNT,
    NUMBER,
    SIZE,
    SIZES,
    Decision,
    Estimator,
    Observation,
    Range,
    Reflections,
    Request,
    Statistic,
    estimator_names,
    make_estimator,
    register,
)
from accelsim.quant.estimators import registry


def test_in_hindsight_sees_the_tensor_in_step_0_only():
    estimator = make_estimator("in-hindsight")
    assert not estimator.needs_current
    assert estimator.range_for(0) is None
    estimator.observe(Observation(Range(-1, 2)))
    assert estimator.range_for(1) == Range(-1, 2)
    assert estimator.decision_for(1) == Decision(Range(-1, 2))
    estimator.observe(Observation(Range(-2, 12)))
    limits = estimator.range_for(2)
    assert (limits.minimum, limits.maximum) == pytest.approx((-1.1, 3.0))


def test_a_fresh_state_restores_to_a_fresh_estimator():
    estimator = make_estimator("in-hindsight")
    estimator.observe(Observation(Range(-1, 1)))
    estimator.restore(make_estimator("in-hindsight").state())
    assert estimator.range_for(0) is None
    current = make_estimator("current")
    current.restore(current.state())


@pytest.mark.parametrize(
    ("specification", "state", "message"),
    [
        ("in-hindsight", {"estimator": "current"}, "must be that of 'in-hindsight'"),
        ("in-hindsight", None, "must be that of 'in-hindsight'"),
        ("in-hindsight", {"range": [1]}, r"must be \[minimum, maximum\] or null"),
        ("in-hindsight", {"range": [1, 2]}, "must hold zero"),
        ("in-hindsight", {"range": ["a", 2]}, "minimum = 'a'"),
        ("in-hindsight", {}, "range is missing"),
        ("dsgc", {"clip": -1.0, "due": 0}, "clip = -1.0: must not be below zero"),
        ("dsgc", {"clip": 1.0, "due": -1}, "due = -1: must be a whole number"),
        ("delayed", {"past": [1, None], "largest": 1}, "must be a list of numbers"),
        ("delayed", {"past": 3, "largest": 1}, "past = 3: must be a list of numbers"),
        (
            "bit-adaptive",
            {"width": 8, "shift": "x", "ema": 0, "due": 0, "interval": 0},
            "shift = 'x'",
        ),
    ],
)
def test_a_foreign_or_broken_state_is_refused(specification, state, message):
    estimator = make_estimator(specification)
    before = estimator.state()
    if state is not None:
        state = {"estimator": specification} | state
    with pytest.raises(AccelsimError, match=message) as refusal:
        estimator.restore(state)
    assert "\n" not in str(refusal.value)
    assert estimator.state() == before


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("in-hindsigt", "did you mean 'in-hindsight'.*known: .*current, .*in-hindsight"),
        ("", "no estimator ''"),
        (None, "must be a string"),
        ("in-hindsight:", "must be parameter=value"),
        ("in-hindsight:momentum", "'momentum' must be parameter=value"),
        ("in-hindsight:momentum=", "must be parameter=value"),
        ("in-hindsight:momentun=0.5", "has no parameter 'momentun'; did you mean 'momentum'"),
        ("in-hindsight:momentum=1.5", r"momentum = 1.5: must be from 0.0 to 1.0"),
        ("in-hindsight:momentum=-0.1", r"momentum = -0.1: must be from"),
        ("in-hindsight:momentum=nan", "momentum = nan: must be a finite number"),
        ("in-hindsight:momentum=x", "momentum = 'x': must be a finite number"),
        ("in-hindsight:momentum=0.5,momentum=0.5", "momentum is given twice"),
        ("current:momentum=0.5", "'current' has no parameter 'momentum'"),
        ("dsgc:period=0", "period = 0: must be a whole number from 1 to 1000000"),
        ("dsgc:bits=4", "'dsgc' has no parameter 'bits'"),
        ("fixed:minimum=1", "minimum = 1.0: must be from -1e[+]30 to 0.0"),
    ],
)
def test_a_wrong_specification_is_refused_in_one_line(specification, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        make_estimator(specification)
    assert "\n" not in str(refusal.value)


def test_a_specification_is_canonical():
    assert make_estimator("in-hindsight:momentum=0.90").specification == "in-hindsight"
    assert make_estimator("in-hindsight: momentum = 1").specification == "in-hindsight:momentum=1.0"
    assert make_estimator("dsgc:period=100,iterations=9").specification == "dsgc:iterations=9"


def test_bits_are_those_of_a_grid():
    assert make_estimator("dsgc", 4).bits == 4
    with pytest.raises(AccelsimError, match="bits = 17: must be a whole number from 1 to 16"):
        make_estimator("dsgc", 17)


def test_a_name_is_registered_once_and_well_formed():
    with pytest.raises(AccelsimError, match="'current': is taken by CurrentMinMax"):
        register("current")(Estimator)
    with pytest.raises(AccelsimError, match="must be lower-case"):
        register("In Hindsight")(Estimator)


def test_each_kind_of_memory_goes_through_json():
    for kind, values in (
        (NUMBER, (None, -3.0, 0.1)),
        (SIZE, (None, 0.0, 1e-300)),
        (SIZES, ((), (1.5, 0.0))),
        (COUNT, (0, 12)),
    ):
        assert kind.decode("x", json.loads(json.dumps(kind.encode(kind.start)))) == kind.start
        for value in values:
            assert kind.decode("x", json.loads(json.dumps(kind.encode(value)))) == value


def test_a_request_and_its_numbers_come_together():
    assert Statistic.MOMENTS in Request(frozenset({Statistic.MOMENTS}))
    for statistics, fields, message in (
        ({Statistic.CHUNKS}, {}, "chunks needs a number"),
        ({Statistic.EXCEEDANCES}, {}, "exceedances needs a number"),
        ((), {"threshold": 1.0}, "exceedances and its number come together"),
        ({Statistic.EXCEEDANCES}, {"threshold": 0.0}, "threshold = 0.0: must be larger than zero"),
        ({Statistic.CHUNKS}, {"chunks": 0}, "chunks = 0: must be a whole number"),
    ):
        with pytest.raises(AccelsimError, match=message):
            Request(frozenset(statistics), **fields)


def test_an_observation_of_real_numbers_holds_what_was_asked():
    values = np.array([[1.0, -3.0, 0.5], [2.0, 0.25, -0.5]])
    bare = Observation.of(values)
    assert (bare.range, bare.count, bare.max_abs) == (Range(-3, 2), 6, 3.0)
    assert bare.sum is bare.above is bare.samples is bare.chunks is bare.tensor is None
    full = Observation.of(values, Request(frozenset(Statistic), threshold=1.0, chunks=2))
    assert (full.sum, full.sum_of_squares) == (0.25, 14.5625)
    assert full.variance == pytest.approx(values.var())
    assert full.shares_above == (2 / 6, 3 / 6)
    assert full.sample_ranges == full.chunk_ranges == (Range(-3, 1), Range(-0.5, 2))
    assert full.values is values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.nan], "values holds 1 NaN"),
        ([np.inf], "values holds 1 NaN or infinite"),
        ([], "must hold at least one value"),
        ([1e101], "magnitude = 1e[+]101: must be at most 1e[+]100"),
    ],
)
def test_what_cannot_be_observed_is_refused(values, message):
    with pytest.raises(AccelsimError, match=message):
        Observation.of(values, Request(frozenset({Statistic.MOMENTS})))


def test_a_decision_leaves_to_the_scheme_what_it_does_not_say():
    decision = Decision(Range(-1.0, 3.0))
    assert decision.grid(4).integers.maximum == 15
    assert decision.grid(4, symmetric=True).zero_point == 0
    assert Decision(Range(-1.0, 3.0), bits=6).grid(4).integers.maximum == 63
    assert Decision.magnitude(2.0).grid(8).scale == 2 / 127
    fixed = Decision.fixed_step(0.25, 4)
    assert (fixed.limits, fixed.bits) == (Range(-2.0, 1.75), None)
    assert (fixed.grid(4).scale, fixed.grid(4).zero_point) == (0.25, 0)
    assert Decision.fixed_step(0.25, 4, own_bits=True).bits == 4
    assert Decision.fixed_step(1e-40, 8).step == 2.0**-99


def test_ranges_per_sample_quantize_each_sample_by_its_own():
    values = np.array([[1.0, -1.0], [100.0, 30.0]])
    decision = Decision(Range(-1, 100), samples=(Range(-1, 1), Range(0, 100)))
    quantized = decision.quantize(values)
    assert quantized.integers.tolist() == [[255, 0], [255, 76]]
    with pytest.raises(AccelsimError, match="samples = 3: must be 2, one for each range"):
        decision.grids(3)


def test_a_reflection_is_its_own_inverse_and_spreads_the_first_row():
    mixed = Reflections(((0, 1, 2, 3),), (1.0,)).apply(np.array([[2.0], [0.0], [0.0], [0.0]]))
    np.testing.assert_allclose(mixed, np.ones((4, 1)))


PLUGIN = """
from accelsim.quant import Estimator, Range
class Wide(Estimator):
    "Always -9 to 9."
    needs_current = False
    def range_for(self, step):
        return Range(-9, 9)
    def observe(self, observed):
        pass
nothing = 3
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that offers estimators; the registry is as before afterwards."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    monkeypatch.setattr(registry, "_entered", set(registry._entered))
    monkeypatch.syspath_prepend(tmp_path)

    def install(*lines):
        (tmp_path / "wide_ranges.py").write_text(PLUGIN)
        info = tmp_path / "wide_ranges-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wide-ranges\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[accelsim.estimators]", *lines]) + "\n")

    yield install
    sys.modules.pop("wide_ranges", None)


def test_an_installed_package_brings_its_estimators(installed):
    installed("wide = wide_ranges:Wide")
    assert make_estimator("wide").range_for(0) == Range(-9, 9)
    assert "wide" in estimator_names()
    assert make_estimator("wide").specification == "wide"
    assert "wide" in estimator_names()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("wide = wide_ranges:Gone", "estimator 'wide' of wide_ranges:Gone: AttributeError"),
        ("wide = no_such_module:Wide", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("wide = wide_ranges:nothing", "must be a subclass of Estimator"),
        ("current = wide_ranges:Wide", "'current': is taken by CurrentMinMax"),
    ],
)
def test_a_broken_package_is_named(installed, line, message):
    installed(line)
    with pytest.raises(AccelsimError, match=message) as refusal:
        estimator_names()
    assert "\n" not in str(refusal.value)
    assert make_estimator("in-hindsight").name == "in-hindsight"
