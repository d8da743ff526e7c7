"""Samples mixed in groups before they are quantized: values, bytes, cycles and counts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation, Ranges, lower, place
from accelsim.machine import Part
from accelsim.machine.actions import count_actions
from accelsim.machine.mixing import mixed
from accelsim.network import Nest
from accelsim.program import Barrier, Load, Mix
from accelsim.quant import Grid, Reflections, Request, Statistic
from tests.lowering.test_programs import ROOMY
from tests.lowering.tilings import some_tiling
from tests.naive.layer import naive_accumulators
from tests.naive.mixing import naive_mixed, naive_output_by_sample
from tests.strategies import machines, operations, random_operands

MIXING = ("spill", "lazy", "resident")


def by_sample(operation):
    """The operation with the images of each sample mixed, copies being samples where there are."""
    nest = operation.nest
    samples = nest.copies if nest.copies > 1 else nest.batch
    images, *rest = nest.output_shape
    return replace(operation, ranges=Ranges((images // samples, *rest), 104, mixed=True)), samples


def random_groups(rng, samples):
    order, groups = [int(i) for i in rng.permutation(samples)], []
    while order:
        size = int(rng.integers(1, len(order) + 1))
        groups.append(tuple(order[:size]))
        order = order[size:]
    ratios = rng.uniform(1, 256, len(groups)).astype(np.float32)
    return Reflections(tuple(groups), tuple(float(ratio) for ratio in ratios))


def mixing_operands(operation, samples, seed, mode):
    """Operands whose samples are mixed in random groups, each sample then on a grid of its own."""
    rng = np.random.default_rng(seed)
    operands = random_operands(operation, seed, mode=mode)
    # Copies that are mixed have one scale.
    how, scale = operands.requantization, operands.requantization.multipliers
    nest = operation.nest
    if nest.copies > 1:
        scale = np.tile(scale[: len(scale) // nest.copies], nest.copies)
        shifts = np.tile(how.shifts[: len(scale) // nest.copies], nest.copies)
        how = replace(how, multipliers=scale, shifts=shifts)
    reflections, used, seen = random_groups(rng, samples), [], []

    def decide_part(limits):
        seen.append(limits)
        used.append(replace(how, zero_point=len(used) % (how.maximum + 1)))
        return Part(used[-1], Grid.affine(limits, operation.output_bits))

    request = Request(frozenset({Statistic.SAMPLES}))
    asked = replace(
        operands, requantization=None, request=request, samples=samples,
        decide_part=decide_part, decide_mixing=lambda _: reflections,
    )  # fmt: skip
    return asked, reflections, used, seen


def lowered(operation, hardware, realisation, tiling=None):
    try:
        return lower(operation, hardware, realisation, tiling, passes=2)
    except AccelsimError as error:
        assert "sram" in str(error)
        assume(False)


def run_or_skip(operation, hardware, realisation, operands=None, tiling=None):
    program = lowered(operation, hardware, realisation, tiling)
    try:
        return machine.run(program, hardware, operands)
    except AccelsimError as error:  # the ranges of all samples in the smallest of buffers
        assert "output buffer" in str(error)
        assume(False)


@settings(max_examples=60)
@given(operations(("forward",)), machines(), st.integers(0, 2**32), st.sampled_from(MIXING))
def test_mixed_outputs_are_those_of_the_naive_twin_whatever_machine_tiling_and_realisation(
    operation, hardware, seed, realisation
):
    operation, samples = by_sample(operation)
    mode = str(hardware.requantizer.mode)
    operands, reflections, used, seen = mixing_operands(operation, samples, seed, mode)
    widest = max(operation.stored_bits(hardware.accumulator.bits))
    tiling = some_tiling(operation, hardware, seed, widest) if seed % 2 else None
    outcome = run_or_skip(operation, hardware, realisation, operands, tiling).outcome
    sums, overflows = naive_accumulators(operation.nest, operands, hardware.accumulator)
    groups = reflections.groups, reflections.ratios
    expected, clamped = naive_mixed(sums, samples, *groups, hardware.accumulator.bits)
    assert outcome.overflow_count == overflows + clamped
    extremes = [(min(0, row.min()), max(0, row.max())) for row in expected.reshape(samples, -1)]
    assert [(limits.minimum, limits.maximum) for limits in seen] == extremes
    integers = naive_output_by_sample(operation.nest, expected, samples, used)
    np.testing.assert_array_equal(outcome.output, integers)


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 2**32))
def test_mixing_is_the_reflection_of_the_estimator_rounded_to_integers(samples, size, seed):
    rng = np.random.default_rng(seed)
    sums = rng.integers(-(2**20), 2**20, (samples, size))
    reflections = random_groups(rng, samples)
    found, clamped = mixed(sums, reflections, 32)
    exact = reflections.apply(sums.astype(np.float64))
    assert clamped == 0
    np.testing.assert_allclose(found, exact, rtol=0, atol=0.5 + 2**-20 * np.abs(exact).max())


def test_mixed_accumulators_are_clamped_to_their_width_and_counted():
    sums = np.full((2, 3), 2**15 - 1)
    found, clamped = mixed(sums, Reflections(((0, 1),), (8.0,)), 16)
    assert clamped == 6
    assert found.tolist() == [[2**15 - 1] * 3, [-(2**15)] * 3]
    alone = mixed(sums, Reflections(((0,), (1,)), (1.0, 1.0)), 16)
    assert (alone[0] == sums).all()
    assert alone[1] == 0


@settings(max_examples=30)
@given(operations(("forward", "grad-input")), machines(), st.sampled_from(MIXING))
def test_each_pass_mixes_every_accumulator_once_after_the_barrier(operation, hardware, realisation):
    operation, samples = by_sample(operation)
    program = lowered(operation, hardware, realisation)
    barriers = [c.id for c in program.of(Barrier)]
    counts = {}
    for command in program.of(Mix):
        seen = counts.setdefault(command.phase, np.zeros(operation.nest.output_shape, int))
        seen[command.box.slices] += 1
        after = [program.commands[i] for i in command.after]
        waits = {i for c in after for i in (c.after if isinstance(c, Load) else (c.id,))}
        assert barriers[command.phase == "requantize"] in waits
        assert command.box.shape[0] == operation.nest.output_shape[0]
        per_position = 5 * samples + 3 * (samples // 2)
        assert command.operations == per_position * command.box.elements // samples
    assert all((seen == 1).all() for seen in counts.values())
    loaded = any(c.loaded for c in program.of(Mix))
    again = {"mix", "requantize"} if loaded and realisation != "lazy" else {"mix"}
    assert set(counts) == again


CONV = Operation(Nest(1, 6, 1, 4, 8, 6, 6), ranges=Ranges((1, 6, 6, 8), 104, mixed=True))


def test_mixing_moves_its_closed_form():
    whole = place(CONV, 32)["accumulators"].total_bytes
    operands = sum(place(CONV, None)[name].total_bytes for name in ("input", "weights"))
    output, ranges = 6 * 36 * 8, 6 * 13
    expected = {
        "spill": 3 * whole + output, "lazy": 2 * whole, "resident": output,
        "spill16": 3 * whole // 2 + output,
    }  # fmt: skip
    for realisation, moved in expected.items():
        run = machine.run(lower(CONV, ROOMY, realisation, passes=2), ROOMY)
        assert sum(row.bytes for row in run.traffic) == operands + moved + ranges
        stored = [row.bytes for row in run.traffic if row.tensor == "ranges"]
        assert stored == [ranges]


def test_mixing_takes_the_vector_unit_its_operations_and_shows_in_cycles_and_counts():
    found = {}
    for lanes in (1, 64):
        hardware = load_hardware(ROOMY, {"vector_unit.lanes": lanes})
        program = replace(
            lower(CONV, hardware, "resident", passes=2), statistics=frozenset({Statistic.SAMPLES})
        )
        run = machine.run(program, hardware)
        (unit,) = [unit for unit in run.units if unit.unit == "vector unit"]
        found[lanes] = run.total_cycles, unit.busy_cycles
        actions = count_actions(program, hardware)
        counts = {(a.component, a.action, a.bits): a.count for a in actions}
        plain = count_actions(lower(replace(CONV, ranges=None), ROOMY, "static"), ROOMY)
        before = {(a.component, a.action, a.bits): a.count for a in plain}
        n = 6 * 36 * 8
        assert counts["vector unit", "operate", (32,)] == (5 * 6 + 3 * 3) * n // 6
        writes = "accumulator buffer", "write", (32,)
        assert counts[writes] == before[writes] + n
        reads = "accumulator buffer", "read", (32,)
        assert counts[reads] == before[reads] + 4 * n  # two to mix, two more drains
        assert counts["statistics", "compare", (32,)] > 2 * before["statistics", "compare", (32,)]
        assert counts["requantizer", "multiply", (32, 32)] == n
    assert found[1][1] == (5 * 6 + 3 * 3) * n // 6
    assert found[1][0] > found[1][1] > found[64][0] > found[64][1]


@pytest.mark.parametrize(("realisation", "passes"), [("recompute", 2), ("static", 1), ("spill", 1)])
def test_what_cannot_mix_is_refused(realisation, passes):
    with pytest.raises(AccelsimError, match="must be one of spill, spill16, lazy, resident with 2"):
        lower(CONV, ROOMY, realisation, passes=passes)


def test_a_position_of_all_samples_must_fit():
    small = load_hardware(ROOMY, {"sram.accumulator_kib": 0.25})
    many = replace(
        CONV, nest=replace(CONV.nest, batch=40), ranges=replace(CONV.ranges, extent=(1, 6, 6, 8))
    )
    with pytest.raises(AccelsimError, match="a position of all 40 images, which are mixed"):
        lower(many, small, "spill", passes=2)
