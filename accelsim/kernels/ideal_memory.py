"""A memory of constant bandwidth and latency, advanced burst by burst. It owns no clock.

The caller says from which cycle and up to which (exclusive) to advance; what happens before that
cycle cannot change what came earlier, so nothing is ever rolled back. Time on the bus is counted in
ticks, of which a cycle has TICKS_PER_CYCLE and a byte takes TICKS_PER_BYTE, so that any rational
bandwidth is exact.
"""

import numpy as np

from accelsim.kernels.dram_jit import entry, helper

FOREVER = np.int64(1) << 62
"""A horizon that nothing reaches; returned when nothing is left to happen."""

# Rows of `transfers`, one column per slot.
STATE, ENGINE, ADDRESS, RUN_BYTES, OUTSTANDING, OFFSET = 0, 1, 2, 3, 4, 5
COUNTS, STRIDES, INDEX = 6, 9, 12
TRANSFER_FIELDS = 15

# Values of STATE: a caller frees a slot after it has seen COMPLETE.
FREE, ISSUING, ISSUED, COMPLETE = 0, 1, 2, 3

# Rows of `engines`, one column per engine.
SLOT, IN_FLIGHT, LIMIT, BUS_TICKS = 0, 1, 2, 3
ENGINE_FIELDS = 4

# Entries of `bus`.
FREE_AT_TICKS, LAST_ENGINE, HEAD, QUEUED, BURSTS = 0, 1, 2, 3, 4
TICKS_PER_CYCLE, TICKS_PER_BYTE, LATENCY_CYCLES, BURST_BYTES, PRIORITY = 5, 6, 7, 8, 9
NEWS = 10
"""The slot that `advance` stopped for, or -1 where it stopped at the horizon."""
BUS_FIELDS = 11

ROUND_ROBIN = -1
"""PRIORITY: no engine goes first; otherwise the index of the engine that does."""


def new_memory(
    engines: int,
    in_flight_bursts: int,
    burst_bytes: int,
    ticks_per_cycle: int,
    ticks_per_byte: int,
    latency_cycles: int,
    priority: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(transfers, engines, bus, queue): all state of an idle memory, for `advance`.

    There are as many transfer slots as can be outstanding at once.
    """
    slots = engines * (in_flight_bursts + 1)
    bus = np.zeros(BUS_FIELDS, np.int64)
    bus[LAST_ENGINE] = engines - 1
    bus[TICKS_PER_CYCLE], bus[TICKS_PER_BYTE] = ticks_per_cycle, ticks_per_byte
    bus[LATENCY_CYCLES], bus[BURST_BYTES], bus[PRIORITY] = latency_cycles, burst_bytes, priority
    bus[NEWS] = -1
    table = np.zeros((ENGINE_FIELDS, engines), np.int64)
    table[SLOT], table[LIMIT] = -1, in_flight_bursts
    queue = np.zeros((2, engines * in_flight_bursts), np.int64)
    return np.zeros((TRANSFER_FIELDS, slots), np.int64), table, bus, queue


@entry
def advance(transfers, engines, bus, queue, now, horizon):
    """Advance from cycle `now` to the first news or to `horizon`; return the cycle reached.

    News is a transfer whose last burst was issued (its STATE becomes ISSUED) or has returned
    (COMPLETE). The return of the burst that was asked for first comes first.
    """
    while True:
        engine = _next_engine(engines, bus)
        returns_at = queue[0, bus[HEAD]] if bus[QUEUED] > 0 else FOREVER
        issues_at = FOREVER
        if engine >= 0:
            issues_at = max(now, bus[FREE_AT_TICKS] // bus[TICKS_PER_CYCLE])
        now = min(returns_at, issues_at)
        if now >= horizon:
            bus[NEWS] = -1
            return horizon
        if returns_at <= issues_at:
            slot = _return_burst(transfers, engines, bus, queue)
        else:
            slot = _issue_burst(transfers, engines, bus, queue, engine, now)
        if slot >= 0:
            bus[NEWS] = slot
            return now


@helper
def _next_engine(engines, bus):
    """The engine whose burst goes next on the bus, or -1 where none may issue."""
    count = engines.shape[1]
    first = bus[PRIORITY]
    if (
        first >= 0
        and engines[SLOT, first] >= 0
        and engines[IN_FLIGHT, first] < engines[LIMIT, first]
    ):
        return first
    for turn in range(count):
        engine = (bus[LAST_ENGINE] + 1 + turn) % count
        if engines[SLOT, engine] >= 0 and engines[IN_FLIGHT, engine] < engines[LIMIT, engine]:
            return engine
    return -1


@helper
def _issue_burst(transfers, engines, bus, queue, engine, now):
    """Put the next burst of the engine on the bus; the slot if that was its last, else -1."""
    slot = engines[SLOT, engine]
    burst_bytes, per_cycle = bus[BURST_BYTES], bus[TICKS_PER_CYCLE]
    _next_piece(transfers, slot, burst_bytes)
    start = max(bus[FREE_AT_TICKS], now * per_cycle)
    ticks = burst_bytes * bus[TICKS_PER_BYTE]
    end = start + ticks
    bus[FREE_AT_TICKS] = end
    engines[BUS_TICKS, engine] += ticks
    bus[BURSTS] += 1
    bus[LAST_ENGINE] = engine
    engines[IN_FLIGHT, engine] += 1
    transfers[OUTSTANDING, slot] += 1
    tail = (bus[HEAD] + bus[QUEUED]) % queue.shape[1]
    queue[0, tail] = (end + per_cycle - 1) // per_cycle + bus[LATENCY_CYCLES]
    queue[1, tail] = slot
    bus[QUEUED] += 1
    if transfers[INDEX, slot] < transfers[COUNTS, slot]:
        return -1
    transfers[STATE, slot] = ISSUED
    engines[SLOT, engine] = -1
    return slot


@helper
def _next_piece(transfers, slot, burst_bytes):
    """Step past the bytes of the current run that lie in one burst; past the run at its end."""
    base = transfers[ADDRESS, slot] + transfers[OFFSET, slot]
    for axis in range(3):
        base += transfers[INDEX + axis, slot] * transfers[STRIDES + axis, slot]
    transfers[OFFSET, slot] += burst_bytes - base % burst_bytes
    if transfers[OFFSET, slot] < transfers[RUN_BYTES, slot]:
        return
    transfers[OFFSET, slot] = 0
    for axis in (2, 1, 0):
        transfers[INDEX + axis, slot] += 1
        if transfers[INDEX + axis, slot] < transfers[COUNTS + axis, slot] or axis == 0:
            return
        transfers[INDEX + axis, slot] = 0


@helper
def _return_burst(transfers, engines, bus, queue):
    """Take the oldest burst back; the slot if its transfer is complete with that, else -1."""
    slot = queue[1, bus[HEAD]]
    bus[HEAD] = (bus[HEAD] + 1) % queue.shape[1]
    bus[QUEUED] -= 1
    engines[IN_FLIGHT, transfers[ENGINE, slot]] -= 1
    transfers[OUTSTANDING, slot] -= 1
    if transfers[STATE, slot] == ISSUED and transfers[OUTSTANDING, slot] == 0:
        transfers[STATE, slot] = COMPLETE
        return slot
    return -1
