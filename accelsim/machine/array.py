"""The MAC array: one tile after the other, its time from the closed forms of the description."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import simpy

from accelsim.hardware import Array
from accelsim.machine.account import BUSY, Account, Scoreboard, Waiting
from accelsim.machine.buffers import Buffer
from accelsim.machine.values import Values
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
        array: Array,
        commands: Sequence[Compute],
        scoreboard: Scoreboard,
        buffers: Mapping[str, Buffer],
        values: Values | None,
        recorder: Recorder | None,
    ) -> None:
        self.env = env
        # Most of a layer's tiles are of a few shapes.
        self._timing = lru_cache(maxsize=256)(array.timing)
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
        timing = self._timing(command.m, command.k, command.n, command.groups)
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
        done = self.env.timeout(first_vector - start + timing.stream_cycles)
        label = f"tile {command.tile}"
        yield from self.account.wait(done, BUSY, label)
        self.account.worked(label, command.phase, start, int(self.env.now))
        self._finish(command, timing.drain_cycles)

    def _finish(self, command: Compute, drain_cycles: int) -> None:
        for buffer, released_bytes in command.releases:
            self.buffers[buffer].give_back(released_bytes)
        self.scoreboard.complete_after(command.id, drain_cycles)
