"""Accumulators on their way out: past the statistics unit, through the requantizer.

Sums of blocks that share a power of two wait beside the requantizer until their scale is known: a
block for each column that delivers one, and the largest magnitude of a block in their statistics.

Both units stand in one pipeline that is read one accumulator word at a time: what leaves the array
in a row, channels of one position (all that a filter has, for weights), or (input-stationary) the
other way round. The slowest unit sets the pace, and the others wait for it.
"""

from collections.abc import Mapping, Sequence

import simpy

from accelsim.hardware import Hardware
from accelsim.machine.account import BLOCKED, BUSY, STARVED, Account, Scoreboard, Waiting
from accelsim.machine.block_values import AnyValues
from accelsim.machine.buffers import Buffer
from accelsim.machine.pace import DrainPace
from accelsim.program import ACCUMULATOR_BUFFER, OUTPUT_BUFFER, Barrier, Drain
from accelsim.result import Recorder
from accelsim.result.recorder import IDLE


class DrainPath:
    """Runs drains in order, and the barrier when the statistics of a tensor are complete."""

    def __init__(
        self,
        env: simpy.Environment,
        hardware: Hardware,
        commands: Sequence[Drain | Barrier],
        scoreboard: Scoreboard,
        buffers: Mapping[str, Buffer],
        values: AnyValues | None,
        recorder: Recorder | None,
        pace: DrainPace,
    ) -> None:
        self.env, self.hardware, self.pace = env, hardware, pace
        self.held_cycles = 0
        """Cycles in which nothing passed, or more slowly, because of the statistics unit."""
        self.scoreboard, self.buffers, self.values = scoreboard, buffers, values
        self.statistics = Account(env, "statistics", recorder)
        self.requantizer = Account(env, "requantizer", recorder)
        # It waits once for both units; which of them is told so is `_together`'s affair.
        self._alone = Account(env, "drain")
        env.process(self._run(commands))

    def _run(self, commands: Sequence[Drain | Barrier]) -> Waiting:
        observing = sum(isinstance(c, Barrier) or c.observe for c in commands)
        requantizing = sum(isinstance(c, Drain) and c.requantize for c in commands)
        for command in commands:
            # A unit is idle, not waiting, when no command of its own is left.
            waiting = (self.statistics, observing), (self.requantizer, requantizing)
            accounts = [account for account, left in waiting if left]
            yield from self._together(
                accounts, self.scoreboard.wait(self._alone, command.after), STARVED
            )
            if isinstance(command, Barrier):
                if command.output_bytes:
                    room = self.buffers[OUTPUT_BUFFER].take(self._alone, command.output_bytes)
                    yield from self._together(accounts, room, BLOCKED)
                yield from self._settle(command)
                observing -= 1
                continue
            room = self.buffers[OUTPUT_BUFFER].take(self._alone, command.output_bytes)
            yield from self._together(accounts, room, BLOCKED)
            yield from self._pass(command, accounts)
            observing -= command.observe
            requantizing -= command.requantize

    def _together(self, accounts: Sequence[Account], waiting: Waiting, state: str) -> Waiting:
        """Wait once and count it for each of the accounts."""
        start = int(self.env.now)
        for account in accounts:
            account.waits_for = f"being {state}"
            account.tell(start, state)
        yield from waiting
        for account in accounts:
            account.waits_for = ""
            account.tell(int(self.env.now), IDLE)
            account.cycles[state] += int(self.env.now) - start

    def _pass(self, command: Drain, accounts: Sequence[Account]) -> Waiting:
        if self.values is not None:
            self.values.drain(command)
        start = int(self.env.now)
        timing = self.pace.of(command)
        duration, requantized_from = timing.duration, start + timing.requantized_from
        self.held_cycles += timing.held
        label = f"drain {command.tensor or 'past'}"
        for account, busy, other, since in (
            (self.statistics, timing.observing, timing.statistics_wait, start),
            (self.requantizer, timing.requantizing, STARVED, requantized_from),
        ):
            account.cycles[BUSY] += busy
            if since > start and account in accounts:
                account.tell(start, other)
            account.tell(since, BUSY, label)
            if account in accounts:
                account.cycles[other] += duration - busy
                account.tell(since + busy, other)
            account.tell(start + (duration if account in accounts else busy), IDLE)
            account.worked(label, command.phase, since, since + busy)
        yield self.env.timeout(duration)
        self.buffers[ACCUMULATOR_BUFFER].give_back(command.accumulator_bytes)
        stages = self.hardware.requantizer.stages if command.requantize else 0
        self.scoreboard.complete_after(command.id, stages)

    def _settle(self, command: Barrier) -> Waiting:
        """Reduce the column registers; then the range policy may look at them."""
        start = int(self.env.now)
        settle_cycles = self.pace.settle_cycles
        if settle_cycles:
            done = self.env.timeout(settle_cycles)
            yield from self.statistics.wait(done, BUSY, "its reduction")
        self.held_cycles += settle_cycles
        self.statistics.worked("reduce", command.phase, start, int(self.env.now))
        if self.values is not None:
            self.values.settle(command)
        self.scoreboard.complete(command.id)
