"""How long commands take on their units: closed forms, known before time starts."""

from math import prod
from typing import NamedTuple

from accelsim.hardware import (
    ArrayTiming,
    BlockRescale,
    Dataflow,
    Hardware,
    block_timing,
    rescaled_sums,
)
from accelsim.machine.account import BLOCKED, STARVED
from accelsim.program import INPUT, OUTPUT, SEARCH, Compute, Drain, Program


class ComputeTiming(NamedTuple):
    """Cycles of one compute on the array: see `hardware.ArrayTiming`."""

    folds: int
    reload_cycles: int
    stream_cycles: int
    period_cycles: int
    hindered_cycles: int
    """Beyond the stream: the vector unit that rescales takes longer than the array."""
    drain_cycles: int
    rescale_cycles: int
    """Of the vector unit, from the first vector on, while the array streams."""


class ArrayPace:
    """How long computes take; their reductions may come in blocks, rescaled one by one."""

    def __init__(self, hardware: Hardware, program: Program) -> None:
        self.hardware, self.array = hardware, hardware.array
        self.blocking = program.blocking.get(INPUT)
        self.edge_cycles = hardware.requantizer.stages if program.edge_bits else 0
        """For which operands are under way to the array, through the requantizers at its edge."""
        # Most of a layer's tiles are of a few shapes.
        self._known: dict[object, ComputeTiming] = {}

    def of(self, command: Compute) -> ComputeTiming:
        """The cycles of one compute."""
        if self.blocking is not None:
            shape: object = command.in_blocks(self.blocking)
        else:
            shape = command.m, command.k, command.n, command.groups
        timing = self._known.get(shape)
        if timing is None:
            timing = self._plain(command) if self.blocking is None else self._blocks(command)
            self._known[shape] = timing
        return timing

    def _plain(self, command: Compute) -> ComputeTiming:
        shape = command.m, command.k, command.n, command.groups
        timing = self.array.timing(*shape, latency_cycles=self.edge_cycles)
        return _with(timing, 0, timing.drain_cycles, 0)

    def _blocks(self, command: Compute) -> ComputeTiming:
        """With the vector unit as it is, and as if that had a lane for every column."""
        assert self.blocking is not None
        product, lanes = command.in_blocks(self.blocking), self.hardware.vector_lanes
        timing = block_timing(self.array, product, lanes)
        unhindered = block_timing(self.array, product, self.array.columns * product.lane_operations)
        hindered_cycles = timing.stream_cycles - unhindered.stream_cycles
        drain_cycles, rescale_cycles = timing.drain_cycles, 0
        if self.array.block_rescale is BlockRescale.VECTOR_UNIT:
            drain_cycles += self.hardware.vector_unit.stages
            operations = rescaled_sums(self.array, product) * product.lane_operations
            rescale_cycles = -(-operations // lanes)
        return _with(timing, hindered_cycles, drain_cycles, rescale_cycles)


def _with(
    timing: ArrayTiming, hindered_cycles: int, drain_cycles: int, rescale_cycles: int
) -> ComputeTiming:
    return ComputeTiming(
        timing.folds, timing.reload_cycles, timing.stream_cycles - hindered_cycles,
        timing.period_cycles, hindered_cycles, drain_cycles, rescale_cycles,
    )  # fmt: skip


class DrainTiming(NamedTuple):
    """Cycles of one drain, from its first word on."""

    duration: int
    observing: int
    requantizing: int
    requantized_from: int
    """When the requantizer has its first word."""
    statistics_wait: str
    """What the statistics unit does in the rest of the duration."""
    held: int
    """By the statistics unit alone: what the drain would be shorter without it."""


class DrainPace:
    """How long drains take past both units, and the barrier after them."""

    def __init__(self, hardware: Hardware, program: Program) -> None:
        self.hardware, self.word_axes = hardware, program.word_axes
        self.blocking, self.asked = program.blocking.get(OUTPUT), program.statistics
        self.settle_cycles = hardware.stat_settle_cycles
        # Most of an output's blocks are of a few shapes.
        self._known: dict[tuple[object, ...], DrainTiming] = {}

    def of(self, command: Drain) -> DrainTiming:
        """The cycles of one drain."""
        passes = command.phase == SEARCH, command.local
        how = command.box.shape, command.observe, command.requantize, passes
        timing = self._known.get(how)
        if timing is None:
            timing = self._known[how] = self._timing(command)
        return timing

    def _timing(self, command: Drain) -> DrainTiming:
        read, observe, requantize = self._service_cycles(command)
        duration = max(read, observe, requantize)
        statistics_wait = BLOCKED if requantize > max(read, observe) else STARVED
        requantized_from = 0
        if command.local:
            # The range is known when all were seen; then they pass once more.
            observe += self.settle_cycles
            requantized_from += max(read, observe)
            duration = max(read, observe) + max(read, requantize)
            statistics_wait = STARVED
        if self.blocking is not None:
            # A block waits beside the requantizer until its scale is known, then the next does.
            filling = self._filling_cycles(command, self.blocking.size)
            requantized_from += filling
            duration += filling
        held = duration - max(read, requantize)
        return DrainTiming(duration, observe, requantize, requantized_from, statistics_wait, held)

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
