"""Real tensors in the machine: what lies in DRAM, what has arrived on chip, what is in flight.

Time and value are kept apart: these methods are called at the cycle at which a command's data
moves, and never wait. On-chip arrays start with a sentinel in every element that no load has
brought, so a program that computes with data it never loaded does not come out right by luck.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from accelsim.hardware import Accumulator
from accelsim.kernels.product import convolve_tile, depthwise_tile, finish_accumulators
from accelsim.kernels.requantize import requantize_tile
from accelsim.machine.filters import add_weight_gradient, lay_out
from accelsim.machine.mixing import mixed
from accelsim.machine.narrowing import Narrowing
from accelsim.machine.operands import Operands, Outcome
from accelsim.machine.parts import Parts, within
from accelsim.numerics import Overflow
from accelsim.program import (
    ACCUMULATORS,
    BIAS,
    GRAD_WEIGHT,
    INPUT,
    LOADED,
    MIX,
    OUTPUT,
    PRODUCT,
    RANGES,
    SECOND_OUTPUT,
    WEIGHTS,
    Barrier,
    Box,
    Compute,
    Drain,
    Load,
    Mix,
    Program,
    Shape,
    Store,
)
from accelsim.quant import (
    Registers,
    Requantization,
    Statistic,
)

NEVER_LOADED = 107


@dataclass(slots=True)
class Tile:
    """Accumulators of one output tile, and how many of them are still to be drained."""

    origin: tuple[int, int, int, int]
    sums: np.ndarray
    left: int

    @property
    def box(self) -> Box:
        """Where it lies in the output."""
        a, b, c, d = (at + size for at, size in zip(self.origin, self.sums.shape, strict=True))
        return Box(self.origin, (a, b, c, d))


class Values:
    """The tensors of one run."""

    def __init__(self, program: Program, accumulator: Accumulator, operands: Operands) -> None:
        assert program.window is not None, "nothing is multiplied"
        self.window, self.accumulator, self.operands = program.window, accumulator, operands
        self.direction = program.direction
        self.result = program.outcome
        if ACCUMULATORS in program.tensors:
            self._narrowing = Narrowing(
                program.tensors[ACCUMULATORS].bits, accumulator.bits, operands.sum_bound
            )
        self.dram: dict[str, np.ndarray] = {INPUT: operands.input, WEIGHTS: operands.weights}
        if operands.bias is not None:
            self.dram[BIAS] = operands.bias.reshape(1, 1, 1, -1)
        output = program.tensors[OUTPUT]
        self.real = output.real
        self.dram[OUTPUT] = np.zeros(output.shape, np.float32 if output.real else np.int32)
        if SECOND_OUTPUT in program.tensors:
            self.dram[SECOND_OUTPUT] = np.zeros(output.shape, np.int32)
        self.outcome = Outcome(
            self.dram[OUTPUT], requantization=operands.requantization,
            second_output=self.dram.get(SECOND_OUTPUT),
        )  # fmt: skip
        self._chip = self._new_chip(program.tensors)
        self._registers = Registers(
            program.tensors[OUTPUT].shape, self._copies,
            operands.request, operands.scales, operands.samples,
        )  # fmt: skip
        self._seen = self._room_for_tensor()
        self._parts = self._new_parts(program.extent)
        self._tiles: dict[int, Tile] = {}
        self._drained: dict[int, np.ndarray] = {}

    def _new_chip(self, tensors: Mapping[str, object]) -> dict[str, np.ndarray]:
        chip = self._room_for_operands()
        if ACCUMULATORS in tensors:
            shape, kind = self.dram[OUTPUT].shape, self.operands.sum_type
            self.dram[ACCUMULATORS] = np.zeros(shape, kind)
            chip[ACCUMULATORS] = np.full(shape, NEVER_LOADED, kind)
        return chip

    def _room_for_operands(self) -> dict[str, np.ndarray]:
        kind, operands = self.operands.sum_type, self.operands
        filters = self._copies * self.dram[OUTPUT].shape[3]
        weights: tuple[int, ...] = operands.weights.shape
        if self.direction != GRAD_WEIGHT:
            weights = *weights[1:3], self.window.in_channels, filters
        chip: dict[str, np.ndarray] = {
            INPUT: np.full(operands.input.shape, NEVER_LOADED, kind),
            WEIGHTS: np.full(weights, NEVER_LOADED, kind),
        }
        if operands.bias is not None:
            chip[BIAS] = np.full((1, 1, 1, filters), NEVER_LOADED, kind)
        return chip

    def _new_parts(self, extent: Shape | None) -> Parts | None:
        if extent is None:
            return None
        operands = self.operands
        assert operands.decide_part is not None, "parts have ranges, and nobody decides them"
        shape = self.dram[OUTPUT].shape
        parts = Parts(
            (shape[0], shape[1], shape[2], shape[3]), extent, self._copies, operands.scales,
            operands.decide_part,
        )  # fmt: skip
        self.dram[RANGES] = self.outcome.ranges = np.zeros_like(parts.records)
        self.outcome.extent = extent
        return parts

    def _room_for_tensor(self) -> np.ndarray | None:
        """Where the finished tensor is gathered, if the estimator reads it; else nothing."""
        if self.operands.request is None or Statistic.TENSOR not in self.operands.request:
            return None
        return np.zeros(self.dram[OUTPUT].shape, self.operands.sum_type)

    @property
    def _copies(self) -> int:
        """Products with weights of their own that share the output's channel indices."""
        return 1 if self.direction == GRAD_WEIGHT else self.window.copies

    def load(self, command: Load) -> None:
        """Data has arrived: centre it and lay it out as the kernels read it."""
        source, target = self.dram[command.tensor], self._chip[command.tensor]
        box = command.box.slices
        if command.tensor == INPUT:
            np.subtract(source[box], self.operands.input_zero_point, out=target[box])
        elif command.tensor == WEIGHTS and self.direction == GRAD_WEIGHT:
            np.subtract(source[box], self.operands.weight_zero_points[0], out=target[box])
        elif command.tensor == WEIGHTS:
            zero_points = self.operands.weight_zero_points[box[0]].reshape(-1, 1, 1, 1)
            lay_out(source[box] - zero_points, command.box, target, self.window, self.direction)
        elif command.tensor == ACCUMULATORS:
            target[box] = self._narrowing.widened(source[box])
        else:
            target[box] = source[box]

    def compute(self, command: Compute) -> None:
        """Add the products of one chunk to the tile's accumulators."""
        weight_start = command.copy * self.dram[OUTPUT].shape[3]
        if command.first:
            sums = self._fresh_sums(command, weight_start)
            self._tiles[command.tile] = Tile(command.box.starts, sums, sums.size)
        acc, window, box = self._tiles[command.tile].sums, self.window, command.box
        x, w = self._chip[INPUT], self._chip[WEIGHTS]
        if command.over is not None:
            add_weight_gradient(x, w, acc, window, command)
        elif window.depthwise:
            depthwise_tile(
                x, w, acc, *box.starts[:3], command.group_start, weight_start, *window.steps
            )
        else:
            convolve_tile(
                x, w, acc, *box.starts[:3], command.group_start, command.n_start,
                command.n_count, window.out_channels, weight_start,
                command.channel_start, command.channel_stop, *window.steps,
            )  # fmt: skip
        if command.last:
            sums = acc if command.over is None else acc.transpose(1, 2, 3, 0)
            saturates = self.accumulator.overflow is Overflow.SATURATE
            overflows = finish_accumulators(sums, self.accumulator.bits, saturates)
            if command.phase == PRODUCT:  # the same accumulators overflow again when recomputed
                self.outcome.overflow_count += overflows

    def _fresh_sums(self, command: Compute, weight_start: int) -> np.ndarray:
        if command.over is not None:  # as the kernels write it, seen in the order of DRAM
            filters, *window = command.box.shape
            laid_out: np.ndarray = np.zeros((*window, filters), self.operands.sum_type)
            return laid_out.transpose(3, 0, 1, 2)
        acc: np.ndarray = np.zeros(command.box.shape, self.operands.sum_type)
        if self.operands.bias is not None:
            start, stop = command.box.starts[3], command.box.stops[3]
            acc += self._chip[BIAS][0, 0, 0, weight_start + start : weight_start + stop]
        return acc

    def drain(self, command: Drain) -> None:
        """Read finished accumulators: show them to the statistics, requantize or pass them on."""
        block = self._accumulators(command)
        if command.observe and command.phase == PRODUCT:
            self._observe(command, block)
        if command.observe and command.phase == MIX:
            assert self._parts is not None
            self._parts.observe(block, command.box.starts)
        if command.local:
            assert self._parts is not None
            self._parts.settle(command.box.shrunk(self._parts.extent).starts)
        if command.tensor in (OUTPUT, SECOND_OUTPUT):
            leaving = self._leaving(block, command.box.starts, command.tensor)
            self._drained[command.id] = leaving
        elif command.tensor is not None:
            self._drained[command.id] = self._narrowing.narrowed(block)

    def _observe(self, command: Drain, block: np.ndarray) -> None:
        """A search reads what is stored, so that is what is gathered."""
        self._registers.observe(block, command.box.starts)
        if self._parts is not None and self.operands.decide_mixing is None:
            self._parts.observe(block, command.box.starts)
        if self._seen is None:
            return
        if command.tensor == ACCUMULATORS:
            block = self._narrowing.widened(self._narrowing.narrowed(block))
        self._seen[command.box.slices] = block

    def mix(self, command: Mix) -> None:
        """Mix the samples of a box where it lies."""
        box = command.box
        if command.loaded:
            sums = self._chip[ACCUMULATORS][box.slices]
            sums[...] = self._mixed(sums, count=command.phase == MIX)
            return
        sums = np.empty(box.shape, self.operands.sum_type)
        kept = [
            (within(tile.sums, common, tile.origin), within(sums, common, box.starts))
            for tile in self._tiles.values()
            if (common := box.common(tile.box)).elements
        ]
        for there, here in kept:
            here[...] = there
        sums[...] = self._mixed(sums, count=True)
        for there, here in kept:
            there[...] = here

    def _mixed(self, sums: np.ndarray, *, count: bool) -> np.ndarray:
        """Accumulators of all samples, mixed; every command sees them once more, one counts."""
        reflections = self.outcome.reflections
        assert reflections is not None, "samples are mixed before it is known how"
        samples = len(self.dram[RANGES])
        out, clamped = mixed(sums.reshape(samples, -1), reflections, self.accumulator.bits)
        if count:
            self.outcome.overflow_count += clamped
        return out.reshape(sums.shape)

    def _tensor(self) -> np.ndarray | None:
        """What was gathered, samples on axis 0."""
        if self._seen is None:
            return None
        images, _, width, channels = self._seen.shape
        return self._seen.reshape(self.operands.samples or images, -1, width, channels)

    def _leaving(
        self, block: np.ndarray, starts: tuple[int, int, int, int], tensor: str
    ) -> np.ndarray:
        """The block as it is stored in `tensor`, the output or its second copy."""
        if self.real and tensor == OUTPUT:
            channels = self.dram[OUTPUT].shape[3]
            first = self._copy_of(starts[0]) * channels + starts[3]
            scales = np.broadcast_to(np.asarray(self.operands.scales), self._copies * channels)
            return block.astype(np.float32) * scales[first : first + block.shape[3]].astype(
                np.float32
            )
        if self._parts is not None:
            return self._leaving_by_part(self._parts, block, starts)
        how = self.outcome.requantization
        assert how is not None, "a drain requantizes before the range is known"
        if tensor == SECOND_OUTPUT:
            assert how.second is not None, "no grid for the second copy"
            return self._requantized(block, starts, how.second)
        return self._requantized(block, starts, how)

    def _leaving_by_part(self, parts: Parts, block: np.ndarray, starts: Shape) -> np.ndarray:
        """The block with each part on its own grid."""
        out = np.empty(block.shape, np.int32)
        for box, number in parts.pieces(starts, block.shape):
            piece = np.ascontiguousarray(within(block, box, starts))
            how = parts.requantization(number)
            within(out, box, starts)[...] = self._requantized(piece, box.starts, how)
        return out

    def _requantized(
        self, block: np.ndarray, starts: tuple[int, int, int, int], how: Requantization
    ) -> np.ndarray:
        """Output integers of one block, which lies in one copy; the clamped are counted."""
        out = np.empty(block.shape, np.int32)
        channels = self.dram[OUTPUT].shape[3]
        first = self._copy_of(starts[0]) * channels
        # Copies, as a read-only array would compile the kernel once more.
        multipliers = how.multipliers[first : first + channels].copy()
        shifts = how.shifts[first : first + channels].copy()
        saturated = requantize_tile(
            block, out, multipliers, shifts, how.zero_point, how.minimum, how.maximum,
            how.mode.code, how.seed, *starts, *self.dram[OUTPUT].shape[1:],
        )  # fmt: skip
        second = self._parts is None and how is not self.outcome.requantization
        if not second:  # the second copy clamps the same outliers
            self.outcome.saturated_count += saturated
        return out

    def _copy_of(self, image: int) -> int:
        return image // (self.dram[OUTPUT].shape[0] // self._copies)

    def _accumulators(self, command: Drain) -> np.ndarray:
        if command.tile == LOADED:
            return np.ascontiguousarray(self._chip[ACCUMULATORS][command.box.slices])
        tile = self._tiles[command.tile]
        if not command.keep:
            tile.left -= command.box.elements
        if not tile.left:
            del self._tiles[command.tile]
        within = tuple(
            slice(start - first, stop - first)
            for start, stop, first in zip(
                command.box.starts, command.box.stops, tile.origin, strict=True
            )
        )
        return np.ascontiguousarray(tile.sums[within])

    def store(self, command: Store) -> None:
        """Data has left the chip."""
        if command.tensor == RANGES:
            assert self._parts is not None
            self.dram[RANGES][command.box.slices] = self._parts.records[command.box.slices]
        else:
            self.dram[command.tensor][command.box.slices] = self._drained.pop(command.source)

    def settle(self, command: Barrier) -> None:
        """The statistics are complete: keep them, and find the range where it waited for them.

        A search passes more barriers, but what it comes to is known here. Statistics of samples
        with ranges of their own are complete with the last one.
        """
        if command.part is not None:
            assert self._parts is not None
            self._parts.settle((command.part, 0, 0, 0))
            if command.part + 1 < len(self._parts.records):
                return
        if command.phase == MIX:
            assert self._parts is not None
            self._parts.settle_all()
        if self.outcome.statistics is not None:
            return
        self.outcome.statistics = replace(self._registers.read(), tensor=self._tensor())
        if self.operands.decide_mixing is not None:
            self.outcome.reflections = self.operands.decide_mixing(self.outcome.statistics)
        if self.outcome.requantization is None and self._parts is None:
            assert self.operands.decide is not None, "no range, and nobody to decide it"
            self.outcome.requantization = self.operands.decide(self.outcome.statistics)

    def finish(self) -> None:
        """Where the result was left as accumulators, make the integers its consumer will see."""
        if self.result != ACCUMULATORS:
            return
        per_copy = self.dram[OUTPUT].shape[0] // self._copies
        whole = self._narrowing.widened(self.dram[ACCUMULATORS])
        if self.outcome.reflections is not None:
            whole = self._mixed(whole, count=False)
        for first in range(0, self.dram[OUTPUT].shape[0], per_copy):
            sums = np.ascontiguousarray(whole[first : first + per_copy])
            integers = self._leaving(sums, (first, 0, 0, 0), OUTPUT)
            self.dram[OUTPUT][first : first + per_copy] = integers
