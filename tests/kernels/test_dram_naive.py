"""The kernels against the slow twin, command by command, over random machines and requests."""

import copy

import numpy as np
import pytest

from accelsim.hardware.dram import CommandDram
from accelsim.kernels import dram
from accelsim.kernels import dram_layout as at
from tests.naive.dram import NaiveDram, Transfer

ARBITRATIONS = ["round-robin", "load-first", "store-first"]

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


def in_pieces(draw, lines, pauses=False):
    """The lines as transfers of one to a few dozen, some submitted later than they could be."""
    transfers, first, release = [], 0, 0
    while first < len(lines):
        stop = first + int(draw.integers(1, int(draw.choice([3, 40]))))
        if pauses:
            release += int(draw.choice([0, 0, 0, 150]))
        transfers.append(Transfer(lines[first:stop], release))
        first = stop
    return transfers


def one_run(lines):
    """Whether the lines are what a contiguous region of one direction asks for."""
    (start, write), count = lines[0], len(lines)
    return lines == [(start + i, write) for i in range(count)]


class Drive:
    """Submits the transfers of each engine as soon as it may, and writes down all news."""

    def __init__(self, description, queues, in_flight, arbitration="round-robin", rate=1):
        everything = [t for queue in queues for t in queue]
        pairs = [line * 2 + int(write) for t in everything for line, write in t.lines]
        self.dram = dram.create(
            description,
            in_flight,
            arbitration=arbitration,
            lines_per_clock=rate,
            trace=np.array(pairs, dtype=np.int64),
            log_entries=20000,
        )
        sizes = [len(t.lines) for t in everything]
        stops = iter(np.cumsum(sizes).tolist())
        self.queues = [[(n, t, next(stops)) for n, t in enumerate(queue)] for queue in queues]
        self.offering = [False] * len(queues)
        self.names, self.news, self.most = {}, [], 0

    def submit(self, clock):
        for q, queue in enumerate(self.queues):
            if self.offering[q] or not queue or queue[0][1].release > clock:
                continue
            number, transfer, stop = queue.pop(0)
            count = len(transfer.lines)
            if one_run(transfer.lines):
                size = 1 << int(self.dram.rules[at.LINE_SHIFT])
                line, write = transfer.lines[0]
                name = dram.submit(
                    self.dram, q, base=line * size, run_bytes=count * size, write=write
                )
            else:
                name = dram.submit_trace(self.dram, q, stop - count, stop)
            assert name not in self.names
            self.names[name] = q, number
            self.offering[q] = True
        self.most = max(self.most, len(self.names))

    def run(self, horizons=None):
        """Advance from news to news, or by no more than a few clocks at a time."""
        clock = 0
        self.submit(clock)
        while self.names or any(self.queues):
            due = [queue[0][1].release for queue in self.queues if queue]
            horizon = min([release for release in due if release > clock], default=1 << 40)
            if horizons is not None:
                horizon = min(horizon, clock + int(horizons.integers(1, 40)))
            clock = dram.advance(self.dram, clock, horizon)
            for name, complete in dram.news(self.dram):
                q, number = self.names[name]
                self.news.append((clock, q, number, complete))
                if complete:
                    del self.names[name]
                else:
                    self.offering[q] = False
            self.submit(clock)
        return self


def slow_and_fast(description, queues, *choices):
    slow = NaiveDram(description, copy.deepcopy(queues), *choices)
    return slow, slow.run(), Drive(description, queues, *choices).run()


def assert_the_same(slow, slow_news, fast):
    log = sorted(
        (entry for channel in slow.channels for entry in channel.log),
        key=lambda e: (e[0], e[2]),
    )
    assert dram.command_log(fast.dram) == log
    assert sorted(fast.news) == slow_news
    latencies = [t for channel in slow.channels for t in channel.latencies]
    assert int(fast.dram.channel[:, at.LATENCY_SUM].sum()) == sum(latencies)


@pytest.mark.parametrize("name", MACHINES)
def test_every_command_is_that_of_the_slow_twin(name):
    description = CommandDram(**MACHINES[name])
    for seed in range(3):
        draw = np.random.default_rng([seed, len(name)])
        requesters = int(draw.integers(1, 4))
        queues = [[Transfer(random_lines(draw, 120, description))] for _ in range(requesters)]
        in_flight = [int(draw.integers(1, 70)) for _ in range(requesters)]
        arbitration = str(draw.choice(ARBITRATIONS))
        rate = int(draw.integers(1, 3))
        assert_the_same(*slow_and_fast(description, queues, in_flight, arbitration, rate))


@pytest.mark.parametrize("arbitration", ARBITRATIONS)
@pytest.mark.parametrize("name", MACHINES)
def test_several_transfers_of_each_engine_are_those_of_the_slow_twin(name, arbitration):
    description = CommandDram(**MACHINES[name])
    draw = np.random.default_rng([11, len(name), len(arbitration)])
    queues = [in_pieces(draw, random_lines(draw, 120, description), pauses=True) for _ in range(2)]
    in_flight = [int(draw.integers(1, 40)) for _ in range(2)]
    rate = int(draw.integers(1, 3))
    slow, news, fast = slow_and_fast(description, queues, in_flight, arbitration, rate)
    assert_the_same(slow, news, fast)
    for q, queue in enumerate(queues):
        told = [(number, complete) for _, engine, number, complete in fast.news if engine == q]
        assert [n for n, complete in told if not complete] == list(range(len(queue)))
        assert all(told.index((n, False)) < told.index((n, True)) for n in range(len(queue)))


@pytest.mark.parametrize("name", MACHINES)
def test_cutting_one_advance_into_many_changes_nothing(name):
    description = CommandDram(**MACHINES[name])
    draw = np.random.default_rng([7, len(name)])
    queues = [in_pieces(draw, random_lines(draw, 300, description)) for _ in range(3)]
    whole = Drive(description, queues, [20, 64, 8]).run()
    cut = Drive(description, queues, [20, 64, 8]).run(draw)
    assert whole.most > 3
    assert cut.news == whole.news
    assert dram.command_log(cut.dram) == dram.command_log(whole.dram)
    for array in ("bank", "rank", "histogram", "requester", "transfer", "port"):
        assert np.array_equal(getattr(cut.dram, array), getattr(whole.dram, array)), array
