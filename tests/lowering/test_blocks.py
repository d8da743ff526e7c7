"""Programs of operands in blocks: what they load is the closed form, and it fits."""

from collections import Counter
from dataclasses import replace
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, Ranges, Tiling, lower
from accelsim.lowering.operation import DIRECTIONS
from accelsim.lowering.search import footprints
from accelsim.lowering.tiling import Candidates
from accelsim.machine import Machine, run
from accelsim.network import Nest
from accelsim.program import FORWARD, GRAD_INPUT, GRAD_WEIGHT, Load
from tests.lowering.tilings import some_tiling
from tests.strategies import machines, nests

BLOCK = 4


@st.composite
def block_operations(draw):
    nest, direction = draw(nests(most_size=5)), draw(st.sampled_from(DIRECTIONS))
    if direction == GRAD_WEIGHT and draw(st.booleans()):  # single columns have blocks of rows
        rows = draw(st.integers(1, 11))
        nest = Nest(draw(st.integers(1, 3)), 1, 1, nest.in_channels, nest.out_channels, rows, 1)
    elif direction == GRAD_WEIGHT:
        nest = replace(nest, batch=draw(st.integers(1, 11)))
    ranges = Ranges((1, 1, 1, BLOCK), 8, local=True)
    real = direction == GRAD_WEIGHT and draw(st.booleans())
    return Operation(
        nest=nest.input_gradient() if direction == GRAD_INPUT else nest,
        bias=direction == FORWARD and draw(st.booleans()),
        direction=direction,
        output_float=real,
        output_bits=32 if real else 8,
        ranges=None if real else ranges,
        block=BLOCK,
    )


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
    *positions, channels = operation.output_shape
    if operation.output_float:
        assert stored == {"output": 4 * prod(operation.output_shape)}
        return
    blocks = prod(positions) * -(-channels // BLOCK)
    assert stored == {"output": prod(operation.output_shape), "ranges": blocks}


@settings(max_examples=60, deadline=None)
@given(block_operations())
def test_with_room_for_the_layer_every_operand_and_every_scale_is_loaded_once(operation):
    """Blocks are counted here element by element."""
    room = dict.fromkeys(("input_kib", "weight_kib", "accumulator_kib", "output_kib"), 4096)
    program = lower(operation, load_hardware("edge", {"sram": room}), "static")
    loaded = Counter()
    for load in program.of(Load):
        loaded[load.tensor] += load.region.total_bytes
    nest, axis = operation.nest, operation.reduction_axis
    per_group = nest.in_channels
    shared = nest.groups > 1 and BLOCK % per_group == 0
    spans = {0: nest.batch, 1: nest.in_height, 3: nest.input_shape[3] if shared else per_group}
    assert loaded["input scales"] == counted_blocks(nest.input_shape, axis, spans[axis])
    if operation.direction == GRAD_WEIGHT:
        of_weights = axis, nest.batch if axis == 0 else nest.out_height
    else:
        of_weights = (0 if operation.direction == GRAD_INPUT else 3), per_group
    assert loaded["weight scales"] == counted_blocks(operation.weight_shape, *of_weights)
    assert loaded["input"] == nest.input_elements
    assert loaded["weights"] == prod(operation.weight_shape)


def counted_blocks(shape, axis, span):
    """A block begins with each span, and with each multiple of its size inside."""
    starts = sum(element % span % BLOCK == 0 for element in range(shape[axis]))
    return prod(shape) // shape[axis] * starts


def test_an_output_is_in_blocks_or_in_float():
    nest = Nest(1, 1, 1, 8, 8, 4, 4, 1, 1)
    with pytest.raises(AccelsimError, match="ranges=None: must be given for odd"):
        Operation(nest, "odd", block=BLOCK)


def test_a_gradient_to_the_weights_keeps_the_order_of_its_sums():
    nest, ranges = Nest(1, 8, 1, 8, 8, 4, 4), Ranges((1, 1, 1, BLOCK), 8, local=True)
    operation = Operation(nest, "odd", direction=GRAD_WEIGHT, ranges=ranges, block=BLOCK)
    hardware = load_hardware("edge")
    for tiling, message in (
        (Tiling(8, 4, 2, 1, 8, 8), r"tiling\.columns=2: must be 4"),
        (Tiling(6, 4, 4, 1, 8, 8), r"tiling\.batch=6: must be a multiple of 4, or 8"),
        (Tiling(8, 4, 4, 1, 8, 6), r"tiling\.in_channels=6: must be a multiple of 4, or 8"),
    ):
        with pytest.raises(AccelsimError, match=message):
            lower(operation, hardware, "static", tiling)


def test_groups_that_share_blocks_are_not_parted():
    nest, ranges = Nest(1, 1, 6, 2, 4, 3, 3), Ranges((1, 1, 1, BLOCK), 8, local=True)
    operation = Operation(nest, "odd", ranges=ranges, block=BLOCK)
    with pytest.raises(AccelsimError, match=r"tiling\.groups=1: must cut the channels between"):
        lower(operation, load_hardware("edge"), "static", Tiling(1, 3, 3, 1, 4, 2))


@pytest.mark.parametrize("channels", [32, 256])
def test_tiles_read_and_store_scales_in_runs_that_fill_their_bursts(channels):
    """A byte for each position lies beside the next: a tile of few columns would waste a burst."""
    hardware = load_hardware("edge")
    ranges = Ranges((1, 1, 1, 32), 8, local=True)
    operation = Operation(Nest(1, 1, 1, 64, channels, 56, 56), ranges=ranges, block=32)
    finished = run(lower(operation, hardware, "static"), hardware)
    assert finished.bus_bytes < 1.03 * sum(row.bytes for row in finished.traffic)
