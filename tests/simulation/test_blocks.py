"""Layers in blocks that share a power of two: their bits, bytes and cycles."""

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Tiling, lower
from accelsim.machine import replay_blocks, run
from accelsim.network import Conv2d, Linear, MatMul, synthetic_steps
from accelsim.program import Drain
from accelsim.quant import Scheme
from accelsim.simulation.blocks import block_operands
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.step import operation_of
from tests.naive.blocks import naive_block_convolution, naive_blocks

CONV = Conv2d("conv", 70, 40, 3, 7, 6, stride=2, padding=(1, 0, 2, 1), dilation=1, bias=True)
LAYERS = [
    CONV,
    Conv2d("stem", 3, 33, 3, 6, 6, padding=1, dilation=2),
    Linear("linear", 100, 45, bias=True, rows=3),
]
MX = Scheme.parse("mxint8")


def spread(layer, batch=2):
    """A step whose channels and samples differ by powers of ten."""
    (step,) = synthetic_steps(layer, batch=batch, steps=1, seed=3)
    generator = np.random.default_rng(5)
    x = step.input * 10.0 ** generator.integers(-6, 4, step.input.shape)
    w = step.weights * 10.0 ** generator.integers(-3, 2, step.weights.shape)
    return type(step)(x, w, step.bias)


def naive_output(layer, step):
    operands = StepOperands(layer, step)
    nest = operands.nest
    bias = None if operands.bias is None else operands.bias.astype(np.float32)
    padding = nest.pad_top, nest.pad_left, nest.pad_bottom, nest.pad_right
    sums = naive_block_convolution(
        operands.input, operands.weights, bias, stride=(nest.stride_h, nest.stride_w),
        dilation=(nest.dilation_h, nest.dilation_w), padding=padding,
    )  # fmt: skip
    return naive_blocks(sums)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_output_is_that_of_the_twin(layer):
    step = spread(layer)
    result = accelsim.simulate(layer, "edge", MX, step)
    elements, _, clamped = naive_output(layer, step)
    np.testing.assert_array_equal(result.output, layer.from_nest_output(elements))
    assert result.numerics.saturated_share == clamped / elements.size


@pytest.mark.parametrize(
    "array",
    [
        {"rows": 8, "columns": 48},
        {"dataflow": "input-stationary", "columns": 16},
        {"dataflow": "output-stationary", "block_rescale": "vector-unit"},
    ],
    ids=str,
)
def test_no_machine_and_no_tiling_changes_a_bit(array):
    operands = block_operands(StepOperands(CONV, spread(CONV)))
    operation = operation_of(CONV, 2, MX)
    hardware = load_hardware("edge", {"array": array})
    tilings = [
        None,
        Tiling(1, 2, 3, 1, 32, 32, "positions", "chunk", "chunk"),
        Tiling(2, 1, 3, 1, 40, 64, "channels", "chunk", "tile"),
    ]
    found = []
    for tiling in tilings:
        program = lower(operation, hardware, "static", tiling)
        outcome = run(program, hardware, operands).outcome
        replayed = replay_blocks(program, operands)
        np.testing.assert_array_equal(outcome.output, replayed.output)
        np.testing.assert_array_equal(outcome.ranges, replayed.ranges)
        found.append(outcome)
    for outcome in found[1:]:
        np.testing.assert_array_equal(outcome.output, found[0].output)
        np.testing.assert_array_equal(outcome.ranges, found[0].ranges)


@pytest.mark.parametrize(("field", "channels"), [("in_channels", 70), ("out_channels", 40)])
def test_a_tiling_that_cuts_a_block_is_refused(field, channels):
    sizes = {"out_channels": 40, "in_channels": 70} | {field: 24}
    tiling = Tiling(1, 1, 3, 1, sizes["out_channels"], sizes["in_channels"])
    with pytest.raises(AccelsimError, match=f"{field}=24: must be a multiple of 32, or {channels}"):
        lower(operation_of(CONV, 2, MX), load_hardware("edge"), "static", tiling)


