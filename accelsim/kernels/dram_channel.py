"""One DRAM channel, command by command: what may issue when, and what the controller picks.

No clock of its own: `schedule` looks at one clock, issues at most one command (one per bus), and
notes in `WAKE` the first clock at which looking again could find something. Between two such
clocks nothing changes, so skipping them gives what stepping through them gives.
"""

from accelsim.kernels import dram_layout as at
from accelsim.kernels import dram_transfers as transfers
from accelsim.kernels.dram_jit import helper


@helper
def not_before(dram, c, field, first, stop, clock):
    """Banks first..stop of channel c: the command of this field is not allowed before the clock."""
    for b in range(first, stop):
        dram.bank[c, field, b] = max(dram.bank[c, field, b], clock)


@helper
def rank_not_before(dram, c, field, r, clock):
    """The same for a command that concerns a whole rank."""
    if dram.rank[c, field, r] < clock:
        dram.rank[c, field, r] = clock


@helper
def note(dram, c, clock, command, b, row):
    """Write a command to the log while the log has room; count it in any case."""
    if dram.log.shape[0] == 0:
        return
    entry = dram.channel[0, at.LOGGED]
    if entry < dram.log.shape[0]:
        dram.log[entry, 0] = clock
        dram.log[entry, 1] = command
        dram.log[entry, 2] = c
        dram.log[entry, 3] = b
        dram.log[entry, 4] = row
    dram.channel[0, at.LOGGED] = entry + 1


@helper
def remove(dram, c, which, position):
    """Take a request out of a list; its slot stays held."""
    count = dram.channel[c, at.N_READS + which] - 1
    if which == at.WRITES:
        s = dram.order[c, which, position] & at.SLOT_MASK
        dram.written[c, dram.slot[c, s, at.S_LINE] & 255] -= 1
    for i in range(position, count):
        dram.order[c, which, i] = dram.order[c, which, i + 1]
    dram.channel[c, at.N_READS + which] = count


@helper
def append(dram, c, which, s, ready):
    """Put a request at the end of a queue."""
    count = dram.channel[c, at.N_READS + which]
    if which == at.WRITES:
        dram.written[c, dram.slot[c, s, at.S_LINE] & 255] += 1
    dram.order[c, which, count] = ready << at.SLOT_BITS | s
    dram.channel[c, at.N_READS + which] = count + 1


@helper
def release(dram, c, s):
    """Give a slot back."""
    dram.free[c, dram.channel[c, at.N_FREE]] = s
    dram.channel[c, at.N_FREE] += 1


@helper
def append_active(dram, c, s):
    """Put a request whose row is open into the activated list, by age of arrival."""
    count = dram.channel[c, at.N_ACTIVE]
    arrived = dram.slot[c, s, at.S_ARRIVED]
    i = count
    while i > 0:
        before = dram.order[c, at.ACTIVE, i - 1]
        if dram.slot[c, before, at.S_ARRIVED] <= arrived:
            break
        dram.order[c, at.ACTIVE, i] = before
        i -= 1
    dram.order[c, at.ACTIVE, i] = s
    dram.channel[c, at.N_ACTIVE] = count + 1


@helper
def push_return(dram, c, clock, requester):
    """Read data for requester q arrives at this clock, or once all issued before it has."""
    ring = dram.returns.shape[1]
    place = (dram.channel[c, at.RETURN_HEAD] + dram.channel[c, at.RETURN_COUNT]) % ring
    dram.returns[c, place, 0] = clock
    dram.returns[c, place, 1] = requester
    dram.channel[c, at.RETURN_COUNT] += 1


@helper
def pop_returns(dram, c, clock):
    """Free the in-flight places of all data that has arrived."""
    ring = dram.returns.shape[1]
    head = dram.channel[c, at.RETURN_HEAD]
    count = dram.channel[c, at.RETURN_COUNT]
    while count > 0 and dram.returns[c, head, 0] <= clock:
        dram.requester[dram.returns[c, head, 1], at.IN_FLIGHT] -= 1
        head += 1
        if head == ring:
            head = 0
        count -= 1
    dram.channel[c, at.RETURN_HEAD] = head
    dram.channel[c, at.RETURN_COUNT] = count


