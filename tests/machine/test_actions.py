"""The counts that become joules: against a slow twin, and against closed forms of a layer."""

from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import simulate
from accelsim.hardware import load_hardware
from accelsim.lowering import REALISATIONS, Operation, Tiling, lower, lower_vector
from accelsim.lowering.vector import Stream, VectorTask
from accelsim.machine.actions import count_actions
from accelsim.network import Conv2d, Linear, load_layer
from accelsim.program import Commands
from accelsim.quant import Scheme, Statistic
from accelsim.result import merged
from accelsim.simulation.step import operation_of
from tests.lowering.test_blocks import block_operations
from tests.machine.test_compiled import lowered_or_skip
from tests.naive.actions import array_accesses
from tests.strategies import machines, operations

DATAFLOWS = ("weight-stationary", "input-stationary", "output-stationary")
LAYER = Conv2d("small", in_channels=6, out_channels=10, kernel=3, height=8, width=8, padding=1)


def counts(actions):
    return {(a.component, a.action, a.bits): a.count for a in actions}


def counted(layer, hardware, realisation="static", statistics=(), **bits):
    operation = Operation(layer.nest(1), bias=layer.has_bias, **bits)
    program = lower(operation, hardware, realisation)
    return counts(count_actions(replace(program, statistics=frozenset(statistics)), hardware))


@settings(deadline=None, max_examples=40)
@given(
    dataflow=st.sampled_from(DATAFLOWS),
    array=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    shape=st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 7)),
)
def test_a_product_streams_what_its_folds_need(dataflow, array, shape):
    m, k, n = shape
    machine = load_hardware(
        "table5",
        {"array": {"rows": array[0], "columns": array[1], "dataflow": dataflow}},
    )
    found = counted(Linear("fc", in_features=k, out_features=n, rows=m), machine)
    naive = array_accesses(dataflow, *array, m, k, n, first=True)
    assert found["input buffer", "read", (8,)] == naive["inputs"]
    assert found["weight buffer", "read", (8,)] == naive["weights"]
    assert found["accumulator buffer", "write", (32,)] == naive["writes"]
    assert found["accumulator buffer", "read", (32,)] == naive["reads"] + m * n  # and the drain


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_a_reduction_in_chunks_reads_the_sums_it_continues(dataflow):
    machine = load_hardware(
        "edge",
        {"array": {"rows": 4, "columns": 4, "dataflow": dataflow}, "sram.weight_kib": 0.25},
    )
    layer = Linear("fc", in_features=96, out_features=8, rows=5)
    operation = Operation(layer.nest(1))
    program = lower(operation, machine, "static")
    computes = [c for c in program.commands if type(c).__name__ == "Compute"]
    assert any(not c.first for c in computes)
    found = counts(count_actions(program, machine))
    naive = sum(
        (array_accesses(dataflow, 4, 4, c.m, c.k, c.n_count, c.first) for c in computes),
        start=type(array_accesses(dataflow, 1, 1, 1, 1, 1, True))(),
    )
    assert found["input buffer", "read", (8,)] == naive["inputs"]
    assert found["accumulator buffer", "read", (32,)] == naive["reads"] + 40


def test_a_layer_that_fits_counts_its_closed_form():
    machine = load_hardware("table5")
    found = counted(LAYER, machine)
    macs, outputs = LAYER.nest().macs, 10 * 64
    assert found["array", "multiply", (8, 8)] == found["array", "add", (32,)] == macs
    assert found["input buffer", "write", (8,)] == 6 * 64
    assert found["weight buffer", "write", (8,)] == 9 * 6 * 10
    assert found["statistics", "compare", (32,)] == 2 * outputs + 2 * 31
    assert found["requantizer", "multiply", (32, 32)] == outputs
    assert found["output buffer", "write", (8,)] == outputs
    assert found["output buffer", "read", (8,)] == outputs


def test_widths_are_those_of_the_operands():
    found = counted(LAYER, load_hardware("table5"), input_bits=4, weight_bits=2, output_bits=6)
    assert ("array", "multiply", (4, 2)) in found
    assert ("input buffer", "read", (4,)) in found
    assert found["output buffer", "write", (8,)] == 64 * 8  # 10 outputs of 6 bits are 8 bytes


def test_realisations_differ_in_what_they_move_and_do_again():
    machine = load_hardware("table5")
    static, spill = counted(LAYER, machine), counted(LAYER, machine, "spill")
    again = counted(LAYER, machine, "recompute")
    array = "array", "multiply", (8, 8)
    sums = "accumulator buffer", "write"
    assert again[array] == 2 * static[array] == 2 * spill[array]
    assert spill[*sums, (8,)] == 4 * 640  # loaded again, as bytes
    assert (*sums, (8,)) not in static
    assert spill["output buffer", "write", (8,)] == 640 + 4 * 640


def test_what_the_estimator_asks_for_is_work_of_the_statistics_unit():
    machine = load_hardware("table5")
    plain, moments = counted(LAYER, machine), counted(LAYER, machine, "static", [Statistic.MOMENTS])
    counting = counted(LAYER, machine, "static", [Statistic.EXCEEDANCES])
    compare = "statistics", "compare", (32,)
    assert moments["statistics", "multiply", (32, 32)] == 640
    assert moments["statistics", "add", (64,)] == 2 * 640
    assert counting[compare] == plain[compare] + 2 * 640


def test_a_float_requantizer_multiplies_floats():
    found = counted(LAYER, load_hardware("table5", {"requantizer.mode": "f32-rne"}))
    assert found["requantizer", "multiply-float", (32, 32)] == 640
    assert ("requantizer", "multiply", (32, 32)) not in found


