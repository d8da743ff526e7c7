"""A machine without values, compiled: a table of commands in, when each was complete out.

It is the machine of the room `machine`, event by event: a unit goes on when what it waited for has
happened, events of a cycle come in the order in which they were scheduled, and the memory moves
when all others have. So every cycle, byte and tie is the same. That one is the reference; it runs
with values, tells a recorder, and says what is wrong where this one is stuck.
"""

from accelsim.kernels import timing_channels as channels
from accelsim.kernels import timing_even as even
from accelsim.kernels import timing_layout as on
from accelsim.kernels.dram_jit import entry, helper

# Events ---------------------------------------------------------------------------------------


@helper
def sooner(m, one, other):
    """Whether the first of two events comes before the second."""
    if m.event[one, on.AT] != m.event[other, on.AT]:
        return m.event[one, on.AT] < m.event[other, on.AT]
    return m.event[one, on.TURN_OF] < m.event[other, on.TURN_OF]


@helper
def swap(m, one, other):
    """Let two events change places."""
    for field in range(on.EVENT):
        kept = m.event[one, field]
        m.event[one, field] = m.event[other, field]
        m.event[other, field] = kept


@entry
def schedule(m, cycle, what, which):
    """Something happens in this cycle, after all that was scheduled for it before."""
    place = m.clock[on.N_EVENTS]
    m.event[place, on.AT] = cycle
    m.event[place, on.TURN_OF] = m.clock[on.TURNS]
    m.event[place, on.WHAT] = what
    m.event[place, on.WHICH] = which
    m.clock[on.TURNS] += 1
    m.clock[on.N_EVENTS] = place + 1
    while place > 0:
        above = (place - 1) // 2
        if not sooner(m, place, above):
            return
        swap(m, place, above)
        place = above


@helper
def next_event(m):
    """What happens next, and to which."""
    what, which = m.event[0, on.WHAT], m.event[0, on.WHICH]
    m.clock[on.NOW] = m.event[0, on.AT]
    count = m.clock[on.N_EVENTS] - 1
    m.clock[on.N_EVENTS] = count
    swap(m, 0, count)
    place = 0
    while True:
        first = 2 * place + 1
        if first >= count:
            return what, which
        if first + 1 < count and sooner(m, first + 1, first):
            first += 1
        if not sooner(m, first, place):
            return what, which
        swap(m, first, place)
        place = first


# Waiting and accounts -------------------------------------------------------------------------


@helper
def in_hand_cycles(m, u):
    """Cycles until now in which anything of unit u was under way."""
    cycles = m.unit[u, on.IN_HAND_CYCLES]
    if m.unit[u, on.IN_HAND] > 0:
        cycles += m.clock[on.NOW] - m.unit[u, on.IN_HAND_SINCE]
    return cycles


@helper
def take_in_hand(m, u):
    """One thing more of unit u is under way."""
    if m.unit[u, on.IN_HAND] == 0:
        m.unit[u, on.IN_HAND_SINCE] = m.clock[on.NOW]
    m.unit[u, on.IN_HAND] += 1


@helper
def let_go(m, u):
    """One thing that was under way is done."""
    m.unit[u, on.IN_HAND] -= 1
    if m.unit[u, on.IN_HAND] == 0:
        m.unit[u, on.IN_HAND_CYCLES] += m.clock[on.NOW] - m.unit[u, on.IN_HAND_SINCE]


@helper
def wait(m, u, state, awaited):
    """Unit u waits, until a command is complete, a buffer has room, or it is resumed."""
    m.unit[u, on.AWAITED] = awaited
    m.unit[u, on.STATE] = state
    m.unit[u, on.SINCE] = m.clock[on.NOW]
    m.unit[u, on.COVERED] = in_hand_cycles(m, u)
    m.unit[u, on.TURN] = m.clock[on.TURNS]
    m.clock[on.TURNS] += 1


