"""Every distance between two commands is kept, and by the first clock at which it is.

Random requests on a machine where the rule binds: the smallest distance seen is the rule's, so no
command went a clock early and one at least went at the very clock. With the rule a clock longer,
so is that distance.
"""

import numpy as np
import pytest

from accelsim.hardware.dram import CommandDram
from accelsim.kernels import dram
from accelsim.kernels import dram_layout as at

READS, WRITES = ("RD", "RDA"), ("WR", "WRA")
PRES = ("PRE", "PREA")
HBM = {"preset": "hbm2-2000"}
LPDDR5 = {"preset": "lpddr5-6400"}
BANKS_IN_LINE = {
    **LPDDR5,
    "refresh": "per-bank",
    "timing": {"REFI_BANK": 120, "REF_BANK_TO_REF": 100},
}
BANKWISE = {**LPDDR5, "refresh": "per-bank", "timing": {"REFI_BANK": 100}}
TWO_RANKS = {"organisation": {"ranks": 2}}
ALL_CLOSED = {"timing": {"REFI": 400, "RFC": 8, "RP_ALL": 40}}
REFRESHED = {"timing": {"REFI": 400, "RFC": 60}}

# rule: commands before and after, where they are, the machine, the timing that moves it by a clock
RULES = {
    "RD_RD_S": (READS, READS, "rank", {}, "CCD_S"),
    "RD_RD_L": (READS, READS, "group", {}, "CCD_L"),
    "WR_WR_S": (WRITES, WRITES, "rank", {}, "CCD_S"),
    "WR_WR_L": (WRITES, WRITES, "group", {}, "CCD_L"),
    "RD_WR": (READS, WRITES, "rank", {}, "RTW_GAP"),
    "WR_RD_S": (WRITES, READS, "rank", {}, "WTR_S"),
    "WR_RD_L": (WRITES, READS, "group", {}, "WTR_L"),
    "RD_RD_RANK": (READS, READS, "other rank", TWO_RANKS, "CS"),
    "RD_WR_RANK": (READS, WRITES, "other rank", {**TWO_RANKS, "timing": {"CS": 9}}, "CS"),
    "WR_RD_RANK": (WRITES, READS, "other rank", {**TWO_RANKS, "timing": {"CS": 25}}, "CS"),
    "WR_WR_RANK": (WRITES, WRITES, "other rank", TWO_RANKS, "BL"),
    "RD_PRE": (READS, PRES, "bank", {"timing": {"RTP": 30}}, "RTP"),
    "WR_PRE": (WRITES, PRES, "bank", {}, "WR"),
    "ACT_RD": (("ACT",), READS, "bank", {}, "RCD"),
    "ACT_WR": (("ACT",), WRITES, "bank", HBM, "RCD_WR"),
    "ACT_PRE": (("ACT",), PRES, "bank", {"timing": {"RAS": 60, "RC": 76}}, "RAS"),
    "ACT_ACT": (("ACT",), ("ACT",), "bank", {"timing": {"RC": 120}}, "RC"),
    "ACT_ACT_S": (("ACT",), ("ACT",), "rank", {}, "RRD_S"),
    "ACT_ACT_L": (("ACT",), ("ACT",), "group", {}, "RRD_L"),
    "PRE_ACT": (("PRE",), ("ACT",), "bank", {}, "RP"),
    "PRE_ALL_ACT": (("PREA",), ("ACT",), "rank", ALL_CLOSED, "RP_ALL"),
    "PRE_PRE": (PRES, PRES, "rank", {"timing": {"PPD": 7}}, "PPD"),
    "PRE_REF": (PRES, ("REF",), "rank", REFRESHED, "RP"),
    "ACT_REF": (("ACT",), ("REF",), "rank", {"timing": {"REFI": 600, "RFC": 60, "RC": 140}}, "RC"),
    "REF_ACT": (("REF",), ("ACT",), "rank", REFRESHED, "RFC"),
    "REF_BANK_ACT": (("REFpb",), ("ACT",), "bank", BANKWISE, "RFC_BANK"),
    "REF_BANK_ACT_OTHER": (("REFpb",), ("ACT",), "rank", BANKWISE, "REF_BANK_TO_ACT"),
    "REF_BANK_REF_OTHER": (("REFpb",), ("REFpb",), "rank", BANKS_IN_LINE, "REF_BANK_TO_REF"),
    "WRITE_TO_BANK_REFRESH": (PRES, ("REFpb",), "bank", BANKWISE, "RP"),
}  # fmt: skip
NAMES = {"WRITE_TO_BANK_REFRESH": "PRE_REF"}


def change(machine, **timing):
    return machine | {"timing": machine.get("timing", {}) | timing}


