"""Real tensors in the machine, in blocks that share a power of two.

As `Values`: the same commands move the data at the same cycles. Operands are elements with scale
bytes beside them, accumulators are float32, and what is drained finds its own scales, or leaves in
float32.
"""

import math
from dataclasses import dataclass

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import Accumulator
from accelsim.kernels.block_product import add_blocks, add_gradient_blocks
from accelsim.machine.operands import Operands, Outcome
from accelsim.machine.parts import RECORD, within
from accelsim.machine.values import NEVER_LOADED, Tile, Values
from accelsim.program import (
    BIAS,
    GRAD_INPUT,
    GRAD_WEIGHT,
    INPUT,
    INPUT_SCALES,
    OUTPUT,
    RANGES,
    WEIGHT_SCALES,
    WEIGHTS,
    Barrier,
    Blocking,
    Box,
    Compute,
    Drain,
    Load,
    Mix,
    Program,
    Store,
)
from accelsim.quant import Microscaled, microscaled, steps_of

SCALES = {INPUT_SCALES: INPUT, WEIGHT_SCALES: WEIGHTS}


@dataclass(frozen=True, eq=False)
class BlockOperands:
    """What a program in blocks runs on, channels last; the bias is float32.

    Finished sums are clamped to the limits of an activation before they find their scale.
    """

    input: Microscaled
    weights: Microscaled
    bias: np.ndarray | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)


def laid_out_scales(scales: np.ndarray, blocking: Blocking) -> np.ndarray:
    """Scales with each in the place of its block, as they lie in DRAM."""
    return np.moveaxis(scales, -1, 0) if blocking.axis == 3 else scales