def test_scales_are_one_byte_in_33():
    result = accelsim.simulate("resnet18.layer1", "edge", MX, None)
    elements, blocks = 64 * 56 * 56, 2 * 56 * 56
    assert {(row.tensor, row.direction): row.bytes for row in result.traffic} == {
        ("input", "load"): elements,
        ("input scales", "load"): blocks,
        ("weights", "load"): 64 * 64 * 9,
        ("weight scales", "load"): 64 * 2 * 9,
        ("output", "store"): elements,
        ("ranges", "store"): blocks,
    }
    assert (result.consumer_load_bytes, result.consumer_range_bytes) == (elements, blocks)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_timing_only_gives_the_cycles_of_a_run_with_values(layer):
    machine = load_hardware("mcu", {"sram": {"weight_kib": 24}})
    timed = accelsim.simulate(layer, machine, MX, None, batch=2)
    valued = accelsim.simulate(layer, machine, MX, spread(layer))
    assert (timed.total_cycles, timed.units, timed.traffic, timed.actions) == (
        valued.total_cycles, valued.units, valued.traffic, valued.actions,
    )  # fmt: skip


def test_small_numbers_beside_large_ones_keep_their_levels():
    layer = Conv2d("conv", 32, 32, 1, 8, 8)
    (step,) = synthetic_steps(layer, steps=1, seed=1)
    rows = np.where(np.arange(8) < 4, 1.0, 1e-4).reshape(1, 1, 8, 1)
    tensors = type(step)(step.input * rows, step.weights, step.bias)
    shared, own = (accelsim.simulate(layer, "edge", s, tensors) for s in ("current", MX))
    assert len(np.unique(shared.output[:, :, 4:])) <= 2
    assert len(np.unique(own.output[:, :, 4:])) > 100


def test_a_drain_waits_once_for_the_scales_of_its_first_blocks():
    """Edge has 32 columns: a word is a block, so one cycle and the reduction come on top."""
    layer = Conv2d("conv", 32, 32, 1, 4, 4)
    tiling, cycles = Tiling(1, 4, 4, 1, 32, 32), {}
    for reduction in ("combinational", "serial"):
        hardware = load_hardware("edge", {"stat_unit": {"reduction": reduction}})
        program = lower(operation_of(layer, 1, MX), hardware, "static", tiling)
        (drain,) = program.of(Drain)
        assert drain.box.elements == 16 * 32
        cycles[reduction] = run(program, hardware).total_cycles
    assert cycles["serial"] - cycles["combinational"] == 31


@pytest.mark.parametrize(
    "layer", [Conv2d.depthwise("grouped", 64, 3, 8, 8), MatMul("product", 8, 64, 8, copies=2)],
    ids=lambda layer: layer.name,
)  # fmt: skip
def test_what_has_no_blocks_along_its_reduction_is_refused_by_name(layer):
    with pytest.raises(AccelsimError, match=f"mxint8/static': must not be used for {layer.name}"):
        accelsim.simulate(layer, "edge", MX, None)
    assert "mxint8/static" not in _labels(accelsim.compare(layer, "edge", ["all"], None))


def test_a_gradient_is_refused_by_name():
    with pytest.raises(AccelsimError, match=r"must not be used for conv\.grad-input"):
        accelsim.simulate(CONV, "edge", MX, None, operation="grad-input")


def test_a_narrow_accumulator_is_refused():
    machine = load_hardware("edge", {"accumulator": {"bits": 24}})
    with pytest.raises(AccelsimError, match=r"accumulator\.bits=24: must be 32"):
        accelsim.simulate(CONV, machine, MX, None)


def test_a_whole_network_is_refused_by_name():
    with pytest.raises(AccelsimError, match="mxint8 gives parts of a tensor ranges of their own"):
        accelsim.simulate("resnet18", "edge", MX, data=None)


def test_all_schemes_hold_blocks_where_a_layer_has_them():
    small = Conv2d("conv", 32, 32, 1, 4, 4)
    assert "mxint8/static" in _labels(accelsim.compare(small, "edge", ["all"], None))


def _labels(comparison):
    return [result.scheme for result in comparison.results]
