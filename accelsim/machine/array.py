"""The MAC array: one tile after the other, its time from the closed forms of the description."""

from collections.abc import Mapping, Sequence

import simpy

from accelsim.machine.account import BLOCKED, BUSY, Account, Scoreboard, Waiting
from accelsim.machine.block_values import AnyValues
from accelsim.machine.buffers import Buffer
from accelsim.machine.pace import ArrayPace
from accelsim.program import ACCUMULATOR_BUFFER, Compute
from accelsim.result import Recorder


class MacArray:
    """Computes tiles in order; a tile's accumulators are complete when its last sum has left.

    With two stationary sets the next operand may be shifted in as soon as it is on chip and the
    last fold of the previous tile streams, so that only what is left of the reload shows.
    """

    def __init__(
        self,
        env: simpy.Environment,
        pace: ArrayPace,
        commands: Sequence[Compute],
        scoreboard: Scoreboard,
        buffers: Mapping[str, Buffer],
        values: AnyValues | None,
        recorder: Recorder | None,
        vector_unit: Account,
    ) -> None:
        self.env, self.pace, self.vector_unit = env, pace, vector_unit
        self.account = Account(env, "array", recorder)
        self.scoreboard, self.buffers, self.values = scoreboard, buffers, values
        self.folds = 0
        self._last_fold_start = 0
        self._period_cycles = 0
        env.process(self._run(commands))

    def _run(self, commands: Sequence[Compute]) -> Waiting:
        for command in commands:
            yield from self.scoreboard.wait(self.account, command.after)
            if command.first:
                room = self.buffers[ACCUMULATOR_BUFFER]
                yield from room.take(self.account, command.accumulator_bytes)
            if self.values is not None:
                self.values.compute(command)
            yield from self._stream(command)

    def _stream(self, command: Compute) -> Waiting:
        timing = self.pace.of(command)
        start = int(self.env.now)
        arrived = self.scoreboard.completed_at.get(command.stationary, start)
        first_vector = max(
            start,
            max(arrived, self._last_fold_start) + timing.reload_cycles,
            self._last_fold_start + self._period_cycles,
        )
        self._last_fold_start = first_vector + (timing.folds - 1) * timing.period_cycles
        self._period_cycles = timing.period_cycles
        self.folds += timing.folds
        label = f"tile {command.tile}"
        done = self.env.timeout(first_vector - start + timing.stream_cycles)
        yield from self.account.wait(done, BUSY, label)
        self.account.worked(label, command.phase, start, int(self.env.now))
        if timing.hindered_cycles:
            waited = self.env.timeout(timing.hindered_cycles)
            yield from self.account.wait(waited, BLOCKED, "the vector unit")
        self._rescale(command, first_vector, timing.rescale_cycles)
        self._finish(command, timing.drain_cycles)

    def _rescale(self, command: Compute, first_vector: int, busy_cycles: int) -> None:
        """Count what the vector unit did while the array streamed."""
        self.vector_unit.cycles[BUSY] += busy_cycles
        self.vector_unit.worked("rescale", command.phase, first_vector, first_vector + busy_cycles)

    def _finish(self, command: Compute, drain_cycles: int) -> None:
        for buffer, released_bytes in command.releases:
            self.buffers[buffer].give_back(released_bytes)
        self.scoreboard.complete_after(command.id, drain_cycles)
