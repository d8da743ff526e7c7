"""Programs of operands in blocks: what they load is the closed form, and it fits."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, Ranges, lower
from accelsim.lowering.search import footprints
from accelsim.lowering.tiling import Candidates
from accelsim.machine import Machine
from accelsim.network import Nest
from accelsim.program import GRAD_INPUT, Load
from tests.lowering.tilings import some_tiling
from tests.strategies import machines, nests

BLOCK = 4


@st.composite
def block_operations(draw):
    nest = replace(draw(nests(most_size=5)), copies=1, groups=1)
    channels = draw(st.integers(1, 11)), draw(st.integers(1, 11))
    nest = replace(nest, in_channels=channels[0], out_channels=channels[1])
    ranges = Ranges((1, 1, 1, BLOCK), 8, local=True)
    return Operation(nest, bias=draw(st.booleans()), ranges=ranges, block=BLOCK)


@settings(max_examples=60, deadline=None)
@given(block_operations(), machines(), st.integers(0, 10**6))
def test_loads_are_the_closed_form_and_a_machine_of_that_size_runs_them(operation, hardware, pick):
    tiling = some_tiling(operation, hardware, pick, operation.output_bits)
    needs = footprints(operation, Candidates.of(tiling), hardware, operation.output_bits)
    buffers = ("input", "weight", "accumulator", "output")
    sizes = {f"sram.{name}_kib": int(getattr(needs, f"{name}_bytes")[0]) for name in buffers}
    kib = {field: max((size + 0.1) / 1024, 0.001) for field, size in sizes.items()}
    exact = load_hardware(hardware, kib)
    program = lower(operation, exact, "static", tiling)
    machine = Machine(program, exact)
    finished = machine.run()
    assert all(buffer.taken_bytes == 0 for buffer in machine.buffers.values())
    loaded = sum(load.region.total_bytes for load in program.of(Load))
    narrow = tiling.columns < operation.nest.out_width
    assert loaded == needs.load_bytes[0] or (narrow and loaded < needs.load_bytes[0])
    stored = Counter(
        {row.tensor: row.bytes for row in finished.traffic if row.direction == "store"}
    )
    positions = operation.nest.output_elements // operation.nest.out_channels
    blocks = -(-operation.nest.out_channels // BLOCK)
    assert stored == {"output": operation.nest.output_elements, "ranges": positions * blocks}


def test_blocks_along_another_axis_than_the_reduction_are_refused():
    nest = Nest(1, 1, 1, 8, 8, 4, 4, 1, 1)
    ranges = Ranges((1, 1, 1, BLOCK), 8, local=True)
    for fields in (
        {"direction": GRAD_INPUT},
        {"nest": replace(nest, groups=2)},
        {"ranges": None},
    ):
        with pytest.raises(AccelsimError, match="block=4: must be None for odd"):
            Operation(**({"nest": nest, "name": "odd", "ranges": ranges, "block": BLOCK} | fields))
