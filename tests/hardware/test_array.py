import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import Array, Dataflow, FoldShape, ShiftOut
from tests.hardware.systolic import output_stationary, weight_stationary

WS, IS, OS = Dataflow.WEIGHT_STATIONARY, Dataflow.INPUT_STATIONARY, Dataflow.OUTPUT_STATIONARY

sizes = st.integers(1, 300)
arrays = st.builds(
    Array,
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    dataflow=st.sampled_from(Dataflow),
    stationary_sets=st.integers(1, 2),
    extra_horizontal_registers=st.integers(0, 2),
    extra_vertical_registers=st.integers(0, 2),
    issue_gap_cycles=st.integers(0, 5),
    pipeline_latency_cycles=st.integers(0, 5),
    shift_out=st.sampled_from(ShiftOut),
    depthwise_packing=st.integers(1, 64),
)


def textbook_cycles(dataflow, rows, columns, m, k, n):
    """SCALE-Sim's non-overlapped runtime, written again from its paper."""
    if dataflow == "weight-stationary":
        return (2 * rows + columns + m - 2) * math.ceil(k / rows) * math.ceil(n / columns)
    if dataflow == "input-stationary":
        return (2 * rows + columns + n - 2) * math.ceil(k / rows) * math.ceil(m / columns)
    return (rows + columns + k - 2) * math.ceil(m / rows) * math.ceil(n / columns)


@settings(deadline=None)
@given(sizes, sizes, sizes, st.integers(1, 40), st.integers(1, 40), st.sampled_from(Dataflow))
def test_one_set_costs_exactly_the_textbook_form(m, k, n, rows, columns, dataflow):
    array = Array(
        rows=rows, columns=columns, dataflow=dataflow, stationary_sets=1, shift_out="uncounted"
    )
    expected = textbook_cycles(dataflow.value, rows, columns, m, k, n)
    assert array.timing(m, k, n).total_cycles == expected


def test_each_dataflow_lays_its_own_dimensions_over_the_array():
    shape = {
        kind: Array(rows=8, columns=4, dataflow=kind).fold_shape(100, 20, 9) for kind in (Dataflow)
    }
    assert shape[WS] == FoldShape(row_folds=3, column_folds=3, depth=100)
    assert shape[IS] == FoldShape(row_folds=3, column_folds=25, depth=9)
    assert shape[OS] == FoldShape(row_folds=13, column_folds=3, depth=20)
    assert shape[IS].folds == 75


@pytest.mark.parametrize(
    ("shift_out", "paid_folds"), [("exposed", 6), ("hidden", 1), ("uncounted", 0)]
)
def test_shift_out_is_paid_by_every_fold_by_the_last_or_by_none(shift_out, paid_folds):
    array = Array(rows=8, columns=4, dataflow=OS, stationary_sets=1, shift_out=shift_out)
    textbook = textbook_cycles("output-stationary", 8, 4, 16, 10, 12)
    assert array.timing(16, 10, 12).total_cycles == textbook + paid_folds * 8


def test_extra_registers_gap_and_latency_each_add_their_own_cycles():
    base = Array(rows=8, columns=5)
    for change, added_cycles in [
        ({"extra_horizontal_registers": 2}, 2 * 5),
        ({"extra_vertical_registers": 3}, 3 * 8),
        ({"issue_gap_cycles": 7}, 7),
        ({"pipeline_latency_cycles": 4}, 4),
    ]:
        changed = Array(rows=8, columns=5, **change)
        assert changed.fold_cycles(11) == base.fold_cycles(11) + added_cycles


@settings(deadline=None)
@given(arrays, sizes, sizes, sizes, st.integers(1, 50))
def test_time_is_never_below_the_compute_bound(array, m, k, n, groups):
    timing = array.timing(m, k, n, groups)
    assert timing.total_cycles * array.rows * array.columns >= m * k * n * groups
    assert all(
        type(value) is int and value >= 0
        for value in (timing.folds, timing.reload_cycles, timing.stream_cycles, timing.drain_cycles)
    )


@settings(deadline=None)
@given(arrays, sizes, sizes, sizes, st.integers(1, 20))
def test_a_second_set_never_costs_and_one_fold_alone_gains_nothing(array, m, k, n, groups):
    shared = array.model_dump(exclude={"stationary_sets"})
    one = Array(stationary_sets=1, **shared).timing(m, k, n, groups)
    two = Array(stationary_sets=2, **shared).timing(m, k, n, groups)
    assert one.folds == two.folds
    assert two.total_cycles <= one.total_cycles
    if one.folds == 1:
        assert two.total_cycles == one.total_cycles


