"""The kernels against the slow twin, command by command, over random machines and requests."""

import numpy as np
import pytest

from accelsim.hardware.dram import CommandDram
from accelsim.kernels import dram
from tests.naive.dram import NaiveDram

MACHINES = {
    "ddr4": {},
    "ddr4 two ranks": {"organisation": {"ranks": 2}},
    "ddr4 two channels": {"channels": 2},
    "ddr4 columns lowest": {"mapping": "RoBaRaCoCh"},
    "ddr4 closed page": {"page_policy": "closed"},
    "ddr4 closed page two ranks": {"page_policy": "closed", "organisation": {"ranks": 2}},
    "ddr4 row hit cap": {"row_hit_cap": 2, "mapping": "RoBaRaCoCh"},
    "ddr4 small queues": {"read_queue": 3, "write_queue": 5},
    "ddr4 writes accepted": {"write_response": "accepted"},
    "ddr4 often refreshed": {"timing": {"REFI": 200, "RFC": 60}},
    "ddr4 two ranks often refreshed": {
        "timing": {"REFI": 300, "RFC": 60},
        "organisation": {"ranks": 2},
    },
    "ddr4 not refreshed": {"refresh": "none"},
    "lpddr4": {"preset": "lpddr4-3200"},
    "lpddr4 per bank": {"preset": "lpddr4-3200", "refresh": "per-bank"},
    "lpddr5": {"preset": "lpddr5-6400"},
    "lpddr5 often refreshed": {"preset": "lpddr5-6400", "timing": {"REFI": 150, "RFC": 60}},
    "lpddr5 per bank": {
        "preset": "lpddr5-6400",
        "refresh": "per-bank",
        "timing": {"REFI_BANK": 90},
    },
    "lpddr5 closed page two ranks": {
        "preset": "lpddr5-6400",
        "page_policy": "closed",
        "organisation": {"ranks": 2},
    },
    "lpddr5 tight ACT2": {"preset": "lpddr5-6400", "timing": {"AAD": 2}},
    "hbm2": {"preset": "hbm2-2000"},
    "hbm2 per bank": {"preset": "hbm2-2000", "refresh": "per-bank", "timing": {"REFI_BANK": 60}},
    "hbm2 four channels": {"preset": "hbm2-2000", "channels": 4},
}


def random_lines(draw, count, description):
    """Runs and jumps, reads and writes, some lines more than once."""
    lines = []
    while len(lines) < count:
        start = int(draw.integers(0, 1 << 14)) << int(draw.integers(0, 6))
        write = bool(draw.integers(0, 2))
        for i in range(int(draw.integers(1, 12))):
            lines.append((start + i, write))
        if draw.integers(0, 4) == 0:
            lines.append((start, not write))
    return [(line % (description.capacity_bytes // description.line_bytes), w) for line, w in lines]


def as_trace(lists):
    joined = [line * 2 + int(write) for lines in lists for line, write in lines]
    return np.array(joined, dtype=np.int64)


def run_kernel(description, lists, in_flight, arbitration, rate, horizons=None):
    machine = dram.create(
        description,
        in_flight,
        arbitration=arbitration,
        lines_per_clock=rate,
        trace=as_trace(lists),
        log_entries=20000,
    )
    first = 0
    for q, lines in enumerate(lists):
        dram.submit_trace(machine, q, first, first + len(lines))
        first += len(lines)
    clock = 0
    while dram.working(machine):
        horizon = 1 << 40 if horizons is None else clock + int(horizons.integers(1, 40))
        clock = dram.advance(machine, clock, horizon)
    return machine, [int(row) for row in machine.requester[:, dram.at.DONE_CLOCK]]


@pytest.mark.parametrize("name", MACHINES)
def test_every_command_is_that_of_the_slow_twin(name):
    description = CommandDram(**MACHINES[name])
    for seed in range(3):
        draw = np.random.default_rng([seed, len(name)])
        requesters = int(draw.integers(1, 4))
        lists = [random_lines(draw, 120, description) for _ in range(requesters)]
        in_flight = [int(draw.integers(1, 70)) for _ in range(requesters)]
        arbitration = str(draw.choice(["round-robin", "load-first", "store-first"]))
        rate = int(draw.integers(1, 3))
        slow = NaiveDram(description, lists, in_flight, arbitration, rate)
        slow_done = slow.run()
        fast, fast_done = run_kernel(description, lists, in_flight, arbitration, rate)
        log = sorted(
            (entry for channel in slow.channels for entry in channel.log),
            key=lambda e: (e[0], e[2]),
        )
        assert dram.command_log(fast) == log
        assert fast_done == slow_done
        latencies = [t for channel in slow.channels for t in channel.latencies]
        assert int(fast.channel[:, dram.at.LATENCY_SUM].sum()) == sum(latencies)


@pytest.mark.parametrize("name", MACHINES)
def test_cutting_one_advance_into_many_changes_nothing(name):
    description = CommandDram(**MACHINES[name])
    draw = np.random.default_rng([7, len(name)])
    lists = [random_lines(draw, 300, description) for _ in range(3)]
    whole, whole_done = run_kernel(description, lists, [20, 64, 8], "round-robin", 1)
    cut, cut_done = run_kernel(description, lists, [20, 64, 8], "round-robin", 1, draw)
    assert cut_done == whole_done
    assert dram.command_log(cut) == dram.command_log(whole)
    for array in ("bank", "rank", "histogram", "requester"):
        assert np.array_equal(getattr(cut, array), getattr(whole, array)), array
