import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.numerics import IntegerRange
from accelsim.quant import ChannelGrid, Grid, Range
from tests.naive import quant as naive
from tests.naive.numerics import naive_random_bits

reals = st.floats(-1e30, 1e30, allow_nan=False)
ranges = st.builds(lambda a, b: Range.covering(min(a, b), max(a, b)), reals, reals)
bit_widths = st.integers(1, 16)


@given(ranges, bit_widths, st.booleans())
def test_zero_is_on_every_grid(limits, bits, signed):
    for grid in (Grid.affine(limits, bits, signed), Grid.symmetric(limits, bits, signed)):
        assert grid.quantize(0.0) == grid.zero_point
        assert grid.dequantize(grid.zero_point) == 0.0
        assert grid.integers.minimum <= grid.zero_point <= grid.integers.maximum


@given(ranges, bit_widths, st.booleans())
def test_affine_equals_its_naive_twin(limits, bits, signed):
    grid = Grid.affine(limits, bits, signed)
    assert (grid.scale, grid.zero_point) == naive.affine(
        limits.minimum, limits.maximum, bits, signed
    )


@given(ranges, bit_widths, st.booleans(), st.lists(reals, min_size=1, max_size=20))
def test_quantize_equals_its_naive_twin(limits, bits, signed, values):
    grid = Grid.affine(limits, bits, signed)
    expected = [naive.quantize(v, grid.scale, grid.zero_point, bits, signed) for v in values]
    quantized = grid.quantize(values)
    assert quantized.dtype == np.int32
    assert quantized.tolist() == expected


@given(ranges, bit_widths, st.data())
def test_a_value_in_the_range_comes_back_within_a_step(limits, bits, data):
    value = data.draw(st.floats(limits.minimum, limits.maximum))
    grid = Grid.affine(limits, bits)
    back = float(grid.dequantize(grid.quantize(value)))
    # Half a step for the value, half for the zero point's own rounding.
    assert abs(back - value) <= grid.scale * (1 + 1e-9)


@given(ranges, bit_widths, st.booleans())
def test_integers_survive_a_round_trip(limits, bits, signed):
    grid = Grid.affine(limits, bits, signed)
    integers = np.arange(grid.integers.minimum, grid.integers.maximum + 1)
    assert np.array_equal(grid.quantize(grid.dequantize(integers)), integers)


@pytest.mark.parametrize("sigma", [1e-6, 1e-20, 1e-27])
def test_tiny_ranges_keep_their_levels(sigma):
    values = sigma * np.linspace(-1, 1, 1001)
    for grid in (Grid.affine(Range.of(values), 8), Grid.symmetric(Range.of(values), 8)):
        assert len(np.unique(grid.quantize(values))) >= 255


def test_the_scale_floor_is_1e_30():
    assert Grid.affine(Range(0.0, 255e-30), 8).scale == pytest.approx(1e-30, rel=1e-12)
    assert Grid.affine(Range(0.0, 1e-35), 8).scale == 1e-30
    assert Grid.symmetric(Range(-1e-35, 0.0), 8).scale == 1e-30


@given(bit_widths, st.booleans())
def test_a_range_of_nothing_but_zero_has_scale_one_and_zero_point_zero(bits, signed):
    for grid in (Grid.affine(Range(0, 0), bits, signed), Grid.symmetric(Range(0, 0), bits, signed)):
        assert (grid.scale, grid.zero_point) == (1.0, 0)
        assert grid.quantize([0.0, 0.0]).tolist() == [0, 0]


def test_one_bit_grids():
    assert Grid.affine(Range(0.0, 3.0), 1).quantize([0, 1, 2, 3, 9, -9]).tolist() == [
        0, 0, 1, 1, 1, 0,
    ]  # fmt: skip
    signed = Grid.symmetric(Range(-2.0, 1.0), 1)
    assert signed.scale == 2.0
    assert signed.quantize([-2.0, -0.5, 1.0]).tolist() == [-1, 0, 0]


def test_symmetric_8_bits_reaches_127_both_ways():
    grid = Grid.symmetric(Range(-1.0, 0.5), 8)
    assert grid.quantize([-1.0, 1.0, -9.0]).tolist() == [-127, 127, -128]
    assert Grid.symmetric(Range(0.0, 1.0), 8, signed=False).quantize([1.0, -1.0]).tolist() == [
        255, 0,
    ]  # fmt: skip


def test_ties_go_to_even_before_the_zero_point_is_added():
    grid = Grid(IntegerRange(8, False), 1.0, 3)
    assert grid.quantize([0.5, 1.5, 2.5, -0.5, -1.5]).tolist() == [3, 5, 5, 3, 1]