@helper
def stop_waiting(m, u):
    """Count the time; both units of the drain wait as one, each that has a command left."""
    waited = m.clock[on.NOW] - m.unit[u, on.SINCE]
    state = m.unit[u, on.STATE]
    if state == on.NOTHING:
        return
    if u == on.STATISTICS and state != on.BUSY:
        for beside in (on.STATISTICS, on.REQUANTIZER):
            if m.unit[beside, on.LEFT] > 0:
                m.unit[beside, state] += waited
        return
    m.unit[u, state] += waited - (in_hand_cycles(m, u) - m.unit[u, on.COVERED])


@helper
def longest_waiting(m, awaited):
    """The unit that has waited for this before all others, or NOTHING."""
    found = on.NOTHING
    for u in range(on.UNITS):
        if m.unit[u, on.AWAITED] == awaited and (
            found < 0 or m.unit[u, on.TURN] < m.unit[found, on.TURN]
        ):
            found = u
    return found


@helper
def for_room(buffer):
    """What a unit waits for that needs room in a buffer; commands are waited for by number."""
    return on.NOTHING - 1 - buffer


@helper
def take(m, u, buffer, size):
    """Take room; False where the unit must wait for it. Never overtakes an earlier taker."""
    left = m.buffer[buffer, on.CAPACITY] - m.buffer[buffer, on.TAKEN]
    if size > m.buffer[buffer, on.CAPACITY]:
        m.clock[on.STATUS] = on.STUCK
    if longest_waiting(m, for_room(buffer)) < 0 and size <= left:
        m.buffer[buffer, on.TAKEN] += size
        return True
    m.unit[u, on.ROOM_BYTES] = size
    wait(m, u, on.BLOCKED, for_room(buffer))
    return False


@helper
def give_back(m, buffer, size):
    """Free room, and let those that wait for it go on."""
    m.buffer[buffer, on.TAKEN] -= size
    if m.buffer[buffer, on.TAKEN] < 0:
        m.clock[on.STATUS] = on.STUCK
    u = longest_waiting(m, for_room(buffer))
    while u >= 0:
        taken = m.buffer[buffer, on.TAKEN] + m.unit[u, on.ROOM_BYTES]
        if taken > m.buffer[buffer, on.CAPACITY]:
            return
        m.buffer[buffer, on.TAKEN] = taken
        m.unit[u, on.AWAITED] = on.NOTHING
        schedule(m, m.clock[on.NOW], on.RESUMES, u)
        u = longest_waiting(m, for_room(buffer))


@helper
def worked(m, u, c, start, stop):
    """Record a span of work, where spans are kept."""
    count = m.clock[on.N_SPANS]
    if stop <= start or m.span.shape[0] == 0:
        return
    m.span[count, on.SPAN_UNIT] = u
    m.span[count, on.SPAN_COMMAND] = c
    m.span[count, on.SPAN_START] = start
    m.span[count, on.SPAN_STOP] = stop
    m.clock[on.N_SPANS] = count + 1


@entry
def complete(m, c):
    """Command c is complete: let those that wait for it go on."""
    now = m.clock[on.NOW]
    m.done[c, on.DONE_AT] = now
    u = longest_waiting(m, c)
    while u >= 0:
        m.unit[u, on.AWAITED] = on.NOTHING
        schedule(m, now, on.RESUMES, u)
        u = longest_waiting(m, c)
    m.clock[on.REMAINING] -= 1
    if m.clock[on.REMAINING] == 0:
        schedule(m, now, on.STOPS, 0)


# Units ----------------------------------------------------------------------------------------


@helper
def has_all_before(m, u, c):
    """Whether every command that c waits for is complete; else wait for the first that is not."""
    place = max(m.unit[u, on.NEXT_AFTER], m.command[c, on.AFTER_START])
    while place < m.command[c, on.AFTER_STOP]:
        before = m.after[place]
        place += 1
        if m.done[before, on.DONE_AT] < 0:
            m.unit[u, on.NEXT_AFTER] = place
            wait(m, u, on.STARVED, before)
            return False
    return True


