"""The memories a DRAM interface can stand before: no clock of their own, advanced from outside."""

from typing import NamedTuple, Protocol

from accelsim.hardware import Hardware
from accelsim.kernels import ideal_memory
from accelsim.program import Region

LOAD, STORE = 0, 1
"""The engines, and the direction of all their transfers."""

FOREVER = int(ideal_memory.FOREVER)
"""A horizon that is never reached; what `advance` returns when nothing is left to happen."""


class News(NamedTuple):
    """Something the interface must know: a transfer's last burst was issued, or has returned."""

    slot: int
    complete: bool


class Memory(Protocol):
    """Transfers in, news out, in machine cycles. Calls come in order of time."""

    def start(self, engine: int, region: Region, now: int) -> int:
        """Begin a transfer whose engine has none left to issue; the slot its news will name."""

    def advance(self, now: int, horizon: int) -> int:
        """Go on from `now` to the first news or to `horizon`; the cycle reached."""

    def news(self) -> list[News]:
        """What has happened since the last call, in order."""

    @property
    def busy_cycles(self) -> int:
        """Cycles in which data moved on the bus, rounded up."""


class IdealMemory:
    """Constant bandwidth and latency."""

    def __init__(self, hardware: Hardware) -> None:
        bandwidth = hardware.bandwidth_bytes_per_cycle
        priorities = {
            "round-robin": ideal_memory.ROUND_ROBIN, "load-first": LOAD, "store-first": STORE
        }  # fmt: skip
        self._table, self._engines, self._bus, self._queue = ideal_memory.new_memory(
            engines=2,
            in_flight_bursts=hardware.dma.in_flight_bursts,
            burst_bytes=hardware.dram.burst_bytes,
            ticks_per_cycle=bandwidth.numerator,
            ticks_per_byte=bandwidth.denominator,
            latency_cycles=hardware.latency_cycles,
            priority=priorities[hardware.dma.arbitration],
        )

    def start(self, engine: int, region: Region, now: int) -> int:
        """See `Memory`."""
        state = self._table[ideal_memory.STATE]
        slot = int((state == ideal_memory.FREE).argmax())
        if state[slot] != ideal_memory.FREE or self._engines[ideal_memory.SLOT, engine] >= 0:
            raise AssertionError(f"{engine=} started a transfer before the last one was issued")
        row = self._table[:, slot]
        row[:] = 0
        row[ideal_memory.STATE], row[ideal_memory.ENGINE] = ideal_memory.ISSUING, engine
        row[ideal_memory.ADDRESS] = region.address
        row[ideal_memory.RUN_BYTES] = region.run_bytes
        row[ideal_memory.COUNTS : ideal_memory.COUNTS + 3] = region.counts
        row[ideal_memory.STRIDES : ideal_memory.STRIDES + 3] = region.strides_bytes
        self._engines[ideal_memory.SLOT, engine] = slot
        return slot

    def advance(self, now: int, horizon: int) -> int:
        """See `Memory`."""
        return int(
            ideal_memory.advance(self._table, self._engines, self._bus, self._queue, now, horizon)
        )

    def news(self) -> list[News]:
        """See `Memory`; this one stops for one piece of news at a time."""
        slot = int(self._bus[ideal_memory.NEWS])
        if slot < 0:
            return []
        self._bus[ideal_memory.NEWS] = -1
        complete = bool(self._table[ideal_memory.STATE, slot] == ideal_memory.COMPLETE)
        if complete:
            self._table[ideal_memory.STATE, slot] = ideal_memory.FREE
        return [News(slot, complete)]

    @property
    def busy_cycles(self) -> int:
        """See `Memory`."""
        ticks = int(self._bus[ideal_memory.BUSY_TICKS])
        return -(-ticks // int(self._bus[ideal_memory.TICKS_PER_CYCLE]))
