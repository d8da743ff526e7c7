"""The life of a transfer: offered line by line, issued, complete, told.

A transfer is *issued* when the channels have taken its last line, and *complete* when besides the
last data of its lines has moved. Once every line has had its command that clock is known
(`T_LAST_END`), and the transfer is in the list of those ending.
"""

from accelsim.kernels import dram_layout as at
from accelsim.kernels.dram_jit import helper


@helper
def add_news(dram, t, complete):
    """Something of transfer t to tell."""
    n = dram.port[at.N_NEWS]
    dram.news[n, 0] = t
    dram.news[n, 1] = complete
    dram.port[at.N_NEWS] = n + 1


@helper
def end_when_due(dram, t):
    """Put transfer t among those ending, if no line of it waits for an offer or a command."""
    if dram.transfer[t, at.T_STATE] != at.ISSUED or dram.transfer[t, at.T_UNISSUED] > 0:
        return
    n = dram.port[at.N_ENDING]
    dram.ending[n] = t
    dram.port[at.N_ENDING] = n + 1
    end = dram.transfer[t, at.T_LAST_END]
    if end < dram.port[at.SOONEST_END]:
        dram.port[at.SOONEST_END] = end


@helper
def line_ends(dram, t, clock):
    """The command for a line of transfer t has issued; its data has moved at this clock."""
    left = dram.transfer[t, at.T_UNISSUED] - 1
    dram.transfer[t, at.T_UNISSUED] = left
    if clock > dram.transfer[t, at.T_LAST_END]:
        dram.transfer[t, at.T_LAST_END] = clock
    if left == 0:
        end_when_due(dram, t)


@helper
def all_offered(dram, t):
    """The channels have taken the last line of transfer t."""
    dram.transfer[t, at.T_STATE] = at.ISSUED
    add_news(dram, t, 0)
    end_when_due(dram, t)


@helper
def complete_ended(dram, clock):
    """Complete the transfers whose last data has moved by this clock."""
    if clock < dram.port[at.SOONEST_END]:
        return
    kept = 0
    soonest = at.FAR
    for i in range(dram.port[at.N_ENDING]):
        t = dram.ending[i]
        end = dram.transfer[t, at.T_LAST_END]
        if end <= clock:
            dram.transfer[t, at.T_STATE] = at.COMPLETE
            dram.requester[dram.transfer[t, at.T_REQUESTER], at.TRANSFERS] += 1
            add_news(dram, t, 1)
        else:
            dram.ending[kept] = t
            kept += 1
            soonest = min(soonest, end)
    dram.port[at.N_ENDING] = kept
    dram.port[at.SOONEST_END] = soonest
