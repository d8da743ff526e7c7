"""The values of a program without its clock: the bits of a run, in less time.

A command never runs before those it waits for, and these stand before it in the program. So taken
one by one in order of issue the commands leave the same values, whatever time would have done.
"""

from dataclasses import dataclass

import numpy as np

from accelsim.hardware import Accumulator
from accelsim.kernels.product import convolve_whole, finish_accumulators
from accelsim.kernels.weight_gradient import whole_weight_gradient
from accelsim.machine.block_values import BlockOperands, BlockValues
from accelsim.machine.filters import lay_out
from accelsim.machine.operands import Operands, Outcome
from accelsim.machine.values import Tile, Values
from accelsim.numerics import Overflow
from accelsim.program import (
    ACCUMULATORS,
    GRAD_WEIGHT,
    LOADED,
    OUTPUT,
    PRODUCT,
    RANGES,
    REQUANTIZE,
    SECOND_OUTPUT,
    Barrier,
    Box,
    Compute,
    Drain,
    Load,
    Mix,
    Program,
    Region,
    Store,
)

NOWHERE = Region(0, 0, (1, 1, 1), (0, 0, 0))
"""Where values go whose addresses nobody asks for."""


@dataclass(frozen=True, eq=False)
class Product:
    """The finished accumulators of a whole output, which no tiling can change."""

    sums: np.ndarray
    overflow_count: int


def whole_product(
    program: Program,
    accumulator: Accumulator,
    operands: Operands,
    laid_out: np.ndarray | None = None,
) -> Product:
    """What the computes of a program come to, made in one piece.

    `laid_out` are the weights as `laid_out_weights` gives them, where they are there already.
    """
    window = program.window
    assert window is not None, "nothing is multiplied"
    x = np.subtract(operands.input, operands.input_zero_point, dtype=operands.sum_type)
    saturates = accumulator.overflow is Overflow.SATURATE
    if program.direction == GRAD_WEIGHT:
        dy = np.subtract(operands.weights, operands.weight_zero_points[0], dtype=operands.sum_type)
        shape = program.tensors[OUTPUT].shape
        gradients: np.ndarray = np.zeros((*shape[1:], shape[0]), operands.sum_type)
        whole_weight_gradient(
            x, dy, gradients, window.copies, window.depthwise, window.out_channels, window.steps[:6]
        )
        overflows = finish_accumulators(gradients, accumulator.bits, saturates)
        return Product(np.ascontiguousarray(gradients.transpose(3, 0, 1, 2)), overflows)
    sums: np.ndarray = np.zeros(program.tensors[OUTPUT].shape, operands.sum_type)
    copies = window.copies
    w = laid_out if laid_out is not None else laid_out_weights(program, operands)
    if operands.bias is not None:
        by_copy = sums.reshape(copies, -1, sums.shape[3])
        by_copy += operands.bias.reshape(copies, 1, -1).astype(operands.sum_type)
    convolve_whole(x, w, sums, copies, window.depthwise, window.out_channels, window.steps)
    return Product(sums, finish_accumulators(sums, accumulator.bits, saturates))


def laid_out_weights(program: Program, operands: Operands) -> np.ndarray:
    """All weights of a product forward or to the input, centred, as the kernels read them."""
    window = program.window
    assert window is not None, "nothing is multiplied"
    centred = operands.weights - operands.weight_zero_points.reshape(-1, 1, 1, 1)
    shape, columns = centred.shape, window.copies * program.tensors[OUTPUT].shape[3]
    w: np.ndarray = np.empty((shape[1], shape[2], window.in_channels, columns), operands.sum_type)
    lay_out(centred, Box((0, 0, 0, 0), shape), w, window, program.direction)
    return w


