import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.kernels import requantize
from accelsim.kernels.counter_random import random_bits, stream_state
from accelsim.kernels.requantize import requantize_tile
from accelsim.numerics import RequantizationMode
from tests.naive.numerics import naive_random_bits
from tests.naive.requantize import naive_requantize

quick = settings(deadline=None, derandomize=True)
INT32 = st.integers(-(2**31), 2**31 - 1)


def whole(acc, multipliers, shifts, zero_point, minimum, maximum, mode, seed=0):
    """Requantize a whole tensor as one tile."""
    out = np.empty(acc.shape, np.int32)
    clamped = requantize_tile(
        acc, out, np.array(multipliers), np.array(shifts), zero_point, minimum, maximum,
        mode.code, seed, 0, 0, 0, 0, *acc.shape[1:],
    )  # fmt: skip
    return out, clamped


@st.composite
def tensors(draw):
    """(acc, multipliers, shifts): ties are frequent, shifts reach both ends."""
    channels = draw(st.integers(1, 9))
    shape = (*draw(st.tuples(*[st.integers(1, 3)] * 3)), channels)
    per_channel = {"min_size": channels, "max_size": channels}
    multiplier = st.integers(0, 2**31 - 1) | st.sampled_from([1, 2**30, 3 * 2**29])
    multipliers = draw(st.lists(multiplier, **per_channel))
    shifts = draw(st.lists(st.integers(0, 62) | st.integers(28, 34), **per_channel))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    reach = draw(st.sampled_from([8, 2**10, 2**31]))
    return random.integers(-reach, reach, shape), multipliers, shifts


@pytest.mark.parametrize("mode", list(RequantizationMode))
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@quick
@given(
    tensor=tensors(),
    zero_point=st.integers(-(2**15), 2**15),
    limits=st.sampled_from([(-128, 127), (0, 15), (-(2**31), 2**31 - 1), (0, 65535)]),
    seed=st.integers(-(2**63), 2**63 - 1),
)
def test_a_requantized_tensor_equals_the_twin(dtype, mode, tensor, zero_point, limits, seed):
    acc, multipliers, shifts = tensor
    acc = acc.astype(dtype)
    out, clamped = whole(acc, multipliers, shifts, zero_point, *limits, mode, seed)
    expected, count = naive_requantize(
        acc, multipliers, shifts, zero_point, *limits, mode.value, seed
    )
    np.testing.assert_array_equal(out, expected)
    assert clamped == count


@pytest.mark.parametrize(
    "mode, expected",
    [
        (RequantizationMode.NEAREST_EVEN, [-2, -2, 0, 0, 2, 2]),
        (RequantizationMode.HALF_UP, [-2, -1, 0, 1, 2, 3]),
        (RequantizationMode.HALF_AWAY, [-3, -2, -1, 1, 2, 3]),
        (RequantizationMode.SINGLE, [-2, -1, 0, 1, 2, 3]),
        (RequantizationMode.TFLITE_DOUBLE, [-2, -1, 0, 1, 2, 3]),
        (RequantizationMode.F32_RNE, [-2, -2, 0, 0, 2, 2]),
    ],
)
def test_ties_go_where_the_mode_says(mode, expected):
    acc = np.array([-5, -3, -1, 1, 3, 5], np.int32).reshape(1, 1, 1, 6)
    out, clamped = whole(acc, [1] * 6, [1] * 6, 0, -128, 127, mode)
    assert out.ravel().tolist() == expected
    assert clamped == 0


def one(acc, multiplier, shift, mode):
    """Requantize one accumulator to 32 bits."""
    out, _ = whole(
        np.full((1, 1, 1, 1), acc, np.int64), [multiplier], [shift], 0, -(2**31), 2**31 - 1, mode
    )
    return int(out[0, 0, 0, 0])


def test_double_rounding_goes_away_from_zero_in_its_second_step_only():
    # Beyond 31 bits of shift the ties are those of the second rounding, at or below them the
    # first one's.
    double = RequantizationMode.TFLITE_DOUBLE
    assert [one(acc, 2**30, 32, double) for acc in (-6, -2, 2, 6)] == [-2, -1, 1, 2]
    assert [one(acc, 2**30, 31, double) for acc in (-3, -1, 1, 3)] == [-1, 0, 1, 2]


