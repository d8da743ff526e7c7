"""The vector unit: its cycles in closed form, its account, and every field with its effect."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, Stream, VectorTask, lower, lower_vector
from accelsim.network import Nest

FAST = {"dram.bandwidth_gb_per_s": 100_000, "dram.latency_ns": 0}
ROOMY = {"sram.input_kib": 4096, "sram.output_kib": 4096}


def mapped(vectors, width, operations):
    """A tensor read and written, with so many operations for each element."""
    streams = Stream("in", vectors, width, 8), Stream("out", vectors, width, 8)
    return VectorTask("map", streams[:1], streams[1:], (operations * vectors * width,))


def vector_unit(run):
    return next(unit for unit in run.units if unit.unit == "vector unit")


def test_one_block_takes_its_load_its_map_the_pipeline_and_its_store():
    hardware = load_hardware("edge", ROOMY | {"vector_unit.stages": 7})
    task = mapped(64, 64, 3)
    run = machine.run(lower_vector(task, hardware), hardware)
    transfer = 80 + 64 * 64 // 16
    assert run.total_cycles == transfer + 64 * 64 // 32 * 3 + 7 + transfer
    assert vector_unit(run).busy_cycles == 64 * 64 // 32 * 3


@settings(max_examples=60)
@given(st.integers(1, 3000), st.integers(0, 9), st.integers(1, 40))
def test_busy_cycles_are_the_operations_by_the_lanes(elements, operations, lanes):
    hardware = load_hardware("edge", ROOMY | FAST | {"vector_unit.lanes": lanes})
    run = machine.run(lower_vector(mapped(elements, 1, operations), hardware), hardware)
    assert vector_unit(run).busy_cycles == -(-operations * elements // lanes)


def test_lanes_follow_the_columns_of_the_array_unless_given():
    task = mapped(100, 64, 1)
    for overrides, lanes in (({}, 32), ({"array.columns": 16}, 16), ({"vector_unit.lanes": 5}, 5)):
        hardware = load_hardware("edge", ROOMY | overrides)
        busy = vector_unit(machine.run(lower_vector(task, hardware), hardware)).busy_cycles
        assert busy == -(-6400 // lanes)


@settings(max_examples=40)
@given(
    st.integers(1, 300), st.integers(1, 100), st.integers(1, 3), st.integers(1, 32),
    st.sampled_from([0.25, 1, 64]), st.sampled_from([0.5, 12.8, 400]),
)  # fmt: skip
def test_units_add_up_and_totals_keep_their_bounds(vectors, width, times, lanes, kib, gb_per_s):
    hardware = load_hardware(
        "edge",
        {"vector_unit.lanes": lanes, "sram.input_kib": kib, "sram.output_kib": kib,
         "dram.bandwidth_gb_per_s": gb_per_s},
    )  # fmt: skip
    run = machine.run(lower_vector(mapped(vectors, width, times), hardware), hardware)
    for unit in run.units:
        parts = (unit.busy_cycles, unit.starved_cycles, unit.blocked_cycles, unit.idle_cycles)
        assert min(parts) >= 0, unit
        assert sum(parts) == run.total_cycles, unit
    moved = sum(row.bytes for row in run.traffic)
    assert run.total_cycles >= Fraction(moved) / hardware.bandwidth_bytes_per_cycle
    assert run.total_cycles * lanes >= vectors * width * times


def test_a_slow_vector_unit_is_busy_and_a_slow_memory_starves_it():
    task = mapped(1000, 64, 1)
    slow_unit = load_hardware("edge", {"vector_unit.lanes": 1})
    run = machine.run(lower_vector(task, slow_unit), slow_unit)
    assert vector_unit(run).busy_cycles == 64_000 > 0.9 * run.total_cycles
    slow_memory = load_hardware("edge", {"dram.bandwidth_gb_per_s": 0.8})
    run = machine.run(lower_vector(task, slow_memory), slow_memory)
    assert vector_unit(run).starved_cycles + vector_unit(run).blocked_cycles > 100_000


def test_a_unit_without_a_command_is_not_listed():
    hardware = load_hardware("edge")
    product = machine.run(lower(Operation(Nest(1, 4, 1, 4, 4, 1, 1)), hardware, "static"), hardware)
    assert "vector unit" not in [unit.unit for unit in product.units]
    vector = machine.run(lower_vector(mapped(4, 4, 1), hardware), hardware)
    assert [unit.unit for unit in vector.units][-3:] == ["vector unit", "store", "dram"]


@pytest.mark.parametrize("memory", [{}, {"dram.preset": "lpddr4-3200"}])
def test_the_same_program_runs_the_same_twice(memory):
    hardware = load_hardware("edge", memory)
    program = lower_vector(mapped(500, 100, 1), hardware)
    assert machine.run(program, hardware) == machine.run(program, hardware)