class _Replayed(Values):
    """Values whose product is there already: computes take their tiles out of it."""

    def __init__(
        self, program: Program, accumulator: Accumulator, operands: Operands, product: Product
    ) -> None:
        super().__init__(program, accumulator, operands)
        self.product = product
        self.outcome.overflow_count = product.overflow_count

    def _room_for_operands(self) -> dict[str, np.ndarray]:
        return {}

    def load(self, command: Load) -> None:
        """Operands are in the product; only accumulators come back from DRAM."""
        if command.tensor == ACCUMULATORS:
            super().load(command)

    def compute(self, command: Compute) -> None:
        """The tile as it will be when its last chunk is done."""
        if command.first:
            self.put(command.tile, command.box)

    def put(self, tile: int, box: Box) -> None:
        """Finished accumulators of a box, as the tile of this number."""
        sums = np.ascontiguousarray(self.product.sums[box.slices])
        self._tiles[tile] = Tile(box.starts, sums, sums.size)


def replay(
    program: Program, accumulator: Accumulator, operands: Operands, product: Product
) -> Outcome:
    """What `run` leaves of these operands, given what `whole_product` found of them."""
    return _fed(program, _Replayed(program, accumulator, operands, product))


def replay_blocks(program: Program, operands: BlockOperands) -> Outcome:
    """What `run` leaves of operands in blocks: made, drained and stored in one piece."""
    values = BlockValues(program, operands)
    values.load_all()
    for number, box in enumerate(values.make_all()):
        values.drain(Drain(number, (), PRODUCT, number, box, OUTPUT, True, False, 0, 0))
        values.store(_store(number, OUTPUT, box))
        if OUTPUT in program.blocking:
            values.store(_store(number, RANGES, program.blocking[OUTPUT].of(box)))
    values.finish()
    return values.outcome


def _fed(program: Program, values: Values) -> Outcome:
    """What is left when the commands were taken in order of issue."""
    for command in program.commands:
        match command:
            case Load():
                values.load(command)
            case Compute():
                values.compute(command)
            case Drain():
                values.drain(command)
            case Mix():
                values.mix(command)
            case Store():
                values.store(command)
            case Barrier():
                values.settle(command)
    values.finish()
    return values.outcome


def replay_whole(
    outline: Program, accumulator: Accumulator, operands: Operands, product: Product
) -> Outcome:
    """What `replay` leaves of any program with this outline: bits know no tiles.

    One tile for each copy goes the way of the realisation: past the statistics unit, as stored
    accumulators where those have a width of their own, and out once the range is known.
    """
    assert outline.extent is None, "parts with ranges of their own are those of a program"
    values = _Replayed(outline, accumulator, operands, product)
    boxes = list(enumerate(_copies_of(outline)))
    stored = ACCUMULATORS in outline.tensors
    for number, box in boxes:
        values.put(number, box)
    if not values.real:  # numbers in float32 need no range
        for number, box in boxes:
            to = ACCUMULATORS if stored else None
            values.drain(Drain(number, (), PRODUCT, number, box, to, True, not stored, 0, 0))
            if stored:
                values.store(_store(number, ACCUMULATORS, box))
        values.settle(Barrier(len(boxes), (), PRODUCT))
    if outline.outcome == OUTPUT:
        for number, box in boxes:
            if stored:
                values.load(Load(number, (), REQUANTIZE, ACCUMULATORS, box, NOWHERE, "", 0))
            _leave(values, outline, LOADED if stored else number, number, box)
    values.finish()
    return values.outcome


def _leave(values: Values, outline: Program, tile: int, number: int, box: Box) -> None:
    """The box as it is stored, twice where the outline has two copies of the output."""
    copies = [tensor for tensor in (OUTPUT, SECOND_OUTPUT) if tensor in outline.tensors]
    for tensor in copies:
        keep = tensor != copies[-1]
        values.drain(Drain(number, (), REQUANTIZE, tile, box, tensor, False, keep, 0, 0))
        values.store(_store(number, tensor, box))


def _copies_of(outline: Program) -> list[Box]:
    images, *rest = outline.tensors[OUTPUT].shape
    copies = outline.window.copies if outline.window else 1
    each = images // copies
    stops = rest[0], rest[1], rest[2]
    return [Box((i * each, 0, 0, 0), ((i + 1) * each, *stops)) for i in range(copies)]


def _store(number: int, tensor: str, box: Box) -> Store:
    return Store(number, (), REQUANTIZE, tensor, box, NOWHERE, number, 0)
