"""A memory of constant bandwidth, as the compiled machine has it: see `machine.IdealMemory`.

`timing_channels` has the same functions for the other memory.
"""

from accelsim.kernels import ideal_memory as at
from accelsim.kernels import timing_layout as on
from accelsim.kernels.dram_jit import helper


@helper
def moved(m, memory, engine):
    """Bytes that the bursts of the engine have moved."""
    return memory.engines[at.BUS_TICKS, engine] // memory.bus[at.TICKS_PER_BYTE]


@helper
def advance(m, memory, now, horizon):
    """Go on from `now` to the first news or to `horizon`; the cycle reached."""
    return at.advance(memory.transfers, memory.engines, memory.bus, memory.queue, now, horizon)


@helper
def start(m, memory, c):
    """Begin the transfer of command c; False where the memory has no place for it."""
    engine = 1 if m.command[c, on.KIND] == on.STORES else 0
    transfers = memory.transfers
    slot = 0
    while slot < transfers.shape[1] and transfers[at.STATE, slot] != at.FREE:
        slot += 1
    if slot == transfers.shape[1]:
        return False
    for field in range(transfers.shape[0]):
        transfers[field, slot] = 0
    transfers[at.STATE, slot] = at.ISSUING
    transfers[at.ENGINE, slot] = engine
    transfers[at.ADDRESS, slot] = m.command[c, on.ADDRESS]
    transfers[at.RUN_BYTES, slot] = m.command[c, on.RUN_BYTES]
    for axis in range(3):
        transfers[at.COUNTS + axis, slot] = m.command[c, on.COUNTS + 2 - axis]
        transfers[at.STRIDES + axis, slot] = m.command[c, on.STRIDES + 2 - axis]
    memory.engines[at.SLOT, engine] = slot
    m.holder[slot] = c
    return True


@helper
def next_news(m, memory, now):
    """(command, whether complete) of what has just happened; NOTHING when all is told."""
    slot = memory.bus[at.NEWS]
    if slot < 0:
        return on.NOTHING, 0
    memory.bus[at.NEWS] = -1
    if memory.transfers[at.STATE, slot] == at.COMPLETE:
        memory.transfers[at.STATE, slot] = at.FREE
        return m.holder[slot], 1
    return m.holder[slot], 0
