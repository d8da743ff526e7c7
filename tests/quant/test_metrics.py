import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.quant import (
    Errors,
    Grid,
    Range,
    levels_used,
    range_staleness,
    saturated_share,
)
from tests.naive import quant as naive

numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30)
METRICS = ("sqnr_db", "cosine", "mean_squared_error", "bias", "underflow_share")


@given(pairs)
def test_metrics_equal_their_naive_twins(pair):
    first, second = ([side[i] for side in pair] for i in (0, 1))
    found, errors = Errors(first, second), [b - a for a, b in pair]
    assert found.sqnr_db == pytest.approx(naive.sqnr_db(first, second), rel=1e-9, abs=1e-9)
    assert found.cosine == pytest.approx(naive.cosine(first, second), abs=1e-9)
    squares = sum(e * e for e in errors)
    assert found.mean_squared_error == pytest.approx(squares / len(errors), rel=1e-9)
    assert found.bias == pytest.approx(sum(errors) / len(errors), rel=1e-9, abs=1e-6)
    assert found.underflow_share == naive.underflow_share(first, second)


@given(st.lists(st.floats(-1e100, 1e100), min_size=1), st.lists(st.floats(-1e100, 1e100)))
def test_nothing_is_ever_nan(first, second):
    second = (second + first)[: len(first)]
    assert not any(math.isnan(getattr(Errors(first, second), metric)) for metric in METRICS)
    assert -1 <= Errors(first, second).cosine <= 1


def test_degenerate_inputs_are_defined():
    zero, one = np.zeros(4), np.ones(4)
    assert Errors(one, one).sqnr_db == Errors(zero, zero).sqnr_db == math.inf
    assert Errors(zero, one).sqnr_db == -math.inf
    assert Errors(one, zero).sqnr_db == 0.0
    assert Errors(zero, zero).cosine == 1.0
    assert Errors(zero, one).cosine == Errors(one, zero).cosine == 0.0
    assert Errors(one, one).mean_squared_error == Errors(one, one).bias == 0.0
    assert Errors(zero, one).bias == 1.0


def test_tiny_numbers_do_not_vanish_when_squared():
    assert Errors([1e-200], [1.1e-200]).sqnr_db == pytest.approx(20)
    assert Errors([1e-200, 0], [1e-200, 1e-200]).cosine == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1.0], [math.nan], "approximation holds 1 NaN"),
        ([math.inf], [1.0], "reference holds 1 NaN"),
        ([1.0], [1.0, 2.0], "must be the same and not empty"),
        ([], [], "must be the same and not empty"),
        ([1e101], [1.0], "must be at most 1e\\+100"),
        (["a"], [1.0], "must be an array of real numbers"),
    ],
)
def test_bad_inputs_are_refused(metric, first, second, message):
    with pytest.raises(AccelsimError, match=message):
        getattr(Errors(first, second), metric)


reals = st.lists(st.floats(-8, 8), min_size=1, max_size=30)
ranges = st.tuples(st.floats(0, 5), st.floats(0, 5)).map(lambda ends: Range(-ends[0], ends[1]))


@given(reals, ranges, st.integers(1, 16), st.booleans())
def test_how_a_grid_was_used_equals_its_naive_twin(values, limits, bits, symmetric):
    grid = (Grid.symmetric if symmetric else Grid.affine)(limits, bits)
    integers = grid.quantize(values)
    assert saturated_share(values, grid) == naive.saturated_share(
        values, grid.scale, grid.zero_point, bits, symmetric
    )
    assert Errors(values, grid.dequantize(integers)).underflow_share == naive.underflow_share(
        values, grid.dequantize(integers).tolist()
    )
    assert levels_used(integers) == len(set(integers.tolist())) <= 2**bits


def test_a_scale_floor_of_1e_7_costs_levels_and_ours_does_not():
    gradients = np.random.default_rng(0).normal(size=20_000) * 1e-6
    ours = Grid.symmetric(Range.of(gradients), 8)
    assert levels_used(ours.quantize(gradients)) > 170
    assert levels_used(np.rint(gradients / 1e-7).astype(int)) < 100
    assert saturated_share(gradients, ours) == 0
    assert Errors(gradients, ours.dequantize(ours.quantize(gradients))).underflow_share < 0.02


def test_staleness_is_the_width_used_over_the_width_observed():
    assert range_staleness(Range(-1, 1), Range(-1, 1)) == 1
    assert range_staleness(Range(-2, 3), Range(-1, 1)) == 2.5
    assert range_staleness(Range(0, 1), Range(-1, 3)) == 0.25
    assert range_staleness(Range(-1e-30, 0), Range(-1e30, 0)) == pytest.approx(1e-60)
    assert range_staleness(Range(0, 0), Range(0, 0)) == 1
    assert range_staleness(Range(0, 1), Range(0, 0)) == math.inf
    assert range_staleness(Range(0, 0), Range(0, 1)) == 0
    assert range_staleness(Range(-1.7e308, 1.7e308), Range(-1.7e308, 0)) == 2


def test_nothing_has_no_levels_and_no_share():
    grid = Grid.affine(Range(-1, 1), 8)
    for metric in (lambda: saturated_share([], grid), lambda: levels_used(np.zeros(0, int))):
        with pytest.raises(AccelsimError, match="must hold at least one number"):
            metric()
    with pytest.raises(AccelsimError, match="integers has dtype float64: must be integers"):
        levels_used([1.0])
    with pytest.raises(AccelsimError, match="reference holds 1 NaN"):
        saturated_share([math.nan], grid)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_levels_are_counted_in_every_type_close_together_or_far_apart(kind):
    limits = np.iinfo(kind)
    ends = np.array([limits.min, limits.max], kind)
    assert levels_used(ends) == 2
    assert levels_used(np.repeat(ends, 300)) == 2
    assert levels_used(np.full(5, limits.max, kind)) == 1
