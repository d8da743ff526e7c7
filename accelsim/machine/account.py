"""How a unit's time is told apart, and which commands are complete."""

from collections.abc import Generator, Iterable

import simpy

from accelsim.program import Command
from accelsim.result import Span, UnitTime

Waiting = Generator[simpy.Event, object, None]

BUSY, STARVED, BLOCKED = "busy", "starved", "blocked"


class Account:
    """One unit's cycles by state, its spans, and what it waits for now."""

    def __init__(self, env: simpy.Environment, unit: str) -> None:
        self.env, self.unit = env, unit
        self.cycles = {BUSY: 0, STARVED: 0, BLOCKED: 0}
        self.spans: list[Span] = []
        self.waits_for = ""

    def wait(self, event: simpy.Event, state: str, reason: str) -> Waiting:
        """Wait for the event and count the time under `state`."""
        started, self.waits_for = self.env.now, reason
        yield event
        self.waits_for = ""
        self.cycles[state] += int(self.env.now - started)

    def worked(self, label: str, phase: str, start_cycle: int, stop_cycle: int) -> None:
        """Record a span of work that has been counted as busy elsewhere."""
        if stop_cycle > start_cycle:
            self.spans.append(Span(self.unit, label, phase, start_cycle, stop_cycle))

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
                event = self._awaited.setdefault(command, self.env.event())
                yield from account.wait(event, state, f"command {command}")