@helper
def begin_transfer(m, u, c):
    """Move bytes through the on-chip port, or give them to the DRAM, and wait for the last."""
    now = m.clock[on.NOW]
    engine = 1 if u == on.STORE else 0
    m.done[c, on.SUBMITTED] = m.clock[on.SUBMISSIONS]
    m.clock[on.SUBMISSIONS] += 1
    cycles = m.command[c, on.PORT_CYCLES]
    if cycles >= 0:
        free_at = max(now, m.clock[on.PORT_FREE_AT]) + cycles
        m.clock[on.PORT_FREE_AT] = free_at
        m.clock[on.PORT_LOAD_CYCLES + engine] += cycles
        schedule(m, free_at, on.ARRIVES, c)
        schedule(m, free_at, on.RESUMES, u)
    else:
        take_in_hand(m, on.DRAM)
        m.clock[on.ASKED] = c
        m.clock[on.OUTSTANDING] += 1
        if m.clock[on.TICK_AT] < 0:
            m.clock[on.TICK_AT] = now
    take_in_hand(m, u)
    wait(m, u, on.STARVED, on.NOTHING)


@helper
def begin_compute(m, u, c):
    """The array: with two sets a reload hides behind what streams, as far as its operand is there.

    See `MacArray`.
    """
    now = m.clock[on.NOW]
    arrived = now
    if m.command[c, on.STATIONARY] >= 0 and m.done[m.command[c, on.STATIONARY], on.DONE_AT] >= 0:
        arrived = m.done[m.command[c, on.STATIONARY], on.DONE_AT]
    last_start = m.clock[on.LAST_FOLD_START]
    first_vector = max(
        now,
        max(arrived, last_start) + m.command[c, on.RELOAD_CYCLES],
        last_start + m.clock[on.LAST_PERIOD],
    )
    m.clock[on.LAST_FOLD_START] = (
        first_vector + (m.command[c, on.FOLDS] - 1) * m.command[c, on.PERIOD_CYCLES]
    )
    m.clock[on.LAST_PERIOD] = m.command[c, on.PERIOD_CYCLES]
    m.clock[on.FOLDS_DONE] += m.command[c, on.FOLDS]
    schedule(m, first_vector + m.command[c, on.STREAM_CYCLES], on.RESUMES, u)
    wait(m, u, on.BUSY, on.NOTHING)


@helper
def begin_drain(m, u, c):
    """The drain: both of its units at their own pace, the slower one's for the whole."""
    now = m.clock[on.NOW]
    duration = m.command[c, on.DURATION]
    since = now + m.command[c, on.REQUANTIZED_FROM]
    m.unit[on.STATISTICS, on.BUSY] += m.command[c, on.OBSERVING]
    m.unit[on.REQUANTIZER, on.BUSY] += m.command[c, on.REQUANTIZING]
    if m.unit[on.STATISTICS, on.LEFT] > 0:
        m.unit[on.STATISTICS, m.command[c, on.STATISTICS_WAIT]] += (
            duration - m.command[c, on.OBSERVING]
        )
    if m.unit[on.REQUANTIZER, on.LEFT] > 0:
        m.unit[on.REQUANTIZER, on.STARVED] += duration - m.command[c, on.REQUANTIZING]
    worked(m, on.STATISTICS, c, now, now + m.command[c, on.OBSERVING])
    worked(m, on.REQUANTIZER, c, since, since + m.command[c, on.REQUANTIZING])
    m.unit[on.STATISTICS, on.LEFT] -= m.command[c, on.OBSERVES]
    m.unit[on.REQUANTIZER, on.LEFT] -= m.command[c, on.REQUANTIZES]
    schedule(m, now + duration, on.RESUMES, u)
    wait(m, u, on.NOTHING, on.NOTHING)  # counted above


