"""Accumulators on their way out: past the statistics unit, through the requantizer.

Sums of blocks that share a power of two wait beside the requantizer until their scale is known: a
block for each column that delivers one, and the largest magnitude of a block in their statistics.

Both units stand in one pipeline that is read one accumulator word at a time: what leaves the array
in a row, channels of one position (all that a filter has, for weights), or (input-stationary) the
other way round. The slowest unit sets the pace, and the others wait for it.
"""

from collections.abc import Mapping, Sequence
from math import prod

import simpy

from accelsim.hardware import Dataflow, Hardware
from accelsim.machine.account import BLOCKED, BUSY, STARVED, Account, Scoreboard, Waiting
from accelsim.machine.block_values import AnyValues
from accelsim.machine.buffers import Buffer
from accelsim.program import (
    ACCUMULATOR_BUFFER,
    OUTPUT,
    OUTPUT_BUFFER,
    SEARCH,
    Barrier,
    Drain,
    Program,
)
from accelsim.result import Recorder
from accelsim.result.recorder import IDLE


class DrainPath:
    """Runs drains in order, and the barrier when the statistics of a tensor are complete."""

    def __init__(
        self,
        env: simpy.Environment,
        hardware: Hardware,
        program: Program,
        commands: Sequence[Drain | Barrier],
        scoreboard: Scoreboard,
        buffers: Mapping[str, Buffer],
        values: AnyValues | None,
        recorder: Recorder | None,
    ) -> None:
        self.env, self.hardware = env, hardware
        self.word_axes, self.blocking = program.word_axes, program.blocking.get(OUTPUT)
        self.asked = program.statistics
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
        read, observe, requantize = self._service_cycles(command)
        duration = max(read, observe, requantize)
        statistics_wait = BLOCKED if requantize > max(read, observe) else STARVED
        requantized_from = start
        if command.local:
            # The range is known when all were seen; then they pass once more.
            observe += self.hardware.stat_settle_cycles
            requantized_from += max(read, observe)
            duration = max(read, observe) + max(read, requantize)
            statistics_wait = STARVED
        if self.blocking is not None:
            # A block waits beside the requantizer until its scale is known, then the next does.
            filling = self._filling_cycles(command, self.blocking.size)
            requantized_from += filling
            duration += filling
        self.held_cycles += duration - max(read, requantize)
        label = f"drain {command.tensor or 'past'}"
        for account, busy, other, since in (
            (self.statistics, observe, statistics_wait, start),
            (self.requantizer, requantize, STARVED, requantized_from),
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

    def _service_cycles(self, command: Drain) -> tuple[int, int, int]:
        """Cycles that reading, observing and requantizing the block take, each by itself."""
        across = prod(command.box.shape[4 - self.word_axes :])
        words = command.box.elements // across
        if self.hardware.array.dataflow is Dataflow.INPUT_STATIONARY:
            words, across = across, words  # positions lie over the columns
        width = self.hardware.array.columns
        full, rest = divmod(across, width)

        def cycles(lanes: int) -> int:
            return words * (full * -(-width // lanes) + -(-rest // lanes))

        return (
            cycles(width),
            self._passes(command) * cycles(self.hardware.stat_lanes) if command.observe else 0,
            cycles(self.hardware.requantizer_lanes) if command.requantize else 0,
        )

    def _passes(self, command: Drain) -> int:
        """Cycles for which an accumulator stays in its lane of the statistics unit."""
        unit = self.hardware.stat_unit
        if self.blocking is not None:
            return unit.passes(1)  # the largest magnitude of its block
        searching = command.phase == SEARCH
        kept = unit.tried(self.asked) if searching else unit.observed(self.asked)
        return unit.passes(len(kept))

    def _filling_cycles(self, command: Drain, block: int) -> int:
        """Cycles until the scales of the first word are known: all its blocks seen, then reduced.

        Channels of a position leave side by side, so a block is complete with its last word; where
        positions lie over the columns (input-stationary) it is with the word of its last channel.
        """
        channels = command.box.shape[3]
        positions = command.box.elements // channels
        columns, lanes = self.hardware.array.columns, self.hardware.stat_lanes
        of_block = min(block, channels)
        if self.hardware.array.dataflow is Dataflow.INPUT_STATIONARY:
            seen = of_block * -(-min(columns, positions) // lanes)
        else:
            full, rest = divmod(of_block, columns)
            seen = full * -(-columns // lanes) + -(-rest // lanes)
        return seen + self.hardware.stat_unit.settle_cycles(of_block)

    def _settle(self, command: Barrier) -> Waiting:
        """Reduce the column registers; then the range policy may look at them."""
        start = int(self.env.now)
        settle_cycles = self.hardware.stat_settle_cycles
        if settle_cycles:
            done = self.env.timeout(settle_cycles)
            yield from self.statistics.wait(done, BUSY, "its reduction")
        self.held_cycles += settle_cycles
        self.statistics.worked("reduce", command.phase, start, int(self.env.now))
        if self.values is not None:
            self.values.settle(command)
        self.scoreboard.complete(command.id)
