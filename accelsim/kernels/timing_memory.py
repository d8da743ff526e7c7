"""The memory as the compiled machine has it: transfers in, news out, bytes read now and then.

Of the two memories one is in use. Both are advanced only as far as nothing can still happen
elsewhere, or to their own first news, so they never have to be taken back.
"""

from accelsim.kernels import dram_layout as at
from accelsim.kernels import dram_ports as ports
from accelsim.kernels import ideal_memory as ideal
from accelsim.kernels import timing_layout as on
from accelsim.kernels.dram_jit import helper

NEVER = int(ideal.FOREVER)
PATIENCE_CLOCKS = 10_000_000
"""Clocks without any data after which what is outstanding counts as lost; refreshes never end."""


@helper
def clock_at(m, cycle):
    """The first DRAM clock that is not before the cycle: `ClockRatio`."""
    return -(-cycle * m.clock[on.DRAM_CLOCKS] // m.clock[on.MACHINE_CYCLES])


@helper
def cycle_at(m, clock):
    """The first cycle that is not before the DRAM clock."""
    return -(-clock * m.clock[on.MACHINE_CYCLES] // m.clock[on.DRAM_CLOCKS])


@helper
def go_to(m, clock):
    """Let the DRAM go on to its first news or to a clock, and note the news."""
    dram = m.dram
    reached = ports.advance(dram, dram.port[at.CLOCK], clock)
    dram.port[at.CLOCK] = reached
    ring = m.untold.shape[0]
    for i in range(dram.port[at.N_NEWS]):
        place = dram.news[i, 0]
        tail = (m.clock[on.UNTOLD_HEAD] + m.clock[on.UNTOLD_COUNT]) % ring
        m.untold[tail, 0] = cycle_at(m, reached)
        m.untold[tail, 1] = m.holder[place]
        m.untold[tail, 2] = dram.news[i, 1]
        m.clock[on.UNTOLD_COUNT] += 1
        if dram.news[i, 1]:
            dram.transfer[place, at.T_STATE] = at.FREE
    dram.port[at.N_NEWS] = 0


@helper
def catch_up(m, now):
    """Bring the DRAM to the cycle."""
    target = clock_at(m, now)
    while m.dram.port[at.CLOCK] < target:
        go_to(m, target)


@helper
def moved(m, engine):
    """Bytes that the bursts of the engine have moved."""
    if not m.clock[on.COMMANDED]:
        return m.ideal.engines[ideal.BUS_TICKS, engine] // m.ideal.bus[ideal.TICKS_PER_BYTE]
    lines = 0
    for c in range(m.dram.channel.shape[0]):
        lines += m.dram.channel[c, at.READ_COMMANDS + engine]
    return lines << m.dram.rules[at.LINE_SHIFT]


@helper
def advance(m, now, horizon):
    """Go on from `now` to the first news or to `horizon`; the cycle reached."""
    if not m.clock[on.COMMANDED]:
        return ideal.advance(
            m.ideal.transfers, m.ideal.engines, m.ideal.bus, m.ideal.queue, now, horizon
        )
    if m.clock[on.UNTOLD_COUNT] == 0 and horizon < NEVER:
        go_to(m, clock_at(m, horizon))
    # All news until `now` is told at once, so what comes first must not stop the rest.
    catch_up(m, now)
    if horizon >= NEVER:
        before = -1
        while m.clock[on.UNTOLD_COUNT] == 0 and moved(m, 0) + moved(m, 1) > before:
            before = moved(m, 0) + moved(m, 1)
            go_to(m, m.dram.port[at.CLOCK] + PATIENCE_CLOCKS)
    if m.clock[on.UNTOLD_COUNT] == 0:
        return horizon
    return min(m.untold[m.clock[on.UNTOLD_HEAD], 0], horizon)


@helper
def start(m, engine, c, now):
    """Begin the transfer of command c; False where the memory has no place for it."""
    if m.clock[on.COMMANDED]:
        catch_up(m, now)
        place = ports.start_region(
            m.dram, engine, engine, m.command[c, on.ADDRESS], m.command[c, on.RUN_BYTES],
            m.command[c, on.COUNTS], m.command[c, on.COUNTS + 1], m.command[c, on.COUNTS + 2],
            m.command[c, on.STRIDES], m.command[c, on.STRIDES + 1], m.command[c, on.STRIDES + 2],
        )  # fmt: skip
        if place < 0:
            return False
    else:
        place = start_ideal(m, engine, c)
    m.holder[place] = c
    return True


@helper
def start_ideal(m, engine, c):
    """The slot that the transfer of a command has in the ideal memory; there is always one."""
    transfers = m.ideal.transfers
    slot = 0
    while transfers[ideal.STATE, slot] != ideal.FREE:
        slot += 1
    for field in range(transfers.shape[0]):
        transfers[field, slot] = 0
    transfers[ideal.STATE, slot] = ideal.ISSUING
    transfers[ideal.ENGINE, slot] = engine
    transfers[ideal.ADDRESS, slot] = m.command[c, on.ADDRESS]
    transfers[ideal.RUN_BYTES, slot] = m.command[c, on.RUN_BYTES]
    for axis in range(3):
        transfers[ideal.COUNTS + axis, slot] = m.command[c, on.COUNTS + 2 - axis]
        transfers[ideal.STRIDES + axis, slot] = m.command[c, on.STRIDES + 2 - axis]
    m.ideal.engines[ideal.SLOT, engine] = slot
    return slot


@helper
def next_news(m, now):
    """(command, whether complete) of what has happened until `now`, (-1, 0) when all is told."""
    if m.clock[on.COMMANDED]:
        head = m.clock[on.UNTOLD_HEAD]
        if m.clock[on.UNTOLD_COUNT] == 0 or m.untold[head, 0] > now:
            return on.NOTHING, 0
        m.clock[on.UNTOLD_HEAD] = (head + 1) % m.untold.shape[0]
        m.clock[on.UNTOLD_COUNT] -= 1
        return m.untold[head, 1], m.untold[head, 2]
    slot = m.ideal.bus[ideal.NEWS]
    if slot < 0:
        return on.NOTHING, 0
    m.ideal.bus[ideal.NEWS] = -1
    if m.ideal.transfers[ideal.STATE, slot] == ideal.COMPLETE:
        m.ideal.transfers[ideal.STATE, slot] = ideal.FREE
        return m.holder[slot], 1
    return m.holder[slot], 0


@helper
def read_meter(m, now):
    """Take down what has been moved until now, unless the last reading is too close."""
    count = m.clock[on.N_READINGS]
    if now - m.reading[count - 1, 0] < m.clock[on.APART_CYCLES]:
        return
    m.reading[count, 0] = now
    m.reading[count, 1] = moved(m, 0)
    m.reading[count, 2] = moved(m, 1)
    count += 1
    if count == m.reading.shape[0]:
        count = (count + 1) // 2
        for i in range(count):
            for field in range(3):
                m.reading[i, field] = m.reading[2 * i, field]
        m.clock[on.APART_CYCLES] *= 2
    m.clock[on.N_READINGS] = count
