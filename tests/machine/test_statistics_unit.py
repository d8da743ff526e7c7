"""What a statistics unit with fewer options costs in cycles and actions, against a slow twin."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.hardware import Statistic, StatUnit, load_hardware
from accelsim.lowering import Operation, Ranges, Tiling, lower
from accelsim.machine import Machine, run
from accelsim.machine.actions import count_actions
from accelsim.network import Nest
from accelsim.program import Barrier, Drain
from tests.machine.test_cycles import FAST, ROOMY, product, whole
from tests.naive.drain import drain_cycles

ASKED = {
    "extremes": (frozenset(), 1),
    "exceedances": (frozenset({Statistic.EXCEEDANCES}), 2),
    "sum": (frozenset({Statistic.SUM}), 2),
    "moments": (frozenset({Statistic.MOMENTS}), 3),
    "moments hold the sum": (frozenset({Statistic.MOMENTS, Statistic.SUM}), 3),
    "samples": (frozenset({Statistic.SAMPLES, Statistic.TENSOR}), 2),
    "absolute sum": (frozenset({Statistic.ABSOLUTE_SUM}), 2),
    "two": (frozenset({Statistic.MOMENTS, Statistic.EXCEEDANCES}), 4),
}
"""What is asked, and how many statistics a lane then keeps."""


def machine(**fields):
    return load_hardware("edge", ROOMY | FAST | {f"stat_unit.{k}": v for k, v in fields.items()})


def one_drain(nest, statistics=frozenset()):
    """A static program whose output is one block."""
    program = lower(Operation(nest), machine(), "static", whole(nest))
    assert len(list(program.of(Drain))) == 1
    return replace(program, statistics=statistics)


@settings(max_examples=60)
@given(
    st.integers(1, 20), st.integers(1, 40), st.sampled_from(list(ASKED)),
    st.sampled_from([None, 1, 2, 3]), st.integers(1, 8), st.integers(1, 8), st.integers(1, 8),
    st.integers(0, 3),
)  # fmt: skip
def test_the_drain_takes_the_cycles_of_the_naive_twin(
    positions, channels, asked, at_once, columns, lanes, requantizer_lanes, stages
):
    hardware = load_hardware(
        machine(at_once=at_once, lanes=lanes, stages=stages, reduction="serial"),
        {"array.columns": columns, "requantizer.lanes": requantizer_lanes},
    )
    statistics, kept = ASKED[asked]
    found = run(one_drain(product(positions, 3, channels), statistics), hardware)
    units = {unit.unit: unit for unit in found.units}
    reading, observing, requantizing = drain_cycles(
        positions, channels, columns, min(lanes, columns), min(requantizer_lanes, columns),
        kept, at_once or kept,
    )  # fmt: skip
    settling = stages + columns - 1
    assert units["statistics"].busy_cycles == observing + settling
    assert units["requantizer"].busy_cycles == requantizing
    without = max(reading, requantizing)
    assert found.statistics_held_cycles == max(0, observing - without) + settling


def test_statistics_that_share_the_lanes_take_a_cycle_more_each():
    cycles = {
        (name, at_once): run(one_drain(product(50, 3, 32), statistics), machine(at_once=at_once))
        for name, (statistics, _) in ASKED.items()
        for at_once in (None, 1)
    }
    for name, (_, kept) in ASKED.items():
        free, shared = cycles[name, None], cycles[name, 1]
        assert (free.statistics_held_cycles, shared.statistics_held_cycles) == (0, 50 * (kept - 1))
        assert shared.total_cycles - free.total_cycles == 50 * (kept - 1)


@pytest.mark.parametrize(("at_once", "cycles"), [(None, 1), (1, 2), (2, 1)])
def test_a_search_by_two_products_takes_two_passes_of_shared_lanes(at_once, cycles):
    program = lower(Operation(product(64, 16, 32)), machine(), "resident", passes=3)
    program = replace(program, statistics=frozenset({Statistic.PRODUCTS, Statistic.TENSOR}))
    units = {u.unit: u for u in run(program, machine(at_once=at_once)).units}
    assert units["statistics"].busy_cycles == 64 + 2 * 64 * cycles


@pytest.mark.parametrize(("stages", "reduction", "cycles"), [(0, "serial", 31), (3, "serial", 34)])
def test_a_range_is_settled_when_stages_and_reduction_have_passed(stages, reduction, cycles):
    hardware = load_hardware("edge", {"stat_unit.stages": stages, "stat_unit.reduction": reduction})
    finished = Machine(lower(Operation(product(64, 64, 64)), hardware, "spill"), hardware)
    timed = finished.run()
    (barrier,) = finished.program.of(Barrier)
    completed = finished.scoreboard.completed_at
    last = max(drain.id for drain in finished.program.of(Drain) if drain.observe)
    assert completed[barrier.id] == completed[last] + cycles
    assert timed.statistics_held_cycles == cycles


def test_a_region_holds_the_drain_until_it_is_settled():
    nest = Nest(1, 1, 1, 4, 32, 8, 8)
    operation = Operation(nest, ranges=Ranges((1, 4, 4, 32), 40, True))
    for stages in (0, 5):
        hardware = machine(stages=stages)
        timed = run(lower(operation, hardware, "static", Tiling(1, 8, 8, 1, 32, 4)), hardware)
        # Four regions are observed in as many cycles as they take to be quantized.
        assert timed.statistics_held_cycles == 64 + 4 * stages + stages


@pytest.mark.parametrize(
    ("compares", "comparators"), [("extremes", 2), ("magnitude", 1), ("none", 0)]
)
def test_comparators_compare_what_they_keep(compares, comparators):
    program = one_drain(product(50, 3, 32))
    actions = count_actions(program, machine(compares=compares))
    counts = {(a.component, a.action): a.count for a in actions}
    assert counts.get(("statistics", "compare"), 0) == comparators * (50 * 32 + 31)


def test_a_unit_that_keeps_nothing_is_never_busy():
    timed = run(one_drain(product(50, 3, 32)), machine(compares="none"))
    assert next(u for u in timed.units if u.unit == "statistics").busy_cycles == 0


@pytest.mark.parametrize(
    ("fields", "needs", "lacking"),
    [
        ({}, set(Statistic), ()),
        (
            {"compares": "magnitude"}, {Statistic.EXTREMES, Statistic.MAGNITUDE},
            ("extremes: stat_unit.compares=magnitude must be extremes",),
        ),
        (
            {"compares": "none"}, {Statistic.MAGNITUDE},
            ("magnitude: stat_unit.compares=none must be extremes or magnitude",),
        ),
        ({"counts": False}, {Statistic.EXCEEDANCES},
         ("exceedances: stat_unit.counts=false must be true",)),
        ({"sum": False}, {Statistic.SUM}, ("sum: stat_unit.sum=false must be true",)),
        ({"sum": False}, {Statistic.ABSOLUTE_SUM},
         ("absolute-sum: stat_unit.sum=false must be true",)),
        (
            {"sum": False, "squares": False}, {Statistic.MOMENTS},
            ("moments: stat_unit.sum=false must be true",
             "moments: stat_unit.squares=false must be true"),
        ),
        ({"products": False}, {Statistic.PRODUCTS},
         ("products: stat_unit.products=false must be true",)),
        ({"per_channel": False}, {Statistic.CHANNELS},
         ("channels: stat_unit.per_channel=false must be true",)),
        ({"per_sample": False}, {Statistic.CHUNKS},
         ("chunks: stat_unit.per_sample=false must be true",)),
        ({"per_sample": False}, {Statistic.SAMPLES},
         ("samples: stat_unit.per_sample=false must be true",)),
        ({"per_tile": False}, {Statistic.TILES},
         ("tiles: stat_unit.per_tile=false must be true",)),
        ({"counts": False, "sum": False, "squares": False, "products": False}, {Statistic.TENSOR},
         ()),
    ],
)  # fmt: skip
def test_what_a_unit_lacks_is_named_with_its_field(fields, needs, lacking):
    assert StatUnit(**fields).lacking(needs) == lacking
