"""Both gradients of a layer are operations of their own: their bytes, cycles and refusals."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, Tiling, lower
from accelsim.network import Nest, load_layer
from accelsim.program import GRAD_INPUT, GRAD_WEIGHT, Drain, Load
from tests.strategies import DATAFLOWS, nests

ROOMY = {f"sram.{name}_kib": 8192 for name in ("input", "weight", "accumulator", "output")}


def moved_bytes(operation, hardware, realisation="static"):
    run = machine.run(lower(operation, hardware, realisation), hardware)
    count = Counter()
    for row in run.traffic:
        count[row.tensor, row.direction] += row.bytes
    return dict(count)


@settings(max_examples=60)
@given(nests())
def test_bytes_of_both_gradients_are_each_tensor_once_where_buffers_hold_the_layer(nest):
    hardware = load_hardware("edge", ROOMY)
    to_input = Operation(nest.input_gradient(), direction=GRAD_INPUT)
    assert moved_bytes(to_input, hardware) == {
        ("input", "load"): nest.output_elements,
        ("weights", "load"): nest.weight_elements,
        ("output", "store"): nest.input_elements,
    }
    to_weights = Operation(nest, direction=GRAD_WEIGHT, output_bits=32, output_float=True)
    assert moved_bytes(to_weights, hardware) == {
        ("input", "load"): nest.input_elements,
        ("weights", "load"): nest.output_elements,
        ("output", "store"): 4 * nest.weight_elements,
    }


def test_sixteen_bits_of_the_output_s_gradient_take_twice_its_bytes():
    nest, hardware = Nest(1, 2, 1, 8, 12, 7, 7, 3, 3), load_hardware("edge", ROOMY)
    narrow, wide = (
        moved_bytes(Operation(nest, direction=GRAD_WEIGHT, weight_bits=bits), hardware)
        for bits in (8, 16)
    )
    assert wide["weights", "load"] == 2 * narrow["weights", "load"] == 2 * nest.output_elements


def test_a_second_copy_of_the_output_adds_its_bytes_and_a_second_drain():
    nest, hardware = Nest(1, 1, 1, 8, 12, 7, 7, 3, 3), load_hardware("edge")
    once, twice = (
        lower(Operation(nest, second_output_bits=bits), hardware, "static") for bits in (None, 16)
    )
    runs = [machine.run(program, hardware) for program in (once, twice)]
    stored = [sum(r.bytes for r in run.traffic if r.direction == "store") for run in runs]
    assert stored == [nest.output_elements, 3 * nest.output_elements]
    busy = [next(u.busy_cycles for u in r.units if u.unit == "requantizer") for r in runs]
    assert busy[1] == 2 * busy[0]
    assert sum(d.observe for d in twice.of(Drain)) == len(list(twice.of(Drain))) // 2


def test_a_tile_of_the_input_s_channels_reads_a_strip_of_every_filter():
    forward = Nest(1, 1, 1, 64, 16, 6, 6, 3, 3)
    operation = Operation(forward.input_gradient(), direction=GRAD_INPUT)
    hardware = load_hardware("edge")
    program = lower(operation, hardware, "static", Tiling(1, 6, 6, 1, 32, 16))
    loads = [load.region for load in program.of(Load) if load.tensor == "weights"]
    assert [(region.run_bytes, region.counts) for region in loads] == [(32, (16, 3, 3))] * 2
    assert loads[0].strides_bytes == (9 * 64, 3 * 64, 64)
    assert loads[1].address - loads[0].address == 32


@settings(max_examples=60)
@given(nests(), st.integers(1, 16), st.integers(1, 16), st.sampled_from(DATAFLOWS))
def test_cycles_of_one_tile_are_the_closed_form_of_its_product(nest, r, c, dataflow):
    """m = output channels, k = positions, n = kernel positions x input channels, per group."""
    hardware = load_hardware(
        "edge",
        ROOMY | {"array.rows": r, "array.columns": c, "array.dataflow": dataflow,
                 "array.stationary_sets": 1},
    )  # fmt: skip
    whole = Tiling(
        nest.batch, nest.out_height, nest.out_width, nest.groups, nest.out_channels,
        nest.in_channels, "input channels",
    )  # fmt: skip
    program = lower(Operation(nest, direction=GRAD_WEIGHT), hardware, "static", whole)
    run = machine.run(program, hardware)
    m, k = nest.out_channels, nest.batch * nest.out_height * nest.out_width
    n = nest.kernel_height * nest.kernel_width * nest.in_channels
    cycles = {
        "weight-stationary": ceil(k / r) * ceil(n / c) * (2 * r + c + m - 2),
        "input-stationary": ceil(k / r) * ceil(m / c) * (2 * r + c + n - 2),
        "output-stationary": ceil(m / r) * ceil(n / c) * (2 * r + c + k - 2),
    }[dataflow]
    array = next(u for u in run.units if u.unit == "array")
    assert array.busy_cycles == nest.copies * nest.groups * cycles
    assert program.macs == nest.macs
    assert run.total_cycles * hardware.peak_macs_per_cycle >= nest.macs


def test_the_array_walks_the_zeros_of_a_stride_and_the_useful_products_are_the_forward_s():
    forward = load_layer("resnet18.layer2.0.conv1").nest()
    gradient = forward.input_gradient()
    program = lower(Operation(gradient, direction=GRAD_INPUT), load_hardware("edge"), "static")
    assert program.macs == gradient.macs == 4 * forward.macs
    assert gradient.useful_macs == forward.useful_macs


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"direction": "backward"}, "direction='backward': must be one of forward, grad-input"),
        ({"direction": GRAD_WEIGHT, "bias": True}, "bias=True: must be False in a grad-weight"),
        ({"output_float": True}, "output_bits=8: must be 32"),
        ({"output_float": True, "output_bits": 32, "second_output_bits": 8}, "output_bits=32"),
    ],
)
def test_an_impossible_operation_is_refused(fields, message):
    with pytest.raises(AccelsimError, match=message) as error:
        Operation(Nest(1, 1, 1, 1, 1, 1, 1), **fields)
    assert "\n" not in str(error.value)


def test_a_float_output_has_a_static_program_only():
    operation = Operation(Nest(1, 1, 1, 1, 1, 1, 1), "dw", output_bits=32, output_float=True)
    with pytest.raises(AccelsimError, match="realisation='spill': must be static for dw"):
        lower(operation, load_hardware("edge"), "spill")


def test_a_nest_with_input_dilation_has_no_gradient_here():
    gradient = Nest(1, 1, 1, 1, 1, 5, 5, 3, 3, 2, 2).input_gradient()
    with pytest.raises(AccelsimError, match="input_dilation: must be 1"):
        gradient.input_gradient()
