"""The MAC array: one tile after the other, its time from the closed forms of the description."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import simpy

from accelsim.hardware import (
    Array,
    ArrayTiming,
    BlockRescale,
    Hardware,
    block_timing,
    rescaled_sums,
)
from accelsim.machine.account import BLOCKED, BUSY, Account, Scoreboard, Waiting
from accelsim.machine.block_values import AnyValues
from accelsim.machine.buffers import Buffer
from accelsim.program import ACCUMULATOR_BUFFER, Blocking, Compute
from accelsim.result import Recorder


class Blocks:
    """Reductions in blocks, and the vector unit that may have to rescale them."""

    def __init__(self, blocking: Blocking, hardware: Hardware, vector_unit: Account) -> None:
        self.blocking, self.array, self.lanes = blocking, hardware.array, hardware.vector_lanes
        self.stages, self.account = hardware.vector_unit.stages, vector_unit

    def rescale(self, command: Compute, first_vector: int) -> int:
        """Count the vector unit's work on a product; the cycles by which its last sums are later.

        It works while the array streams, at the pace that `block_timing` gives the two.
        """
        product = command.in_blocks(self.blocking)
        sums = rescaled_sums(self.array, product)
        busy_cycles = -(-sums * product.lane_operations // self.lanes)
        self.account.cycles[BUSY] += busy_cycles
        self.account.worked("rescale", command.phase, first_vector, first_vector + busy_cycles)
        return self.stages


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
        values: AnyValues | None,
        recorder: Recorder | None,
        blocks: "Blocks | None" = None,
        edge_stages: int = 0,
    ) -> None:
        """`edge_stages`: of what the input passes before it enters the array."""
        self.env, self.array, self.blocks = env, array, blocks
        self._edge_stages = edge_stages
        # Most of a layer's tiles are of a few shapes.
        self._plain_timing = lru_cache(maxsize=256)(array.timing)
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
        timing, unhindered = self._timing(command)
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
        done = self.env.timeout(first_vector - start + unhindered.stream_cycles)
        yield from self.account.wait(done, BUSY, label)
        self.account.worked(label, command.phase, start, int(self.env.now))
        hindered_cycles = timing.stream_cycles - unhindered.stream_cycles
        if hindered_cycles:
            waited = self.env.timeout(hindered_cycles)
            yield from self.account.wait(waited, BLOCKED, "the vector unit")
        drain_cycles = timing.drain_cycles
        if self.blocks is not None and self.array.block_rescale is BlockRescale.VECTOR_UNIT:
            drain_cycles += self.blocks.rescale(command, first_vector)
        self._finish(command, drain_cycles)

    def _timing(self, command: Compute) -> tuple[ArrayTiming, ArrayTiming]:
        """With the vector unit as it is, and as if that had a lane for every column."""
        if self.blocks is None:
            shape = command.m, command.k, command.n, command.groups
            timing = self._plain_timing(*shape, self._edge_stages)
            return timing, timing
        product = command.in_blocks(self.blocks.blocking)
        return (
            block_timing(self.array, product, self.blocks.lanes),
            block_timing(self.array, product, self.array.columns * product.lane_operations),
        )

    def _finish(self, command: Compute, drain_cycles: int) -> None:
        for buffer, released_bytes in command.releases:
            self.buffers[buffer].give_back(released_bytes)
        self.scoreboard.complete_after(command.id, drain_cycles)
