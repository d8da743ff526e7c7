"""The compiled machine is the reference machine: every cycle, byte, span and tie."""

from dataclasses import fields, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import Statistic, load_hardware
from accelsim.lowering import REALISATIONS, Operation, Ranges, VectorTask, lower, lower_vector
from accelsim.lowering.vector import Stream
from accelsim.machine import Machine
from accelsim.machine.compiled import run_compiled
from accelsim.network import Nest
from accelsim.program import Commands, Compute, Load
from tests.lowering.test_blocks import block_operations
from tests.lowering.test_programs import ROOMY
from tests.machine.test_parts import regional, sampled
from tests.strategies import machines, operations


def lowered_or_skip(operation, hardware, realisation, passes=1):
    try:
        return lower(operation, hardware, realisation, passes=passes)
    except AccelsimError:
        assume(False)


def check(program, hardware):
    """Field by field, so that a difference is named."""
    expected, found = Machine(program, hardware).run(), run_compiled(program, hardware)
    assert found is not None
    for field in fields(expected):
        assert getattr(found, field.name) == getattr(expected, field.name), field.name
    assert run_compiled(program, hardware, spans=False) == replace(expected, spans=())


@settings(max_examples=150, deadline=None)
@given(
    operations(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(1, 3),
    st.sets(st.sampled_from(list(Statistic))),
)  # fmt: skip
def test_a_product_runs_as_in_the_reference(operation, hardware, realisation, passes, asked):
    passes = 1 if realisation == "static" else passes
    program = lowered_or_skip(operation, hardware, realisation, passes)
    check(replace(program, statistics=frozenset(asked)), hardware)


@settings(max_examples=40, deadline=None)
@given(sampled(), machines(), st.sampled_from(["spill", "lazy", "recompute", "resident"]))
def test_samples_one_after_the_other_run_as_in_the_reference(operation, hardware, realisation):
    check(lowered_or_skip(operation, hardware, realisation), hardware)


@settings(max_examples=25, deadline=None)
@given(regional(), machines())
def test_regions_run_as_in_the_reference(operation, hardware):
    check(lowered_or_skip(operation, hardware, "static"), hardware)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 5), st.integers(1, 12), st.integers(1, 6), machines(),
    st.sampled_from(["spill", "spill16", "lazy", "resident"]),
)  # fmt: skip
def test_mixed_samples_run_as_in_the_reference(batch, channels, size, hardware, realisation):
    nest = Nest(1, batch, 1, channels, 8, size, size)
    ranges = Ranges((1, size, size, 8), 40, mixed=True)
    check(lowered_or_skip(Operation(nest, ranges=ranges), hardware, realisation, 2), hardware)


@settings(max_examples=40, deadline=None)
@given(
    block_operations(), machines(), st.sampled_from(["in-array", "vector-unit"]), st.integers(1, 40)
)
def test_blocks_run_as_in_the_reference(operation, hardware, where, lanes):
    rescale = {"array.block_rescale": where, "vector_unit.lanes": lanes}
    hardware = load_hardware(hardware, rescale)
    check(lowered_or_skip(operation, hardware, "static"), hardware)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 70), st.integers(1, 6), st.integers(1, 40),
    st.sampled_from([None, 8]), machines(), st.sampled_from(["in-array", "vector-unit"]),
)  # fmt: skip
def test_inputs_with_ranges_run_as_in_the_reference(
    batch, channels, size, part, edge_bits, hardware, where
):
    operation = Operation(
        Nest(1, batch, 1, channels, 8, size, size), edge_bits=edge_bits,
        input_ranges=Ranges((1, 2, 3, part), 40), input_bits=8 if edge_bits is None else 32,
    )  # fmt: skip
    hardware = load_hardware(hardware, {"array.block_rescale": where, "vector_unit.lanes": 3})
    check(lowered_or_skip(operation, hardware, "static"), hardware)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300), st.integers(1, 40), st.integers(1, 3), st.integers(1, 3),
    st.booleans(), machines(), st.sets(st.sampled_from(["a", "b", "c"])),
)  # fmt: skip
def test_vector_work_runs_as_in_the_reference(
    vectors, width, passes, sweeps, by_channel, hardware, on_chip
):
    task = VectorTask(
        "work", (Stream("a", vectors, width, 8), Stream("b", vectors, width, 32)),
        (Stream("c", vectors, width, 8),), (7 * vectors * width,) * passes, 1, by_channel, sweeps,
    )  # fmt: skip
    try:
        program = lower_vector(task, hardware)
    except AccelsimError:
        assume(False)
    check(replace(program, on_chip=frozenset(on_chip)), hardware)


