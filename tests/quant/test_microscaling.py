"""MXINT8: what the specification fixes, and what we chose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from accelsim.errors import AccelsimError
from accelsim.quant import BLOCK, Scheme, microscaled, steps_of
from tests.naive.blocks import naive_blocks

NUMBERS = st.floats(-1e30, 1e30, allow_subnormal=True)


@given(
    arrays(np.float64, (70, 2), elements=NUMBERS), st.sampled_from([0, 1]),
    st.sampled_from([70, 35, 2, 1]),
)  # fmt: skip
def test_blocks_are_those_of_the_twin(values, axis, span):
    values = values if axis == 0 else values.T
    found = microscaled(values, axis, span)
    elements, scales, clamped = naive_blocks(values, axis, span)
    np.testing.assert_array_equal(found.elements, elements)
    starts = [at for at in range(70) if at % span % 32 == 0]
    np.testing.assert_array_equal(found.scales, scales.take(starts, axis))
    assert found.saturated_count == clamped
    np.testing.assert_array_equal(found.reals, np.ldexp(elements * 1.0, scales - 127 - 6))


@pytest.mark.parametrize(
    ("largest", "byte", "element"),
    [
        (1.0, 127, 64),
        (1.984375, 127, 127),
        (1.99, 127, 127),  # rounds to 127.36, so to 127
        (1.999, 127, 127),  # rounds to 128 and is clamped
        (2.0, 128, 64),
        (-2.0, 128, -64),
        (0.75, 126, 96),
        (2.0**-127, 0, 64),
        (2.0**-140, 0, 0),
        (0.0, 0, 0),
    ],
)
def test_the_scale_is_the_power_of_two_below_the_largest(largest, byte, element):
    values = np.zeros(BLOCK)
    values[7] = largest
    found = microscaled(values)
    assert (found.scales.tolist(), found.elements[7]) == ([byte], element)
    assert found.saturated_count == (largest == 1.999)


def test_both_signs_have_the_same_room():
    assert microscaled(np.array([-1.999, 1.999])).elements.tolist() == [-127, 127]


def test_ties_go_to_even():
    values = np.array([1.0, 2.5 / 64, 3.5 / 64, -0.5 / 64])
    assert microscaled(values).elements.tolist() == [64, 2, 4, 0]


def test_a_short_last_block_has_a_scale_of_its_own():
    values = np.concatenate([np.full(32, 1000.0), np.full(3, 0.001)])
    found = microscaled(values)
    assert found.scales.shape == (2,)
    np.testing.assert_allclose(found.reals, values, rtol=1 / 128)
    assert steps_of(found.scales).tolist() == [2.0**3, 2.0**-16]


def test_numbers_beyond_the_largest_scale_are_refused():
    assert microscaled(np.array([2.0**127])).scales.tolist() == [254]
    with pytest.raises(AccelsimError, match=r"must be below 2\*\*128 in mxint8"):
        microscaled(np.array([2.0**128]))


@pytest.mark.parametrize("field", ["input_bits", "weight_bits", "output_bits"])
def test_mxint8_has_8_bits(field):
    with pytest.raises(AccelsimError, match=f"{field} = 4: must be 8 for mxint8"):
        Scheme.parse("mxint8", **{field: 4})


def test_mxint8_waits_for_nothing():
    scheme = Scheme.parse("mxint8")
    assert (scheme.label, scheme.block) == ("mxint8/static", 32)
    assert scheme in Scheme.every()
    with pytest.raises(AccelsimError, match="allowed: mxint8/static"):
        Scheme.parse("mxint8/spill")