def commands(description, requests=6000):
    """The log of random reads and writes: runs within a row, jumps, few banks and many."""
    draw = np.random.default_rng(5)
    starts = draw.integers(0, 1 << 13, requests // 4) << draw.integers(0, 6, requests // 4)
    lines = (starts[:, None] + np.arange(4)).reshape(-1)
    writes = np.repeat(draw.integers(0, 2, requests // 40), 40)
    machine = dram.create(description, trace=lines * 2 + writes, log_entries=50000)
    dram.submit_trace(machine, 0)
    dram.finish(machine, 0)
    assert machine.channel[0, at.LOGGED] < 50000
    return dram.command_log(machine)


def related(where, shape, one, two):
    same_rank = one // shape.banks_per_rank == two // shape.banks_per_rank
    same_group = one // shape.banks_per_group == two // shape.banks_per_group
    return {
        "bank": one == two,
        "group": same_group,
        "rank": same_rank,
        "other rank": not same_rank,
    }[where]


def smallest(description, log, before, after, where):
    """The smallest distance from a command of one kind to a later one of the other."""
    found = 1 << 30
    shape = description.shape
    for i, (clock, command, _, bank, _) in enumerate(log):
        if command not in after:
            continue
        for then, past, _, other, _ in reversed(log[max(0, i - 400) : i]):
            if clock - then >= found:
                break
            everywhere = past in ("PREA", "REF") or command in ("PREA", "REF")
            place = "rank" if everywhere and where != "other rank" else where
            if past in before and related(place, shape, other, bank):
                found = clock - then
                break
    return found


@pytest.mark.parametrize("rule", RULES)
def test_command_waits_for_the_rule_and_no_clock_longer(rule):
    before, after, where, machine, timing = RULES[rule]
    name = NAMES.get(rule, rule)
    description = CommandDram(**machine)
    edge = description.distances[name]
    assert smallest(description, commands(description), before, after, where) == edge
    longer = {timing: description.clocks[timing] + 1}
    if timing in ("RP", "RAS"):
        longer["RC"] = description.clocks["RC"] + 1
    if timing in ("CCD_S", "WTR_S", "RRD_S"):
        both = timing[:-1] + "L"
        longer[both] = max(description.clocks[both], longer[timing])
    slower = CommandDram(**change(machine, **longer))
    assert slower.distances[name] == edge + 1
    assert smallest(slower, commands(slower), before, after, where) == edge + 1


def fifth_activates(description):
    acts = [clock for clock, command, *_ in commands(description) if command == "ACT"]
    return min(fifth - first for first, fifth in zip(acts, acts[4:], strict=False))


@pytest.mark.parametrize("window", [26, 27, 40])
def test_fifth_activate_waits_for_the_window_of_four(window):
    assert fifth_activates(CommandDram(timing={"FAW": window})) == window


@pytest.mark.parametrize("interval", [400, 401])
def test_refresh_is_raised_at_every_multiple_of_its_interval(interval):
    description = CommandDram(timing={"REFI": interval, "RFC": 60})
    machine = dram.create(description, log_entries=100)
    assert dram.advance(machine, 0, interval * 10) == interval * 10
    clocks = [clock for clock, command, *_ in dram.command_log(machine) if command == "REF"]
    assert clocks == [interval * i for i in range(1, 11)]


def log_of(description, lines):
    machine = dram.create(description, trace=np.array(lines) * 2, log_entries=100)
    dram.submit_trace(machine, 0)
    dram.finish(machine, 0)
    return dram.command_log(machine)


@pytest.mark.parametrize("delay", [2, 5, 8])
def test_second_half_of_an_activate_is_forced_at_its_deadline(delay):
    """Row hits keep the bus busy every second clock; the ACT2 takes the clocks between."""
    description = CommandDram(preset="lpddr5-6400", timing={"AAD": delay})
    log = commands(description)
    halves = [(clock, command) for clock, command, *_ in log if command in ("ACT", "ACT2")]
    waits = [two[0] - one[0] for one, two in zip(halves[::2], halves[1::2], strict=True)]
    assert {command for _, command in halves[::2]} == {"ACT"}
    assert max(waits) <= delay
    assert min(waits) == 1


def test_wck_runs_out_the_clock_after_its_window_and_not_before():
    """Two reads of an open row, the second later and later: from one clock on it takes a CAS."""
    description = CommandDram(preset="lpddr5-6400", refresh="none", mapping="RoBaRaCoCh")
    window = description.distances["WCK_AFTER_RD"]
    needed = {}
    for delay in range(window - 4, window + 4):
        machine = dram.create(description, [4, 4], log_entries=20)
        dram.submit(machine, 0, base=0, run_bytes=32, write=False)
        clock = dram.finish(machine, 0)
        first = next(c for c, name, *_ in dram.command_log(machine) if name == "RD")
        machine = dram.create(description, [4, 4], log_entries=20)
        dram.submit(machine, 0, base=0, run_bytes=32, write=False)
        clock = 0
        while clock < first + delay - 1:
            clock = dram.advance(machine, clock, first + delay - 1)
        dram.submit(machine, 1, base=32, run_bytes=32, write=False)
        dram.finish(machine, clock)
        seen = [(c - first, name) for c, name, *_ in dram.command_log(machine) if c > first]
        needed[delay] = seen
    assert needed[window - 1] == [(window - 1, "RD")]
    assert needed[window] == [(window, "CAS"), (window + 1, "RD")]


def test_read_data_ends_at_its_distance():
    description = CommandDram()
    log = log_of(description, [0])
    machine = dram.create(description, trace=np.array([0]))
    dram.submit_trace(machine, 0)
    assert dram.finish(machine, 0) == log[-1][0] + description.distances["READ_END"]
    assert description.distances["READ_END"] == 16 + 4


@pytest.mark.parametrize("response", ["written", "accepted"])
def test_write_is_complete_when_its_data_ended_or_when_it_is_queued(response):
    description = CommandDram(write_response=response)
    machine = dram.create(description, [8], log_entries=10)
    dram.submit(machine, 0, base=0, run_bytes=64, write=True)
    done = dram.finish(machine, 0)
    end = dram.drain(machine, done)
    write = dram.command_log(machine)[-1]
    assert write[1] == "WR"
    assert end == write[0] + description.distances["WRITE_END"]
    assert done == (end if response == "written" else 1)