@helper
def begin(m, u, c):
    """Start the work of command c; False where it is done at once."""
    now, kind = m.clock[on.NOW], m.command[c, on.KIND]
    m.done[c, on.STARTED_AT] = now
    if kind == on.LOADS or kind == on.STORES:
        begin_transfer(m, u, c)
    elif kind == on.COMPUTES:
        begin_compute(m, u, c)
    elif kind == on.DRAINS:
        begin_drain(m, u, c)
    elif kind == on.REDUCES and m.command[c, on.CYCLES] == 0:
        return False
    else:
        schedule(m, now + m.command[c, on.CYCLES], on.RESUMES, u)
        wait(m, u, on.BUSY, on.NOTHING)
    return True


@helper
def held_up(m, u, c):
    """Whether a slower unit behind it lets a compute wait; its own work is over."""
    worked(m, u, c, m.done[c, on.STARTED_AT], m.clock[on.NOW])
    cycles = m.command[c, on.HINDERED_CYCLES]
    if cycles == 0:
        return False
    schedule(m, m.clock[on.NOW] + cycles, on.RESUMES, u)
    wait(m, u, on.BLOCKED, on.NOTHING)
    return True


@helper
def rescale(m, c):
    """Count what the vector unit did for a compute while the array streamed."""
    folds, period = m.command[c, on.FOLDS], m.command[c, on.PERIOD_CYCLES]
    first_vector = m.clock[on.LAST_FOLD_START] - (folds - 1) * period
    cycles = m.command[c, on.RESCALE_CYCLES]
    m.unit[on.VECTOR, on.BUSY] += cycles
    worked(m, on.VECTOR, c, first_vector, first_vector + cycles)


@helper
def end(m, u, c):
    """The work of command c is over: give room back; it is complete, now or later."""
    now, kind = m.clock[on.NOW], m.command[c, on.KIND]
    if kind == on.COMPUTES:
        rescale(m, c)
    elif kind == on.REDUCES or kind == on.MAPS:
        worked(m, u, c, m.done[c, on.STARTED_AT], now)
        m.unit[u, on.LEFT] -= 1
    for gift in range(m.command[c, on.GIVE_START], m.command[c, on.GIVE_STOP]):
        give_back(m, m.give[gift, 0], m.give[gift, 1])
    if kind != on.LOADS and kind != on.STORES:
        if m.command[c, on.LATER] > 0:
            schedule(m, now + m.command[c, on.LATER], on.COMPLETES, c)
        else:
            complete(m, c)


@helper
def go_on(m, u):
    """Let unit u go on until it waits for something, or has no command left."""
    while m.unit[u, on.NEXT] < m.unit[u, on.LAST]:
        c = m.queue[m.unit[u, on.NEXT]]
        stage = m.unit[u, on.STAGE]
        if stage == on.READY:
            if not has_all_before(m, u, c):
                return
            m.unit[u, on.STAGE] = on.BEGINS
            buffer = m.command[c, on.TAKE_BUFFER]
            if buffer >= 0 and not take(m, u, buffer, m.command[c, on.TAKE_BYTES]):
                return
        elif stage == on.BEGINS:
            m.unit[u, on.STAGE] = on.WORKS
            if begin(m, u, c):
                return
        elif stage == on.WORKS:
            m.unit[u, on.STAGE] = on.ENDS
            if u == on.ARRAY and held_up(m, u, c):
                return
        else:
            m.unit[u, on.STAGE] = on.READY
            m.unit[u, on.NEXT] += 1
            end(m, u, c)


@helper
def engine_of(m, c):
    """The DMA engine of a transfer."""
    return on.LOAD if m.command[c, on.KIND] == on.LOADS else on.STORE


@helper
def arrive(m, c):
    """All data of a transfer has moved."""
    u, now = engine_of(m, c), m.clock[on.NOW]
    let_go(m, u)
    worked(m, u, c, max(m.done[c, on.STARTED_AT], m.unit[u, on.LAST_ARRIVAL]), now)
    m.unit[u, on.LAST_ARRIVAL] = now
    complete(m, c)


# The clock ------------------------------------------------------------------------------------


