import math

import pytest

from accelsim.result import Numerics, Trace, TraceStep, ValueRange


def step(number, sqnr_db=30.0, realisation="static", total_bytes=100, **figures):
    known = {
        "cosine": 0.999, "mean_squared_error": 0.01, "bias": 0.0, "saturated_share": 0.25,
        "underflow_share": 0.0, "levels_used": 200, "overflow_count": 0,
        "range_used": ValueRange(-1.0, 2.0), "range_observed": ValueRange(-2.0, 2.0),
        "range_staleness": 0.75, "output_scale": 0.1, "output_zero_point": 85,
    }  # fmt: skip
    numerics = Numerics(sqnr_db=sqnr_db, **known | figures)
    return TraceStep(number, realisation, total_bytes, 7 * total_bytes, numerics)


def test_the_summary_has_totals_means_and_the_worst_step():
    steps = (
        step(4, 30.0, "spill", 400, levels_used=100, cosine=0.5),
        step(5, 20.0, levels_used=200),
        step(6, 25.0, levels_used=240),
        step(7, 20.0, levels_used=240),
    )
    found = Trace(steps).summary
    assert (found.steps, found.total_bytes, found.total_cycles) == (4, 700, 4900)
    assert (found.mean_bytes, found.mean_cycles) == (175, 1225)
    assert found.mean_sqnr_db == pytest.approx(23.75)
    assert found.mean_cosine == pytest.approx((0.5 + 3 * 0.999) / 4)
    assert found.mean_levels_used == 195
    assert found.mean_saturated_share == 0.25
    assert found.mean_range_staleness == 0.75
    assert (found.worst_step, found.worst_sqnr_db) == (5, 20.0)


def test_a_step_without_error_does_not_make_the_mean_infinite():
    found = Trace((step(0, math.inf, range_staleness=math.inf), step(1, 30.0))).summary
    assert found.mean_sqnr_db == 30
    assert found.mean_range_staleness == 0.75
    alone = Trace((step(0, math.inf),))
    assert alone.summary.mean_sqnr_db is None
    assert Trace.from_json(alone.to_json()) == alone


def test_json_comes_back_equal_and_brings_the_summary():
    trace = Trace((step(0, realisation="spill"), step(1, -math.inf)))
    document = trace.to_dict()
    assert document["summary"] == trace.summary.to_dict()
    assert document["steps"][0]["realisation"] == "spill"
    assert Trace.from_json(trace.to_json()) == trace


def test_a_frame_has_a_row_per_step_and_numbers_only():
    frame = Trace((step(0, realisation="spill"), step(1, math.inf, total_bytes=50))).to_frame()
    assert list(frame["step"]) == [0, 1]
    assert list(frame["realisation"]) == ["spill", "static"]
    assert list(frame["total_bytes"]) == [100, 50]
    assert list(frame["sqnr_db"]) == [30.0, math.inf]
    assert list(frame["range_used_maximum"]) == [2.0, 2.0]
    assert list(frame["range_observed_minimum"]) == [-2.0, -2.0]
    assert not frame.isna().any().any()
