"""Outputs whose parts have a range each: bits, bytes and time of samples and of regions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, Ranges, Tiling, lower, place
from accelsim.machine import Part
from accelsim.machine.actions import count_actions
from accelsim.network import Nest
from accelsim.program import Barrier, Drain, Load, Store
from accelsim.quant import Grid, requantization
from tests.lowering.test_programs import ROOMY
from tests.naive.layer import naive_accumulators, naive_output
from tests.strategies import machines, operations, random_operands

DYNAMIC = ("spill", "lazy", "recompute", "resident")


def quantizer(operation, operands, mode, scales):
    """What decides a part: a grid over its range, and the multipliers to it."""

    def decide(limits):
        grid = Grid.affine(limits, operation.output_bits)
        return Part(requantization(1.0, scales, grid, mode, 5, "parts"), grid)

    return replace(operands, requantization=None, decide_part=decide, scales=scales)


def twin(operation, operands, accumulator):
    """(output, scales, saturated) part by part, from the naive accumulators."""
    nest, extent = operation.nest, operation.ranges.extent
    sums, _ = naive_accumulators(nest, operands, accumulator, operation.direction)
    images, _, _, channels = sums.shape
    copy_of = np.arange(images) // (images // nest.copies)
    real = sums * operands.scales.reshape(nest.copies, 1, 1, channels)[copy_of]
    output = np.zeros(sums.shape, np.int32)
    scales = np.zeros([-(-n // step) for n, step in zip(sums.shape, extent, strict=True)])
    saturated = 0
    for number in np.ndindex(scales.shape):
        own = tuple(slice(i * s, (i + 1) * s) for i, s in zip(number, extent, strict=True))
        low, high = min(0.0, real[own].min()), max(0.0, real[own].max())
        part = operands.decide_part(type("Limits", (), {"minimum": low, "maximum": high}))
        alone = np.zeros_like(sums)
        alone[own] = sums[own]
        integers, clamped = naive_output(nest, alone, part.requantization)
        output[own] = integers[own]
        saturated += clamped
        scales[number] = part.grid.scale
    return output, scales, saturated


@st.composite
def sampled(draw):
    """An operation whose samples are its images, or copies."""
    operation = draw(operations(directions=("forward", "grad-input")))
    nest = operation.nest
    samples = nest.copies if nest.copies > 1 else nest.batch
    images, *rest = nest.output_shape
    extent = (images // samples, *rest)
    return replace(operation, ranges=Ranges(extent, draw(st.sampled_from([32, 40]))))


@st.composite
def regional(draw):
    """An operation with regions of any shape."""
    operation = draw(operations(directions=("forward", "grad-input")))
    images = draw(st.sampled_from([1, operation.nest.batch]))
    extent = (images, *(draw(st.integers(1, 6)) for _ in range(2)), 8 * draw(st.integers(1, 3)))
    return replace(operation, ranges=Ranges(extent, draw(st.sampled_from([8, 32, 40])), True))


def run_or_skip(operation, hardware, realisation, operands=None):
    try:
        program = lower(operation, hardware, realisation)
    except AccelsimError as error:
        assert "sram" in str(error)
        assume(False)
    return machine.run(program, hardware, operands)


def scales_of(operation, seed):
    filters = operation.nest.copies * operation.nest.output_shape[3]
    return np.random.default_rng(seed).uniform(0.5, 2, filters)


@settings(max_examples=30)
@given(sampled(), machines(), st.sampled_from(DYNAMIC), st.integers(0, 2**32))
def test_samples_with_ranges_of_their_own_are_those_of_the_naive_twin(
    operation, hardware, realisation, seed
):
    check_against_twin(operation, hardware, realisation, seed)


@settings(max_examples=30)
@given(regional(), machines(), st.integers(0, 2**32))
def test_regions_with_ranges_of_their_own_are_those_of_the_naive_twin(operation, hardware, seed):
    check_against_twin(operation, hardware, "static", seed)


def check_against_twin(operation, hardware, realisation, seed):
    operands = random_operands(operation, seed)
    mode = str(hardware.requantizer.mode)
    operands = quantizer(operation, operands, mode, scales_of(operation, seed))
    run = run_or_skip(operation, hardware, realisation, operands)
    output, scales, saturated = twin(operation, operands, hardware.accumulator)
    np.testing.assert_array_equal(run.outcome.output, output)
    np.testing.assert_array_equal(run.outcome.ranges["scale"], scales.astype(np.float32))
    if mode != "stochastic":
        assert run.outcome.saturated_count == saturated
    timed = machine.run(lower(operation, hardware, realisation), hardware)
    assert replace(run, outcome=None) == timed


@settings(max_examples=20)
@given(st.one_of(sampled(), regional()), machines(), machines(), st.integers(0, 2**32))
def test_their_bits_do_not_depend_on_machine_tiling_or_realisation(operation, one, other, seed):
    other = other.model_copy(
        update={"accumulator": one.accumulator, "requantizer": one.requantizer}
    )
    operands = random_operands(operation, seed)
    mode = str(one.requantizer.mode)
    operands = quantizer(operation, operands, mode, scales_of(operation, seed))
    outcomes = [
        run_or_skip(operation, where, realisation, operands).outcome
        for where in (one, other)
        for realisation in (("static",) if operation.region else DYNAMIC)
    ]
    for outcome in outcomes[1:]:
        np.testing.assert_array_equal(outcome.output, outcomes[0].output)
        np.testing.assert_array_equal(outcome.ranges, outcomes[0].ranges)
        assert outcome.saturated_count == outcomes[0].saturated_count


@settings(max_examples=30)
@given(sampled())
def test_bytes_of_samples_equal_their_closed_form_where_buffers_hold_the_layer(operation):
    operation = replace(operation, bias=False)
    nest, samples = operation.nest, operation.samples
    tensors = place(operation, 32)
    sizes = {name: tensor.total_bytes for name, tensor in tensors.items()}
    assert sizes["ranges"] == samples * operation.ranges.bits // 8
    once = sizes["input"] + sizes["weights"] + sizes["ranges"]
    weight_loads = 2 * (samples if nest.copies == 1 else 1)
    expected = {
        "spill": once + 2 * sizes["accumulators"] + sizes["output"],
        "lazy": once + sizes["accumulators"],
        "resident": once + sizes["output"],
        "recompute": 2 * sizes["input"] + weight_loads * sizes["weights"] + sizes["ranges"]
        + sizes["output"],
    }  # fmt: skip
    for realisation, expected_bytes in expected.items():
        run = machine.run(lower(operation, ROOMY, realisation), ROOMY)
        assert sum(row.bytes for row in run.traffic) == expected_bytes, realisation


@settings(max_examples=30)
@given(regional())
def test_bytes_of_regions_are_those_of_static_and_of_their_ranges(operation):
    roomy = load_hardware(ROOMY, {"sram.output_kib": 4096})
    run = machine.run(lower(operation, roomy, "static"), roomy)
    plain = machine.run(lower(replace(operation, ranges=None), roomy, "static"), roomy)
    shape, extent = operation.nest.output_shape, operation.ranges.extent
    regions = np.prod([-(-n // step) for n, step in zip(shape, extent, strict=True)])
    moved, before = (sum(row.bytes for row in r.traffic) for r in (run, plain))
    assert moved == before + regions * operation.ranges.bits // 8


@settings(max_examples=40)
@given(regional(), machines())
def test_no_drain_cuts_a_region_and_every_range_is_stored_once(operation, hardware):
    try:
        program = lower(operation, hardware, "static")
    except AccelsimError:
        assume(False)
    extent = operation.ranges.extent
    stored = np.zeros(program.tensors["ranges"].shape, int)
    drained = np.zeros(program.tensors["output"].shape, int)
    for drain in program.of(Drain):
        drained[drain.box.slices] += 1
        assert drain.local and drain.box.shrunk(extent).elements == 1
    for store in program.of(Store):
        if store.tensor == "ranges":
            stored[store.box.slices] += 1
    assert (stored == 1).all()
    assert (drained == 1).all()
    assert len(list(program.of(Drain))) == stored.size


def test_each_sample_has_a_barrier_and_is_requantized_before_the_next():
    ranges = Ranges((1, 6, 6, 8), 40)
    operation = Operation(Nest(1, 3, 1, 4, 8, 6, 6), ranges=ranges)
    program = lower(operation, ROOMY, "spill")
    order = [
        (command.box.starts[0] if isinstance(command, Load) else command.part)
        for command in program.commands
        if isinstance(command, Barrier)
        or (isinstance(command, Load) and command.tensor == "accumulators")
    ]
    assert order == [0, 0, 1, 1, 2, 2]
    assert [load.tensor for load in program.of(Load)].count("weights") == 1


def test_a_sample_that_fits_on_chip_is_not_spilled_where_the_batch_is():
    hardware = load_hardware("edge", {"sram.accumulator_kib": 4})
    nest = Nest(1, 4, 1, 8, 16, 8, 8)
    whole = lower(Operation(nest), hardware, "resident")
    alone = lower(Operation(nest, ranges=Ranges((1, 8, 8, 16), 40)), hardware, "resident")
    assert any(store.tensor == "accumulators" for store in whole.of(Store))
    assert not any(store.tensor == "accumulators" for store in alone.of(Store))


def test_a_region_passes_the_drain_twice_and_its_statistics_are_reduced_each_time():
    fields = {"stat_unit.reduction": "serial", "stat_unit.lanes": 4, "requantizer.lanes": 8}
    hardware = load_hardware("edge", fields)
    nest = Nest(1, 1, 1, 4, 32, 8, 8)
    ranges = Ranges((1, 4, 4, 32), 40, True)
    run = machine.run(lower(Operation(nest, ranges=ranges), hardware, "static"), hardware)
    busy = {unit.unit: unit.busy_cycles for unit in run.units}
    positions, regions = 64, 4
    assert busy["statistics"] == positions * 32 // 4 + regions * 31 + 31
    assert busy["requantizer"] == positions * 32 // 8
    spans = [s for s in run.spans if s.unit in ("statistics", "requantizer") and "drain" in s.label]
    first = [s for s in spans if s.unit == "statistics"]
    second = [s for s in spans if s.unit == "requantizer"]
    for observe, requantize in zip(first, second, strict=True):
        assert requantize.start_cycle == observe.stop_cycle


def test_a_tiling_that_cuts_a_region_is_refused():
    operation = Operation(Nest(1, 1, 1, 4, 32, 8, 8), ranges=Ranges((1, 4, 4, 32), 40, True))
    lower(operation, ROOMY, "static", Tiling(1, 4, 8, 1, 32, 4))
    for tiling in (Tiling(1, 2, 8, 1, 32, 4), Tiling(1, 4, 8, 1, 16, 4)):
        with pytest.raises(AccelsimError, match=r"must cut the output between its regions of \(1"):
            lower(operation, ROOMY, "static", tiling)


def test_a_region_that_no_buffer_holds_names_the_buffer():
    operation = Operation(Nest(1, 1, 1, 4, 32, 64, 64), ranges=Ranges((1, 64, 64, 32), 40, True))
    with pytest.raises(AccelsimError, match=r"sram\.(accumulator|output)_kib=.*too small"):
        lower(operation, load_hardware("edge"), "static")


@pytest.mark.parametrize(
    ("ranges", "realisation", "message"),
    [
        (Ranges((2, 6, 6, 8), 40), "spill", "must divide the 3 images into equal samples"),
        (Ranges((1, 6, 0, 8), 40), "spill", "must be at least 1"),
        (Ranges((1, 6, 6, 8), 37), "spill", "bits=37 whole bytes"),
        (Ranges((1, 2, 2, 8), 40, True), "spill", "must be 'static' where regions"),
    ],
)
def test_impossible_ranges_are_refused(ranges, realisation, message):
    with pytest.raises(AccelsimError, match=message):
        lower(Operation(Nest(1, 3, 1, 4, 8, 6, 6), ranges=ranges), ROOMY, realisation)


def test_a_region_is_read_twice_and_its_extremes_are_reduced():
    nest = Nest(1, 1, 1, 4, 32, 8, 8)
    counts = []
    for ranges in (None, Ranges((1, 4, 4, 32), 40, True)):
        operation = Operation(nest, ranges=ranges)
        actions = count_actions(lower(operation, ROOMY, "static"), ROOMY)
        counts.append({(a.component, a.action): a.count for a in actions})
    whole, regional = counts
    reads = ("accumulator buffer", "read")
    assert regional[reads] - whole[reads] == nest.output_elements
    compares = regional["statistics", "compare"] - whole["statistics", "compare"]
    assert compares == 4 * 2 * (ROOMY.array.columns - 1)
