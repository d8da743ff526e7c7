"""Transfers: regions become lines, several engines share the channels, nothing is lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware.dram import CommandDram
from accelsim.kernels import dram
from accelsim.kernels import dram_layout as at


def run(machine, clock=0, horizon=1 << 40):
    while dram.working(machine) and clock < horizon:
        clock = dram.advance(machine, clock, horizon)
    return clock


@settings(deadline=None, max_examples=40)
@given(
    base=st.integers(0, 300),
    run_bytes=st.integers(1, 300),
    counts=st.lists(st.integers(1, 4), max_size=3),
    data=st.data(),
)
def test_region_touches_exactly_the_lines_of_its_bytes(base, run_bytes, counts, data):
    strides = [data.draw(st.integers(0, 700)) for _ in counts]
    description = CommandDram()
    machine = dram.create(description, [4], log_entries=2000)
    dram.submit(
        machine, 0, base=base, run_bytes=run_bytes, write=False, counts=counts, strides=strides
    )
    run(machine)
    asked = []
    for index in np.ndindex(*reversed(counts)):
        start = base + sum(i * s for i, s in zip(reversed(index), strides, strict=True))
        for line in range(start // 64, (start + run_bytes - 1) // 64 + 1):
            if not asked or asked[-1] != line:
                asked.append(line)
    assert machine.requester[0, at.LINES_READ] == len(asked)
    touched = {(c, b, row) for _, name, c, b, row in dram.command_log(machine) if name == "RD"}
    assert touched == {dram.locate(machine, line) for line in asked}


def test_contiguous_rows_cost_what_one_run_costs():
    clocks = []
    for counts, run_bytes in (([], 4096), ([64], 64), ([8, 8], 64)):
        machine = dram.create(CommandDram(), [32])
        strides = [64, 512][: len(counts)]
        dram.submit(
            machine,
            0,
            base=0,
            run_bytes=run_bytes,
            write=False,
            counts=counts,
            strides=strides,
        )
        clocks.append(run(machine))
    assert len(set(clocks)) == 1


def test_strided_region_costs_what_a_strided_region_costs():
    times = {}
    for stride in (64, 1 << 17):
        machine = dram.create(CommandDram(mapping="RoBaRaCoCh"), [32])
        dram.submit(machine, 0, base=0, run_bytes=64, write=False, counts=[256], strides=[stride])
        times[stride] = run(machine)
    assert times[1 << 17] > 5 * times[64]


def test_completion_stops_the_advance_and_the_next_transfer_starts_there():
    machine = dram.create(CommandDram(), [8, 8])
    dram.submit(machine, 0, base=0, run_bytes=640, write=False)
    dram.submit(machine, 1, base=1 << 20, run_bytes=64000, write=False)
    clock = dram.advance(machine, 0)
    assert dram.finished(machine) == [0]
    assert dram.working(machine) == [1]
    dram.submit(machine, 0, base=640, run_bytes=64, write=False)
    later = dram.advance(machine, clock)
    assert dram.finished(machine) == [0]
    assert machine.requester[0, at.DONE_CLOCK] == later > clock


def test_submission_to_a_working_requester_is_refused():
    machine = dram.create(CommandDram(), [8])
    dram.submit(machine, 0, base=0, run_bytes=64, write=False)
    with pytest.raises(AccelsimError, match="requester=0: must have finished"):
        dram.submit(machine, 0, base=0, run_bytes=64, write=False)


def test_reload_of_a_line_still_in_the_write_queue_is_served_from_it():
    description = CommandDram(write_response="accepted")
    machine = dram.create(description, [64, 64], log_entries=100)
    dram.submit(machine, 0, base=0, run_bytes=64, write=True)
    clock = dram.advance(machine, 0)
    dram.submit(machine, 1, base=0, run_bytes=64, write=False)
    dram.advance(machine, clock)
    counted = dram.statistics(machine, description)
    assert counted["reads_forwarded"] + counted["column_reads"] == 1


def test_spill_and_reload_move_every_byte_both_ways():
    description = CommandDram()
    machine = dram.create(description, [32, 32])
    size = 1 << 18
    dram.submit(machine, 0, base=0, run_bytes=size, write=True)
    clock = run(machine)
    dram.submit(machine, 1, base=0, run_bytes=size, write=False)
    run(machine, clock)
    counted = dram.statistics(machine, description)
    assert counted["bytes_written"] == counted["bytes_read"] == size
    assert counted["column_writes"] + counted["writes_coalesced"] == size // 64
    assert counted["column_reads"] + counted["reads_forwarded"] == size // 64
    assert [r["bytes_written"] for r in counted["requesters"]] == [size, 0]
    assert sum(counted["latency_histogram"]) == size // 64


@pytest.mark.parametrize("arbitration", ["round-robin", "load-first", "store-first"])
def test_arbitration_decides_who_waits(arbitration):
    machine = dram.create(CommandDram(), [32, 32], arbitration=arbitration)
    dram.submit(machine, 0, base=0, run_bytes=1 << 17, write=False)
    dram.submit(machine, 1, base=1 << 22, run_bytes=1 << 17, write=True)
    dram.advance(machine, 0)
    first = dram.finished(machine)
    if arbitration == "load-first":
        assert first == [0]
    run(machine, int(machine.requester[first[0], at.DONE_CLOCK]))
    assert dram.statistics(machine, CommandDram())["bytes"] == 1 << 18


def test_equal_requesters_finish_close_together():
    machine = dram.create(CommandDram(), [16] * 4)
    for q in range(4):
        dram.submit(machine, q, base=q << 20, run_bytes=1 << 16, write=False)
    run(machine)
    done = machine.requester[:, at.DONE_CLOCK]
    assert done.max() - done.min() < 0.1 * done.max()


def test_channels_multiply_the_bandwidth_of_engines_that_can_use_it():
    clocks = {}
    for channels in (1, 4):
        description = CommandDram(preset="hbm2-2000", channels=channels)
        machine = dram.create(description, [256], lines_per_clock=4)
        dram.submit(machine, 0, base=0, run_bytes=1 << 19, write=False)
        clocks[channels] = run(machine)
    assert clocks[4] < 0.3 * clocks[1]


def test_more_in_flight_hides_more_latency():
    clocks = []
    for limit in (1, 4, 16, 64):
        machine = dram.create(CommandDram(), [limit])
        dram.submit(machine, 0, base=0, run_bytes=1 << 16, write=False)
        clocks.append(run(machine))
    assert clocks == sorted(clocks, reverse=True)
    assert clocks[0] > 4 * clocks[-1]


def test_drain_leaves_nothing_waiting():
    description = CommandDram(write_response="accepted")
    machine = dram.create(description, [64])
    dram.submit(machine, 0, base=0, run_bytes=1280, write=True)
    done = dram.advance(machine, 0)
    end = dram.drain(machine, done)
    counted = dram.statistics(machine, description)
    assert done < end == dram.last_data_clock(machine)
    assert counted["column_writes"] == 20
    assert dram.ports.waiting(machine) == 0


def test_same_again():
    logs = []
    for _ in range(2):
        machine = dram.create(CommandDram(channels=2), [8, 8], log_entries=5000)
        dram.submit(machine, 0, base=0, run_bytes=1 << 14, write=False)
        dram.submit(machine, 1, base=1 << 20, run_bytes=1 << 14, write=True)
        run(machine)
        logs.append(dram.command_log(machine))
    assert logs[0] == logs[1]


def test_idle_dram_is_refreshed_and_reaches_the_horizon():
    description = CommandDram()
    machine = dram.create(description, [8])
    assert dram.advance(machine, 0, 1_000_000) == 1_000_000
    assert dram.statistics(machine, description)["refreshes"] == 1_000_000 // 9364
    unrefreshed = dram.create(CommandDram(refresh="none"), [8])
    assert dram.advance(unrefreshed, 0, 1 << 60) == 1 << 60


def test_closed_page_pays_an_activate_for_every_jump_and_no_precharge_command():
    description = CommandDram(page_policy="closed")
    lines = np.random.default_rng(1).integers(0, 1 << 22, 500)
    machine = dram.create(description, trace=lines * 2, log_entries=5000)
    dram.submit_trace(machine, 0)
    dram.advance(machine, 0)
    names = {name for _, name, *_ in dram.command_log(machine)}
    assert "PRE" not in names
    assert "RDA" in names


def test_row_hit_cap_lets_an_older_row_through():
    """A stream of hits behind one conflict: without a cap it waits for the whole queue."""
    waits = {}
    for cap in (None, 2):
        description = CommandDram(row_hit_cap=cap, mapping="RoBaRaCoCh", refresh="none")
        hits = np.arange(40)
        lines = np.concatenate([hits[:4], [1 << 11], hits[4:]])
        machine = dram.create(description, trace=lines * 2, log_entries=500)
        dram.submit_trace(machine, 0)
        dram.advance(machine, 0)
        log = dram.command_log(machine)
        waits[cap] = next(c for c, name, _, _, row in log if name == "RD" and row == 1)
    assert waits[2] < waits[None]


def test_one_compiled_signature_for_every_machine():
    for name in ("ddr4-2400", "hbm2-2000"):
        machine = dram.create(CommandDram(preset=name), [8], log_entries=10)
        dram.submit(machine, 0, base=0, run_bytes=64, write=False)
        dram.advance(machine, 0)
    if hasattr(dram.ports.advance, "signatures"):
        assert len(dram.ports.advance.signatures) == 1
