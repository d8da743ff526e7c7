"""Tensors that stay on chip: no DRAM byte, and the cycles of the port."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import REALISATIONS, Operation, Stream, VectorTask, lower, lower_vector
from accelsim.network import Nest
from tests.strategies import machines, operations, random_operands

COPY = VectorTask(
    "copy", (Stream("in", 64, 64, 8),), (Stream("out", 64, 64, 8),), operations=(64 * 64,)
)
MAP_CYCLES, STAGES = 64 * 64 // 32, 4


@pytest.mark.parametrize(("bytes_per_cycle", "port_cycles"), [(64, 64), (16, 256), (100, 41)])
def test_a_tensor_on_chip_takes_the_cycles_of_its_port_and_no_dram_byte(
    bytes_per_cycle, port_cycles
):
    hardware = load_hardware(
        "edge", {"sram.output_kib": 64, "sram.chain_bytes_per_cycle": bytes_per_cycle}
    )
    program = replace(lower_vector(COPY, hardware), on_chip=frozenset({"in", "out"}))
    run = machine.run(program, hardware)
    assert run.total_cycles == port_cycles + MAP_CYCLES + STAGES + port_cycles
    assert run.traffic == ()
    assert run.bus_bytes == 0
    assert [(row.tensor, row.direction, row.bytes) for row in run.chain_traffic] == [
        ("in", "load", 4096), ("out", "store", 4096),
    ]  # fmt: skip
    assert {u.unit: u.busy_cycles for u in run.units if "ore" in u.unit or u.unit == "load"} == {
        "load": port_cycles, "store": port_cycles,
    }  # fmt: skip


def test_the_engines_share_the_port():
    hardware = load_hardware("edge", {"sram.chain_bytes_per_cycle": 1, "vector_unit.lanes": 4096})
    program = replace(lower_vector(COPY, hardware), on_chip=frozenset({"in", "out"}))
    assert machine.run(program, hardware).total_cycles >= 2 * 4096


@settings(max_examples=40)
@given(
    operations(), machines(), st.sampled_from(list(REALISATIONS)),
    st.sets(st.sampled_from(["input", "output", "accumulators"])),
)  # fmt: skip
def test_bytes_leave_the_dram_for_the_port_and_the_values_stay(
    operation, hardware, realisation, on_chip
):
    try:
        program = lower(operation, hardware, realisation)
    except AccelsimError:
        assume(False)
    operands = random_operands(operation, 1)
    away = machine.run(program, hardware, operands)
    near = machine.run(replace(program, on_chip=frozenset(on_chip)), hardware, operands)
    moved = {(r.tensor, r.direction, r.phase): r.bytes for r in away.traffic}
    chained = {(r.tensor, r.direction, r.phase): r.bytes for r in near.chain_traffic}
    assert chained == {key: count for key, count in moved.items() if key[0] in on_chip}
    assert {(r.tensor, r.direction, r.phase): r.bytes for r in near.traffic} == {
        key: count for key, count in moved.items() if key[0] not in on_chip
    }
    assert (near.outcome.output == away.outcome.output).all()
    for unit in near.units:
        parts = (unit.busy_cycles, unit.starved_cycles, unit.blocked_cycles, unit.idle_cycles)
        assert min(parts) >= 0, unit
        assert sum(parts) == near.total_cycles, unit


def test_a_faster_port_is_no_slower_and_a_run_is_the_same_twice():
    nest = Nest(1, 1, 1, 64, 64, 14, 14, 3, 3)
    cycles = []
    for bytes_per_cycle in (1, 8, 64):
        hardware = load_hardware("edge", {"sram.chain_bytes_per_cycle": bytes_per_cycle})
        program = replace(
            lower(Operation(nest), hardware, "static"), on_chip=frozenset({"input", "output"})
        )
        run = machine.run(program, hardware)
        assert run == machine.run(program, hardware)
        cycles.append(run.total_cycles)
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > cycles[1]
