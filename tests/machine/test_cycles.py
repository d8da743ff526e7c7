"""Cycles: closed forms of the array, bounds, and accounts that add up."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import REALISATIONS, Operation, Tiling, lower
from accelsim.machine import Machine
from accelsim.network import Nest
from accelsim.program import Barrier, Commands, Compute, Drain, Store
from tests.strategies import machines, operations

ROOMY = {f"sram.{name}_kib": 4096 for name in ("input", "weight", "accumulator", "output")}
FAST = {"dram.bandwidth_gb_per_s": 100_000, "dram.latency_ns": 0}


def product(m, k, n):
    return Nest(1, m, 1, k, n, 1, 1)


def whole(nest):
    return Tiling(
        nest.batch, nest.out_height, nest.out_width, nest.groups, nest.out_channels,
        nest.in_channels,
    )  # fmt: skip


def array_cycles(nest, hardware):
    program = lower(Operation(nest), hardware, "static", whole(nest))
    run = machine.run(program, hardware)
    return next(u for u in run.units if u.unit == "array").busy_cycles


@settings(max_examples=120)
@given(
    *[st.integers(1, 60) for _ in range(3)], st.integers(1, 16), st.integers(1, 16),
    st.sampled_from(["weight-stationary", "input-stationary"]),
)  # fmt: skip
def test_array_cycles_of_stationary_operands_are_folds_times_2r_c_t(m, k, n, r, c, dataflow):
    hardware = load_hardware(
        "edge",
        ROOMY | FAST | {"array.rows": r, "array.columns": c, "array.dataflow": dataflow,
                        "array.stationary_sets": 1},
    )  # fmt: skip
    if dataflow == "weight-stationary":
        expected = ceil(k / r) * ceil(n / c) * (2 * r + c + m - 2)
    else:
        expected = ceil(k / r) * ceil(m / c) * (2 * r + c + n - 2)
    assert array_cycles(product(m, k, n), hardware) == expected


@settings(max_examples=120)
@given(*[st.integers(1, 60) for _ in range(3)], st.integers(1, 16), st.integers(1, 16))
def test_array_cycles_of_output_stationary_are_folds_times_r_c_k_plus_the_shift_out(m, k, n, r, c):
    settings_ = ROOMY | FAST | {
        "array.rows": r, "array.columns": c, "array.dataflow": "output-stationary",
        "array.stationary_sets": 1,
    }  # fmt: skip
    folds = ceil(m / r) * ceil(n / c)
    last_sums = folds * (r + c + k - 2)
    for shift_out, shift in (("exposed", folds * r), ("hidden", r), ("uncounted", 0)):
        hardware = load_hardware("edge", settings_ | {"array.shift_out": shift_out})
        assert array_cycles(product(m, k, n), hardware) == last_sums + shift


@pytest.mark.parametrize(
    ("field", "value", "per_fold"),
    [
        ("extra_vertical_registers", 1, 8),
        ("extra_horizontal_registers", 2, 2 * 4),
        ("issue_gap_cycles", 5, 5),
        ("pipeline_latency_cycles", 7, 7),
    ],
)
def test_each_property_of_an_rtl_adds_its_named_cycles_to_every_fold(field, value, per_fold):
    array = {"array.rows": 8, "array.columns": 4, "array.stationary_sets": 1}
    textbook = load_hardware("edge", ROOMY | array)
    described = load_hardware(textbook, {f"array.{field}": value})
    nest = product(10, 20, 9)
    folds = 3 * 3
    more = array_cycles(nest, described) - array_cycles(nest, textbook)
    assert more == folds * per_fold


def test_a_second_weight_set_hides_the_loads_of_all_folds_but_the_first():
    nest = product(50, 64, 32)
    one = load_hardware("edge", ROOMY | FAST | {"array.rows": 8, "array.columns": 8,
                                                "array.stationary_sets": 1})  # fmt: skip
    two = load_hardware(one, {"array.stationary_sets": 2})
    folds = 8 * 4
    assert array_cycles(nest, one) == folds * (16 + 8 + 50 - 2)
    # The first load shows; the way through the array is no longer the array's own time.
    assert array_cycles(nest, two) == 8 + folds * 50


@settings(max_examples=40)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(1, 5))
def test_packed_depthwise_groups_share_folds(groups, m, packing):
    hardware = load_hardware(
        "edge",
        ROOMY | FAST | {"array.rows": 32, "array.columns": 8, "array.stationary_sets": 1,
                        "array.depthwise_packing": packing},
    )  # fmt: skip
    nest = Nest(1, 1, groups, 1, 1, m + 2, 3, 3, 3)
    together = min(packing, groups, 32 // 9, 8)
    folds = ceil(groups / together)
    assert array_cycles(nest, hardware) == folds * (2 * 32 + 8 + m - 2)


@settings(max_examples=60)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)))
def test_units_add_up_and_totals_keep_their_bounds(operation, hardware, realisation):
    try:
        program = lower(operation, hardware, realisation)
    except AccelsimError:
        assume(False)
    run = machine.run(program, hardware)
    for unit in run.units:
        parts = (unit.busy_cycles, unit.starved_cycles, unit.blocked_cycles, unit.idle_cycles)
        assert min(parts) >= 0, unit
        assert sum(parts) == run.total_cycles, unit
    moved = sum(row.bytes for row in run.traffic)
    assert run.total_cycles >= Fraction(moved) / hardware.bandwidth_bytes_per_cycle
    assert run.total_cycles * hardware.peak_macs_per_cycle >= operation.nest.macs
    for unit in run.units:
        spans = [(s.start_cycle, s.stop_cycle) for s in run.spans if s.unit == unit.unit]
        assert all(b <= c for (_, b), (c, _) in pairwise(spans)), unit.unit


@settings(max_examples=20)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)))
def test_the_same_program_runs_the_same_twice(operation, hardware, realisation):
    try:
        program = lower(operation, hardware, realisation)
    except AccelsimError:
        assume(False)
    assert machine.run(program, hardware) == machine.run(program, hardware)


@pytest.mark.parametrize("gb_per_s", [0.4, 1.6, 3.7])
def test_a_pure_stream_takes_the_time_of_its_bytes(gb_per_s):
    hardware = load_hardware("server", {"dram.bandwidth_gb_per_s": gb_per_s})
    nest = product(1, 2048, 1024)
    run = machine.run(lower(Operation(nest), hardware, "static"), hardware)
    ideal = sum(row.bytes for row in run.traffic) / hardware.bandwidth_bytes_per_cycle
    assert ideal <= run.total_cycles <= 1.05 * ideal


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 64))
def test_fewer_statistics_lanes_than_columns_throttle_the_drain(positions, channels):
    hardware = load_hardware("edge", ROOMY | FAST | {"stat_unit.lanes": 4})
    nest = product(positions, 3, channels)
    run = machine.run(lower(Operation(nest), hardware, "static", whole(nest)), hardware)
    full, rest = divmod(channels, 32)
    statistics = next(u for u in run.units if u.unit == "statistics")
    requantizer = next(u for u in run.units if u.unit == "requantizer")
    assert statistics.busy_cycles == positions * (full * 8 + ceil(rest / 4))
    words = positions * ceil(channels / 32)
    assert requantizer.busy_cycles == words
    assert requantizer.starved_cycles >= statistics.busy_cycles - words


def test_a_shared_requantizer_blocks_the_statistics_unit():
    hardware = load_hardware("edge", ROOMY | FAST | {"requantizer.lanes": 1})
    nest = product(10, 3, 32)
    run = machine.run(lower(Operation(nest), hardware, "static", whole(nest)), hardware)
    units = {u.unit: u for u in run.units}
    assert units["requantizer"].busy_cycles == 10 * 32
    assert units["statistics"].busy_cycles == 10
    assert units["statistics"].blocked_cycles == 10 * 32 - 10


@pytest.mark.parametrize(
    ("reduction", "cycles"), [("combinational", 0), ("pipelined", 5), ("serial", 31)]
)
def test_the_reduction_at_the_end_of_a_tensor_comes_before_its_range_is_used(reduction, cycles):
    hardware = load_hardware("edge", {"stat_unit.reduction": reduction})
    program = lower(Operation(product(64, 64, 64)), hardware, "spill")
    finished = Machine(program, hardware)
    run = finished.run()
    (barrier,) = program.of(Barrier)
    completed = finished.scoreboard.completed_at
    last_drain = max(d.id for d in program.of(Drain) if d.observe)
    assert completed[barrier.id] == completed[last_drain] + cycles
    reloads = [s for s in run.spans if s.label == "load accumulators"]
    assert reloads[0].start_cycle >= completed[barrier.id]
    assert run.units[2].busy_cycles == 64 * 2 + cycles


def test_the_first_reload_of_a_spill_does_not_wait_for_the_last_store():
    hardware = load_hardware("edge")
    program = lower(Operation(product(512, 64, 64)), hardware, "spill")
    finished = Machine(program, hardware)
    run = finished.run()
    stores = [s for s in run.spans if s.label == "store accumulators"]
    reloads = [s for s in run.spans if s.label == "load accumulators"]
    assert reloads[0].start_cycle < stores[-1].stop_cycle


def test_a_transfer_of_one_burst_is_busy_for_its_time_on_the_bus_and_has_a_span():
    hardware = load_hardware("edge")
    run = machine.run(lower(Operation(product(4, 8, 8)), hardware, "static"), hardware)
    store = next(u for u in run.units if u.unit == "store")
    assert store.busy_cycles == 64 // 16
    (span,) = [s for s in run.spans if s.unit == "store"]
    assert span.stop_cycle - span.start_cycle == 64 // 16 + 80


def test_waiting_for_the_memory_is_not_being_busy():
    fields = {"dma.in_flight_bursts": 1}
    for overrides in ({}, fields):
        hardware = load_hardware("edge", overrides)
        run = machine.run(lower(Operation(product(64, 64, 64)), hardware, "static"), hardware)
        load, dram = run.units[0], run.units[-1]
        assert load.busy_cycles == (64 * 64 + 64 * 64) // 16
        assert load.busy_cycles + run.units[4].busy_cycles == dram.busy_cycles
    assert load.starved_cycles > 80 * 100


def test_a_program_that_waits_for_itself_is_a_deadlock_that_names_the_unit():
    hardware = load_hardware("edge")
    program = lower(Operation(product(4, 4, 4)), hardware, "static")
    computes = list(program.of(Compute))
    stuck = computes[0]._replace(after=(computes[0].id,))
    commands = Commands(stuck if c is computes[0] else c for c in program.commands)
    with pytest.raises(AccelsimError, match=r"deadlock at cycle \d+ .*array for command") as error:
        machine.run(replace(program, commands=commands), hardware)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("memory", [{}, {"dram.preset": "ddr4-2400"}])
def test_a_transfer_that_never_completes_is_reported_not_awaited_for_ever(monkeypatch, memory):
    hardware = load_hardware("edge", memory)
    program = lower(Operation(product(4, 4, 4)), hardware, "static")
    (last,) = program.of(Store)
    stuck = Machine(program, hardware)
    news, start = stuck.dram.memory.news, stuck.dram.memory.start
    stores = []

    def noted_start(engine, region, now):
        slot = start(engine, region, now)
        if region == last.region:
            stores.append(slot)
        return slot

    def without_the_last(now):
        return [n for n in news(now) if not (n.complete and n.slot in stores)]

    monkeypatch.setattr(stuck.dram.memory, "start", noted_start)
    monkeypatch.setattr(stuck.dram.memory, "news", without_the_last)
    with pytest.raises(AccelsimError, match=r"1 transfers are outstanding .* none will ever"):
        stuck.run()


def test_cycle_counts_are_python_integers():
    hardware = load_hardware("edge")
    run = machine.run(lower(Operation(product(4, 4, 4)), hardware, "static"), hardware)
    assert type(run.total_cycles) is int
    assert not isinstance(run.units[0].busy_cycles, np.integer)
