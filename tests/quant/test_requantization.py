from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.numerics import IntegerRange, RequantizationMode
from accelsim.quant import Grid, Range, Statistics, kernel_seed, requantization

scales = st.floats(1e-6, 1e3)


@given(scales, st.lists(scales, min_size=1, max_size=8), st.floats(1e-2, 1e3))
def test_the_ratio_is_reproduced_within_two_to_the_minus_31(input_scale, weight_scales, output):
    ratios = [input_scale * scale / output for scale in weight_scales]
    made = requantization(input_scale, weight_scales, Grid(IntegerRange(8, False), output, 0))
    for multiplier, shift, ratio in zip(made.multipliers, made.shifts, ratios, strict=True):
        if 2**-32 <= ratio < 2**30:
            exact = Fraction(ratio)
            error = abs(Fraction(int(multiplier), 2 ** int(shift)) - exact)
            assert error <= exact / 2**31
    assert np.allclose(made.ratios, ratios, rtol=1e-9, atol=2.0**-62)


@given(scales, st.lists(scales, min_size=1, max_size=8), st.floats(1e-2, 1e3))
def test_in_float32_mode_it_carries_the_float32_quotient(input_scale, weight_scales, output):
    grid = Grid(IntegerRange(8, False), output, 0)
    made = requantization(input_scale, weight_scales, grid, "f32-rne")
    single = np.float32
    expected = [single(single(input_scale) * single(w)) / single(output) for w in weight_scales]
    for ratio, quotient in zip(made.ratios, expected, strict=True):
        if 2**-39 <= quotient < 2**31:
            assert ratio == quotient
        else:
            assert ratio == pytest.approx(quotient, rel=0.5, abs=2.0**-62)


@pytest.mark.parametrize(
    ("scales_of", "message"),
    [
        ((1e-60, [1.0], 1.0), "input_scale = 1e-60: must be a positive float32"),
        ((1.0, [1.0, 1e50], 1.0), r"weight_scales = 1e\+50: must be a positive float32"),
        ((1.0, [1.0], 1e-60), "output scale = 1e-60: must be a positive float32"),
    ],
)
def test_a_scale_that_float32_cannot_hold_is_refused_in_float32_mode(scales_of, message):
    input_scale, weight_scales, output = scales_of
    grid = Grid(IntegerRange(8, True), output, 0)
    assert requantization(input_scale, weight_scales, grid, "single")
    with pytest.raises(AccelsimError, match=message):
        requantization(input_scale, weight_scales, grid, "f32-rne")


def test_a_float32_quotient_too_large_saturates():
    made = requantization(1e30, [1e30], Grid(IntegerRange(8, True), 1e-30, 0), "f32-rne")
    assert (made.multipliers[0], made.shifts[0]) == (2**31 - 1, 0)


def test_it_carries_the_output_grid_and_read_only_vectors():
    grid = Grid.affine(Range(-1, 2), 6)
    made = requantization(0.1, [0.2, 0.3], grid, "half-up", seed=4, tensor_name="output")
    assert (made.zero_point, made.minimum, made.maximum) == (grid.zero_point, 0, 63)
    assert made.mode is RequantizationMode.HALF_UP
    assert made.multipliers.dtype == made.shifts.dtype == np.int64
    assert not made.multipliers.flags.writeable
    assert made.seed == kernel_seed(4, "output")


def test_kernel_seeds_are_stable_and_differ_by_seed_and_tensor():
    # printf "0:conv1/output" | b2sum -l 64, little-endian, halved.
    assert kernel_seed(0, "conv1/output") == 1608860637759384456
    seeds = {kernel_seed(seed, name) for seed in range(50) for name in ("a", "b", "1:a")}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_ratio_too_large_saturates():
    made = requantization(1e30, [1e30], Grid(IntegerRange(8, True), 1e-30, 0))
    assert (made.multipliers[0], made.shifts[0]) == (2**31 - 1, 0)
    made = requantization(1e300, [1.0], Grid(IntegerRange(8, True), 1e-30, 0))
    assert (made.multipliers[0], made.shifts[0]) == (2**31 - 1, 0)


@pytest.mark.parametrize(
    ("input_scale", "weight_scales", "message"),
    [
        (0.0, [1.0], "input_scale = 0.0: must be larger than zero"),
        (np.nan, [1.0], "input_scale = nan"),
        (1.0, [-1.0], "weight_scales = -1.0: must be larger than zero"),
        (1.0, [np.inf], "weight_scales holds 1 NaN or infinite"),
        (1.0, [], "weight_scales has shape"),
        (1e200, [1e200], "must be finite"),
    ],
)
def test_bad_scales_are_refused(input_scale, weight_scales, message):
    with pytest.raises(AccelsimError, match=message):
        requantization(input_scale, weight_scales, Grid(IntegerRange(8, True), 1.0, 0))


def test_an_unknown_mode_is_refused():
    with pytest.raises(AccelsimError, match="mode = 'up': must be one of nearest-even"):
        requantization(1.0, [1.0], Grid(IntegerRange(8, True), 1.0, 0), "up")


def test_statistics_become_the_real_range_of_the_accumulators():
    accumulators = np.random.default_rng(1).integers(-(2**31), 2**31, size=(6, 4, 3, 5))
    weight_scales = np.linspace(0.5, 2, 5)
    seen = Statistics.of(accumulators)
    assert seen.minima.dtype == np.int64
    real = accumulators * (0.25 * weight_scales)
    assert seen.to_range(0.25, weight_scales) == Range(real.min(), real.max())


def test_statistics_keep_copies_apart():
    accumulators = np.arange(2 * 3 * 4).reshape(2, 1, 3, 4)
    seen = Statistics.of(accumulators, copies=2)
    assert seen.minima.tolist() == [0, 1, 2, 3, 12, 13, 14, 15]
    assert seen.maxima.tolist() == [8, 9, 10, 11, 20, 21, 22, 23]


def test_a_range_of_statistics_holds_zero():
    assert Statistics([3, 4], [5, 6]).to_range(1.0, [1.0]) == Range(0.0, 6.0)
    assert Statistics([-4], [-3]).to_range(0.5, [1.0]) == Range(-2.0, 0.0)


@pytest.mark.parametrize(
    ("minima", "maxima", "message"),
    [
        ([1, 5], [2, 4], r"minima\[1\] = 5: must be at most maxima\[1\] = 4"),
        ([1], [2, 4], "must be the same"),
        ([1.0], [2.0], "must be a vector of integers"),
        ([], [], "must be a vector of integers"),
    ],
)
def test_impossible_statistics_are_refused(minima, maxima, message):
    with pytest.raises(AccelsimError, match=message):
        Statistics(minima, maxima)


def test_statistics_refuse_scales_of_another_length():
    with pytest.raises(AccelsimError, match="weight_scales has 3 channels: must have 2, or 1"):
        Statistics([1, 2], [3, 4]).to_range(1.0, [1.0, 1.0, 1.0])
    with pytest.raises(AccelsimError, match="copies=3"):
        Statistics.of(np.zeros((2, 1, 1, 1), dtype=np.int64), copies=3)
