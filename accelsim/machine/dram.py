"""The DRAM interface: transfers in, completions out, every byte counted.

The memory itself owns no clock. It is advanced only as far as nothing can still happen elsewhere
(`env.peek()`), or to its own first news, whichever is first; so it never has to be taken back.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import simpy

from accelsim.errors import AccelsimError
from accelsim.machine.account import Account
from accelsim.machine.memory import ENGINES, FOREVER, Memory
from accelsim.machine.meter import Meter
from accelsim.program import Load, Store
from accelsim.result import Recorder, Traffic

_AFTER_ALL_ELSE = 2
"""SimPy priority below NORMAL (1): in a cycle the memory moves when all others have."""


class _Tick(simpy.Event):
    """An event that happens over and over: one object, and one that is never a failure."""

    def __init__(self, env: simpy.Environment, happen: Callable[[simpy.Event], None]) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        self._happen = [happen]

    def after(self, delay: int) -> None:
        """Happen when so many cycles have passed; not while it is already under way."""
        self.callbacks = self._happen
        self.env.schedule(self, priority=_AFTER_ALL_ELSE, delay=delay)  # type: ignore[arg-type]


@dataclass(slots=True)
class Transfer:
    """One command's bytes on their way."""

    label: str
    issued: simpy.Event
    complete: simpy.Event


class Dram:
    """What the DMA engines see, whatever memory is behind it.

    An engine may submit its next transfer when the former one is `issued`; it waits for `complete`
    only where it needs the data.
    """

    def __init__(
        self, env: simpy.Environment, memory: Memory, recorder: Recorder | None = None
    ) -> None:
        self.env, self.memory, self.recorder = env, memory, recorder
        self.account = Account(env, "dram", recorder)
        self.meter = Meter(memory)
        self._bytes: Counter[tuple[str, str, str]] = Counter()
        self._transfers: dict[int, Transfer] = {}
        self._ticking = False
        self._next_tick = _Tick(env, self._tick)

    def submit(self, engine: int, command: Load | Store) -> Transfer:
        """Start moving the command's region; the engine must have no other transfer to issue."""
        now = int(self.env.now)
        label = f"{ENGINES[engine]} {command.tensor}"
        self.account.take_in_hand(label)
        slot = self.memory.start(engine, command.region, now)
        transfer = Transfer(label, self.env.event(), self.env.event())
        self._transfers[slot] = transfer
        key = (command.tensor, ENGINES[engine], command.phase)
        self._bytes[key] += command.region.total_bytes
        self._tick_at(now)
        return transfer

    def _tick_at(self, cycle: int) -> None:
        if self._ticking:
            return
        self._ticking = True
        self._next_tick.after(cycle - int(self.env.now))

    def _tick(self, _: simpy.Event) -> None:
        """Tell the news of this cycle; then, when nobody else acts in it, move on."""
        self._ticking = False
        now = int(self.env.now)
        self.meter.read(now)
        if self.recorder is not None:
            self.recorder.settled(now)
        for slot, complete in self.memory.news(now):
            self._tell(slot, complete)
        if not self._transfers:
            return
        peek = self.env.peek()
        if peek <= now:
            self._tick_at(now)
            return
        horizon = FOREVER if peek == float("inf") else int(peek)
        reached = self.memory.advance(now, horizon)
        if reached >= FOREVER:
            raise AccelsimError(
                f"dram: {len(self._transfers)} transfers are outstanding at cycle {now}, "
                "and none will ever complete"
            )
        self._tick_at(reached)

    def _tell(self, slot: int, complete: bool) -> None:
        if not complete:
            self._transfers[slot].issued.succeed()
            return
        transfer = self._transfers.pop(slot)
        transfer.complete.succeed()
        self.account.let_go(transfer.label)

    @property
    def traffic(self) -> tuple[Traffic, ...]:
        """What was asked for, by tensor, direction and phase, in order of first request."""
        return tuple(Traffic(*key, count) for key, count in self._bytes.items())
