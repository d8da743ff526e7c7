"""Many schemes in a plot that has a strip for each: a page of them, and the others named."""

import dataclasses

import pytest
from matplotlib.figure import Figure

from accelsim.report.plot import (
    bandwidth,
    latency,
    pareto,
    ranges,
    roofline,
    timeline,
    traffic,
    values,
)
from accelsim.report.plot.canvas import COLUMN_INCHES
from accelsim.report.plot.strips import MOST_STRIPS, estimator, moved, named, strips_of
from accelsim.result import Amortised, Bandwidth, Span, StepCost, ValueHistogram, ValueRange
from tests.report.conftest import make_result, make_trace
from tests.report.plot.drawn import outside, overlapping

REALISATIONS = ("spill", "lazy", "recompute")


def run(scheme, size):
    """A run whose every figure follows from its size."""
    return make_result(
        scheme,
        traffic=(("input", "load", "product", 1000 * size),),
        cycles=10_000 * size,
        spans=(Span("load", "input", "product", 0, 1000 * size),),
        bandwidth=Bandwidth(10_000 * size, (500 * size,), (100,)),
        values=ValueHistogram(
            -4.0, 2.0, (0, 9, 99, size), (0, 9, 99, size), 2, 1, ValueRange(-2.0, 2.0)
        ),
    )


@pytest.fixture(scope="module")
def many():
    """Twenty schemes: `alike/*` and `current/*` equal, the larger `other` the dearer."""
    sizes = {"spill": 7, "lazy": 5, "recompute": 3}
    runs = [run("in-hindsight/static", 1), run("fixed/static", 1)]
    runs += [run(f"{name}/{of}", sizes[of]) for name in ("alike", "current") for of in sizes]
    runs += [run(f"other:x={n}/{of}", 20 + n + sizes[of]) for n in range(0, 40, 10) for of in sizes]
    return runs


def test_few_runs_have_a_strip_each_also_where_they_look_the_same(many):
    found = strips_of(many[:7], lambda result: result.spans, every=False)
    assert found.results == many[:7] and found.note == ""
    assert [strip.name for strip in found.drawn] == [result.scheme for result in many[:7]]


def test_many_that_look_the_same_share_a_strip_named_after_the_best_known(many):
    found = strips_of(many[:8], lambda result: result.spans, every=False)
    assert found.note == ""
    assert [strip.schemes for strip in found.drawn] == [
        ("in-hindsight/static", "fixed/static"),
        *((f"current/{of}", f"alike/{of}") for of in ("spill", "lazy", "recompute")),
    ]


def test_of_more_than_a_page_the_first_and_the_cheapest_of_each_kind_are_drawn(many):
    found = strips_of(many, lambda result: result.spans, every=False)
    assert [result.scheme for result in found.results[:4]] == [
        "in-hindsight/static", "current/recompute", "current/lazy", "current/spill"
    ]  # fmt: skip
    seconds = {result.scheme for result in found.results[4:]}
    assert seconds == {f"other:x=0/{of}" for of in REALISATIONS}
    assert found.note.startswith(f"{MOST_STRIPS} of 16 different ones of 20 schemes")


def test_what_a_kind_is_and_what_it_costs_can_be_chosen(many):
    found = strips_of(many, lambda result: result.values, False, estimator, lambda r: -moved(r))
    names = {estimator(result) for result in found.results[1:]}
    assert {"current", "other:x=0", "other:x=10", "other:x=20", "other:x=30"} == names


def test_all_are_drawn_where_all_are_asked_for(many):
    found = strips_of(many, lambda result: result.spans, every=True)
    assert found.results == many and found.note == ""


def test_as_many_schemes_are_named_as_fit():
    assert named(["a/static", "b/static"], 20) == "a/static, b/static"
    assert named(["a/static", "b/static"], 12) == "a/static and 1 more"
    assert named(["a-long-name/static"], 4) == "a-long-name/static"


@pytest.mark.parametrize("draw", [timeline, bandwidth, values])
def test_a_picture_of_many_schemes_fits_a_page_and_says_what_it_leaves_out(many, draw):
    axes = draw(many)
    assert axes.get_figure(root=True).get_size_inches()[1] < 9
    assert "of 20 schemes:\naccelsim plot --scheme chooses" in axes.get_xlabel()
    assert overlapping(axes) == [] and outside(axes) == []
    own = Figure((5, 20), layout="constrained").subplots()
    assert draw(many, own, every=True) is own
    assert "schemes" not in own.get_xlabel()


@pytest.mark.parametrize("draw", [roofline, pareto])
def test_points_of_many_schemes_are_told_apart_by_their_realisation(many, draw):
    axes = draw(many)
    labels = {str(cloud.get_label()) for cloud in axes.collections}
    assert labels == {"static", *REALISATIONS}
    assert sum(len(cloud.get_offsets()) for cloud in axes.collections) == len(many)
    assert overlapping(axes) == [] and outside(axes) == []
    assert axes.get_figure(root=True).get_size_inches()[0] == COLUMN_INCHES


def test_runs_at_one_place_of_the_front_share_a_name(many):
    (name,) = (text.get_text() for text in pareto(many).texts)
    assert name == "in-hindsight/static and 1 more"


def test_bars_of_one_step_say_that_updates_are_apart(many):
    update = StepCost("static", 9, 9, ())
    dear = dataclasses.replace(many[1], amortised=Amortised(2, 3, update, update, 9.0, 9.0))
    for draw, axis in ((traffic, "y"), (latency, "x")):
        assert "updates" not in getattr(draw(many[:1]), f"get_{axis}label")()
        assert "updates not averaged in" in getattr(draw([dear]), f"get_{axis}label")()
        assert "updates not averaged in" in draw([*many, dear]).get_xlabel()


def test_a_front_counts_update_steps_where_there_are_some(many):
    update, plain = (StepCost("static", size, size, ()) for size in (90_000, 2_000))
    dear = dataclasses.replace(
        run("dsgc/spill", 1), amortised=Amortised(2, 3, update, plain, 46 * 1024, 44_000.0)
    )
    axes = pareto([many[0], dear])
    assert axes.get_xlabel() == "DRAM traffic per step (KB of 1024 bytes)"
    assert axes.get_ylabel() == "latency per step (us)"
    places = [tuple(cloud.get_offsets()[0]) for cloud in axes.collections]
    assert places == [pytest.approx((1000 / 1024, 12.5)), pytest.approx((46, 55))]


def test_ranges_of_many_schemes_fit_a_page_and_say_what_they_leave_out(many):
    runs = [
        dataclasses.replace(result, trace=make_trace(3 + number))
        for number, result in enumerate(many)
    ]
    axes = ranges(runs)
    assert len(axes.child_axes) == 2 * MOST_STRIPS
    assert axes.get_figure(root=True).get_size_inches()[1] < 9
    assert axes.texts[-1].get_text().startswith(f"{MOST_STRIPS} of 20 different ones of 20")
    assert len(ranges(runs, every=True).child_axes) == 2 * len(runs)
