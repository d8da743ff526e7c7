"""The values of a program without its clock: the bits of a run, in less time.

A command never runs before those it waits for, and these stand before it in the program. So taken
one by one in order of issue the commands leave the same values, whatever time would have done.
"""

from dataclasses import dataclass

import numpy as np

from accelsim.hardware import Accumulator
from accelsim.kernels.product import convolve_whole, finish_accumulators
from accelsim.kernels.weight_gradient import whole_weight_gradient
from accelsim.machine.values import Operands, Outcome, Tile, Values, lay_out
from accelsim.numerics import Overflow
from accelsim.program import (
    ACCUMULATORS,
    GRAD_WEIGHT,
    OUTPUT,
    Barrier,
    Box,
    Compute,
    Drain,
    Load,
    Mix,
    Program,
    Store,
    Window,
)


@dataclass(frozen=True, eq=False)
class Product:
    """The finished accumulators of a whole output, which no tiling can change."""

    sums: np.ndarray
    overflow_count: int


def whole_product(program: Program, accumulator: Accumulator, operands: Operands) -> Product:
    """What the computes of a program come to, made in one piece."""
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
    w = _weights(operands, window, program.direction, copies * sums.shape[3])
    if operands.bias is not None:
        by_copy = sums.reshape(copies, -1, sums.shape[3])
        by_copy += operands.bias.reshape(copies, 1, -1).astype(operands.sum_type)
    convolve_whole(x, w, sums, copies, window.depthwise, window.out_channels, window.steps)
    return Product(sums, finish_accumulators(sums, accumulator.bits, saturates))


def _weights(operands: Operands, window: Window, direction: str, columns: int) -> np.ndarray:
    """All of them, centred, as the kernels read them."""
    centred = operands.weights - operands.weight_zero_points.reshape(-1, 1, 1, 1)
    shape = centred.shape
    w: np.ndarray = np.empty((shape[1], shape[2], window.in_channels, columns), operands.sum_type)
    lay_out(centred, Box((0, 0, 0, 0), shape), w, window, direction)
    return w


class _Replayed(Values):
    """Values whose product is there already: computes take their tiles out of it."""

    def __init__(
        self, program: Program, accumulator: Accumulator, operands: Operands, product: Product
    ) -> None:
        super().__init__(program, accumulator, operands)
        self.product = product
        self.outcome.overflow_count = product.overflow_count

    def load(self, command: Load) -> None:
        """Operands are in the product; only accumulators come back from DRAM."""
        if command.tensor == ACCUMULATORS:
            super().load(command)

    def compute(self, command: Compute) -> None:
        """The tile as it will be when its last chunk is done."""
        if command.first:
            sums = np.ascontiguousarray(self.product.sums[command.box.slices])
            self._tiles[command.tile] = Tile(command.box.starts, sums, sums.size)


def replay(
    program: Program, accumulator: Accumulator, operands: Operands, product: Product
) -> Outcome:
    """What `run` leaves of these operands, given what `whole_product` found of them."""
    values = _Replayed(program, accumulator, operands, product)
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