@helper
def soonest(m):
    """The cycle of the next event, the memory's own apart."""
    return m.event[0, on.AT] if m.clock[on.N_EVENTS] > 0 else on.NEVER


@helper
def read_meter(m, now, loaded, stored):
    """Take down what has been moved until now, unless the last reading is too close."""
    count = m.clock[on.N_READINGS]
    if now - m.reading[count - 1, 0] < m.clock[on.APART_CYCLES]:
        return
    m.reading[count, 0] = now
    m.reading[count, 1] = loaded
    m.reading[count, 2] = stored
    count += 1
    if count == m.reading.shape[0]:
        count = (count + 1) // 2
        for i in range(count):
            for field in range(3):
                m.reading[i, field] = m.reading[2 * i, field]
        m.clock[on.APART_CYCLES] *= 2
    m.clock[on.N_READINGS] = count


@helper
def hear(m, c, is_complete):
    """The memory has taken the last of a transfer, or moved all of it."""
    now = m.clock[on.NOW]
    if is_complete:
        schedule(m, now, on.ARRIVES, c)
        let_go(m, on.DRAM)
        m.clock[on.OUTSTANDING] -= 1
    else:
        schedule(m, now, on.RESUMES, engine_of(m, c))


@helper
def tick(m, memory, advance, next_news, moved):
    """Tell the memory's news of this cycle; then, when nobody else acts in it, move on."""
    now = m.clock[on.TICK_AT]
    m.clock[on.NOW] = now
    m.clock[on.TICK_AT] = on.NOTHING
    read_meter(m, now, moved(m, memory, 0), moved(m, memory, 1))
    c, is_complete = next_news(m, memory, now)
    while c >= 0:
        hear(m, c, is_complete)
        c, is_complete = next_news(m, memory, now)
    if m.clock[on.OUTSTANDING] == 0:
        return
    horizon = soonest(m)
    if horizon <= now:
        m.clock[on.TICK_AT] = now
        return
    if m.clock[on.LAST_CYCLE] < horizon < on.NEVER:
        m.clock[on.STATUS] = on.STUCK
        return
    reached = advance(m, memory, now, horizon)
    m.clock[on.TICK_AT] = reached
    if reached >= on.NEVER:
        m.clock[on.STATUS] = on.STUCK


@helper
def happen(m):
    """The next event."""
    what, which = next_event(m)
    if what == on.RESUMES:
        stop_waiting(m, which)
        go_on(m, which)
    elif what == on.COMPLETES:
        complete(m, which)
    elif what == on.ARRIVES:
        arrive(m, which)
    else:
        m.clock[on.STATUS] = on.FINISHED


@helper
def run(m, memory, start, advance, next_news, moved):
    """Let time pass until all commands are complete, or nothing can happen any more.

    `m` is a `Clockwork`; the memory comes with its functions.
    """
    for u in (on.LOAD, on.VECTOR, on.ARRAY, on.STATISTICS, on.STORE):
        wait(m, u, on.NOTHING, on.NOTHING)
        schedule(m, 0, on.RESUMES, u)
    while m.clock[on.STATUS] == on.RUNS:
        at = soonest(m)
        if 0 <= m.clock[on.TICK_AT] < at:
            tick(m, memory, advance, next_news, moved)
        elif at == on.NEVER:
            m.clock[on.STATUS] = on.STUCK
        else:
            happen(m)
            c = m.clock[on.ASKED]
            m.clock[on.ASKED] = on.NOTHING
            if c >= 0 and not start(m, memory, c):
                m.clock[on.STATUS] = on.STUCK
    return m.clock[on.STATUS]


@entry
def run_with_channels(m, dram):
    """Run with a DRAM that is simulated by command; the status."""
    return run(m, dram, channels.start, channels.advance, channels.next_news, channels.moved)


@entry
def run_with_even(m, memory):
    """Run with a memory of constant bandwidth; the status."""
    return run(m, memory, even.start, even.advance, even.next_news, even.moved)
