import math

import pytest

from accelsim.errors import AccelsimError
from accelsim.result import Trace
from accelsim.result.recovery import recovery, settled_at
from tests.result.test_trace import step


def trace(levels, disturbances, first=0):
    """Steps of these (SQNR, staleness)."""
    return Trace(
        tuple(
            step(first + n, float(sqnr), range_staleness=float(staleness))
            for n, (sqnr, staleness) in enumerate(levels)
        ),
        disturbances,
    )


CALM = [(30, 1.0)] * 6
SPIKE = [(12, 0.1), (24, 1.9), (26, 1.8), (28, 1.3), (29.5, 1.08), (30, 1.05), (30, 1.0), (30, 1.0)]


def test_a_spike_is_recovered_from_when_sqnr_and_range_are_back():
    (found,) = trace(CALM + SPIKE, (6,)).recoveries()
    assert found.step == 6
    assert found.sqnr_before_db == 30
    assert found.worst_sqnr_db == 12
    assert found.recovery_steps == 4
    assert found.staleness_before == 1
    assert found.worst_staleness == 0.1, "ten times off, against 1.9 times"
    assert found.range_lag_steps == 4


@pytest.mark.parametrize(("tolerance", "steps"), [(0.4, 5), (1, 4), (2, 3), (6, 1), (18, 0)])
def test_the_tolerance_is_a_parameter(tolerance, steps):
    (found,) = trace(CALM + SPIKE, (6,)).recoveries(sqnr_tolerance_db=tolerance)
    assert found.recovery_steps == steps
    assert found.sqnr_tolerance_db == tolerance


def test_the_edge_of_the_tolerance_is_back():
    (found,) = trace([*CALM, (29, 1.1), (29, 1.1), (29, 1.1)], (6,)).recoveries()
    assert (found.recovery_steps, found.range_lag_steps) == (0, 0)
    (found,) = trace([*CALM, (28.99, 1.11), *[(29, 1.1)] * 3], (6,)).recoveries()
    assert (found.recovery_steps, found.range_lag_steps) == (1, 1)


def test_what_does_no_harm_is_recovered_from_at_once_and_what_stays_low_never():
    (harmless,) = trace(CALM * 2, (6,)).recoveries()
    assert (harmless.recovery_steps, harmless.range_lag_steps) == (0, 0)
    (lasting,) = trace(CALM + [(20, 3.0)] * 9, (6,)).recoveries()
    assert (lasting.recovery_steps, lasting.range_lag_steps) == (None, None)


def test_one_good_step_by_chance_is_no_recovery():
    back = [False, True, False, True, True, True, False]
    assert settled_at(back) == 3
    assert settled_at([False, True, True, True]) == 1
    assert settled_at([True, False]) is None
    assert settled_at([]) is None


def test_fewer_than_three_steps_before_the_end_show_no_recovery():
    assert settled_at([False, True, True]) is None
    assert settled_at([True]) is None
    (found,) = trace([*CALM, (12, 0.1), (12, 0.1), (30, 1.0)], (6,)).recoveries()
    assert (found.recovery_steps, found.range_lag_steps) == (None, None)


def test_the_level_before_is_the_median_of_the_last_twenty_steps():
    levels = [(99, 9.0)] * 30 + [(28, 1.0), (5, 0.9), (32, 1.0), (31, 1.1)] * 5 + [(28, 1.0)]
    (found,) = trace(levels, (50,)).recoveries()
    assert (found.sqnr_before_db, found.staleness_before) == (29.5, 1.0)


def test_where_steps_differ_by_more_than_the_tolerance_back_is_what_was_usual_before():
    """Of eight steps six lie within 3 dB and half as much again; two are far off by chance."""
    before = [(30, 1.0)] * 5 + [(27, 1.5), (12, 4.0), (26.9, 1.6)]
    after = [(12, 0.2), (26, 1.6), *[(27, 1.5)] * 3]
    (found,) = trace([*before, *after], (8,)).recoveries()
    assert (found.recovery_steps, found.range_lag_steps) == (2, 2)
    assert (found.sqnr_tolerance_db, found.staleness_tolerance) == (3, pytest.approx(0.5))
    (found,) = trace([*before, *after], (8,)).recoveries(5, 0.7)
    assert (found.recovery_steps, found.range_lag_steps) == (1, 1)


def test_each_disturbance_is_held_until_the_next():
    levels = [*CALM, (10, 1.0), (10, 1.0), (10, 1.0), (31, 1.0), (31, 1.0), (31, 1.0)]
    one, other = trace(levels, (6, 9), first=0).recoveries()
    assert (one.step, one.recovery_steps, one.worst_sqnr_db) == (6, None, 10)
    assert (other.step, other.recovery_steps) == (9, 0)


def test_a_trace_that_begins_later_knows_its_steps_and_needs_one_before():
    (found,) = trace(CALM + SPIKE, (100, 106), first=100).recoveries()
    assert (found.step, found.recovery_steps) == (106, 4)
    with pytest.raises(AccelsimError, match="step = 3: there must be a step before it"):
        recovery(3, [], [(30, 1)])


def test_a_range_of_nothing_is_infinitely_far_off():
    (found,) = trace([*CALM, (30, math.inf), (30, 0.0), *[(30, 1.0)] * 3], (6,)).recoveries()
    assert found.range_lag_steps == 2
    assert found.worst_staleness == math.inf


def test_recoveries_stand_in_the_document_and_are_computed_anew():
    one = trace(CALM + SPIKE, (6,))
    document = one.to_dict()
    assert document["recoveries"] == [found.to_dict() for found in one.recoveries()]
    assert Trace.from_json(one.to_json()) == one
    assert Trace.from_dict(document | {"recoveries": []}) == one
