"""The compiled machine on a small program; `tests/machine/test_compiled.py` asks it about many."""

import pytest

from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, lower
from accelsim.machine import Machine
from accelsim.machine.compiled import run_compiled
from accelsim.network import Nest

SMALL = {
    "sram.input_kib": 0.25, "sram.weight_kib": 0.25, "sram.accumulator_kib": 0.5,
    "sram.output_kib": 0.0625, "array.rows": 4, "array.columns": 4, "requantizer.lanes": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "memory", [{}, {"dram.preset": "lpddr5-6400", "clock_mhz": 933.3}], ids=["edge", "banks"]
)
@pytest.mark.parametrize("realisation", ["static", "resident"])
def test_a_small_program_runs_as_in_the_reference(memory, realisation):
    hardware = load_hardware("edge", SMALL | memory)
    nest = Nest(1, 2, 1, 8, 8, 5, 5, 3, 3, pad_top=1, pad_left=1)
    program = lower(Operation(nest, bias=True), hardware, realisation)
    assert run_compiled(program, hardware) == Machine(program, hardware).run()
