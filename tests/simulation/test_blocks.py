"""Layers in blocks that share a power of two: their bits, bytes and cycles."""

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Tiling, lower
from accelsim.machine import replay_blocks, run
from accelsim.network import Conv2d, Linear, MatMul, operation_of_layer, synthetic_steps
from accelsim.program import Compute, Drain
from accelsim.quant import Scheme
from accelsim.simulation.blocks import block_operands
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.step import operation_of
from tests.naive.blocks import (
    naive_blocks,
    naive_forward,
    naive_input_gradient,
    naive_weight_gradient,
)

CONV = Conv2d("conv", 70, 40, 3, 7, 6, stride=2, padding=(1, 0, 2, 1), dilation=1, bias=True)
LAYERS = [
    CONV,
    Conv2d("stem", 3, 33, 3, 6, 6, padding=1, dilation=2),
    Linear("linear", 100, 45, bias=True, rows=3),
    Conv2d("groups-share-blocks", 32, 24, 3, 5, 4, padding=1, groups=4, bias=True),
    Conv2d("groups-of-40", 80, 70, (2, 1), 4, 3, groups=2),
    Conv2d.depthwise("depthwise", 40, 3, 6, 5, stride=2, padding="same"),
    MatMul("product", 5, 37, 34, copies=2),
]
GRADIENTS = [
    (Conv2d("strided", 35, 34, 3, 5, 4, stride=2, padding=(1, 0, 2, 1)), 2),
    (Conv2d("grouped", 8, 12, (2, 3), 4, 4, groups=4, padding=1, dilation=1), 34),
    (Conv2d.depthwise("depthwise", 36, 3, 4, 4, padding="same"), 3),
    (Linear("linear", 20, 40, rows=7), 5),
    (MatMul("product", 37, 12, 34, copies=2), 2),
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
    x, w = operands.input, operands.weights
    if layer.operation == "forward":
        bias = None if operands.bias is None else operands.bias.astype(np.float32)
        return naive_blocks(naive_forward(operands.nest, x, w, bias))
    nest = layer.of.nest(operands.batch)
    if layer.operation == "grad-input":
        return naive_blocks(naive_input_gradient(nest, x, w))
    return naive_blocks(naive_weight_gradient(nest, x, w, int(isinstance(layer.of, MatMul))))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_output_is_that_of_the_twin(layer):
    step = spread(layer)
    result = accelsim.simulate(layer, "edge", MX, step)
    elements, _, clamped = naive_output(layer, step)
    np.testing.assert_array_equal(result.output, layer.from_nest_output(elements))
    assert result.numerics.saturated_share == clamped / elements.size


@pytest.mark.parametrize("operation", ["grad-input", "grad-weight"])
@pytest.mark.parametrize(("layer", "batch"), GRADIENTS, ids=lambda one: getattr(one, "name", ""))
def test_gradients_are_those_of_the_twin(layer, batch, operation):
    gradient = operation_of_layer(layer, operation)
    step = spread(gradient, batch)
    result = accelsim.simulate(layer, "edge", MX, step, operation=operation)
    elements, _, clamped = naive_output(gradient, step)
    np.testing.assert_array_equal(result.output, gradient.from_nest_output(elements))
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
    operation = operation_of(CONV, 2, MX)
    operands = block_operands(StepOperands(CONV, spread(CONV)), operation)
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


@pytest.mark.parametrize("layer", LAYERS[3:], ids=lambda layer: layer.name)
@pytest.mark.parametrize("operation", ["forward", "grad-input", "grad-weight"])
def test_tiles_of_a_small_machine_add_up_to_the_whole(layer, operation):
    layer = operation_of_layer(layer, operation)
    batch = 34 if operation == "grad-weight" and not isinstance(layer.of, MatMul) else 2
    step = spread(layer, batch)
    of = operation_of(layer, batch, MX)
    operands = block_operands(StepOperands(layer, step), of)
    sram = {"input_kib": 14, "weight_kib": 6, "accumulator_kib": 1, "output_kib": 0.25}
    program = lower(of, load_hardware("edge", {"sram": sram}), "static")
    assert len(list(program.of(Compute))) > 1
    found = run(program, load_hardware("edge", {"sram": sram}), operands).outcome
    whole = replay_blocks(program, operands)
    np.testing.assert_array_equal(found.output, whole.output)
    np.testing.assert_array_equal(found.ranges, whole.ranges)
    assert found.saturated_count == whole.saturated_count
    assert found.extremes == whole.extremes


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


def test_a_narrow_accumulator_is_refused():
    machine = load_hardware("edge", {"accumulator": {"bits": 24}})
    with pytest.raises(AccelsimError, match=r"accumulator\.bits=24: must be 32"):
        accelsim.simulate(CONV, machine, MX, None)


def test_all_schemes_hold_blocks_where_a_layer_has_them():
    small = Conv2d("conv", 32, 32, 1, 4, 4)
    assert "mxint8/static" in _labels(accelsim.compare(small, "edge", ["all"], None))


def _labels(comparison):
    return [result.scheme for result in comparison.results]
