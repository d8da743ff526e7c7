"""Transfers: regions become lines, several engines share the channels, nothing is lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware.dram import CommandDram
from accelsim.kernels import dram
from accelsim.kernels import dram_layout as at


def completions(machine, clock=0):
    """Run to the end: the clock at which each outstanding transfer completes."""
    found = {}
    while dram.outstanding(machine):
        clock = dram.advance(machine, clock)
        found |= {t: clock for t, complete in dram.news(machine) if complete}
    return found


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
    dram.finish(machine, 0)
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
        clocks.append(dram.finish(machine, 0))
    assert len(set(clocks)) == 1


def test_strided_region_costs_what_a_strided_region_costs():
    times = {}
    for stride in (64, 1 << 17):
        machine = dram.create(CommandDram(mapping="RoBaRaCoCh"), [32])
        dram.submit(machine, 0, base=0, run_bytes=64, write=False, counts=[256], strides=[stride])
        times[stride] = dram.finish(machine, 0)
    assert times[1 << 17] > 5 * times[64]


def test_news_stops_the_advance_and_the_next_transfer_is_offered_in_that_clock():
    machine = dram.create(CommandDram(), [32, 8])
    first = dram.submit(machine, 0, base=0, run_bytes=640, write=False)
    other = dram.submit(machine, 1, base=1 << 20, run_bytes=64000, write=False)
    clock = dram.advance(machine, 0)
    assert dram.news(machine) == [(first, False)]
    assert dram.news(machine) == []
    second = dram.submit(machine, 0, base=640, run_bytes=64, write=False)
    assert dram.outstanding(machine) == [first, other, second]
    later = dram.advance(machine, clock)
    assert dram.news(machine) == [(second, False)]
    assert later == clock + 1
    done = completions(machine, later)
    assert done[first] < done[second] < done[other]


def test_lines_are_offered_in_order_of_submission_one_a_clock():
    description = CommandDram(refresh="none")
    machine = dram.create(description, [32], log_entries=100)
    clock = 0
    for i in range(20):
        transfer = dram.submit(machine, 0, base=64 * i, run_bytes=64, write=False)
        clock = dram.advance(machine, clock)
        assert (clock, (transfer, False)) == (i + 1, dram.news(machine)[0])
    dram.finish(machine, clock)
    whole = dram.create(description, [32], log_entries=100)
    dram.submit(whole, 0, base=0, run_bytes=1280, write=False)
    dram.finish(whole, 0)
    assert dram.command_log(machine) == dram.command_log(whole)


def stream(description, size, piece, write, limit=64, lines_per_clock=1):
    """The clock at which a stream cut into pieces is done, each submitted as soon as it may."""
    machine = dram.create(description, [limit], lines_per_clock=lines_per_clock)
    clock = next_base = 0
    offering = False
    while next_base < size or dram.outstanding(machine):
        if not offering and next_base < size:
            dram.submit(machine, 0, base=next_base, run_bytes=piece, write=write)
            next_base += piece
            offering = True
        clock = dram.advance(machine, clock)
        if any(not complete for _, complete in dram.news(machine)):
            offering = False
    counted = dram.statistics(machine, description)
    assert counted["bytes"] == size
    assert counted["requesters"][0]["transfers"] == size // piece
    return clock


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("preset", ["ddr4-2400", "lpddr4-3200", "lpddr5-6400", "hbm2-2000"])
def test_stream_cut_into_many_transfers_costs_what_one_transfer_costs(preset, write):
    description = CommandDram(preset=preset)
    whole = stream(description, 1 << 17, 1 << 17, write)
    for piece in (64, 256, 4096):
        assert stream(description, 1 << 17, piece, write) == pytest.approx(whole, rel=0.01)


def test_each_transfer_alone_would_pay_the_whole_latency():
    description = CommandDram()
    machine = dram.create(description, [64])
    clock = 0
    for base in range(0, 1 << 17, 256):
        dram.submit(machine, 0, base=base, run_bytes=256, write=False)
        clock = dram.finish(machine, clock)
    assert clock > 2 * stream(description, 1 << 17, 256, False)


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_limit_in_flight_is_shared_by_the_transfers_of_an_engine(limit):
    machine = dram.create(CommandDram(refresh="none"), [limit])
    clock, most = 0, 0
    for i in range(30):
        dram.submit(machine, 0, base=64 * i, run_bytes=64, write=False)
        issued = False
        while not issued:
            clock = dram.advance(machine, clock)
            issued = any(not complete for _, complete in dram.news(machine))
            most = max(most, int(machine.requester[0, at.IN_FLIGHT]))
            assert len(dram.outstanding(machine)) <= limit + 1
    assert most == limit


def test_absorbed_write_is_issued_and_complete_in_the_same_clock():
    machine = dram.create(CommandDram(), [16])
    first = dram.submit(machine, 0, base=0, run_bytes=512, write=True)
    clock = dram.advance(machine, 0)
    dram.news(machine)
    again = dram.submit(machine, 0, base=448, run_bytes=64, write=True)
    assert dram.advance(machine, clock) == clock + 1
    assert dram.news(machine) == [(again, False), (again, True)]
    assert dram.outstanding(machine) == [first]


def test_untold_news_waits_and_is_told_in_order():
    machine = dram.create(CommandDram(), [8, 8])
    one = dram.submit(machine, 0, base=0, run_bytes=64, write=False)
    two = dram.submit(machine, 1, base=1 << 20, run_bytes=64, write=False)
    clock = 0
    for _ in range(4):
        clock = dram.advance(machine, clock)
    assert dram.news(machine) == [(one, False), (two, False), (one, True), (two, True)]
    assert dram.outstanding(machine) == []


@pytest.mark.parametrize("response", ["written", "accepted"])
@pytest.mark.parametrize("limit", [1, 3, 40])
def test_there_is_always_room_for_what_may_be_submitted(response, limit):
    """Single lines, many engines and channels, the same lines over and over: never refused."""
    description = CommandDram(preset="hbm2-2000", channels=8, write_response=response)
    draw = np.random.default_rng(limit)
    machine = dram.create(description, [limit] * 6, lines_per_clock=2)
    clock, most, idle = 0, 0, set(range(6))
    for _ in range(4000):
        for q in sorted(idle):
            line = int(draw.integers(0, 1 << int(draw.integers(1, 20))))
            name = dram.submit(machine, q, base=32 * line, run_bytes=32, write=q < 4)
            owner = machine.transfer[name, at.T_REQUESTER]
            assert owner == q
        idle.clear()
        most = max(most, len(dram.outstanding(machine)))
        clock = dram.advance(machine, clock)
        for name, complete in dram.news(machine):
            if not complete:
                idle.add(int(machine.transfer[name, at.T_REQUESTER]))
    assert 6 < most <= len(machine.transfer)


def test_without_reading_news_the_next_submission_is_refused():
    machine = dram.create(CommandDram(), [2])
    clock = 0
    with pytest.raises(AccelsimError, match="requester=0: all 7 transfers .* news must be read"):
        for i in range(100):
            dram.submit(machine, 0, base=64 * i, run_bytes=64, write=False)
            while machine.requester[0, at.HAS_HEAD]:
                clock = dram.advance(machine, clock)


def test_submission_to_an_engine_with_lines_to_offer_is_refused():
    machine = dram.create(CommandDram(), [8])
    dram.submit(machine, 0, base=0, run_bytes=128, write=False)
    for clock in (0, 1):
        assert dram.advance(machine, clock, clock) == clock
        with pytest.raises(AccelsimError, match="requester=0: must have offered all"):
            dram.submit(machine, 0, base=128, run_bytes=64, write=False)
        assert dram.advance(machine, clock, clock + 1) == clock + 1
    dram.submit(machine, 0, base=128, run_bytes=64, write=False)


def test_advance_goes_on_from_where_it_stopped_only():
    machine = dram.create(CommandDram(), [8])
    dram.advance(machine, 0, 50)
    with pytest.raises(AssertionError, match="now=49: must be 50"):
        dram.advance(machine, 49, 60)


def test_reload_of_a_line_still_in_the_write_queue_is_served_from_it():
    description = CommandDram(write_response="accepted")
    machine = dram.create(description, [64, 64], log_entries=100)
    dram.submit(machine, 0, base=0, run_bytes=64, write=True)
    clock = dram.finish(machine, 0)
    dram.submit(machine, 1, base=0, run_bytes=64, write=False)
    dram.finish(machine, clock)
    counted = dram.statistics(machine, description)
    assert counted["reads_forwarded"] + counted["column_reads"] == 1


def test_spill_and_reload_move_every_byte_both_ways():
    description = CommandDram()
    machine = dram.create(description, [32, 32])
    size = 1 << 18
    dram.submit(machine, 0, base=0, run_bytes=size, write=True)
    clock = dram.finish(machine, 0)
    dram.submit(machine, 1, base=0, run_bytes=size, write=False)
    dram.finish(machine, clock)
    counted = dram.statistics(machine, description)
    assert counted["bytes_written"] == counted["bytes_read"] == size
    assert counted["column_writes"] + counted["writes_coalesced"] == size // 64
    assert counted["column_reads"] + counted["reads_forwarded"] == size // 64
    assert [r["bytes_written"] for r in counted["requesters"]] == [size, 0]
    assert sum(counted["latency_histogram"]) == size // 64


@pytest.mark.parametrize("arbitration", ["round-robin", "load-first", "store-first"])
def test_arbitration_decides_who_waits(arbitration):
    machine = dram.create(CommandDram(), [32, 32], arbitration=arbitration)
    load = dram.submit(machine, 0, base=0, run_bytes=1 << 17, write=False)
    store = dram.submit(machine, 1, base=1 << 22, run_bytes=1 << 17, write=True)
    done = completions(machine)
    if arbitration == "load-first":
        assert done[load] < done[store]
    assert dram.statistics(machine, CommandDram())["bytes"] == 1 << 18


def test_equal_requesters_finish_close_together():
    machine = dram.create(CommandDram(), [16] * 4)
    for q in range(4):
        dram.submit(machine, q, base=q << 20, run_bytes=1 << 16, write=False)
    done = completions(machine).values()
    assert max(done) - min(done) < 0.1 * max(done)


def test_channels_multiply_the_bandwidth_of_engines_that_can_use_it():
    clocks = {}
    for channels in (1, 4):
        description = CommandDram(preset="hbm2-2000", channels=channels)
        machine = dram.create(description, [256], lines_per_clock=4)
        dram.submit(machine, 0, base=0, run_bytes=1 << 19, write=False)
        clocks[channels] = dram.finish(machine, 0)
    assert clocks[4] < 0.3 * clocks[1]


def test_more_in_flight_hides_more_latency():
    clocks = []
    for limit in (1, 4, 16, 64):
        machine = dram.create(CommandDram(), [limit])
        dram.submit(machine, 0, base=0, run_bytes=1 << 16, write=False)
        clocks.append(dram.finish(machine, 0))
    assert clocks == sorted(clocks, reverse=True)
    assert clocks[0] > 4 * clocks[-1]


def test_drain_leaves_nothing_waiting():
    description = CommandDram(write_response="accepted")
    machine = dram.create(description, [64])
    dram.submit(machine, 0, base=0, run_bytes=1280, write=True)
    done = dram.finish(machine, 0)
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
        dram.finish(machine, 0)
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
    dram.finish(machine, 0)
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
        dram.finish(machine, 0)
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