@settings(deadline=None)
@given(arrays, sizes, sizes, sizes, st.integers(1, 50))
def test_groups_cost_what_one_group_costs_times_folds(array, m, k, n, groups):
    packed = array.packed_groups(m, k, n, groups)
    single = array.timing(m, k, n)
    folds = array.timing(m, k, n, groups).folds
    assert folds == math.ceil(groups / packed) * single.folds
    assert 1 <= packed <= min(groups, array.depthwise_packing)
    if packed > 1:
        assert single.folds == 1


def test_packing_stops_at_rows_columns_groups_and_the_setting():
    array = Array(rows=32, columns=32, depthwise_packing=64)
    assert array.packed_groups(100, 9, 1, groups=96) == 3  # 9 rows each
    assert array.packed_groups(100, 1, 1, groups=96) == 32
    assert array.packed_groups(100, 1, 1, groups=5) == 5
    assert array.packed_groups(100, 1, 9, groups=96) == 3  # 9 columns each
    assert array.packed_groups(100, 33, 1, groups=96) == 1  # needs two folds
    assert Array(depthwise_packing=2).packed_groups(100, 9, 1, groups=96) == 2
    assert array.timing(100, 9, 1, groups=96).folds == 32


def random_folds(count, left, right):
    random = np.random.default_rng(7)
    return [(random.integers(-9, 10, left), random.integers(-9, 10, right)) for _ in range(count)]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 7), st.integers(1, 4))
def test_weight_stationary_timing_is_that_of_the_registers(rows, columns, depth, count):
    folds = random_folds(count, (depth, rows), (rows, columns))
    products, cycles = weight_stationary(folds, period_cycles=max(depth, rows))
    for (x, w), product in zip(folds, products, strict=True):
        np.testing.assert_array_equal(product, x @ w)
    array = Array(rows=rows, columns=columns, stationary_sets=2)
    assert array.timing(m=depth, k=rows * count, n=columns).total_cycles == cycles


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 7), st.integers(1, 4))
def test_output_stationary_timing_is_that_of_the_registers(rows, columns, depth, count):
    folds = random_folds(count, (rows, depth), (depth, columns))
    products, cycles = output_stationary(folds, period_cycles=max(depth, rows))
    for (x, w), product in zip(folds, products, strict=True):
        np.testing.assert_array_equal(product, x @ w)
    array = Array(rows=rows, columns=columns, stationary_sets=2, dataflow=OS)
    assert array.timing(m=rows * count, k=depth, n=columns).total_cycles == cycles


def test_one_fold_of_the_registers_costs_the_textbook_form():
    folds = random_folds(1, (5, 3), (3, 4))
    assert weight_stationary(folds, 1)[1] == Array(rows=3, columns=4).fold_cycles(5)


def test_a_fold_every_rows_cycles_is_the_fastest_the_registers_allow():
    folds = random_folds(3, (2, 4), (4, 3))
    products, _ = weight_stationary(folds, period_cycles=3)
    assert any((x @ w != got).any() for (x, w), got in zip(folds, products, strict=True))
    with pytest.raises(AssertionError, match="two sums leave"):
        output_stationary(random_folds(3, (4, 2), (2, 3)), period_cycles=3)


def test_an_uncounted_shift_out_does_not_bound_the_next_fold():
    array = Array(rows=8, columns=4, dataflow=OS, stationary_sets=2, shift_out="uncounted")
    assert array.timing(24, 2, 4).total_cycles == 3 * 2 + 8 + 4 - 2


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 1, 1, 1), "m=0: must be >= 1"),
        ((1, -2, 1, 1), "k=-2: must be >= 1"),
        ((1, 1, 0, 1), "n=0: must be >= 1"),
        ((1, 1, 1, 0), "groups=0: must be >= 1"),
    ],
)
def test_a_product_of_no_size_is_refused(sizes, message):
    with pytest.raises(AccelsimError, match=message):
        Array().timing(*sizes)


def test_a_fold_of_no_depth_is_refused():
    with pytest.raises(AccelsimError, match="depth=0: must be >= 1"):
        Array().fold_cycles(0)


@given(
    st.lists(st.tuples(*[st.integers(1, 70)] * 3, st.integers(1, 9)), min_size=1, max_size=9),
    st.integers(1, 20), st.integers(1, 20), st.sampled_from(list(Dataflow)), st.integers(1, 2),
    st.integers(1, 4), st.sampled_from(list(ShiftOut)), st.integers(0, 3),
)  # fmt: skip
def test_steady_cycles_of_many_products_are_those_of_each(
    shapes, rows, columns, dataflow, sets, packing, shift_out, more
):
    array = Array(
        rows=rows, columns=columns, dataflow=dataflow, stationary_sets=sets,
        depthwise_packing=packing, shift_out=shift_out, issue_gap_cycles=more,
        extra_vertical_registers=more, pipeline_latency_cycles=more,
    )  # fmt: skip
    many = array.steady_cycles(*np.array(shapes).T)
    assert many.tolist() == [array.timing(*shape).steady_cycles for shape in shapes]
