"""Vector work keeps the bytes: every operand once where its groups fit, else once a pass."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Stream, VectorTask, lower_vector
from accelsim.lowering.vector import parameter_shape
from accelsim.program import APPLY, GATHER, SEARCH, Load, Map, Store


@given(st.integers(1, 5000), st.integers(1, 600))
def test_no_parameter_is_left_over_beside_vectors_of_any_width(count, width):
    vectors, own_width = parameter_shape(count, width)
    assert vectors * own_width == count
    assert own_width <= width


def size_bytes(stream):
    return stream.vectors * -(-stream.width * stream.bits // 8)


def moved(program, hardware):
    count = Counter()
    for row in machine.run(program, hardware).traffic:
        count[row.tensor, row.direction] += row.bytes
    return count


def covered(program, kind, stream):
    """How often each element of a tensor is loaded or stored."""
    times = np.zeros(program.tensors[stream.name].shape, int)
    assert times.size == stream.vectors * stream.width
    for command in program.of(kind):
        if command.tensor == stream.name:
            times[command.box.slices] += 1
    return times


@st.composite
def tasks(draw):
    bits = st.sampled_from([4, 8, 16, 32])
    vectors, width = draw(st.integers(1, 200)), draw(st.integers(1, 80))
    loads = [Stream(f"in{i}", vectors, width, draw(bits)) for i in range(draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        loads.append(Stream("parameters", 1, width, 32))
    stores = [Stream("out", max(1, vectors // draw(st.integers(1, 4))), width, draw(bits))]
    by_channel = draw(st.booleans())
    groups = width if by_channel else vectors
    return VectorTask(
        "task", tuple(loads), tuple(stores),
        tuple(draw(st.lists(st.integers(0, 10**5), min_size=1, max_size=3))),
        groups, by_channel, draw(st.integers(1, 4)),
    )  # fmt: skip


SMALL = st.sampled_from([1, 2, 4, 64])


@settings(max_examples=60)
@given(tasks(), SMALL, SMALL)
def test_bytes_are_every_operand_once_a_pass_or_once_where_groups_stay_on_chip(task, kib, out_kib):
    hardware = load_hardware("edge", {"sram.input_kib": kib, "sram.output_kib": out_kib})
    try:
        program = lower_vector(task, hardware)
    except AccelsimError as error:
        assert "must each hold twice that" in str(error)
        return
    whole = sum(size_bytes(stream) for stream in task.loads) <= hardware.sram.input_bytes
    times = 1 if program.notes["resident"] else task.passes
    times += 0 if whole else task.sweeps - 1
    count = moved(program, hardware)
    for stream in task.loads:
        assert (covered(program, Load, stream) == times).all()
        assert count[stream.name, "load"] == times * size_bytes(stream)
    for stream in task.stores:
        assert (covered(program, Store, stream) == 1).all()
        assert count[stream.name, "store"] == size_bytes(stream)
    worked = Counter()
    for command in program.of(Map):
        worked[command.phase] += command.operations
    *first, last = task.operations
    found = {GATHER: sum(first), APPLY: last}
    if task.sweeps > 1:
        found[GATHER] += last  # the first sweep sees the results
        found[SEARCH] = last * (task.sweeps - 2)
    assert worked == Counter(found)


def softmax(rows, length):
    streams = Stream("in", rows, length, 8), Stream("out", rows, length, 8)
    return VectorTask("softmax", streams[:1], streams[1:], (rows * length,) * 3, groups=rows)


def test_a_group_of_the_input_buffer_is_loaded_once_and_one_byte_more_once_a_pass():
    hardware = load_hardware("edge", {"sram.input_kib": 1, "sram.output_kib": 1})
    for elements, times in ((1024, 1), (1025, 2)):
        streams = Stream("in", elements, 1, 8), Stream("out", elements, 1, 8)
        norm = VectorTask("norm", streams[:1], streams[1:], (3 * elements, 2 * elements))
        assert moved(lower_vector(norm, hardware), hardware)["in", "load"] == times * elements


def test_channels_are_kept_together_up_to_a_whole_burst():
    streams = Stream("in", 49, 512, 8), Stream("out", 49, 512, 8)
    norm = VectorTask(
        "norm", streams[:1], streams[1:], (3 * 49 * 512, 2 * 49 * 512), 512, by_channel=True
    )
    for kib, times in ((64, 1), (3, 2)):  # 64 channels of 49 positions are 3136 bytes
        hardware = load_hardware("edge", {"sram.input_kib": kib})
        run = machine.run(lower_vector(norm, hardware), hardware)
        assert sum(t.bytes for t in run.traffic if t.direction == "load") == times * 49 * 512
        assert run.bus_bytes == (times + 1) * 49 * 512


def test_a_program_of_many_rows_is_as_long_as_its_buffers_ask_not_as_its_rows():
    program = lower_vector(softmax(4096, 64), load_hardware("edge"))
    assert len(list(program.of(Load))) == 4096 * 64 // 8192


def test_work_that_fits_no_buffer_is_refused_by_the_fields():
    hardware = load_hardware("edge", {"sram.output_kib": 0.0625})
    streams = Stream("in", 3, 64, 8), Stream("out", 3, 64, 64)
    wide = VectorTask("wide", streams[:1], streams[1:], (64,))
    with pytest.raises(AccelsimError, match=r"sram\.output_kib=0\.0625 must each hold") as error:
        lower_vector(wide, hardware)
    assert "64 of results at a time" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_vector_without_room_is_cut_along_its_channels():
    # The gradient to a bias of 4096: 16 KiB of float32 where the output buffer has 16.
    streams = Stream("gradient", 20, 4096, 8), Stream("bias", 1, 4096, 32)
    sums = VectorTask("bias", streams[:1], streams[1:], (20 * 4096,))
    hardware = load_hardware("edge")
    program = lower_vector(sums, hardware)
    assert {load.box.starts[3] for load in program.of(Load)} == {0, 2048}
    assert moved(program, hardware) == {("gradient", "load"): 81920, ("bias", "store"): 16384}
    # Several passes over a row that does not fit: each of them over all of its parts.
    hardware = load_hardware("edge", {"sram.input_kib": 1, "sram.output_kib": 1})
    assert moved(lower_vector(softmax(2, 4096), hardware), hardware) == {
        ("in", "load"): 3 * 8192, ("out", "store"): 8192,
    }  # fmt: skip


def test_a_second_sweep_reads_everything_again_unless_all_of_it_stays_on_chip():
    streams = Stream("in", 2000, 64, 8), Stream("out", 2000, 64, 8)
    once = VectorTask("add", streams[:1], streams[1:], (2000 * 64,), sweeps=2)
    for kib, times in ((64, 2), (125, 1)):
        hardware = load_hardware("edge", {"sram.input_kib": kib})
        count = moved(lower_vector(once, hardware), hardware)
        assert count == {("in", "load"): times * 128_000, ("out", "store"): 128_000}


@st.composite
def tasks_in_blocks(draw):
    """Work that stores its result in blocks of channels, and turned, in blocks of samples."""
    samples, each, width = (draw(st.integers(1, most)) for most in (80, 30, 70))
    block = draw(st.sampled_from([4, 32]))
    blocks, beside = -(-samples // block), -(-width // block)
    loads = [Stream("in", samples * each, width, 8, samples),
             Stream("in scales", samples * each, beside, 8, samples)]  # fmt: skip
    if draw(st.booleans()):
        loads.append(Stream("parameters", 2, width, 32))
    stores = [Stream("out", samples * each, width, 8, samples),
              Stream("ranges", samples * each, beside, 8, samples),
              Stream("turned", samples * each, width, 8, samples),
              Stream("turned scales", blocks * each, width, 8, blocks)]  # fmt: skip
    return VectorTask(
        "task", tuple(loads), tuple(stores),
        tuple(draw(st.lists(st.integers(0, 10**5), min_size=1, max_size=2))),
        1, draw(st.booleans()), block=block,
    )  # fmt: skip


def part(task, tensor, box):
    """Blocks of samples, vectors of each and channels that a box of a result holds."""
    (_, first, top, left), (_, last, bottom, right) = box
    if tensor == "turned":
        samples = task.stores[0].samples
        assert first % task.block == 0 and (last % task.block == 0 or last == samples)
        first, last = first // task.block, -(-last // task.block)
    return (first, last), (top, bottom), (left, right)


@settings(max_examples=80)
@given(tasks_in_blocks(), SMALL, SMALL)
def test_every_piece_has_whole_blocks_of_samples_with_their_scales(task, kib, out_kib):
    hardware = load_hardware("edge", {"sram.input_kib": kib, "sram.output_kib": out_kib})
    try:
        program = lower_vector(task, hardware)
    except AccelsimError as error:
        assert str(error).endswith("must each hold that")
        return
    times = 1 if program.notes["resident"] else task.passes
    count = moved(program, hardware)
    for stream in task.loads:
        assert (covered(program, Load, stream) == times).all()
        assert count[stream.name, "load"] == times * size_bytes(stream)
    for stream in task.stores:
        assert (covered(program, Store, stream) == 1).all()
        assert count[stream.name, "store"] == size_bytes(stream)
    parts = {}
    for store in program.of(Store):
        if store.tensor.startswith("turned"):
            parts.setdefault(store.source, []).append(part(task, store.tensor, store.box))
    assert all(own == [own[0]] * 2 for own in parts.values())
    assert sum(command.operations for command in program.of(Map)) == sum(task.operations)


def test_a_pass_that_gathers_reads_vectors_as_they_lie_the_last_one_block_by_block():
    streams = [Stream(name, 64 * 100, 32, 8, 64) for name in ("in", "out")]
    norm = VectorTask("norm", (streams[0],), (streams[1],), (3, 2), 32, True, block=32)
    program = lower_vector(norm, load_hardware("edge", {"sram.output_kib": 16}))
    loads = list(program.of(Load))
    shapes = {phase: {load.box.shape for load in loads if load.phase == phase}
              for phase in (GATHER, APPLY)}  # fmt: skip
    assert shapes == {GATHER: {(1, 2, 100, 32)}, APPLY: {(1, 32, 8, 32), (1, 32, 4, 32)}}
    assert {load.region.counts for load in loads if load.phase == GATHER} == {(1, 1, 1)}