class BlockValues:
    """DRAM contents, on-chip copies and float32 accumulators of one program."""

    def __init__(self, program: Program, operands: BlockOperands) -> None:
        assert program.window is not None
        self.blocking, self.window, self.direction = (
            program.blocking, program.window, program.direction,
        )  # fmt: skip
        self.real = program.tensors[OUTPUT].real
        shape = program.tensors[OUTPUT].shape
        self.dram: dict[str, np.ndarray] = {
            INPUT: operands.input.elements,
            WEIGHTS: operands.weights.elements,
            OUTPUT: np.zeros(shape, np.float32 if self.real else np.int32),
        }
        for name, of in SCALES.items():
            scales = operands.input.scales if of == INPUT else operands.weights.scales
            self.dram[name] = laid_out_scales(scales, self.blocking[of])
        if not self.real:
            self.dram[RANGES] = np.zeros(program.tensors[RANGES].shape, np.uint8)
        if operands.bias is not None:
            self.dram[BIAS] = operands.bias.reshape(1, 1, 1, -1)
        self._chip: dict[str, np.ndarray] = {
            name: np.full(array.shape, NEVER_LOADED, np.float32 if name == BIAS else np.int32)
            for name, array in self.dram.items()
        }
        for name in SCALES:
            self._chip[name] = np.full(self.dram[name].shape, np.nan)
        self._tiles: dict[int, Tile] = {}
        self._drained: dict[int, Microscaled | np.ndarray] = {}
        self.limits = operands.limits
        self.outcome = Outcome(self.dram[OUTPUT], extent=program.extent)

    def load(self, command: Load) -> None:
        """Data has arrived; a scale is kept as the step that it stands for."""
        self._bring(command.tensor, command.box.slices)

    def load_all(self) -> None:
        """Every operand at once."""
        for name in (INPUT, WEIGHTS, *SCALES, *([BIAS] if BIAS in self.dram else [])):
            self._bring(name, (slice(None),) * 4)

    def _bring(self, tensor: str, box: tuple[slice, ...]) -> None:
        source = self.dram[tensor][box]
        self._chip[tensor][box] = steps_of(source) if tensor in SCALES else source

    def compute(self, command: Compute) -> None:
        """Add the blocks of one chunk to the tile's sums, which begin with the bias."""
        box = command.box
        if command.first:
            sums: np.ndarray = np.zeros(box.shape, np.float32)
            if BIAS in self._chip:
                first = command.copy * self.dram[OUTPUT].shape[3]
                sums += self._chip[BIAS][..., first + box.starts[3] : first + box.stops[3]]
            self._tiles[command.tile] = Tile(box.starts, sums, sums.size)
        sums = self._tiles[command.tile].sums
        if command.over is not None:
            self._add_gradient(sums, box, command.over, command.copy)
            return
        weights, steps = self._filters(command)
        add_blocks(
            self._chip[INPUT], self._chip[INPUT_SCALES], weights, steps, sums, *box.starts[:3],
            command.group_start, command.groups, self.window.in_channels,
            command.channel_start, command.channel_stop, self.blocking[INPUT].size,
            self.blocking[INPUT].span, *self.window.steps,
        )  # fmt: skip

    def _filters(self, command: Compute) -> tuple[np.ndarray, np.ndarray]:
        """A tile's weights and their steps, as the kernel reads them.

        Of the gradient to the input they are the forward filters turned: those of a group are its
        reduction, their channels its outputs.
        """
        ins, outs = self.window.in_channels, self.window.out_channels
        turned = self.direction == GRAD_INPUT
        groups = len(self.dram[WEIGHTS]) // (self.window.copies * (ins if turned else outs))
        first = command.copy * groups + command.group_start
        of_groups = slice(first, first + command.groups)
        of_outs = slice(command.n_start, command.n_start + command.n_count)
        w, steps = self._chip[WEIGHTS], self._chip[WEIGHT_SCALES]
        if turned:
            by_group = (groups * self.window.copies, -1)
            w = w.reshape(*by_group, *w.shape[1:])[of_groups, :, ::-1, ::-1, of_outs]
            steps = steps.reshape(*by_group, *steps.shape[1:])[of_groups, :, ::-1, ::-1, of_outs]
            w, steps = w.transpose(2, 3, 1, 0, 4), steps.transpose(1, 2, 3, 0, 4)
        else:
            w = w.reshape(-1, outs, *w.shape[1:])[of_groups, of_outs].transpose(2, 3, 4, 0, 1)
            steps = steps.reshape(len(steps), -1, outs, *steps.shape[2:])[:, of_groups, of_outs]
            steps = steps.transpose(0, 3, 4, 1, 2)
        return (
            np.ascontiguousarray(w).reshape(*w.shape[:3], -1),
            np.ascontiguousarray(steps).reshape(*steps.shape[:3], -1),
        )

    def _add_gradient(self, sums: np.ndarray, box: Box, over: Box, copy: int) -> None:
        """Add what a chunk of positions gives to a tile of weights."""
        blocking, window = self.blocking[INPUT], self.window
        filters = self._chip[WEIGHTS].shape[-1]
        add_gradient_blocks(
            self._chip[INPUT], self._chip[INPUT_SCALES],
            self._chip[WEIGHTS], self._chip[WEIGHT_SCALES], sums, blocking.axis == 1,
            over.starts[0], over.stops[0], over.starts[1], over.stops[1], over.stops[2],
            box.starts[0] - copy * filters, window.out_channels, window.in_channels,
            box.starts[3], blocking.span, blocking.size, *window.steps[:6],
        )  # fmt: skip

    def make_all(self) -> list[Box]:
        """The whole product, a tile of each copy's number; its boxes in order."""
        window = self.window
        groups = self._chip[INPUT].shape[-1] // window.in_channels
        boxes = []
        for copy in range(window.copies):
            box = _of_copy(self.dram[OUTPUT], copy, window.copies)
            over = None
            if self.direction == GRAD_WEIGHT:
                over = _of_copy(self._chip[WEIGHTS], copy, window.copies)
            whole = Compute(
                0, (), "", copy, box, copy, 0, groups, 0, window.out_channels,
                0, window.in_channels, True, True, 0, 0, 0, -1, 0, (), over,
            )  # fmt: skip
            self.compute(whole)
            boxes.append(box)
        return boxes

    def drain(self, command: Drain) -> None:
        """Find the scale of each block and bring its sums to it, or let them leave as they are."""
        tile, box = self._tiles[command.tile], command.box
        tile.left -= box.elements
        if not tile.left:
            del self._tiles[command.tile]
        sums = within(tile.sums, box, tile.origin)
        if not np.isfinite(sums).all():
            raise AccelsimError("accumulator: a sum left float32; operands must be smaller")
        if self.limits != (-math.inf, math.inf):
            lowest_left, highest_left = self.limits
            sums = np.clip(sums, np.float32(lowest_left), np.float32(highest_left))
        lowest, highest = self.outcome.extremes
        self.outcome.extremes = min(lowest, float(sums.min())), max(highest, float(sums.max()))
        if self.real:
            self._drained[command.id] = sums
            return
        leaving = microscaled(sums)
        self.outcome.saturated_count += leaving.saturated_count
        self._drained[command.id] = leaving

    def store(self, command: Store) -> None:
        """Elements or scales have left the chip; a drain's scales are stored after its elements."""
        box, source = command.box.slices, self._drained[command.source]
        if isinstance(source, np.ndarray):
            self.dram[OUTPUT][box] = self._drained.pop(command.source)
        elif command.tensor == RANGES:
            del self._drained[command.source]
            self.dram[RANGES][box] = np.moveaxis(source.scales, -1, 0)
        else:
            self.dram[OUTPUT][box] = source.elements

    def settle(self, command: Barrier) -> None:
        """No range waits for the whole tensor."""
        raise AssertionError("a program in blocks has no barrier")

    def mix(self, command: Mix) -> None:
        """Nothing is mixed."""
        raise AssertionError("a program in blocks mixes no samples")

    def finish(self) -> None:
        """Tell the scales as those of parts."""
        if self.real:
            return
        scales = np.moveaxis(self.dram[RANGES], 0, -1)
        records = np.zeros(scales.shape, RECORD)
        records["scale"] = steps_of(scales)
        self.outcome.ranges = records


def _of_copy(tensor: np.ndarray, copy: int, copies: int) -> Box:
    """What of it belongs to one of so many products."""
    images, a, b, c = tensor.shape
    each = images // copies
    return Box((copy * each, 0, 0, 0), ((copy + 1) * each, a, b, c))


AnyValues = Values | BlockValues


def values_of(
    program: Program, accumulator: Accumulator, operands: Operands | BlockOperands
) -> AnyValues:
    """The values of a program, by what it runs on."""
    if isinstance(operands, BlockOperands):
        return BlockValues(program, operands)
    return Values(program, accumulator, operands)
