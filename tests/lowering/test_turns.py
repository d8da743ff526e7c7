"""What comes again and again is the same whether it is written out or not."""

from contextlib import contextmanager
from dataclasses import fields, replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import REALISATIONS, Ranges, Stream, VectorTask, lower, lower_vector, turns
from accelsim.lowering.turns import Turns
from accelsim.machine import actions_of, run
from accelsim.program import APPLY, GRAD_WEIGHT, Barrier, Map
from tests.lowering.test_blocks import block_operations
from tests.lowering.test_vector import tasks, tasks_in_blocks
from tests.strategies import machines, operations


@contextmanager
def all_written():
    """Let every turn be written."""
    kept, turns.WRITTEN = turns.WRITTEN, 1 << 62
    try:
        yield
    finally:
        turns.WRITTEN = kept


def check(write, hardware):
    """The same commands, and the same account of them; whether any was not written."""
    try:
        program = write()
    except AccelsimError:
        assume(False)
    with all_written():
        written_out = write()
    commands = written_out.commands
    assert not commands.repeats
    assert len(program.commands) == len(commands)
    assert program.commands[:] == commands[:]
    account = run(program, hardware, spans=False)
    expected = run(written_out, hardware, spans=False)
    for field in fields(expected):
        assert getattr(account, field.name) == getattr(expected, field.name), field.name
    assert actions_of(program, hardware, account) == actions_of(written_out, hardware, expected)
    return len(program.commands.written) < len(commands)


@st.composite
def many(draw):
    """Operations with many images or copies."""
    operation, number = draw(operations()), draw(st.integers(4, 8))
    nest = operation.nest
    nest = replace(nest, **{"batch" if nest.copies == 1 else "copies": number})
    return replace(operation, nest=nest)


@st.composite
def sampled(draw):
    """Operations whose samples have ranges, with operands that may have some of other extents."""
    operation = draw(many().filter(lambda one: one.direction != "grad-weight"))
    nest = operation.nest
    images, *rest = nest.output_shape
    samples = nest.copies if nest.copies > 1 else nest.batch
    input_ranges = None
    if draw(st.booleans()):
        input_ranges = Ranges((draw(st.integers(1, 3)), *nest.input_shape[1:]), 40)
    ranges = Ranges((images // samples, *rest), draw(st.sampled_from([32, 40])))
    return replace(operation, ranges=ranges, input_ranges=input_ranges)


@settings(max_examples=60, deadline=None)
@given(
    operations(), machines(), st.sampled_from([one for one in REALISATIONS if one != "static"]),
    st.integers(5, 9),
)  # fmt: skip
def test_searches_are_the_same_written_out(operation, hardware, realisation, passes):
    assert check(lambda: lower(operation, hardware, realisation, passes=passes), hardware) == (
        passes > 5
    )


@settings(max_examples=60, deadline=None)
@given(sampled(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(1, 6))
def test_samples_are_the_same_written_out(operation, hardware, realisation, passes):
    passes = 1 if realisation == "static" else passes
    check(lambda: lower(operation, hardware, realisation, passes=passes), hardware)


@settings(max_examples=150, deadline=None)
@given(
    many(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(1, 3),
    st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip
def test_images_are_the_same_written_out(
    operation, hardware, realisation, passes, of_input, of_weights
):
    nest = operation.nest
    if of_input:
        ranges = Ranges((of_input, *nest.input_shape[1:]), 40)
        operation = replace(operation, input_ranges=ranges)
    if of_weights and operation.direction == GRAD_WEIGHT:
        ranges = Ranges((of_weights, *nest.output_shape[1:]), 40)
        operation = replace(operation, weight_ranges=ranges)
    passes = 1 if realisation == "static" else passes
    check(lambda: lower(operation, hardware, realisation, passes=passes), hardware)


@settings(max_examples=50, deadline=None)
@given(block_operations(), machines(), st.integers(5, 8))
def test_images_in_blocks_are_the_same_written_out(operation, hardware, images):
    operation = replace(operation, nest=replace(operation.nest, batch=images))
    check(lambda: lower(operation, hardware, "static"), hardware)


@settings(max_examples=50, deadline=None)
@given(tasks() | tasks_in_blocks(), machines(), st.integers(1, 9), st.integers(1, 3))
def test_vector_work_is_the_same_written_out(task, hardware, sweeps, samples):
    if task.block is None:
        task = replace(task, sweeps=sweeps, samples=min(samples, task.loads[0].vectors))
    check(lambda: lower_vector(task, hardware), hardware)


def test_pieces_that_have_as_much_of_everything_are_turns_and_others_are_written_out():
    streams = Stream("a", 4096, 8, 8), Stream("means", 2, 8, 32)
    task = VectorTask("work", streams, (Stream("b", 4096, 8, 8),), (4096,), sweeps=2)
    hardware = load_hardware("edge", {"sram.input_kib": 1})
    assert check(lambda: lower_vector(task, hardware), hardware)
    pieces = sum(command.phase == APPLY for command in lower_vector(task, hardware).of(Map))
    # One operation, then two, then one.
    uneven = replace(task, operations=(3 * pieces // 2,))
    assert not check(lambda: lower_vector(uneven, hardware), hardware)


def barriers(count, sizes, waits_for=lambda turn: turn - 1):
    """What is written of so many barriers, each after the one before it, or as it is said."""
    writer = Turns()

    def barrier(turn):
        before = (waits_for(turn),) if turn else ()
        taken = sizes[turn % len(sizes)]
        writer._append(Barrier(writer.next_id, before, "product", turn, output_bytes=taken))

    writer.turns(count, barrier)
    return writer.commands


def test_of_alike_turns_four_are_written_and_all_are_there():
    commands = barriers(9, [5])
    assert len(commands.written) == 4
    assert len(commands) == 9
    assert [(one.id, one.after, one.part, one.output_bytes) for one in commands] == [
        (turn, (turn - 1,) if turn else (), turn, 5) for turn in range(9)
    ]
    assert commands[8] == commands.written[3]


def test_turns_that_do_not_do_the_same_are_written_out():
    commands = barriers(9, [5, 6, 7])
    assert not commands.repeats
    assert [one.output_bytes for one in commands] == [5, 6, 7] * 3


def test_turns_that_wait_for_the_same_or_for_what_is_as_far_before_are_alike():
    assert barriers(9, [5], lambda turn: 0).repeats
    assert not barriers(9, [5], lambda turn: 2 * turn).repeats
    assert [one.after for one in barriers(9, [5], lambda turn: 0)][8] == (0,)
