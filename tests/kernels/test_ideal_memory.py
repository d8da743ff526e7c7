"""The memory of constant bandwidth and latency against its twin, however it is advanced."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from accelsim.kernels import ideal_memory as memory
from accelsim.program import Region
from tests.naive.ideal_memory import bursts_of, naive_transfers


def drive(queues, in_flight, burst_bytes, bytes_per_cycle, latency, priority, horizons):
    """Submit each engine's regions one after the other, and advance in steps of random length."""
    table, engines, bus, queue = memory.new_memory(
        len(queues), in_flight, burst_bytes, bytes_per_cycle.numerator,
        bytes_per_cycle.denominator, latency, priority,
    )  # fmt: skip
    waiting = [list(enumerate(regions)) for regions in queues]
    names, issued, complete = {}, {}, {}
    now, turn = 0, 0
    while True:
        for engine, regions in enumerate(waiting):
            if regions and engines[memory.SLOT, engine] < 0:
                number, region = regions.pop(0)
                slot = int(np.flatnonzero(table[memory.STATE] == memory.FREE)[0])
                table[:, slot] = 0
                table[memory.STATE, slot], table[memory.ENGINE, slot] = memory.ISSUING, engine
                table[memory.ADDRESS, slot] = region.address
                table[memory.RUN_BYTES, slot] = region.run_bytes
                table[memory.COUNTS : memory.COUNTS + 3, slot] = region.counts
                table[memory.STRIDES : memory.STRIDES + 3, slot] = region.strides_bytes
                engines[memory.SLOT, engine] = slot
                names[slot] = engine, number
        if not names:
            return {key: (issued[key], complete[key]) for key in issued}
        turn += 1
        now = int(
            memory.advance(table, engines, bus, queue, now, now + horizons[turn % len(horizons)])
        )
        for slot, key in list(names.items()):
            if table[memory.STATE, slot] >= memory.ISSUED:
                issued.setdefault(key, now)
            if table[memory.STATE, slot] == memory.COMPLETE:
                complete[key] = now
                table[memory.STATE, slot] = memory.FREE
                del names[slot]


@st.composite
def regions(draw):
    counts = tuple(draw(st.integers(1, 3)) for _ in range(3))
    strides = tuple(draw(st.integers(0, 200)) for _ in range(3))
    return Region(draw(st.integers(0, 300)), draw(st.integers(1, 150)), counts, strides)


@given(
    st.lists(st.lists(regions(), min_size=1, max_size=3), min_size=1, max_size=2),
    st.integers(1, 5),
    st.sampled_from([16, 64]),
    st.sampled_from([Fraction(16), Fraction(64, 3), Fraction(7, 5), Fraction(400)]),
    st.integers(0, 30),
    st.sampled_from([memory.ROUND_ROBIN, 0]),
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
)
def test_transfers_take_the_cycles_of_the_naive_twin_however_far_each_advance_goes(
    queues, in_flight, burst_bytes, bytes_per_cycle, latency, priority, horizons
):
    found = drive(queues, in_flight, burst_bytes, bytes_per_cycle, latency, priority, horizons)
    bursts = [[bursts_of(region, burst_bytes) for region in queue] for queue in queues]
    expected = naive_transfers(
        bursts, in_flight, burst_bytes, bytes_per_cycle, latency,
        None if priority == memory.ROUND_ROBIN else priority,
    )  # fmt: skip
    assert found == expected


def test_one_burst_returns_after_its_bytes_and_the_latency():
    region = Region(0, 64, (1, 1, 1), (0, 0, 0))
    found = drive([[region]], 4, 64, Fraction(16), 80, memory.ROUND_ROBIN, [10**6])
    assert found == {(0, 0): (0, 64 // 16 + 80)}


def test_an_in_flight_limit_of_one_pays_the_latency_for_every_burst():
    region = Region(0, 640, (1, 1, 1), (0, 0, 0))
    found = drive([[region]], 1, 64, Fraction(16), 80, memory.ROUND_ROBIN, [10**6])
    assert found[0, 0][1] == 10 * (4 + 80)


def test_a_strided_region_costs_a_whole_burst_for_every_run():
    together = Region(0, 160, (1, 1, 1), (0, 0, 0))
    apart = Region(0, 16, (1, 1, 10), (0, 0, 64))
    cycles = [
        drive([[region]], 32, 64, Fraction(16), 0, memory.ROUND_ROBIN, [10**6])[0, 0][1]
        for region in (together, apart)
    ]
    assert cycles == [3 * 4, 10 * 4]
