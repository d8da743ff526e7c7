import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.numerics import (
    IntegerRange,
    Overflow,
    RequantizationMode,
    exact_sum_bound,
    fits_int32,
    fixed_point_scales,
)
from tests.naive.numerics import naive_float32
from tests.naive.requantize import naive_tflite_multiplier

quick = settings(deadline=None, derandomize=True)


def scale_of(real):
    """The multiplier and shift of one scale."""
    (multiplier,), (shift,) = fixed_point_scales([real])
    return int(multiplier), int(shift)


def test_ranges_are_twos_complement():
    assert [IntegerRange(8, True).minimum, IntegerRange(8, True).maximum] == [-128, 127]
    assert [IntegerRange(8, False).minimum, IntegerRange(8, False).maximum] == [0, 255]
    assert [IntegerRange(1, True).minimum, IntegerRange(1, True).maximum] == [-1, 0]
    assert IntegerRange(32, False).maximum == 2**32 - 1
    assert IntegerRange(4, False).levels == 16


@pytest.mark.parametrize("bits", [0, 33, -1, 8.0, "8", None, True])
def test_a_width_that_is_no_integer_from_1_to_32_is_refused(bits):
    with pytest.raises(AccelsimError, match=r"^bits is .*; allowed: an integer from 1 to 32$"):
        IntegerRange(bits, signed=True)


def test_a_numpy_width_becomes_a_plain_integer():
    assert type(IntegerRange(np.int8(8), True).maximum) is int


@quick
@given(st.floats(min_value=2.0**-32, max_value=2.0**31, exclude_max=True))
def test_a_normal_scale_is_off_by_at_most_one_part_in_two_to_the_31(real):
    multiplier, shift = scale_of(real)
    if (multiplier, shift) == (2**31 - 1, 0):
        return  # The one multiplier above 2**31 - 1.5 that would need 32 bits.
    assert 2**30 <= multiplier < 2**31
    assert 0 <= shift <= 62
    error = abs(Fraction(multiplier, 2**shift) - Fraction(real))
    assert error * 2**31 <= Fraction(real)


@quick
@given(st.floats(min_value=0, max_value=2.0**-32))
def test_a_tiny_scale_is_the_nearest_multiple_of_the_finest_step(real):
    multiplier, shift = scale_of(real)
    error = abs(Fraction(multiplier, 2**shift) - Fraction(real))
    assert error <= Fraction(1, 2**63)


@pytest.mark.parametrize("real", [2.0**31, 1e30, 1.7e308, 2.0**31 - 0.25])
def test_a_scale_too_large_saturates(real):
    assert scale_of(real) == (2**31 - 1, 0)


@pytest.mark.parametrize("real", [math.nan, math.inf, -math.inf, -1e-300])
def test_a_scale_that_is_negative_or_not_finite_is_refused(real):
    with pytest.raises(AccelsimError, match=r"^scale is .*; allowed: a finite number"):
        fixed_point_scales([1.0, real])


def test_known_scales():
    assert scale_of(1.0) == (2**30, 30)
    assert scale_of(0.75) == (3 * 2**29, 31)
    assert scale_of(1 - 2.0**-40) == (2**30, 30)
    assert scale_of(0.0)[0] == 0
    assert scale_of(5e-324) == (0, 62)


@quick
@given(
    st.floats(min_value=2.0**-32, max_value=2.0**30)
    | st.builds(
        lambda m, e: math.ldexp(m + 0.5, -e), st.integers(2**30, 2**31 - 1), st.integers(1, 62)
    )
)
def test_a_scale_is_the_one_of_tflite(real):
    """Ties of the multiplier included: it is rounded away from zero."""
    multiplier, exponent = naive_tflite_multiplier(real)
    assert scale_of(real) == (multiplier, 31 - exponent)


@quick
@given(st.floats(-(2.0**64), 2.0**64) | st.floats(-1e-37, 1e-37))
def test_the_float32_twin_is_that_of_numpy(real):
    with np.errstate(under="ignore"):
        assert naive_float32(Fraction(real)) == Fraction(float(np.float32(real)))


@quick
@given(st.lists(st.floats(min_value=0, max_value=1e12), max_size=5))
def test_many_scales_are_each_the_scale_of_one(reals):
    multipliers, shifts = fixed_point_scales(reals)
    assert multipliers.dtype == shifts.dtype == np.int64
    assert list(zip(multipliers, shifts, strict=True)) == [scale_of(real) for real in reals]


def test_the_sum_bound_is_reached_and_decides_the_width():
    assert exact_sum_bound(3, -128, 127, -5) == 3 * 128 * 127 + 5
    assert type(exact_sum_bound(np.int32(2**30), np.int32(2**30), np.int32(2**30))) is int
    assert fits_int32(2**31 - 1)
    assert not fits_int32(2**31)


def test_modes_are_spelled_as_in_configurations():
    spelled = ["nearest-even", "half-up", "half-away", "stochastic"]
    spelled += ["single", "tflite-double", "f32-rne"]
    assert [str(mode) for mode in RequantizationMode] == spelled
    assert [str(mode) for mode in Overflow] == ["wrap", "saturate"]


def test_importing_numerics_brings_no_compiler():
    code = "import sys, accelsim.numerics; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
