"""What asks the channels: requesters, each offering one transfer, their arbitration, the advance.

Within a clock, in this order: read data that has returned frees its in-flight place; every channel
issues its command; completed transfers are noted; the requesters offer. `advance` therefore
stops and resumes *before the offers* of a clock: what is submitted at the clock it returned is
offered in that very clock.
"""

from accelsim.kernels import dram_channel as channels
from accelsim.kernels import dram_layout as at
from accelsim.kernels import dram_transfers as transfers
from accelsim.kernels.dram_jit import entry, helper

HAS_ANOTHER, NONE_FREE = -1, -2
"""In the place of a transfer: its requester has one left to offer; all are outstanding."""


@entry
def place_of(dram, line):
    """Where a line lies, packed."""
    place = 0
    for i in range(dram.decode.shape[0]):
        place ^= dram.decode[i, (line >> (8 * i)) & 255]
    return place


@entry
def unpack(place):
    """Channel, bank and row of a packed place."""
    bank = (place >> at.BANK_SHIFT) & ((1 << (at.ROW_SHIFT - at.BANK_SHIFT)) - 1)
    return place & ((1 << at.BANK_SHIFT) - 1), bank, place >> at.ROW_SHIFT


@helper
def find_place(dram, q):
    """Note where the line at the head of requester q lies."""
    channel, bank, row = unpack(place_of(dram, dram.requester[q, at.HEAD_LINE]))
    dram.requester[q, at.HEAD_CHANNEL] = channel
    dram.requester[q, at.HEAD_BANK] = bank
    dram.requester[q, at.HEAD_ROW] = row


@helper
def next_run(dram, q):
    """Step to the next run of the region; False after the last."""
    for axis in range(3):
        dram.requester[q, at.AT_1 + axis] += 1
        if dram.requester[q, at.AT_1 + axis] < dram.requester[q, at.COUNT_1 + axis]:
            return True
        dram.requester[q, at.AT_1 + axis] = 0
    return False


@helper
def run_start(dram, q):
    """The byte address at which the current run of the region starts."""
    address = dram.requester[q, at.BASE]
    for axis in range(3):
        address += dram.requester[q, at.AT_1 + axis] * dram.requester[q, at.STRIDE_1 + axis]
    return address


@helper
def next_line(dram, q):
    """Put the next line of the transfer at its head.

    A line that ends one run and starts the next is asked for once.
    """
    if dram.requester[q, at.FROM_TRACE]:
        entry = dram.requester[q, at.TRACE_NEXT]
        if entry == dram.requester[q, at.TRACE_STOP]:
            dram.requester[q, at.HAS_HEAD] = 0
            return
        dram.requester[q, at.TRACE_NEXT] = entry + 1
        dram.requester[q, at.HEAD_LINE] = dram.trace[entry] >> 1
        dram.requester[q, at.HEAD_WRITE] = dram.trace[entry] & 1
        find_place(dram, q)
        return
    line = dram.requester[q, at.HEAD_LINE] + 1
    while line > dram.requester[q, at.RUN_STOP]:
        if not next_run(dram, q):
            dram.requester[q, at.HAS_HEAD] = 0
            return
        start = run_start(dram, q)
        shift = dram.rules[at.LINE_SHIFT]
        first = start >> shift
        dram.requester[q, at.RUN_STOP] = (start + dram.requester[q, at.RUN_BYTES] - 1) >> shift
        line = first + (first == dram.requester[q, at.HEAD_LINE])
    dram.requester[q, at.HEAD_LINE] = line
    find_place(dram, q)


@entry
def start(dram, q, t):
    """Requester q begins the transfer that its row describes, in the free place t."""
    dram.transfer[t, at.T_STATE] = at.OFFERING
    dram.transfer[t, at.T_REQUESTER] = q
    dram.transfer[t, at.T_UNISSUED] = 0
    dram.transfer[t, at.T_LAST_END] = 0
    dram.requester[q, at.OFFERED] = t
    dram.requester[q, at.HAS_HEAD] = 1
    dram.requester[q, at.HEAD_WRITE] = dram.requester[q, at.DIRECTION]
    for axis in range(3):
        dram.requester[q, at.AT_1 + axis] = 0
    address = dram.requester[q, at.BASE]
    shift = dram.rules[at.LINE_SHIFT]
    dram.requester[q, at.HEAD_LINE] = (address >> shift) - 1
    dram.requester[q, at.RUN_STOP] = (address + dram.requester[q, at.RUN_BYTES] - 1) >> shift
    next_line(dram, q)