@settings(max_examples=60, deadline=None)
@given(
    operations(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(1, 64),
    st.sets(st.sampled_from(["input", "output", "accumulators"]), min_size=1),
)  # fmt: skip
def test_tensors_on_chip_run_as_in_the_reference(
    operation, hardware, realisation, bytes_per_cycle, on_chip
):
    hardware = load_hardware(hardware, {"sram.chain_bytes_per_cycle": bytes_per_cycle})
    program = lowered_or_skip(operation, hardware, realisation)
    check(replace(program, on_chip=frozenset(on_chip)), hardware)


@pytest.mark.parametrize(
    ("memory", "realisation"), [({}, "static"), ({"dram.preset": "lpddr4-3200"}, "spill")]
)
def test_so_many_tiles_that_readings_are_thinned_run_as_in_the_reference(memory, realisation):
    small = {f"sram.{name}_kib": 1 for name in ("input", "weight", "accumulator", "output")}
    hardware = load_hardware("edge", small | memory)
    program = lower(Operation(Nest(1, 1, 1, 16, 32, 40, 40, 3, 3)), hardware, realisation)
    reference = Machine(program, hardware)
    assert run_compiled(program, hardware) == reference.run()
    assert reference.dram.meter.apart_cycles > 1


@pytest.fixture(scope="module")
def program():
    return lower(Operation(Nest(1, 1, 1, 16, 32, 8, 8)), ROOMY, "static")


def changed(program, number, **fields):
    commands = list(program.commands)
    commands[number] = commands[number]._replace(**fields)
    return replace(program, commands=Commands(commands))


def test_what_cannot_end_is_left_to_the_reference_which_says_why(program):
    compute = next(program.of(Compute)).id
    stuck = changed(program, compute, after=(compute,))
    assert run_compiled(stuck, ROOMY) is None
    with pytest.raises(AccelsimError, match="deadlock at cycle"):
        machine.run(stuck, ROOMY)


def test_a_command_larger_than_its_buffer_is_left_to_the_reference_which_says_so(program):
    large = changed(program, 0, buffer_bytes=1 << 30)
    assert run_compiled(large, ROOMY) is None
    with pytest.raises(AccelsimError, match="a command needs 1073741824 bytes"):
        machine.run(large, ROOMY)


def test_an_address_beyond_the_dram_is_left_to_the_reference_which_says_so(program):
    banks = load_hardware(ROOMY, {"dram.preset": "ddr4-2400"})
    load = next(program.of(Load))
    beyond = changed(program, load.id, region=load.region._replace(address=1 << 50))
    assert run_compiled(beyond, banks) is None
    with pytest.raises(AccelsimError, match="the capacity"):
        machine.run(beyond, banks)


def test_commands_that_are_not_numbered_by_their_place_run_all_the_same(program):
    def later(command):
        command = command._replace(id=command.id + 5, after=tuple(a + 5 for a in command.after))
        if isinstance(command, Compute):
            return command._replace(stationary=command.stationary + 5)
        return command

    others = replace(program, commands=Commands(map(later, program.commands)))
    assert run_compiled(others, ROOMY) is None
    assert machine.run(others, ROOMY) == machine.run(program, ROOMY)


def test_nothing_to_do_takes_no_time(program):
    assert run_compiled(replace(program, commands=Commands()), ROOMY).total_cycles == 0