@helper
def count_read(dram, c, q, latency):
    """One more read of this latency."""
    dram.channel[c, at.LATENCY_SUM] += latency
    if latency > dram.channel[c, at.LATENCY_MAX]:
        dram.channel[c, at.LATENCY_MAX] = latency
    dram.requester[q, at.R_LATENCY_SUM] += latency
    if latency > dram.requester[q, at.R_LATENCY_MAX]:
        dram.requester[q, at.R_LATENCY_MAX] = latency
    bins = dram.histogram.shape[1]
    dram.histogram[c, min(latency // dram.rules[at.HISTOGRAM_WIDTH], bins - 1)] += 1


@helper
def row_wanted(dram, c, b, row):
    """Whether any request held wants this row of this bank."""
    for which in range(3):
        for i in range(dram.channel[c, at.N_READS + which]):
            s = dram.order[c, which, i] & at.SLOT_MASK
            if dram.slot[c, s, at.S_BANK] == b and dram.slot[c, s, at.S_ROW] == row:
                return True
    return False


@helper
def issue_column(dram, c, which, position, clock):
    """Read or write: the request leaves the controller."""
    rules = dram.rules
    s = dram.order[c, which, position] & at.SLOT_MASK
    b = dram.slot[c, s, at.S_BANK]
    row = dram.slot[c, s, at.S_ROW]
    write = dram.slot[c, s, at.S_WRITE]
    q = dram.slot[c, s, at.S_REQUESTER]
    r = b // rules[at.BANKS_PER_RANK]
    first = r * rules[at.BANKS_PER_RANK]
    stop = first + rules[at.BANKS_PER_RANK]
    group = b // rules[at.BANKS_PER_GROUP] * rules[at.BANKS_PER_GROUP]
    group_stop = group + rules[at.BANKS_PER_GROUP]
    banks = dram.bank.shape[2]
    if write:
        not_before(dram, c, at.WR_READY, first, stop, clock + rules[at.WR_WR_S])
        not_before(dram, c, at.WR_READY, group, group_stop, clock + rules[at.WR_WR_L])
        not_before(dram, c, at.RD_READY, first, stop, clock + rules[at.WR_RD_S])
        not_before(dram, c, at.RD_READY, group, group_stop, clock + rules[at.WR_RD_L])
        if stop - first < banks:
            not_before(dram, c, at.WR_READY, 0, first, clock + rules[at.WR_WR_RANK])
            not_before(dram, c, at.WR_READY, stop, banks, clock + rules[at.WR_WR_RANK])
            not_before(dram, c, at.RD_READY, 0, first, clock + rules[at.WR_RD_RANK])
            not_before(dram, c, at.RD_READY, stop, banks, clock + rules[at.WR_RD_RANK])
        precharge = clock + rules[at.WR_PRE]
        end = clock + rules[at.WRITE_END]
        wck = clock + rules[at.WCK_AFTER_WR]
        dram.channel[c, at.WRITE_COMMANDS] += 1
    else:
        not_before(dram, c, at.RD_READY, first, stop, clock + rules[at.RD_RD_S])
        not_before(dram, c, at.RD_READY, group, group_stop, clock + rules[at.RD_RD_L])
        not_before(dram, c, at.WR_READY, first, stop, clock + rules[at.RD_WR])
        if stop - first < banks:
            not_before(dram, c, at.RD_READY, 0, first, clock + rules[at.RD_RD_RANK])
            not_before(dram, c, at.RD_READY, stop, banks, clock + rules[at.RD_RD_RANK])
            not_before(dram, c, at.WR_READY, 0, first, clock + rules[at.RD_WR_RANK])
            not_before(dram, c, at.WR_READY, stop, banks, clock + rules[at.RD_WR_RANK])
        precharge = clock + rules[at.RD_PRE]
        end = clock + rules[at.READ_END]
        wck = clock + rules[at.WCK_AFTER_RD]
        dram.channel[c, at.READ_COMMANDS] += 1
    if dram.bank[c, at.PRE_READY, b] < precharge:
        dram.bank[c, at.PRE_READY, b] = precharge
    rank_not_before(dram, c, at.PRE_ALL_READY, r, precharge)
    dram.bank[c, at.HITS, b] += 1
    if wck > dram.channel[c, at.WCK_END]:
        dram.channel[c, at.WCK_END] = wck
    if end > dram.channel[c, at.BUS_END]:
        dram.channel[c, at.BUS_END] = end

    remove(dram, c, which, position)
    if which == at.ACTIVE:
        dram.bank[c, at.OWNED, b] = 0
        dram.rank[c, at.OWNED_BANKS, r] -= 1
    arrived = dram.slot[c, s, at.S_ARRIVED]
    release(dram, c, s)
    command = at.RD + write
    if rules[at.CLOSED_PAGE] and not row_wanted(dram, c, b, row):
        command = at.RD_AUTO + write
        close(dram, c, b, r, dram.bank[c, at.PRE_READY, b])
    note(dram, c, clock, command, b, row)

    if not write or rules[at.WRITTEN]:
        transfers.line_ends(dram, dram.slot[c, s, at.S_TRANSFER], end)
    if write:
        dram.requester[q, at.IN_FLIGHT] -= 1
    else:
        push_return(dram, c, end, q)
        count_read(dram, c, q, end - arrived)


@helper
def issue_activate(dram, c, which, position, clock):
    """Open the row of a request, which joins the activated list, at once or by its ACT2."""
    rules = dram.rules
    s = dram.order[c, which, position] & at.SLOT_MASK
    b = dram.slot[c, s, at.S_BANK]
    row = dram.slot[c, s, at.S_ROW]
    r = b // rules[at.BANKS_PER_RANK]
    first = r * rules[at.BANKS_PER_RANK]
    stop = first + rules[at.BANKS_PER_RANK]
    group = b // rules[at.BANKS_PER_GROUP] * rules[at.BANKS_PER_GROUP]
    acts = dram.rank[c, at.ACTS, r]
    dram.rank[c, at.ACT_0 + acts % 4, r] = clock
    dram.rank[c, at.ACTS, r] = acts + 1
    soonest = clock + rules[at.ACT_ACT_S]
    if acts >= 3:
        soonest = max(soonest, dram.rank[c, at.ACT_0 + (acts + 1) % 4, r] + rules[at.FOUR_ACT])
    not_before(dram, c, at.ACT_READY, first, stop, soonest)
    not_before(
        dram, c, at.ACT_READY, group, group + rules[at.BANKS_PER_GROUP], clock + rules[at.ACT_ACT_L]
    )
    not_before(dram, c, at.ACT_READY, b, b + 1, clock + rules[at.ACT_ACT])
    not_before(dram, c, at.RD_READY, b, b + 1, clock + rules[at.ACT_RD])
    not_before(dram, c, at.WR_READY, b, b + 1, clock + rules[at.ACT_WR])
    not_before(dram, c, at.PRE_READY, b, b + 1, clock + rules[at.ACT_PRE])
    not_before(dram, c, at.REF_READY, first, stop, clock + rules[at.ACT_ACT_S])
    not_before(dram, c, at.REF_READY, b, b + 1, clock + rules[at.ACT_REF])
    rank_not_before(dram, c, at.PRE_ALL_READY, r, clock + rules[at.ACT_PRE])
    rank_not_before(dram, c, at.REF_ALL_READY, r, clock + rules[at.ACT_REF])
    dram.rank[c, at.OPEN_BANKS, r] += 1
    dram.rank[c, at.OWNED_BANKS, r] += 1
    dram.bank[c, at.OWNED, b] = 1
    dram.bank[c, at.HITS, b] = 0
    dram.channel[c, at.ACTIVATES] += 1
    remove(dram, c, which, position)
    if rules[at.SPLIT_ACT] > 0:
        dram.bank[c, at.OPEN_ROW, b] = at.ACTIVATING
        dram.channel[c, at.ACT2_SLOT] = s
        dram.channel[c, at.ACT2_DUE] = clock + rules[at.SPLIT_ACT]
    else:
        dram.bank[c, at.OPEN_ROW, b] = row
        append_active(dram, c, s)
    note(dram, c, clock, at.ACT, b, row)


@helper
def issue_act2(dram, c, clock):
    """The second half of a split activate: now the row is open."""
    s = dram.channel[c, at.ACT2_SLOT]
    b = dram.slot[c, s, at.S_BANK]
    dram.bank[c, at.OPEN_ROW, b] = dram.slot[c, s, at.S_ROW]
    dram.channel[c, at.ACT2_SLOT] = -1
    append_active(dram, c, s)
    note(dram, c, clock, at.ACT2, b, dram.slot[c, s, at.S_ROW])


@helper
def close(dram, c, b, r, clock):
    """The bank's row closes at this clock."""
    rules = dram.rules
    dram.bank[c, at.OPEN_ROW, b] = at.CLOSED
    not_before(dram, c, at.ACT_READY, b, b + 1, clock + rules[at.PRE_ACT])
    not_before(dram, c, at.REF_READY, b, b + 1, clock + rules[at.PRE_REF])
    rank_not_before(dram, c, at.REF_ALL_READY, r, clock + rules[at.PRE_REF])
    dram.rank[c, at.OPEN_BANKS, r] -= 1
    dram.channel[c, at.PRECHARGES] += 1


@helper
def issue_precharge(dram, c, b, clock):
    """Close the row of one bank."""
    rules = dram.rules
    r = b // rules[at.BANKS_PER_RANK]
    first = r * rules[at.BANKS_PER_RANK]
    note(dram, c, clock, at.PRE, b, dram.bank[c, at.OPEN_ROW, b])
    close(dram, c, b, r, clock)
    if rules[at.PRE_PRE] > 0:
        soonest = clock + rules[at.PRE_PRE]
        not_before(dram, c, at.PRE_READY, first, first + rules[at.BANKS_PER_RANK], soonest)
        rank_not_before(dram, c, at.PRE_ALL_READY, r, soonest)


@helper
def issue_precharge_all(dram, c, r, clock):
    """Close every row of a rank."""
    rules = dram.rules
    first = r * rules[at.BANKS_PER_RANK]
    stop = first + rules[at.BANKS_PER_RANK]
    for b in range(first, stop):
        dram.bank[c, at.OPEN_ROW, b] = at.CLOSED
    not_before(dram, c, at.ACT_READY, first, stop, clock + rules[at.PRE_ALL_ACT])
    not_before(dram, c, at.REF_READY, first, stop, clock + rules[at.PRE_REF])
    not_before(dram, c, at.PRE_READY, first, stop, clock + rules[at.PRE_PRE])
    rank_not_before(dram, c, at.PRE_ALL_READY, r, clock + rules[at.PRE_PRE])
    rank_not_before(dram, c, at.REF_ALL_READY, r, clock + rules[at.PRE_REF])
    dram.channel[c, at.PRECHARGES] += dram.rank[c, at.OPEN_BANKS, r]
    dram.rank[c, at.OPEN_BANKS, r] = 0
    note(dram, c, clock, at.PRE_ALL, first, -1)


@helper
def issue_refresh(dram, c, r, clock):
    """Refresh all banks of a rank."""
    rules = dram.rules
    first = r * rules[at.BANKS_PER_RANK]
    stop = first + rules[at.BANKS_PER_RANK]
    not_before(dram, c, at.ACT_READY, first, stop, clock + rules[at.REF_ACT])
    rank_not_before(dram, c, at.PRE_ALL_READY, r, clock + rules[at.REF_ACT])
    rank_not_before(dram, c, at.REF_ALL_READY, r, clock + rules[at.REF_ACT])
    refresh_is_done(dram, c)
    note(dram, c, clock, at.REF, first, -1)


@helper
def issue_refresh_bank(dram, c, b, clock):
    """Refresh one bank; the others of its rank work on."""
    rules = dram.rules
    first = b // rules[at.BANKS_PER_RANK] * rules[at.BANKS_PER_RANK]
    stop = first + rules[at.BANKS_PER_RANK]
    not_before(dram, c, at.ACT_READY, first, stop, clock + rules[at.REF_BANK_ACT_OTHER])
    not_before(dram, c, at.REF_READY, first, stop, clock + rules[at.REF_BANK_REF_OTHER])
    not_before(dram, c, at.ACT_READY, b, b + 1, clock + rules[at.REF_BANK_ACT])
    not_before(dram, c, at.REF_READY, b, b + 1, clock + rules[at.REF_BANK_ACT])
    refresh_is_done(dram, c)
    note(dram, c, clock, at.REF_BANK, b, -1)


@helper
def refresh_is_done(dram, c):
    """The refresh at the head of the line has issued."""
    dram.channel[c, at.REFRESHES] += 1
    dram.channel[c, at.REF_DONE] += 1
    dram.channel[c, at.REF_PENDING] -= 1


@helper
def raise_refresh(dram, c):
    """A refresh is due: one request for every rank joins the line."""
    dram.channel[c, at.NEXT_REFRESH] += dram.rules[at.REF_EVERY]
    dram.channel[c, at.REF_PENDING] += dram.rules[at.RANKS]


@helper
def refresh_target(dram, c):
    """The bank (per-bank) or the rank (all-bank) whose turn it is: ranks fastest, then banks."""
    done = dram.channel[c, at.REF_DONE]
    r = done % dram.rules[at.RANKS]
    if dram.rules[at.REFRESH] == at.ALL_BANK:
        return r
    per_rank = dram.rules[at.BANKS_PER_RANK]
    return r * per_rank + done // dram.rules[at.RANKS] % per_rank


@helper
def choose_mode(dram, c):
    """Drain writes above the high mark or when nothing is to be read, until below the low mark."""
    reads = dram.channel[c, at.N_READS]
    writes = dram.channel[c, at.N_WRITES]
    if dram.channel[c, at.WRITE_MODE]:
        if writes < dram.rules[at.LOW] and reads > 0:
            return 0
        return 1
    if writes > dram.rules[at.HIGH] or reads == 0:
        return 1
    return 0


@helper
def not_ready_before(dram, c, s, clock):
    """A clock before which the next command of a request cannot issue, whatever issues from now on.

    Ready clocks only move away, and what opens or closes a row adds more than it spares: a hit that
    loses its row waits a precharge at least.
    """
    b = dram.slot[c, s, at.S_BANK]
    open_row = dram.bank[c, at.OPEN_ROW, b]
    if open_row == dram.slot[c, s, at.S_ROW]:
        column = dram.bank[c, at.RD_READY + dram.slot[c, s, at.S_WRITE], b]
        return min(column, clock + dram.rules[at.PRE_ACT])
    if open_row == at.CLOSED:
        return dram.bank[c, at.ACT_READY, b]
    if open_row == at.ACTIVATING:
        return clock + 1
    return dram.bank[c, at.PRE_READY, b]


@helper
def issue_column_or_cas(dram, c, which, position, clock):
    """A column command is ready: issue it, or what must come before it where WCK has run out.

    After a CAS it issues in any case.
    """
    after_cas = dram.channel[c, at.CAS_SLOT] >= 0
    if dram.rules[at.WCK] and clock >= dram.channel[c, at.WCK_END] and not after_cas:
        if dram.channel[c, at.ACT2_SLOT] >= 0 and dram.channel[c, at.ACT2_DUE] <= clock + 1:
            issue_act2(dram, c, clock)
            return
        s = dram.order[c, which, position] & at.SLOT_MASK
        dram.channel[c, at.CAS_SLOT] = s
        dram.channel[c, at.CAS_LIST] = which
        dram.channel[c, at.CAS_COMMANDS] += 1
        note(dram, c, clock, at.CAS, dram.slot[c, s, at.S_BANK], -1)
        return
    dram.channel[c, at.CAS_SLOT] = -1
    issue_column(dram, c, which, position, clock)


@helper
def issue_next(dram, c, which, position, clock):
    """Issue what a request needs next, as its bank stands."""
    s = dram.order[c, which, position] & at.SLOT_MASK
    b = dram.slot[c, s, at.S_BANK]
    open_row = dram.bank[c, at.OPEN_ROW, b]
    if open_row == dram.slot[c, s, at.S_ROW]:
        issue_column_or_cas(dram, c, which, position, clock)
    elif open_row == at.CLOSED:
        issue_activate(dram, c, which, position, clock)
    else:
        issue_precharge(dram, c, b, clock)


@helper
def find_after_cas(dram, c):
    """The request that the CAS of the clock before was for."""
    which = dram.channel[c, at.CAS_LIST]
    position = 0
    while dram.order[c, which, position] & at.SLOT_MASK != dram.channel[c, at.CAS_SLOT]:
        position += 1
    return which, position, at.FAR


@helper
def find_activated(dram, c, clock):
    """The oldest activated request whose column command is ready, or when one is."""
    wake = at.FAR
    for i in range(dram.channel[c, at.N_ACTIVE]):
        s = dram.order[c, at.ACTIVE, i] & at.SLOT_MASK
        b = dram.slot[c, s, at.S_BANK]
        ready = dram.bank[c, at.RD_READY + dram.slot[c, s, at.S_WRITE], b]
        if ready <= clock:
            return at.ACTIVE, i, wake
        wake = min(wake, ready)
    return at.ACTIVE, -1, wake


@helper
def pick_refresh(dram, c, clock, kinds):
    """The refresh at the head of the line: 0 when it issued, else the clock at which it might."""
    if not kinds & at.ROW:
        return at.FAR
    target = refresh_target(dram, c)
    if dram.rules[at.REFRESH] == at.ALL_BANK:
        if dram.rank[c, at.OPEN_BANKS, target] == 0:
            ready = dram.rank[c, at.REF_ALL_READY, target]
            if ready > clock:
                return ready
            issue_refresh(dram, c, target, clock)
            return 0
        if dram.rank[c, at.OWNED_BANKS, target] > 0:
            return at.FAR
        ready = dram.rank[c, at.PRE_ALL_READY, target]
        if ready > clock:
            return ready
        issue_precharge_all(dram, c, target, clock)
        return 0
    if dram.bank[c, at.OPEN_ROW, target] == at.CLOSED:
        ready = dram.bank[c, at.REF_READY, target]
        if ready > clock:
            return ready
        issue_refresh_bank(dram, c, target, clock)
        return 0
    if dram.bank[c, at.OWNED, target]:
        return at.FAR
    ready = dram.bank[c, at.PRE_READY, target]
    if ready > clock:
        return ready
    issue_precharge(dram, c, target, clock)
    return 0


@helper
def find_queued(dram, c, clock, kinds, reserved):
    """The oldest request of the queue being served whose next command is ready, or when one may be.

    The reserved bank waits for its refresh. Most requests are passed by the clock noted with them
    (`not_ready_before`).
    """
    which = dram.channel[c, at.WRITE_MODE]
    cap = dram.rules[at.ROW_HIT_CAP]
    split = dram.channel[c, at.ACT2_SLOT] >= 0
    later = (clock + 1) << at.SLOT_BITS
    first_later = at.FAR
    wake = at.FAR
    for i in range(dram.channel[c, at.N_READS + which]):
        entry = dram.order[c, which, i]
        if entry >= later and not cap:
            first_later = min(first_later, entry)
            continue
        s = entry & at.SLOT_MASK
        b = dram.slot[c, s, at.S_BANK]
        open_row = dram.bank[c, at.OPEN_ROW, b]
        row = dram.slot[c, s, at.S_ROW]
        dram.order[c, which, i] = not_ready_before(dram, c, s, clock) << at.SLOT_BITS | s
        if cap and open_row >= 0 and open_row != row and dram.bank[c, at.HITS, b] >= cap:
            dram.bank[c, at.CAPPED, b] = clock
        if b == reserved:
            continue
        if open_row == row:
            if not kinds & at.COLUMN or (cap and dram.bank[c, at.CAPPED, b] == clock):
                continue
            ready = dram.bank[c, at.RD_READY + which, b]
        elif open_row == at.CLOSED:
            if split or not kinds & at.ROW:
                continue
            ready = dram.bank[c, at.ACT_READY, b]
        else:
            if open_row == at.ACTIVATING or dram.bank[c, at.OWNED, b] or not kinds & at.ROW:
                continue
            ready = dram.bank[c, at.PRE_READY, b]
        if ready <= clock:
            return which, i, wake
        wake = min(wake, ready)
    if first_later < at.FAR:
        wake = min(wake, first_later >> at.SLOT_BITS)
    return which, -1, wake


@helper
def pick(dram, c, clock, kinds):
    """At most one command on a bus: 0 when one issued, else the first clock at which one might."""
    position = -1
    wake = at.FAR
    which = at.ACTIVE
    if dram.channel[c, at.CAS_SLOT] >= 0:
        which, position, wake = find_after_cas(dram, c)
    elif kinds & at.COLUMN:
        which, position, wake = find_activated(dram, c, clock)
    reserved = -1
    pending = dram.channel[c, at.REF_PENDING] > 0
    if position < 0 and pending:
        ready = pick_refresh(dram, c, clock, kinds)
        if ready == 0:
            return 0
        wake = min(wake, ready)
        if dram.rules[at.REFRESH] == at.PER_BANK:
            reserved = refresh_target(dram, c)
    if position < 0 and (not pending or reserved >= 0):
        dram.channel[c, at.WRITE_MODE] = choose_mode(dram, c)
        which, position, ready = find_queued(dram, c, clock, kinds, reserved)
        wake = min(wake, ready)
    if position >= 0:
        issue_next(dram, c, which, position, clock)
        return 0
    if kinds & at.ROW and dram.channel[c, at.ACT2_SLOT] >= 0:
        issue_act2(dram, c, clock)
        return 0
    return wake


@helper
def schedule(dram, c, clock):
    """All that channel c issues in this clock; sets the clock at which to look again."""
    if dram.channel[c, at.ACT2_SLOT] >= 0 and dram.channel[c, at.ACT2_DUE] <= clock:
        issue_act2(dram, c, clock)
        dram.channel[c, at.WAKE] = clock + 1
        return
    wake = at.FAR
    buses = 1 + dram.rules[at.TWO_BUSES]
    for bus in range(buses):
        kinds = at.COLUMN | at.ROW
        if buses == 2:
            kinds = at.ROW if bus else at.COLUMN
        wake = min(wake, pick(dram, c, clock, kinds))
    dram.channel[c, at.WAKE] = max(wake, clock + 1)
