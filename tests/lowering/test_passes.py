"""Programs that search for a range: how often they read the finished tensor, and at what cost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import Statistic, load_hardware
from accelsim.lowering import REALISATIONS, Operation, lower, place
from accelsim.machine.actions import count_actions
from accelsim.network import Conv2d, Nest
from accelsim.program import Barrier, Compute, Drain, Load, Store
from tests.lowering.test_programs import ROOMY
from tests.strategies import machines, nests, operations

DYNAMIC = [name for name in REALISATIONS if name != "static"]


def lowered(operation, hardware, realisation, passes):
    try:
        return lower(operation, hardware, realisation, passes=passes)
    except AccelsimError as error:
        assert "sram" in str(error)
        assume(False)


def moved(program, hardware):
    return {phase.phase: phase.bytes for phase in machine.run(program, hardware).phases}


@settings(max_examples=30)
@given(nests(), st.sampled_from([4, 8, 16]), st.integers(1, 4))
def test_a_search_moves_its_closed_form_and_leaves_the_other_phases_alone(nest, bits, passes):
    operation = Operation(nest, input_bits=bits, weight_bits=bits, output_bits=bits)
    wide, narrow = place(operation, 32), place(operation, 16)
    per_search = {
        "spill": wide["accumulators"].total_bytes,
        "spill16": narrow["accumulators"].total_bytes,
        "lazy": wide["accumulators"].total_bytes,
        "recompute": wide["input"].total_bytes + wide["weights"].total_bytes,
        "resident": 0,
    }
    assert set(per_search) == set(DYNAMIC)
    for realisation, expected in per_search.items():
        phases = moved(lower(operation, ROOMY, realisation, passes=passes), ROOMY)
        assert phases.pop("search", 0) == (passes - 1) * expected, realisation
        assert phases == moved(lower(operation, ROOMY, realisation), ROOMY)


@settings(max_examples=40)
@given(operations(), machines(), st.sampled_from(DYNAMIC), st.integers(2, 4))
def test_each_pass_shows_every_accumulator_once_and_waits_for_the_one_before(
    operation, hardware, realisation, passes
):
    program = lowered(operation, hardware, realisation, passes)
    seen = np.zeros((passes, *program.tensors["output"].shape), int)
    barriers, drains = [], []
    for command in program.commands:
        if isinstance(command, Drain) and command.observe:
            seen[len(barriers)][command.box.slices] += 1
            drains.append(command.id)
        elif isinstance(command, Barrier):
            barriers.append(command)
            assert drains[-1] in command.after  # and the drain takes its commands in order
        elif isinstance(command, Load) and command.tensor == "accumulators":
            # Before the first barrier the product needs the room; later passes may load ahead.
            assert (barriers[-1].id in command.after) == (len(barriers) == 1)
    assert [b.phase for b in barriers] == ["product"] + ["search"] * (passes - 1)
    assert (seen == 1).all()


@settings(max_examples=60)
@given(operations(), machines(), st.sampled_from(DYNAMIC), st.integers(1, 3))
def test_phases_add_up_to_the_run(operation, hardware, realisation, passes):
    run = machine.run(lowered(operation, hardware, realisation, passes), hardware)
    assert sum(phase.cycles for phase in run.phases) == run.total_cycles
    assert sum(phase.bytes for phase in run.phases) == sum(row.bytes for row in run.traffic)
    assert all(phase.cycles >= 0 for phase in run.phases)
    assert ("search" in [phase.phase for phase in run.phases]) == (passes > 1)


def test_a_recomputed_search_runs_the_product_again():
    program = lower(Operation(Nest(1, 1, 1, 4, 8, 6, 6)), ROOMY, "recompute", passes=5)
    assert program.macs == 6 * lower(Operation(Nest(1, 1, 1, 4, 8, 6, 6)), ROOMY, "static").macs
    assert len(list(program.of(Compute))) == 6


def test_a_resident_search_leaves_room_for_what_it_loads():
    """Two tiles of three fit the buffer; with a search the second makes room for reloads."""
    hardware = load_hardware("edge", {"sram.accumulator_kib": 8, "sram.output_kib": 1})
    nest = Nest(1, 1, 1, 16, 32, 96, 1)
    stored = []
    for passes in (1, 2):
        program = lowered(Operation(nest), hardware, "resident", passes)
        boxes = [c.box.elements for c in program.of(Store) if c.tensor == "accumulators"]
        stored.append(sum(boxes))
        machine.run(program, hardware)
    assert 0 < stored[0] < stored[1] < nest.output_elements


@settings(max_examples=40)
@given(operations(), machines(), st.integers(1, 3))
def test_each_pass_loads_what_was_stored_once_whatever_was_kept(operation, hardware, passes):
    program = lowered(operation, hardware, "resident", passes)
    shape = program.tensors["output"].shape
    stored, loaded = np.zeros(shape, int), np.zeros((passes, *shape), int)
    number = -1
    for command in program.commands:
        if isinstance(command, Barrier):
            number += 1
        elif isinstance(command, Store) and command.tensor == "accumulators":
            stored[command.box.slices] += 1
        elif isinstance(command, Load) and command.tensor == "accumulators":
            loaded[number][command.box.slices] += 1
    assert stored.max() <= 1
    assert all((one == stored).all() for one in loaded)


def test_a_reload_runs_ahead_of_the_barrier_of_the_search_before_it():
    hardware = load_hardware("edge")
    program = lower(Operation(Nest(1, 1, 1, 64, 64, 32, 32)), hardware, "spill", passes=3)
    timed = machine.run(program, hardware)
    searches = [s for s in timed.spans if s.unit == "statistics" and s.phase == "search"]
    reloads = [s for s in timed.spans if s.label == "load accumulators" and s.phase == "search"]
    half = len(reloads) // 2
    last_of_first = searches[len(searches) // 2 - 1]
    assert reloads[half].start_cycle < last_of_first.stop_cycle


@pytest.mark.parametrize(
    ("preset", "side", "passes"), [("edge", 56, 1), ("edge", 56, 6), ("mcu", 28, 1), ("mcu", 28, 6)]
)
def test_what_is_kept_makes_the_rest_no_slower_to_load(preset, side, passes):
    """Resident moves fewer bytes than spill, though its tiles cut the channels."""
    nest = Conv2d("conv", 64, 64, 3, side, side, padding=1).nest(1)
    hardware, operation = load_hardware(preset), Operation(nest)
    runs = {
        realisation: machine.run(lower(operation, hardware, realisation, passes=passes), hardware)
        for realisation in ("spill", "resident")
    }
    moved_bytes = {name: sum(row.bytes for row in run.traffic) for name, run in runs.items()}
    assert moved_bytes["resident"] < moved_bytes["spill"]
    assert runs["resident"].total_cycles < 1.02 * runs["spill"].total_cycles


def test_trying_a_range_takes_the_requantizer_too():
    slow = load_hardware(ROOMY, {"requantizer.lanes": 1})
    operation = Operation(Nest(1, 1, 1, 4, 32, 8, 8))
    searches = {}
    for hardware in (ROOMY, slow):
        run = machine.run(lower(operation, hardware, "resident", passes=11), hardware)
        searches[hardware.requantizer.lanes] = run.phases[1].cycles
    assert searches[1] >= 10 * operation.nest.output_elements > searches[None]


@pytest.mark.parametrize(
    ("realisation", "passes", "message"),
    [
        ("static", 2, "passes = 2: must be a whole number from 1 to 1$"),
        ("spill", 0, "passes = 0: must be a whole number from 1 to 1000"),
        ("spill", 2.0, "passes = 2.0"),
    ],
)
def test_impossible_passes_are_refused(realisation, passes, message):
    with pytest.raises(AccelsimError, match=message):
        lower(Operation(Nest(1, 1, 1, 4, 8, 6, 6)), ROOMY, realisation, passes=passes)


def test_a_search_is_counted_among_the_actions():
    operation = Operation(Nest(1, 1, 1, 4, 8, 6, 6))
    counts = []
    for passes in (1, 4):
        program = lower(operation, ROOMY, "spill", passes=passes)
        program = replace(program, statistics=frozenset({Statistic.PRODUCTS}))
        actions = count_actions(program, ROOMY)
        counts.append({(a.component, a.action): a.count for a in actions})
    few, many = counts
    n = operation.nest.output_elements
    assert many["statistics", "multiply"] == 3 * 2 * n
    assert many["requantizer", "multiply"] == 4 * few["requantizer", "multiply"] == 4 * n
    assert ("statistics", "multiply") not in few
