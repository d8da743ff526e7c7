import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.network import Nest, packed_bytes

small = st.integers(1, 5)
nests = st.builds(
    Nest,
    copies=st.integers(1, 3), batch=st.integers(1, 3), groups=st.integers(1, 3),
    in_channels=small, out_channels=small,
    in_height=st.integers(3, 9), in_width=st.integers(3, 9),
    kernel_height=st.integers(1, 2), kernel_width=st.integers(1, 2),
    stride_h=st.integers(1, 3), stride_w=st.integers(1, 3),
    dilation_h=st.integers(1, 2), dilation_w=st.integers(1, 2),
    pad_top=st.integers(0, 2), pad_left=st.integers(0, 2),
    pad_bottom=st.integers(0, 2), pad_right=st.integers(0, 2),
)  # fmt: skip


@given(nests)
def test_output_positions_are_those_whose_window_fits_the_padded_image(nest):
    rows = [
        top
        for top in range(0, 100, nest.stride_h)
        if top + (nest.kernel_height - 1) * nest.dilation_h
        < nest.in_height + nest.pad_top + nest.pad_bottom
    ]
    columns = [
        left
        for left in range(0, 100, nest.stride_w)
        if left + (nest.kernel_width - 1) * nest.dilation_w
        < nest.in_width + nest.pad_left + nest.pad_right
    ]
    assert (nest.out_height, nest.out_width) == (len(rows), len(columns))


@given(nests)
def test_macs_and_elements_are_the_loops_counted(nest):
    images, height, width, channels = nest.output_shape
    assert nest.macs == sum(
        nest.reduction for _ in itertools.product(range(images * height), range(width * channels))
    )
    assert channels == nest.groups * nest.out_channels
    assert nest.output_elements == images * height * width * channels
    assert nest.weight_elements == nest.weight_vectors * nest.reduction
    assert nest.input_shape[3] == nest.groups * nest.in_channels


@given(nests, st.tuples(st.integers(1, 4), st.integers(1, 3)))
def test_useful_macs_are_those_that_meet_an_element_of_the_input(nest, apart):
    nest = replace(nest, input_dilation_h=apart[0], input_dilation_w=apart[1])
    elements = np.zeros((nest.dilated_height, nest.dilated_width), int)
    elements[:: apart[0], :: apart[1]] = 1
    padded = np.pad(
        elements, ((nest.pad_top, nest.pad_bottom), (nest.pad_left, nest.pad_right))
    )  # fmt: skip
    met = sum(
        padded[oh * nest.stride_h + kh * nest.dilation_h, ow * nest.stride_w + kw * nest.dilation_w]
        for oh, ow, kh, kw in np.ndindex(
            nest.out_height, nest.out_width, nest.kernel_height, nest.kernel_width
        )
    )
    channels = nest.in_channels * nest.out_channels * nest.groups
    assert nest.useful_macs == met * channels * nest.copies * nest.batch <= nest.macs


@given(nests)
def test_the_gradient_to_the_input_has_its_shape_and_as_many_useful_macs(nest):
    gradient = nest.input_gradient()
    assert gradient.output_shape == nest.input_shape
    assert gradient.input_shape == nest.output_shape
    assert gradient.useful_macs == nest.useful_macs


@given(nests)
def test_whole_byte_traffic_is_elements_times_bytes(nest):
    static, spill = nest.traffic_bytes(8, 8, 8, 32)
    assert static == nest.weight_elements + nest.input_elements + nest.output_elements
    assert spill == static + 2 * 4 * nest.output_elements


def test_narrow_elements_are_packed_and_each_innermost_vector_fills_whole_bytes():
    assert packed_bytes((2, 3, 5), 4) == 2 * 3 * 3
    assert packed_bytes((7,), 1) == 1
    assert packed_bytes((3, 1), 4) == 3
    nest = Nest(1, 1, 1, 3, 5, 1, 1)
    assert nest.traffic_bytes(4, 4, 2, 20) == (5 * 2 + 2 + 2, 14 + 2 * 13)


def test_depthwise_is_one_channel_in_and_out_of_many_groups():
    assert Nest(1, 1, 8, 1, 1, 4, 4).is_depthwise
    assert not Nest(1, 1, 1, 1, 1, 4, 4).is_depthwise
    assert not Nest(1, 1, 8, 1, 2, 4, 4).is_depthwise


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"groups": 0}, r"groups = 0: must be a whole number from 1 to 1048576"),
        ({"in_channels": 2**21}, r"in_channels = 2097152: must be"),
        ({"in_height": 2.0}, r"in_height = 2.0: must be a whole number"),
        ({"in_width": True}, r"in_width = True: must be a whole number"),
        ({"batch": 10**5000}, r"batch = .*: must be a whole number"),
        ({"pad_top": -(2**23)}, r"pad_top = -8388608: must be a whole number from -4194304"),
        ({"pad_top": -4}, r"kernel_height = 1: the kernel spans 1 .* image only 0"),
        ({"input_dilation_w": 0}, r"input_dilation_w = 0: must be a whole number from 1"),
        ({"kernel_height": 5}, r"kernel_height = 5: the kernel spans 5 .* image only 4"),
        ({"kernel_width": 2, "dilation_w": 4}, r"kernel_width = 2: the kernel spans 5"),
        ({"in_height": 2**20, "in_width": 2**20}, r"input_elements = \d+: .* at most 2147483647"),
    ],
)
def test_impossible_nests_are_refused_in_one_line(fields, message):
    good = {
        "copies": 1, "batch": 1, "groups": 1, "in_channels": 2, "out_channels": 2,
        "in_height": 4, "in_width": 4,
    }  # fmt: skip
    with pytest.raises(AccelsimError, match=message) as refusal:
        Nest(**(good | fields))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 200