def test_a_bias_is_read_once_for_each_tile():
    with_bias = Linear("fc", in_features=8, out_features=10, bias=True)
    found = counted(with_bias, load_hardware("table5"))
    assert found["weight buffer", "read", (32,)] == 10


@pytest.mark.parametrize("scheme", ["in-hindsight", "current", "sigma-ema"])
def test_values_change_no_count(scheme):
    timed = simulate(LAYER, "mcu", scheme, data=None)
    assert simulate(LAYER, "mcu", scheme).actions == timed.actions


@pytest.mark.parametrize("dram", ["ideal", "ddr4-2400"])
def test_the_dram_moves_its_traffic_and_the_rest_of_its_bursts(dram):
    overrides = [] if dram == "ideal" else [f"dram.preset={dram}"]
    machine = load_hardware("edge", overrides)
    result = simulate(load_layer("mobilenetv2.features.2.conv.0.0"), machine, "current", data=None)
    found = counts(result.actions)
    moved = sum(count for (component, _, _), count in found.items() if component == "dram")
    assert found["dram", "read", (8,)] == result.bytes_of(direction="load")
    assert found["dram", "write", (8,)] == result.bytes_of(direction="store")
    assert moved == max(result.bus_bytes, result.total_bytes)


def test_vector_work_reads_what_was_loaded_once_for_each_pass():
    rows = Stream("in", 64, 32, 8), Stream("out", 64, 32, 8)
    task = VectorTask("softmax", rows[:1], rows[1:], operations=(2000, 3000), groups=64)
    found = counts(count_actions(lower_vector(task, load_hardware("edge")), load_hardware("edge")))
    assert found["vector unit", "operate", (32,)] == 5000
    assert found["input buffer", "write", (8,)] == 2048
    assert found["input buffer", "read", (8,)] == 2 * 2048
    assert found["output buffer", "write", (8,)] == found["output buffer", "read", (8,)] == 2048
    assert ("array", "multiply", (8, 8)) not in found


def test_merging_adds_equal_actions_and_keeps_their_order():
    one = simulate(LAYER, "mcu", data=None).actions
    twice = merged(one + one)
    assert [(a.component, a.action, a.bits) for a in twice] == [
        (a.component, a.action, a.bits) for a in one
    ]
    assert [a.count for a in twice] == [2 * a.count for a in one]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("place", ["in-array", "vector-unit"])
def test_partial_sums_of_blocks_are_rescaled_where_the_machine_does_it(dataflow, place):
    """Two kernel rows of 40 channels are four blocks, and 64 rows hold two of them."""
    array = {"rows": 64, "columns": 16, "dataflow": dataflow, "block_rescale": place}
    machine = load_hardware("edge", {"array": array})
    layer = Conv2d("blocks", 40, 32, (2, 1), 6, 5)
    nest, scheme = layer.nest(1), Scheme.parse("mxint8")
    program = lower(operation_of(layer, 1, scheme), machine, "static", Tiling(1, 5, 5, 1, 32, 40))
    found = counts(count_actions(program, machine))
    sums, blocks, over = nest.output_elements, 4, 2
    assert (nest.macs, sums) == (25 * 32 * 80, 25 * 32)
    assert found["array", "multiply", (8, 8)] == nest.macs
    in_array = place == "in-array"
    written = blocks
    if in_array:
        written = 1 if dataflow == "output-stationary" else 2
    assert found["accumulator buffer", "write", (32,)] == sums * written
    assert found["accumulator buffer", "read", (32,)] == sums * written  # the drain's among them
    where, other = ("array", "vector unit") if in_array else ("vector unit", "array")
    for rescaling in (("add-float", (32,)), ("add", (8,))):
        assert found[(where, *rescaling)] == sums * blocks
        assert (other, *rescaling) not in found
    if dataflow == "weight-stationary":  # inputs once per fold over columns
        assert found["input buffer", "read", (8,)] == 25 * (80 + blocks) * over
        assert found["weight buffer", "read", (8,)] == 32 * (80 + blocks)
    assert found["statistics", "compare", (32,)] == sums
    assert found["requantizer", "add", (32,)] == sums
    assert ("requantizer", "multiply", (32, 32)) not in found


def test_the_adders_of_blocks_cost_energy():
    layer = load_layer("resnet18.layer1.0.conv1")
    integers, blocks = (
        simulate(layer, "edge", s, None).energy("horowitz-45nm") for s in ("in-hindsight", "mxint8")
    )
    rescaled = layer.nest(1).output_elements * 9 * 2
    adders = rescaled * (0.9 + 0.03)  # a float32 sum and an 8-bit exponent
    assert blocks.pj_of("array") == pytest.approx(integers.pj_of("array") + adders)


def check_each_by_itself(program, hardware):
    alone = (
        count_actions(replace(program, commands=Commands([c])), hardware) for c in program.commands
    )
    assert counts(count_actions(program, hardware)) == counts(merged(chain.from_iterable(alone)))


@settings(max_examples=40, deadline=None)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)))
def test_commands_that_are_alike_count_as_each_by_itself(operation, hardware, realisation):
    check_each_by_itself(lowered_or_skip(operation, hardware, realisation), hardware)


@settings(max_examples=20, deadline=None)
@given(block_operations(), machines(), st.sampled_from(["in-array", "vector-unit"]))
def test_products_in_blocks_count_as_each_by_itself(operation, hardware, where):
    hardware = load_hardware(hardware, {"array.block_rescale": where})
    check_each_by_itself(lowered_or_skip(operation, hardware, "static"), hardware)
