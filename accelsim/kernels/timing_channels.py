"""A DRAM simulated by command, as the compiled machine has it: see `machine.CommandMemory`.

It is advanced only as far as nothing can still happen elsewhere, or to its own first news, so it
never has to be taken back. `timing_even` has the same functions for the other memory.
"""

from accelsim.kernels import dram_layout as at
from accelsim.kernels import dram_ports as ports
from accelsim.kernels import timing_layout as on
from accelsim.kernels.dram import PATIENCE_CLOCKS
from accelsim.kernels.dram_jit import helper


@helper
def clock_at(m, cycle):
    """The first DRAM clock that is not before the cycle: `ClockRatio`."""
    return -(-cycle * m.clock[on.DRAM_CLOCKS] // m.clock[on.MACHINE_CYCLES])


@helper
def go_to(m, dram, clock):
    """Let the DRAM go on to its first news or to a clock, and note the news."""
    reached = ports.advance(dram, dram.port[at.CLOCK], clock)
    dram.port[at.CLOCK] = reached
    cycle = -(-reached * m.clock[on.MACHINE_CYCLES] // m.clock[on.DRAM_CLOCKS])
    ring = m.untold.shape[0]
    for i in range(dram.port[at.N_NEWS]):
        place = dram.news[i, 0]
        tail = (m.clock[on.UNTOLD_HEAD] + m.clock[on.UNTOLD_COUNT]) % ring
        m.untold[tail, 0] = cycle
        m.untold[tail, 1] = m.holder[place]
        m.untold[tail, 2] = dram.news[i, 1]
        m.clock[on.UNTOLD_COUNT] += 1
        if dram.news[i, 1]:
            dram.transfer[place, at.T_STATE] = at.FREE
    dram.port[at.N_NEWS] = 0


@helper
def moved(m, dram, engine):
    """Bytes that the bursts of the engine have moved."""
    lines = 0
    for c in range(dram.channel.shape[0]):
        lines += dram.channel[c, at.READ_COMMANDS + engine]
    return lines << dram.rules[at.LINE_SHIFT]


@helper
def advance(m, dram, now, horizon):
    """Go on from `now` to the first news or to `horizon`; the cycle reached."""
    target = dram.port[at.CLOCK]
    if m.clock[on.UNTOLD_COUNT] == 0 and horizon < on.NEVER:
        target = clock_at(m, horizon)
    # All news until `now` is told at once, so what comes first must not stop the rest.
    least = clock_at(m, now)
    before = -1
    while True:
        if target > dram.port[at.CLOCK]:
            go_to(m, dram, target)
        if dram.port[at.CLOCK] < least:
            target = least
            continue
        so_far = moved(m, dram, 0) + moved(m, dram, 1)
        if m.clock[on.UNTOLD_COUNT] > 0 or horizon < on.NEVER or so_far == before:
            break
        before = so_far
        target = dram.port[at.CLOCK] + PATIENCE_CLOCKS
    if m.clock[on.UNTOLD_COUNT] == 0:
        return horizon
    return min(m.untold[m.clock[on.UNTOLD_HEAD], 0], horizon)


@helper
def start(m, dram, c):
    """Begin the transfer of command c; False where the memory has no place for it."""
    engine = 1 if m.command[c, on.KIND] == on.STORES else 0
    target = clock_at(m, m.clock[on.NOW])
    while dram.port[at.CLOCK] < target:
        go_to(m, dram, target)
    place = ports.start_region(
        dram, engine, engine, m.command[c, on.ADDRESS], m.command[c, on.RUN_BYTES],
        m.command[c, on.COUNTS], m.command[c, on.COUNTS + 1], m.command[c, on.COUNTS + 2],
        m.command[c, on.STRIDES], m.command[c, on.STRIDES + 1], m.command[c, on.STRIDES + 2],
    )  # fmt: skip
    if place < 0:
        return False
    m.holder[place] = c
    return True


@helper
def next_news(m, dram, now):
    """(command, whether complete) of what has happened until `now`; NOTHING when all is told."""
    head = m.clock[on.UNTOLD_HEAD]
    if m.clock[on.UNTOLD_COUNT] == 0 or m.untold[head, 0] > now:
        return on.NOTHING, 0
    m.clock[on.UNTOLD_HEAD] = (head + 1) % m.untold.shape[0]
    m.clock[on.UNTOLD_COUNT] -= 1
    return m.untold[head, 1], m.untold[head, 2]