@entry
def free_transfer(dram, q):
    """The place of requester q's next transfer; HAS_ANOTHER or NONE_FREE where there is none."""
    if dram.requester[q, at.HAS_HEAD]:
        return HAS_ANOTHER
    for t in range(dram.transfer.shape[0]):
        if dram.transfer[t, at.T_STATE] == at.FREE:
            return t
    return NONE_FREE


@entry
def start_region(
    dram, q, write, base, run_bytes, count_1, count_2, count_3, stride_1, stride_2, stride_3
):
    """Requester q begins a transfer of this region; what comes back is that of `free_transfer`."""
    t = free_transfer(dram, q)
    if t < 0:
        return t
    dram.requester[q, at.FROM_TRACE] = 0
    dram.requester[q, at.DIRECTION] = write
    dram.requester[q, at.BASE] = base
    dram.requester[q, at.RUN_BYTES] = run_bytes
    dram.requester[q, at.COUNT_1] = count_1
    dram.requester[q, at.COUNT_2] = count_2
    dram.requester[q, at.COUNT_3] = count_3
    dram.requester[q, at.STRIDE_1] = stride_1
    dram.requester[q, at.STRIDE_2] = stride_2
    dram.requester[q, at.STRIDE_3] = stride_3
    start(dram, q, t)
    return t


@helper
def waits_as_write(dram, c, line):
    """Whether a write of this line is in the write queue."""
    if dram.written[c, line & 255] == 0:
        return False
    for i in range(dram.channel[c, at.N_WRITES]):
        if dram.slot[c, dram.order[c, at.WRITES, i] & at.SLOT_MASK, at.S_LINE] == line:
            return True
    return False


@helper
def can_offer(dram, q):
    """Whether the head of requester q has a place in flight, and room in the queue or no need."""
    if not dram.requester[q, at.HAS_HEAD]:
        return False
    if dram.requester[q, at.IN_FLIGHT] >= dram.requester[q, at.LIMIT]:
        return False
    write = dram.requester[q, at.HEAD_WRITE]
    c = dram.requester[q, at.HEAD_CHANNEL]
    if dram.channel[c, at.N_READS + write] < dram.rules[at.READ_QUEUE + write]:
        return True
    return waits_as_write(dram, c, dram.requester[q, at.HEAD_LINE])


@helper
def enqueue(dram, c, q, clock):
    """The head of requester q joins its queue; the channel looks again when that can matter."""
    write = dram.requester[q, at.HEAD_WRITE]
    n_free = dram.channel[c, at.N_FREE] - 1
    s = dram.free[c, n_free]
    dram.channel[c, at.N_FREE] = n_free
    dram.slot[c, s, at.S_BANK] = dram.requester[q, at.HEAD_BANK]
    dram.slot[c, s, at.S_ROW] = dram.requester[q, at.HEAD_ROW]
    dram.slot[c, s, at.S_WRITE] = write
    dram.slot[c, s, at.S_ARRIVED] = clock
    dram.slot[c, s, at.S_REQUESTER] = q
    dram.slot[c, s, at.S_TRANSFER] = dram.requester[q, at.OFFERED]
    dram.slot[c, s, at.S_LINE] = dram.requester[q, at.HEAD_LINE]
    ready = channels.not_ready_before(dram, c, s, clock)
    channels.append(dram, c, write, s, ready)
    mode = dram.channel[c, at.WRITE_MODE]
    if channels.choose_mode(dram, c) != mode:
        wake = clock + 1
    elif mode == write:
        wake = max(clock + 1, ready)
    else:
        return
    if wake < dram.channel[c, at.WAKE]:
        dram.channel[c, at.WAKE] = wake


@helper
def accept(dram, c, q, clock):
    """Channel c takes the head of requester q.

    A read of a line that waits to be written is served from the queue on the next clock; a write of
    it is absorbed.
    """
    t = dram.requester[q, at.OFFERED]
    write = dram.requester[q, at.HEAD_WRITE]
    held = waits_as_write(dram, c, dram.requester[q, at.HEAD_LINE])
    if write:
        dram.requester[q, at.LINES_WRITTEN] += 1
    else:
        dram.requester[q, at.LINES_READ] += 1
    if not held:
        enqueue(dram, c, q, clock)
        dram.requester[q, at.IN_FLIGHT] += 1
        if not write or dram.rules[at.WRITTEN]:
            dram.transfer[t, at.T_UNISSUED] += 1
    elif write:
        dram.channel[c, at.COALESCED] += 1
    else:
        dram.requester[q, at.IN_FLIGHT] += 1
        channels.push_return(dram, c, clock + 1, q)
        channels.count_read(dram, c, q, 1)
        dram.channel[c, at.FORWARDED] += 1
    if dram.transfer[t, at.T_LAST_END] < clock + 1:
        dram.transfer[t, at.T_LAST_END] = clock + 1
    dram.requester[q, at.GRANTED] += 1
    next_line(dram, q)
    if not dram.requester[q, at.HAS_HEAD]:
        transfers.all_offered(dram, t)


