"""Where each number of a DRAM lies: the columns of the arrays that `dram.create` makes.

All state of all channels is in a handful of int64 arrays (`Dram`); the kernels own nothing else, so
a DRAM can be copied, compared and resumed. Clocks are DRAM clocks, banks are counted within their
channel: `(rank * bank_groups + group) * banks_per_group + bank`.
"""

from typing import NamedTuple

import numpy as np

FAR = 1 << 62
"""A clock that never comes."""


class Dram(NamedTuple):
    """The arrays of one DRAM, all int64 and C-contiguous."""

    rules: np.ndarray
    """(RULES,) distances in clocks, sizes and choices; never written."""
    decode: np.ndarray
    """(bytes of a line number, 256) packed channel, bank and row; never written. The place of a
    line is the XOR of one entry per byte of its number, so all linear mappings cost the same."""
    channel: np.ndarray
    """(channels, CHANNEL) the controller of each channel, and its counters."""
    bank: np.ndarray
    """(channels, BANK, banks) the open row, and the clock from which each command may go."""
    rank: np.ndarray
    """(channels, RANK, ranks) what holds for all banks of a rank at once."""
    order: np.ndarray
    """(channels, 3, longest) the read queue, write queue and activated list, oldest first: the
    slot and, above it, a clock before which the next command of the request is not ready."""
    slot: np.ndarray
    """(channels, slots, SLOT) the requests held."""
    written: np.ndarray
    """(channels, 256) requests of the write queue by the low byte of their line number."""
    free: np.ndarray
    """(channels, slots) a stack of the slots not held."""
    returns: np.ndarray
    """(channels, ring, 2) clock and requester of read data on its way, in the order of issue."""
    requester: np.ndarray
    """(requesters, REQUESTER) the transfer each one offers, its lines in flight, its counters."""
    transfer: np.ndarray
    """(transfers, TRANSFER) the transfers that are outstanding."""
    ending: np.ndarray
    """(transfers,) transfers whose last command has issued, in the order in which it did."""
    news: np.ndarray
    """(2 * transfers, 2) transfer and whether it is complete, for all not told yet, in order."""
    port: np.ndarray
    """(PORT,) what holds for all transfers at once."""
    trace: np.ndarray
    """(lines,) `line number * 2 + write` for requesters that follow a list."""
    histogram: np.ndarray
    """(channels, bins) reads by latency; the last bin holds all that are longer."""
    log: np.ndarray
    """(entries, 5) clock, command, channel, bank, row of each command; may be empty."""


# rules: sizes and choices
(
    CHANNELS,
    RANKS,
    BANKS_PER_RANK,
    BANKS_PER_GROUP,
    READ_QUEUE,
    WRITE_QUEUE,
    HIGH,
    LOW,
    LINE_SHIFT,
    CAPACITY_LINES,
    REFRESH,
    CLOSED_PAGE,
    ROW_HIT_CAP,
    ARBITRATION,
    WRITTEN,
    TWO_BUSES,
    HISTOGRAM_WIDTH,
    # rules: distances between commands, in clocks
    READ_END,
    WRITE_END,
    BURST,
    RD_RD_S,
    RD_RD_L,
    WR_WR_S,
    WR_WR_L,
    RD_WR,
    WR_RD_S,
    WR_RD_L,
    RD_RD_RANK,
    RD_WR_RANK,
    WR_WR_RANK,
    WR_RD_RANK,
    RD_PRE,
    WR_PRE,
    ACT_RD,
    ACT_WR,
    ACT_PRE,
    ACT_ACT,
    ACT_ACT_S,
    ACT_ACT_L,
    FOUR_ACT,
    PRE_ACT,
    PRE_ALL_ACT,
    PRE_PRE,
    PRE_REF,
    ACT_REF,
    REF_ACT,
    REF_BANK_ACT,
    REF_BANK_ACT_OTHER,
    REF_BANK_REF_OTHER,
    REF_EVERY,
    SPLIT_ACT,
    WCK,
    WCK_AFTER_RD,
    WCK_AFTER_WR,
    RULES,
) = range(55)

NO_REFRESH, ALL_BANK, PER_BANK = range(3)
ROUND_ROBIN, LOAD_FIRST, STORE_FIRST = range(3)
READS, WRITES, ACTIVE = range(3)
SLOT_BITS = 14
SLOT_MASK = (1 << SLOT_BITS) - 1

# bank
OPEN_ROW, ACT_READY, PRE_READY, RD_READY, WR_READY, REF_READY, OWNED, HITS, CAPPED, BANK = range(10)
CLOSED, ACTIVATING = -1, -2

# rank
OPEN_BANKS, OWNED_BANKS, PRE_ALL_READY, REF_ALL_READY, ACT_0, ACT_1, ACT_2, ACT_3, ACTS, RANK = (
    range(10)
)

# slot
S_BANK, S_ROW, S_WRITE, S_ARRIVED, S_REQUESTER, S_TRANSFER, S_LINE, SLOT = range(8)

# channel
(
    WRITE_MODE,
    WAKE,
    NEXT_REFRESH,
    REF_PENDING,
    REF_DONE,
    N_READS,
    N_WRITES,
    N_ACTIVE,
    N_FREE,
    RETURN_HEAD,
    RETURN_COUNT,
    WCK_END,
    CAS_SLOT,
    CAS_LIST,
    ACT2_SLOT,
    ACT2_DUE,
    TURN,
    TAKEN,
    WINNER,
    WINNER_KEY,
    # counters
    ACTIVATES,
    PRECHARGES,
    READ_COMMANDS,
    WRITE_COMMANDS,
    REFRESHES,
    FORWARDED,
    COALESCED,
    LATENCY_SUM,
    LATENCY_MAX,
    CAS_COMMANDS,
    BUS_END,
    LOGGED,
    CHANNEL,
) = range(33)

# requester
(
    OFFERED,
    DIRECTION,
    LIMIT,
    RATE,
    IN_FLIGHT,
    GRANTED,
    FROM_TRACE,
    TRACE_NEXT,
    TRACE_STOP,
    BASE,
    RUN_BYTES,
    COUNT_1,
    COUNT_2,
    COUNT_3,
    STRIDE_1,
    STRIDE_2,
    STRIDE_3,
    AT_1,
    AT_2,
    AT_3,
    RUN_STOP,
    HAS_HEAD,
    HEAD_LINE,
    HEAD_WRITE,
    HEAD_CHANNEL,
    HEAD_BANK,
    HEAD_ROW,
    # counters
    LINES_READ,
    LINES_WRITTEN,
    TRANSFERS,
    R_LATENCY_SUM,
    R_LATENCY_MAX,
    REQUESTER,
) = range(33)

# transfer
T_STATE, T_REQUESTER, T_UNISSUED, T_LAST_END, TRANSFER = range(5)
FREE, OFFERING, ISSUED, COMPLETE = range(4)

# port
CLOCK, N_NEWS, N_ENDING, SOONEST_END, PORT = range(5)

# commands, as the log names them
ACT, PRE, PRE_ALL, RD, WR, RD_AUTO, WR_AUTO, REF, REF_BANK, ACT2, CAS = range(11)
COMMAND_NAMES = ("ACT", "PRE", "PREA", "RD", "WR", "RDA", "WRA", "REF", "REFpb", "ACT2", "CAS")

# the two kinds of command, as a mask: what a bus may carry
COLUMN, ROW = 1, 2

# how a place is packed in `decode`
BANK_SHIFT, ROW_SHIFT = 8, 24
