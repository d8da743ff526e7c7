"""What a product in blocks costs on the array: folds laid out one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import Array, BlockProduct, block_timing, rescaled_sums

DATAFLOWS = ("weight-stationary", "input-stationary", "output-stationary")
PLACES = ("in-array", "vector-unit")


def naive_row_folds(rows, block, place, positions, channels):
    """Put block after block into the rows of a column; a list of blocks (or pieces) per fold."""
    blocks = []
    for _ in range(positions):
        left = channels
        while left:
            blocks.append(min(block, left))
            left -= blocks[-1]
    folds, free_segments = [], 0
    for size in blocks:
        if rows < block or place == "vector-unit":
            while size:
                folds.append([min(rows, size)])
                size -= folds[-1][0]
        else:
            if not free_segments:
                folds.append([])
                free_segments = rows // block
            folds[-1].append(size)
            free_segments -= 1
    return folds


shapes = {
    "rows": st.integers(1, 70), "columns": st.integers(1, 20), "m": st.integers(1, 30),
    "positions": st.integers(1, 9), "channels": st.integers(1, 100), "n": st.integers(1, 40),
}  # fmt: skip


@given(
    dataflow=st.sampled_from(DATAFLOWS[:2]), place=st.sampled_from(PLACES),
    lanes=st.integers(1, 20), sets=st.integers(1, 2), **shapes,
)  # fmt: skip
def test_folds_of_a_stationary_operand_hold_whole_blocks(
    dataflow, place, lanes, sets, rows, columns, m, positions, channels, n
):
    array = Array(
        rows=rows, columns=columns, dataflow=dataflow, block_rescale=place, stationary_sets=sets
    )
    product = BlockProduct(m, positions, channels, n, 32)
    timing = block_timing(array, product, lanes)
    over, depth = (n, m) if dataflow == "weight-stationary" else (m, n)
    per_column_fold = naive_row_folds(rows, 32, place, positions, channels)
    folds = len(per_column_fold) * -(-over // columns)
    assert timing.folds == folds
    slow = -(-min(columns, over) // lanes) if place == "vector-unit" else 1
    more = max(1, rows // 32) if place == "in-array" else 0
    if sets == 1:
        assert timing.total_cycles == folds * (2 * rows + columns + depth * slow - 2 + more)
    else:
        steady = folds * max(depth * slow, rows)
        assert timing.steady_cycles == steady
        assert timing.drain_cycles == rows + columns - 2 + more
    blocks = positions * -(-channels // 32)
    left = blocks if place == "in-array" else len(per_column_fold)
    assert rescaled_sums(array, product) == m * n * left


@given(place=st.sampled_from(PLACES), lanes=st.integers(1, 20), **shapes)
def test_sums_that_stay_in_their_cells_leave_once_or_after_every_block(
    place, lanes, rows, columns, m, positions, channels, n
):
    array = Array(
        rows=rows, columns=columns, dataflow="output-stationary", block_rescale=place,
        stationary_sets=1,
    )  # fmt: skip
    product = BlockProduct(m, positions, channels, n, 32)
    tiles, blocks = -(-m // rows) * -(-n // columns), positions * -(-channels // 32)
    if place == "in-array":
        expected = tiles * (rows + columns + positions * channels - 2 + 1 + rows)
    else:
        leaving = rows * -(-min(columns, n) // lanes)
        streaming = rows + columns + min(32, channels) - 2
        expected = tiles * blocks * (max(streaming, leaving) + leaving)
    assert block_timing(array, product, lanes).total_cycles == expected
    assert rescaled_sums(array, product) == m * n * blocks


@given(dataflow=st.sampled_from(DATAFLOWS), sets=st.integers(1, 2), **shapes)
def test_the_vector_unit_never_works_longer_than_the_array_takes(
    dataflow, sets, rows, columns, m, positions, channels, n
):
    array = Array(
        rows=rows, columns=columns, dataflow=dataflow, block_rescale="vector-unit",
        stationary_sets=sets, shift_out="hidden",
    )  # fmt: skip
    product = BlockProduct(m, positions, channels, n, 32)
    for lanes in (1, 3, columns, 64):
        timing = block_timing(array, product, lanes)
        assert -(-rescaled_sums(array, product) // lanes) <= timing.total_cycles


def test_an_array_of_one_block_costs_what_integers_cost_but_for_the_adder():
    array, product = Array(rows=32, columns=32), BlockProduct(50, 9, 64, 64, 32)
    plain, blocks = array.timing(50, 9 * 64, 64), block_timing(array, product, 32)
    assert blocks.steady_cycles == plain.steady_cycles
    assert blocks.drain_cycles == plain.drain_cycles + 1


def test_a_vector_unit_makes_a_tall_array_no_better_than_one_of_a_block():
    product = BlockProduct(200, 9, 64, 64, 32)
    cycles = {
        (rows, place): block_timing(
            Array(rows=rows, columns=32, block_rescale=place), product, 32
        ).steady_cycles
        for rows in (32, 128) for place in PLACES
    }  # fmt: skip
    assert cycles[128, "vector-unit"] == cycles[32, "vector-unit"] == cycles[32, "in-array"]
    assert cycles[128, "in-array"] * 3 < cycles[32, "in-array"]


def test_sums_that_leave_in_no_time_cannot_pass_the_vector_unit():
    with pytest.raises(AccelsimError, match="must be in-array where shift_out is uncounted"):
        Array(dataflow="output-stationary", shift_out="uncounted", block_rescale="vector-unit")