@helper
def turn_key(dram, c, q):
    """The place of requester q in the order in which channel c asks; the lowest goes first."""
    requesters = dram.requester.shape[0]
    key = q - dram.channel[c, at.TURN]
    if key < 0:
        key += requesters
    choice = dram.rules[at.ARBITRATION]
    if choice != at.ROUND_ROBIN:
        write = dram.requester[q, at.HEAD_WRITE]
        first = write if choice == at.STORE_FIRST else 1 - write
        if not first:
            key += requesters
    return key


@helper
def offer(dram, clock):
    """Every channel takes at most one line, every requester gives at most its rate, in order."""
    requesters = dram.requester.shape[0]
    for c in range(dram.channel.shape[0]):
        dram.channel[c, at.TAKEN] = 0
    for q in range(requesters):
        dram.requester[q, at.GRANTED] = 0
    granted = True
    while granted:
        granted = False
        for c in range(dram.channel.shape[0]):
            dram.channel[c, at.WINNER] = -1
        for q in range(requesters):
            if dram.requester[q, at.GRANTED] < dram.requester[q, at.RATE] and can_offer(dram, q):
                c = dram.requester[q, at.HEAD_CHANNEL]
                if not dram.channel[c, at.TAKEN]:
                    key = turn_key(dram, c, q)
                    if dram.channel[c, at.WINNER] < 0 or key < dram.channel[c, at.WINNER_KEY]:
                        dram.channel[c, at.WINNER] = q
                        dram.channel[c, at.WINNER_KEY] = key
                        granted = True
        if granted:
            for c in range(dram.channel.shape[0]):
                q = dram.channel[c, at.WINNER]
                if q >= 0:
                    dram.channel[c, at.TAKEN] = 1
                    dram.channel[c, at.TURN] = (q + 1) % requesters
                    accept(dram, c, q, clock)


@helper
def next_clock(dram, clock):
    """The first clock after this one at which anything can happen."""
    soonest = dram.port[at.SOONEST_END]
    for c in range(dram.channel.shape[0]):
        soonest = min(soonest, dram.channel[c, at.WAKE], dram.channel[c, at.NEXT_REFRESH])
    full = False
    for q in range(dram.requester.shape[0]):
        if not dram.requester[q, at.HAS_HEAD]:
            continue
        if dram.requester[q, at.IN_FLIGHT] >= dram.requester[q, at.LIMIT]:
            full = True
        elif can_offer(dram, q):
            soonest = clock + 1
    if full:
        for c in range(dram.channel.shape[0]):
            if dram.channel[c, at.RETURN_COUNT] > 0:
                soonest = min(soonest, dram.returns[c, dram.channel[c, at.RETURN_HEAD], 0])
    return max(soonest, clock + 1)


@helper
def step(dram, clock):
    """One clock up to its offers: data returns, refreshes fall due, channels issue."""
    for c in range(dram.channel.shape[0]):
        channels.pop_returns(dram, c, clock)
        if clock >= dram.channel[c, at.NEXT_REFRESH]:
            channels.raise_refresh(dram, c)
            dram.channel[c, at.WAKE] = clock
        if clock >= dram.channel[c, at.WAKE]:
            channels.schedule(dram, c, clock)


@entry
def advance(dram, now, horizon):
    """Run from clock `now` to the first news or to `horizon`; give the clock it stopped at.

    `now` is the clock that the last call returned (0 for a new DRAM). A transfer issued by the
    offers of a clock is news of the clock after it. Cutting one call into several changes nothing.
    """
    if horizon <= now:
        return now
    for c in range(dram.channel.shape[0]):
        channels.pop_returns(dram, c, now)
    told = dram.port[at.N_NEWS]
    clock = now
    while True:
        offer(dram, clock)
        if dram.port[at.N_NEWS] > told:
            clock += 1
        else:
            clock = next_clock(dram, clock)
        if clock > horizon:
            return horizon
        step(dram, clock)
        transfers.complete_ended(dram, clock)
        if dram.port[at.N_NEWS] > told or clock == horizon:
            return clock


@entry
def waiting(dram):
    """Requests that the channels hold: all are served when it is 0 and no transfer is under way."""
    held = 0
    for c in range(dram.channel.shape[0]):
        held += dram.slot.shape[1] - dram.channel[c, at.N_FREE]
    return held
