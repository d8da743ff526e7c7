import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.quant import Estimator, Range, estimator_names, make_estimator, register
from tests.naive import quant as naive

ends = st.floats(0, 1e12)
observations = st.lists(st.tuples(ends.map(lambda end: 0.0 - end), ends), min_size=1, max_size=20)


def follow(estimator, observed):
    """The ranges used, by the protocol in the module's docstring."""
    used = []
    for step, seen in enumerate(Range(*ends) for ends in observed):
        limits = estimator.range_for(step)
        used.append(estimator.range_from(seen) if limits is None else limits)
        estimator.observe(seen)
    return [(limits.minimum, limits.maximum) for limits in used]


@given(observations, st.floats(0, 1))
def test_in_hindsight_is_the_recurrence(observed, momentum):
    estimator = make_estimator(f"in-hindsight:momentum={momentum!r}")
    assert follow(estimator, observed)[:2] == [observed[0]] * min(2, len(observed))
    expected = naive.hindsight(observed, momentum)
    used = follow(make_estimator(f"in-hindsight:momentum={momentum!r}"), observed)
    for got, wanted in zip(used, expected, strict=True):
        assert got == pytest.approx(wanted, rel=1e-12, abs=1e-300)


@given(observations)
def test_in_hindsight_is_running_min_max_one_step_late(observed):
    used = follow(make_estimator("in-hindsight"), observed)
    for got, wanted in zip(used[1:], naive.running(observed, 0.9), strict=False):
        assert got == pytest.approx(wanted, rel=1e-12, abs=1e-300)


@given(observations)
def test_current_uses_what_it_sees(observed):
    estimator = make_estimator("current")
    assert estimator.needs_current
    assert follow(estimator, observed) == observed


def test_in_hindsight_sees_the_tensor_in_step_0_only():
    estimator = make_estimator("in-hindsight")
    assert not estimator.needs_current
    assert estimator.range_for(0) is None
    estimator.observe(Range(-1, 2))
    assert estimator.range_for(1) == Range(-1, 2)
    estimator.observe(Range(-2, 12))
    limits = estimator.range_for(2)
    assert (limits.minimum, limits.maximum) == pytest.approx((-1.1, 3.0))


@given(observations, observations)
def test_a_restored_estimator_goes_on_as_if_never_stopped(before, after):
    first = make_estimator("in-hindsight:momentum=0.7")
    follow(first, before)
    second = make_estimator("in-hindsight:momentum=0.7")
    second.restore(json.loads(json.dumps(first.state())))
    assert follow(first, after) == follow(second, after)


def test_a_fresh_state_restores_to_a_fresh_estimator():
    estimator = make_estimator("in-hindsight")
    estimator.observe(Range(-1, 1))
    estimator.restore(make_estimator("in-hindsight").state())
    assert estimator.range_for(0) is None
    current = make_estimator("current")
    current.restore(current.state())


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"estimator": "current"}, "must be that of 'in-hindsight'"),
        (None, "must be that of 'in-hindsight'"),
        ({"estimator": "in-hindsight", "range": [1]}, r"must be \[minimum, maximum\] or null"),
        ({"estimator": "in-hindsight", "range": [1, 2]}, "must hold zero"),
        ({"estimator": "in-hindsight", "range": ["a", 2]}, "minimum = 'a'"),
    ],
)
def test_a_foreign_or_broken_state_is_refused(state, message):
    with pytest.raises(AccelsimError, match=message):
        make_estimator("in-hindsight").restore(state)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("in-hindsigt", "did you mean 'in-hindsight'.*known: current, in-hindsight"),
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
    ],
)
def test_a_wrong_specification_is_refused_in_one_line(specification, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        make_estimator(specification)
    assert "\n" not in str(refusal.value)


def test_a_specification_is_canonical():
    assert make_estimator("in-hindsight:momentum=0.90").specification == "in-hindsight"
    assert make_estimator("in-hindsight: momentum = 1").specification == "in-hindsight:momentum=1.0"


def test_a_name_is_registered_once_and_well_formed():
    assert {"current", "in-hindsight"} <= set(estimator_names())
    with pytest.raises(AccelsimError, match="'current': is taken by CurrentMinMax"):
        register("current")(Estimator)
    with pytest.raises(AccelsimError, match="must be lower-case"):
        register("In Hindsight")(Estimator)
