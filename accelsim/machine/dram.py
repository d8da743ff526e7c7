"""The DRAM interface: transfers in, completions out, every byte counted.

The memory itself is a kernel without a clock. It is advanced only as far as nothing can still
happen elsewhere (`env.peek()`), or to its own first news, whichever is first; so it never has to
be taken back.
"""

from collections import Counter
from dataclasses import dataclass

import simpy

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.kernels import ideal_memory as memory
from accelsim.machine.account import BUSY, STARVED, Account
from accelsim.program import Load, Store
from accelsim.result import Traffic

LOAD, STORE = 0, 1
DIRECTIONS = ("load", "store")

_AFTER_ALL_ELSE = 2
"""SimPy priority below NORMAL (1): in a cycle the memory moves when all others have."""


class _Tick(simpy.Event):
    """An event that is already successful and only waits for its time."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None


@dataclass(slots=True)
class Transfer:
    """One command's bytes on their way."""

    issued: simpy.Event
    complete: simpy.Event


class Dram:
    """A memory of constant bandwidth and latency behind the interface of every memory.

    An engine may submit its next transfer when the former one is `issued`; it then waits for
    `complete` only where it needs the data.
    """

    def __init__(self, env: simpy.Environment, hardware: Hardware) -> None:
        self.env = env
        self.account = Account(env, "dram")
        self._bytes: Counter[tuple[str, str, str]] = Counter()
        self._transfers: dict[int, Transfer] = {}
        self._ticking = False
        self._active_since = 0
        self._active_cycles = 0
        bandwidth = hardware.bandwidth_bytes_per_cycle
        priorities = {"round-robin": memory.ROUND_ROBIN, "load-first": LOAD, "store-first": STORE}
        self._table, self._engines, self._bus, self._queue = memory.new_memory(
            engines=len(DIRECTIONS),
            in_flight_bursts=hardware.dma.in_flight_bursts,
            burst_bytes=hardware.dram.burst_bytes,
            ticks_per_cycle=bandwidth.numerator,
            ticks_per_byte=bandwidth.denominator,
            latency_cycles=hardware.latency_cycles,
            priority=priorities[hardware.dma.arbitration],
        )

    def submit(self, engine: int, command: Load | Store) -> Transfer:
        """Start moving the command's region; the engine must have no other transfer to issue."""
        region = command.region
        slot = int((self._table[memory.STATE] == memory.FREE).argmax())
        if (
            self._table[memory.STATE, slot] != memory.FREE
            or self._engines[memory.SLOT, engine] >= 0
        ):
            raise AssertionError(f"{engine=} submitted a transfer before the last one was issued")
        row = self._table[:, slot]
        row[:] = 0
        row[memory.STATE], row[memory.ENGINE] = memory.ISSUING, engine
        row[memory.ADDRESS], row[memory.RUN_BYTES] = region.address, region.run_bytes
        row[memory.COUNTS : memory.COUNTS + 3] = region.counts
        row[memory.STRIDES : memory.STRIDES + 3] = region.strides_bytes
        self._engines[memory.SLOT, engine] = slot
        if not self._transfers:
            self._active_since = int(self.env.now)
        transfer = Transfer(self.env.event(), self.env.event())
        self._transfers[slot] = transfer
        self._bytes[command.tensor, DIRECTIONS[engine], command.phase] += region.total_bytes
        self._tick_at(int(self.env.now))
        return transfer

    def _tick_at(self, cycle: int) -> None:
        if self._ticking:
            return
        self._ticking = True
        tick = _Tick(self.env)
        assert tick.callbacks is not None
        tick.callbacks.append(self._tick)
        self.env.schedule(tick, priority=_AFTER_ALL_ELSE, delay=cycle - int(self.env.now))  # type: ignore[arg-type]

    def _tick(self, _: simpy.Event) -> None:
        """Tell the news of this cycle; then, when nobody else acts in it, move on."""
        self._ticking = False
        self._tell()
        if not self._transfers:
            return
        now, peek = int(self.env.now), self.env.peek()
        if peek <= now:
            self._tick_at(now)
            return
        horizon = memory.FOREVER if peek == float("inf") else int(peek)
        reached = int(
            memory.advance(self._table, self._engines, self._bus, self._queue, now, horizon)
        )
        if reached >= memory.FOREVER:
            raise AccelsimError(
                f"dram: {len(self._transfers)} transfers are outstanding at cycle {now}, "
                "and none will ever complete"
            )
        self._tick_at(reached)

    def _tell(self) -> None:
        """Pass on what the memory stopped for."""
        slot = int(self._bus[memory.NEWS])
        if slot < 0:
            return
        self._bus[memory.NEWS] = -1
        transfer = self._transfers[slot]
        if self._table[memory.STATE, slot] == memory.ISSUED:
            transfer.issued.succeed()
            return
        self._table[memory.STATE, slot] = memory.FREE
        del self._transfers[slot]
        transfer.complete.succeed()
        if not self._transfers:
            self._active_cycles += int(self.env.now) - self._active_since

    def settle(self) -> None:
        """Close the account: busy while bytes move, starved while transfers only wait."""
        busy_ticks = int(self._bus[memory.BUSY_TICKS])
        self.account.cycles[BUSY] = -(-busy_ticks // int(self._bus[memory.TICKS_PER_CYCLE]))
        self.account.cycles[STARVED] = self._active_cycles - self.account.cycles[BUSY]

    @property
    def traffic(self) -> tuple[Traffic, ...]:
        """What was asked for, by tensor, direction and phase, in order of first request."""
        return tuple(Traffic(*key, count) for key, count in self._bytes.items())