def test_the_first_rounding_carries_a_value_over_the_tie_of_the_second():
    # 0.5 - 2**-32: nearest is 0, but at 31 bits it becomes 1/2 * 2 = 1, a tie.
    product = 2**31 - 1
    assert one(1, product, 32, RequantizationMode.SINGLE) == 0
    assert one(1, product, 32, RequantizationMode.TFLITE_DOUBLE) == 1
    assert one(-1, product, 32, RequantizationMode.TFLITE_DOUBLE) == -1


def test_float32_loses_the_low_bits_of_a_large_accumulator():
    assert one(2**24 + 1, 2**30, 30, RequantizationMode.HALF_UP) == 2**24 + 1
    assert one(2**24 + 1, 2**30, 30, RequantizationMode.F32_RNE) == 2**24
    assert one(2**24 + 3, 2**30, 30, RequantizationMode.F32_RNE) == 2**24 + 4


@pytest.mark.parametrize("mode", list(RequantizationMode))
@pytest.mark.parametrize("shift", [0, 62])
@pytest.mark.parametrize("value", [-(2**31), 2**31 - 1])
def test_the_largest_products_do_not_overflow(mode, shift, value):
    acc = np.full((1, 1, 1, 1), value, np.int32)
    limits = (-(2**31), 2**31 - 1)
    out, clamped = whole(acc, [2**31 - 1], [shift], 0, *limits, mode, 5)
    expected, count = naive_requantize(acc, [2**31 - 1], [shift], 0, *limits, mode.value, 5)
    assert (out == expected).all()
    assert clamped == count


@pytest.mark.parametrize("mode", list(RequantizationMode))
@quick
@given(tensor=tensors(), data=st.data())
def test_no_result_depends_on_the_tiling(mode, tensor, data):
    acc, multipliers, shifts = tensor
    args = (np.array(multipliers), np.array(shifts), 3, -1000, 1000, mode.code, 11)
    out = np.empty(acc.shape, np.int32)
    total = requantize_tile(acc, out, *args, 0, 0, 0, 0, *acc.shape[1:])
    middle = [data.draw(st.integers(0, size)) for size in acc.shape]
    counted = 0
    for corner in np.ndindex(2, 2, 2, 2):
        start = [m if high else 0 for m, high in zip(middle, corner, strict=True)]
        stop = [s if high else m for s, m, high in zip(acc.shape, middle, corner, strict=True)]
        region = tuple(slice(*edge) for edge in zip(start, stop, strict=True))
        piece = np.ascontiguousarray(acc[region])
        tile = np.empty(piece.shape, np.int32)
        counted += requantize_tile(piece, tile, *args, *start, *acc.shape[1:])
        np.testing.assert_array_equal(tile, out[region])
    assert counted == total


def test_stochastic_rounding_is_unbiased():
    elements = 4000
    acc = np.full((1, 1, 1, elements), -11, np.int32)
    means = []
    for seed in range(5):
        out, _ = whole(
            acc, [1] * elements, [3] * elements, 0, -9, 9, RequantizationMode.STOCHASTIC, seed
        )
        assert set(np.unique(out)) == {-2, -1}
        means.append(out.mean())
    deviation = np.sqrt(0.375 * 0.625 / (elements * len(means)))
    assert abs(np.mean(means) - -11 / 8) < 4 * deviation
    assert len(set(means)) > 1


@quick
@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**40), st.integers(0, 63))
def test_random_bits_equal_the_published_generator(seed, index, count):
    assert _draw(seed, index, count) == naive_random_bits(seed, index, count)


@numba.njit
def _draw(seed, index, count):
    return random_bits(stream_state(seed), index, count)


def test_codes_are_those_of_the_modes():
    codes = {mode: getattr(requantize, mode.name) for mode in RequantizationMode}
    assert codes == {mode: mode.code for mode in RequantizationMode}
