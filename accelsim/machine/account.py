"""How a unit's time is told apart, and which commands are complete."""

from collections.abc import Generator, Iterable

import simpy

from accelsim.program import Command
from accelsim.result import Recorder, Span, UnitTime
from accelsim.result.recorder import IDLE, IN_FLIGHT

Waiting = Generator[simpy.Event, object, None]

BUSY, STARVED, BLOCKED = "busy", "starved", "blocked"


class Account:
    """One unit's cycles by state, its spans, and what it waits for now."""

    def __init__(self, env: simpy.Environment, unit: str, recorder: Recorder | None = None) -> None:
        self.env, self.unit, self.recorder = env, unit, recorder
        self.cycles = {BUSY: 0, STARVED: 0, BLOCKED: 0}
        self._worked: list[tuple[str, str, int, int]] = []
        self.waits_for = ""
        self._waits_as = IDLE
        self._in_hand: list[str] = []
        self._in_hand_since = 0
        self._in_hand_cycles = 0

    @classmethod
    def of(
        cls, env: simpy.Environment, unit: str, cycles: dict[str, int], in_hand_cycles: int
    ) -> "Account":
        """The account of a unit that is done, as counted elsewhere; nothing is under way."""
        account = cls(env, unit)
        account.cycles, account._in_hand_cycles = cycles, in_hand_cycles
        return account

    def take_in_hand(self, what: str) -> None:
        """Something is under way from now on, whatever the unit waits for meanwhile."""
        if not self._in_hand:
            self._in_hand_since = int(self.env.now)
        self._in_hand.append(what)
        self._tell()

    def let_go(self, what: str) -> None:
        """One thing that was under way is done."""
        self._in_hand.remove(what)
        if not self._in_hand:
            self._in_hand_cycles += int(self.env.now) - self._in_hand_since
        self._tell()

    def _tell(self) -> None:
        """What the unit does from now on; what is under way comes before what it waits for."""
        if self.recorder is None:
            return
        now = int(self.env.now)
        if self._in_hand:
            self.recorder.state(self.unit, now, IN_FLIGHT, self._in_hand[0])
        else:
            self.recorder.state(self.unit, now, self._waits_as, self.waits_for)

    def tell(self, cycle: int, state: str, label: str = "") -> None:
        """What the unit does from a cycle on that its own waiting does not show."""
        if self.recorder is not None:
            self.recorder.state(self.unit, cycle, state, label)

    def in_hand_cycles(self) -> int:
        """Cycles until now in which anything was under way."""
        running = int(self.env.now) - self._in_hand_since if self._in_hand else 0
        return self._in_hand_cycles + running

    def wait(self, event: simpy.Event, state: str, reason: str) -> Waiting:
        """Wait for the event; the time in which nothing is under way counts as `state`."""
        started, covered = self.env.now, self.in_hand_cycles()
        self.waits_for, self._waits_as = reason, state
        self._tell()
        yield event
        self.waits_for, self._waits_as = "", IDLE
        self._tell()
        self.cycles[state] += int(self.env.now - started) - (self.in_hand_cycles() - covered)

    def settle(self, busy_cycles: int, total_cycles: int) -> None:
        """Of the time in which something was under way, all but the busy part was waiting.

        Data may also move when nothing is under way (writes that were only accepted): at the end,
        or while the unit waited for the next command, which was then no waiting.
        """
        self.cycles[BUSY] += busy_cycles
        self.cycles[STARVED] += max(0, self.in_hand_cycles() - busy_cycles)
        for state in (STARVED, BLOCKED):
            twice = max(0, sum(self.cycles.values()) - total_cycles)
            self.cycles[state] -= min(twice, self.cycles[state])

    def worked(self, label: str, phase: str, start_cycle: int, stop_cycle: int) -> None:
        """Record a span of work that has been counted as busy elsewhere."""
        if stop_cycle > start_cycle:
            self._worked.append((label, phase, start_cycle, stop_cycle))

    @property
    def spans(self) -> list[Span]:
        """All spans of work, in the order in which they were recorded."""
        return [Span(self.unit, *worked) for worked in self._worked]

    def unit_time(self, total_cycles: int) -> UnitTime:
        """The four parts; what was not spent on a command is idle."""
        idle = total_cycles - sum(self.cycles.values())
        return UnitTime(
            self.unit, self.cycles[BUSY], self.cycles[STARVED], self.cycles[BLOCKED], idle
        )


class Scoreboard:
    """Which commands are complete, since when, and who waits for one."""

    def __init__(self, env: simpy.Environment, commands: Iterable[Command]) -> None:
        self.env = env
        self.completed_at: dict[int, int] = {}
        self.remaining = sum(1 for _ in commands)
        self.all_complete = env.event()
        self._awaited: dict[int, simpy.Event] = {}
        if not self.remaining:
            self.all_complete.succeed()

    def complete(self, command: int) -> None:
        """Mark one command complete, now."""
        self.completed_at[command] = int(self.env.now)
        awaited = self._awaited.pop(command, None)
        if awaited is not None:
            awaited.succeed()
        self.remaining -= 1
        if not self.remaining:
            self.all_complete.succeed()

    def complete_after(self, command: int, delay_cycles: int) -> None:
        """Mark one command complete when `delay_cycles` have passed."""
        if not delay_cycles:
            self.complete(command)
            return
        timeout = self.env.timeout(delay_cycles)
        assert timeout.callbacks is not None
        timeout.callbacks.append(lambda _: self.complete(command))

    def wait(self, account: Account, commands: Iterable[int], state: str = STARVED) -> Waiting:
        """Wait until all the commands are complete."""
        for command in commands:
            if command not in self.completed_at:
                event = self._awaited.get(command)
                if event is None:
                    event = self._awaited[command] = self.env.event()
                yield from account.wait(event, state, f"command {command}")
