"""Operands whose parts have a range each: what is loaded beside them, and what their sums cost."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, Ranges, lower
from accelsim.lowering.search import best_tiling
from accelsim.lowering.tiling import Candidates, output_footprints
from accelsim.machine import actions_of, run
from accelsim.network import Nest
from accelsim.program import GRAD_INPUT, GRAD_WEIGHT, Compute, Load

RANGE_BYTES = 5


def lowered(operation, **changes):
    """The program on a machine of these sizes; None where no tile fits."""
    hardware = load_hardware("edge", {f"sram.{name}_kib": size for name, size in changes.items()})
    try:
        return lower(operation, hardware, "static"), hardware
    except AccelsimError as error:
        assert "too small" in str(error) or "fits all buffers" in str(error)
        return None


def moved(program, hardware, tensor):
    """Bytes of a tensor that a run loads; a deadlock would raise."""
    return sum(row.bytes for row in run(program, hardware).traffic if row.tensor == tensor)


def assert_all_room_is_given_back(program):
    room = Counter()
    for command in program.commands:
        if isinstance(command, Load) and command.buffer != "accumulator buffer":
            room[command.buffer] += command.buffer_bytes
        if isinstance(command, Compute):
            for buffer, released in command.releases:
                room[buffer] -= released
                assert room[buffer] >= 0
    assert not +room


windows = st.builds(
    dict,
    kernel_height=st.integers(1, 4), kernel_width=st.integers(1, 3), stride_h=st.integers(1, 3),
    stride_w=st.integers(1, 2), pad_top=st.integers(0, 2), pad_bottom=st.integers(0, 2),
    pad_left=st.integers(0, 1),
)  # fmt: skip
parts = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 48))


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 3), st.sampled_from([(1, 8), (1, 40), (4, 8), (24, 1)]), st.integers(4, 9),
    st.integers(3, 9), windows, parts, st.sampled_from([0.25, 0.5, 1, 4]),
    st.sampled_from([0.5, 4]),
)  # fmt: skip
def test_ranges_find_room_and_load_what_the_tiling_says(
    batch, channels, rows, columns, window, part, input_kib, weight_kib
):
    nest = Nest(1, batch, *channels, 8, rows, columns, **window)
    operation = Operation(nest, "reader", input_ranges=Ranges(part, 8 * RANGE_BYTES))
    made = lowered(operation, input=input_kib, weight=weight_kib, output=0.5)
    if made is None:
        return
    program, hardware = made
    tiling = best_tiling(operation, hardware, 8)
    needs = output_footprints(operation, Candidates.of(tiling), hardware, 8)
    assert moved(program, hardware, "input scales") == int(needs.range_load_bytes[0])
    assert_all_room_is_given_back(program)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 40), st.integers(4, 9), windows,
    st.sampled_from([0.25, 0.5, 1, 8]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_a_gradient_to_the_weights_reads_the_ranges_of_samples(
    batch, channels, size, window, kib, of_input, of_gradient
):
    nest = Nest(1, batch, 1, channels, 8, size, size, **window)
    shapes = nest.input_shape, nest.output_shape
    ranges = [
        Ranges((1, *shape[1:]), 8 * RANGE_BYTES) if wanted else None
        for shape, wanted in zip(shapes, (of_input, of_gradient), strict=True)
    ]
    operation = Operation(
        nest, "dw", direction=GRAD_WEIGHT, output_bits=32, output_float=True,
        input_ranges=ranges[0], weight_ranges=ranges[1],
    )  # fmt: skip
    made = lowered(operation, input=kib, weight=kib)
    if made is None:
        return
    program, hardware = made
    for tensor, given_ranges in zip(("input scales", "weight scales"), ranges, strict=True):
        loaded = moved(program, hardware, tensor)
        if given_ranges is None:
            assert loaded == 0
        else:
            assert loaded % RANGE_BYTES == 0 and loaded >= batch * RANGE_BYTES
    assert_all_room_is_given_back(program)


@pytest.mark.parametrize("direction", ["forward", GRAD_INPUT, GRAD_WEIGHT])
def test_the_samples_of_a_product_of_two_tensors_are_read_with_their_ranges(direction):
    """Four samples of three heads; the gradient to the second operand has samples as well."""
    nest = Nest(12, 1, 1, 16, 24, 10, 1)
    plain = Operation(nest, "heads", direction=direction)
    shapes = nest.input_shape, plain.weight_shape, plain.output_shape
    inputs, weights, outputs = (Ranges((s[0] // 4, *s[1:]), 8 * RANGE_BYTES) for s in shapes)
    operation = Operation(
        nest, "heads", direction=direction, ranges=outputs, input_ranges=inputs,
        weight_ranges=weights,
    )  # fmt: skip
    hardware = load_hardware("edge")
    for realisation in ("spill", "lazy", "recompute", "resident"):
        program = lower(operation, hardware, realisation)
        times = 2 if realisation == "recompute" else 1
        for tensor in ("input scales", "weight scales"):  # the heads of a sample share them
            assert moved(program, hardware, tensor) == times * 4 * RANGE_BYTES
        assert_all_room_is_given_back(program)
        assert moved(program, hardware, "ranges") == 4 * RANGE_BYTES


def rescaled(operation, **changes):
    hardware = load_hardware("edge", {f"array.{k}": v for k, v in changes.items()})
    program = lower(operation, hardware, "static")
    counts = Counter()
    for action in actions_of(program, hardware, run(program, hardware)):
        counts[action.component, action.action] += action.count
    return counts["array", "add-float"], counts["vector unit", "add-float"]


def test_a_window_over_regions_rescales_every_tap_and_one_over_samples_none():
    nest = Nest(1, 2, 1, 64, 8, 6, 6, 3, 3)
    sums = 2 * 4 * 4 * 8
    for channels, pieces in ((32, 2), (64, 1), (512, 1)):
        regions = Operation(nest, "reader", input_ranges=Ranges((1, 3, 3, channels), 40))
        assert rescaled(regions) == (9 * pieces * sums, 0)
    samples = Operation(nest, "reader", input_ranges=Ranges((1, 6, 6, 64), 40))
    assert rescaled(samples) == (0, 0)
    # At a single position a region of all channels has one scale.
    point = Operation(Nest(1, 2, 1, 64, 8, 6, 6), "r", input_ranges=Ranges((1, 3, 3, 64), 40))
    assert rescaled(point) == (0, 0)


def test_a_gradient_to_the_weights_adds_a_scaled_sum_for_every_sample():
    nest = Nest(1, 6, 1, 4, 8, 5, 5)
    ranges = Ranges((2, 5, 5, 8), 40)  # three samples of two images
    operation = Operation(
        nest, "dw", direction=GRAD_WEIGHT, output_bits=32, output_float=True, weight_ranges=ranges
    )
    hardware = load_hardware("edge")
    chunks = [c for c in lower(operation, hardware, "static").commands if isinstance(c, Compute)]
    met = sum(c.m * c.n * -(-c.over.shape[0] // 2) for c in chunks)
    assert rescaled(operation) == (met, 0)
    assert met >= 3 * 4 * 8
    # 2 x 25 positions of a sample fold over 32 rows twice, and each fold leaves.
    vector_unit = rescaled(operation, block_rescale="vector-unit")
    assert vector_unit[0] == 0 and vector_unit[1] >= met
    alone = Operation(Nest(1, 2, 1, 4, 8, 5, 5), "dw", direction=GRAD_WEIGHT, output_bits=32,
                      output_float=True, weight_ranges=ranges)  # fmt: skip
    assert rescaled(alone) == (0, 0)


@pytest.mark.parametrize(("fields", "message"), [
    ({"direction": GRAD_INPUT, "input_ranges": Ranges((1, 2, 2, 8), 40)}, "must be samples for r"),
    ({"weight_ranges": Ranges((1, 1, 1, 4), 40)}, "must be samples for r, not regions"),
    ({"block": 32, "ranges": Ranges((1, 1, 1, 32), 8, local=True),
      "input_ranges": Ranges((1, 6, 6, 8), 40)}, "must be None for r, whose operands are in"),
])  # fmt: skip
def test_what_reads_no_such_ranges_is_one_line(fields, message):
    with pytest.raises(AccelsimError, match=message):
        Operation(Nest(1, 1, 1, 8, 8, 6, 6), "r", **fields)