def test_huge_values_saturate_without_a_warning():
    assert Grid.affine(Range(0, 1e-30), 8).quantize([1e300, -1e300]).tolist() == [255, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(bad):
    with pytest.raises(AccelsimError, match=r"1 NaN or infinite values, the first at \(0, 1\)"):
        Grid.affine(Range(0, 1), 8).quantize([[0.0, bad]])
    with pytest.raises(AccelsimError, match="finite"):
        Range.covering(0.0, bad)


@pytest.mark.parametrize("bits", [0, 17, 8.0, True, "8"])
def test_bits_outside_1_to_16_are_refused(bits):
    with pytest.raises(AccelsimError, match=r"bits = .*must be a whole number from 1 to 16"):
        Grid.affine(Range(0, 1), bits)


def test_a_range_without_zero_is_refused_and_covering_adds_it():
    with pytest.raises(AccelsimError, match="must hold zero"):
        Range(1.0, 2.0)
    assert Range.covering(1.0, 2.0) == Range(0.0, 2.0)
    assert Range.covering(-2.0, -1.0) == Range(-2.0, 0.0)
    with pytest.raises(AccelsimError, match=r"minimum = 2.0: must be at most"):
        Range.covering(2.0, 1.0)
    assert str(Range(-0.0, 0.0)) == str(Range(0.0, 0.0))
    assert Range.of([]) == Range(0, 0)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_channel_grid_is_a_grid_per_channel(symmetric):
    weights = np.random.default_rng(0).normal(size=(5, 3, 2, 4)) * np.logspace(-6, 3, 5).reshape(
        -1, 1, 1, 1
    )
    weights[3] = 0
    grid = ChannelGrid.over(weights, 6, symmetric=symmetric)
    quantized = grid.quantize(weights)
    for channel, row in enumerate(weights):
        make = Grid.symmetric if symmetric else Grid.affine
        single = make(Range.of(row), 6, True)
        assert (grid.scales[channel], grid.zero_points[channel]) == (
            single.scale,
            single.zero_point,
        )
        assert np.array_equal(quantized[channel], single.quantize(row))
        assert np.array_equal(
            grid.dequantize(quantized)[channel], single.dequantize(single.quantize(row))
        )
        assert np.array_equal(
            grid.centred(quantized)[channel], quantized[channel] - single.zero_point
        )


def test_per_tensor_weights_share_one_scale_of_the_right_length():
    weights = np.array([[1.0, -2.0], [4.0, 0.0], [0.0, 0.0]])
    grid = ChannelGrid.over(weights, 8, per_channel=False)
    assert grid.scales.tolist() == [4 / 127] * 3
    assert not grid.scales.flags.writeable


def test_a_channel_grid_refuses_other_shapes():
    grid = ChannelGrid.over(np.ones((3, 2)), 8)
    with pytest.raises(AccelsimError, match="axis 0 must have 3 channels"):
        grid.quantize(np.ones((2, 2)))
    with pytest.raises(AccelsimError, match="at least one value"):
        ChannelGrid.over(np.ones((0, 2)), 8)
    with pytest.raises(AccelsimError, match=r"scales = 0.0: must be larger than zero"):
        ChannelGrid(IntegerRange(8, True), np.zeros(2), np.zeros(2, dtype=np.int64))
    with pytest.raises(AccelsimError, match=r"zero_points = .*from -128 to 127"):
        ChannelGrid(IntegerRange(8, True), np.ones(2), np.array([0, 200]))


def test_rounding_at_random_draws_by_seed_and_place_and_is_unbiased():
    grid = Grid.affine(Range(-1.0, 1.0), 4)
    values = np.linspace(-0.9, 0.9, 500)
    found = [grid.quantize_at_random(values, seed) for seed in range(400)]
    np.testing.assert_array_equal(found[3], grid.quantize_at_random(values, 3))
    part = grid.quantize_at_random(values[:70], 3)
    np.testing.assert_array_equal(found[3][:70], part)
    exact = values / grid.scale + grid.zero_point
    for integers in found:
        assert (np.abs(integers - exact) < 1 + 1e-9).all()
    errors = np.mean(found, axis=0) - exact
    assert np.abs(errors).max() < 0.12 and abs(errors.mean()) < 0.003
    on_grid = grid.dequantize(np.arange(16))
    np.testing.assert_array_equal(grid.quantize_at_random(on_grid, 5), np.arange(16))
    assert grid.quantize_at_random([9.0, -9.0], 0).tolist() == [15, 0]


def test_random_rounding_follows_its_definition():
    grid = Grid.affine(Range(-1.0, 1.0), 8)
    values = np.random.default_rng(0).normal(size=(3, 5)) / 3
    draws = [naive_random_bits(77, index, 53) / 2**53 for index in range(15)]
    steps = np.floor(values.ravel() / grid.scale + draws) + grid.zero_point
    expected = np.clip(steps, 0, 255).reshape(3, 5)
    np.testing.assert_array_equal(grid.quantize_at_random(values, 77), expected)
