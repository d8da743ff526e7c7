"""Pooling over windows of an image, and over all of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import dimension, flag, padding_amount
from accelsim.network.vector.operation import (
    Array,
    Shape,
    VectorOperation,
    VectorWork,
    doubles,
)


@dataclass(frozen=True)
class _Pool(VectorOperation):
    """Windows of `kernel` positions, `stride` apart; stored as (vertical, horizontal) pairs.

    `padding` is a number, a pair, or (top, left, bottom, right), stored in full. `ceil_mode` keeps
    a last window that begins inside the image or its first padding and runs out of it.
    """

    kernel: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False

    def _settle(self) -> None:
        _check_image(self.kind, self.shapes[0])
        kernel = _pair("kernel", self.kernel)
        stride = kernel if self.stride is None else _pair("stride", self.stride)
        padding = _padding(self.padding)
        flag("ceil_mode", self.ceil_mode)
        for axis, side in enumerate(("height", "width")):
            before, after = padding[axis], padding[axis + 2]
            if max(before, after) >= kernel[axis]:
                raise AccelsimError(f"padding = {shown(padding)}: must be below kernel {kernel}")
            if self.shapes[0][1 + axis] + before + after < kernel[axis]:
                raise AccelsimError(
                    f"kernel = {kernel}: the padded {side} is only "
                    f"{self.shapes[0][1 + axis] + before + after}"
                )
        for field, value in (("kernel", kernel), ("stride", stride), ("padding", padding)):
            object.__setattr__(self, field, value)

    @property
    def sample_shape(self) -> Shape:
        """(channels, output height, output width)."""
        return self.shapes[0][0], self._windows(0), self._windows(1)

    def _windows(self, axis: int) -> int:
        size, before = self.shapes[0][1 + axis], self.padding[axis]
        stride, kernel = self.stride[axis], self.kernel[axis]
        span = size + before + self.padding[axis + 2] - kernel
        if not self.ceil_mode:
            return int(span // stride + 1)
        count = -(-span // stride) + 1
        return int(count - 1 if (count - 1) * stride >= size + before else count)

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """One operation for each position of each window; the image is read once."""
        outputs, positions = self._elements(batch), prod(self.kernel)
        return VectorWork(outputs, positions, self._inputs(batch), outputs, (outputs * positions,))

    def _padded(self, array: Array, fill: float) -> Array:
        """The images with their padding, wide enough for the last window."""
        sides = [(0, 0), (0, 0)]
        for axis in (0, 1):
            before = self.padding[axis]
            after = self._reach(axis) - before - self.shapes[0][1 + axis]
            sides.append((before, max(after, 0)))
        return np.pad(array, sides, constant_values=fill)

    def _reach(self, axis: int) -> int:
        """Padded positions up to the end of the last window."""
        return int((self._windows(axis) - 1) * self.stride[axis] + self.kernel[axis])

    def _places(self) -> Iterator[tuple[slice, slice]]:
        """For each position of the window: where all windows have it in the padded image."""
        height, width = self._windows(0), self._windows(1)
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                yield (
                    slice(row, row + (height - 1) * self.stride[0] + 1, self.stride[0]),
                    slice(column, column + (width - 1) * self.stride[1] + 1, self.stride[1]),
                )

    def _unpadded(self, padded: Array) -> Array:
        """The part of padded gradients that lies on the image."""
        top, left = self.padding[:2]
        _, height, width = self.shapes[0]
        return padded[:, :, top : top + height, left : left + width].copy()


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The maximum of each window; padding never wins."""

    kind: ClassVar[str] = "max_pool"

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The maximum of each window."""
        padded = self._padded(doubles(arrays)[0], -np.inf)
        return np.max([padded[:, :, rows, columns] for rows, columns in self._places()], axis=0)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and the operand, finds the winners anew, writes the gradient.

        A comparison for each position of each window, and an addition for each window.
        """
        inputs, outputs, positions = self._inputs(batch), self._elements(batch), prod(self.kernel)
        return VectorWork(
            outputs, positions, (outputs, *inputs), inputs[0], (outputs * (positions + 1),)
        )

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """Each window's gradient goes to its first maximum, row by row."""
        padded = self._padded(doubles(arrays)[0], -np.inf)
        result, taken = np.zeros_like(padded), np.zeros(grad.shape, dtype=bool)
        for rows, columns in self._places():
            wins = (padded[:, :, rows, columns] == output) & ~taken
            result[:, :, rows, columns] += np.where(wins, grad, 0.0)
            taken |= wins
        return (self._unpadded(result),)


@dataclass(frozen=True)
class AveragePool(_Pool):
    """The mean of each window; `count_padding` says whether padding counts as zeros."""

    kind: ClassVar[str] = "average_pool"
    count_padding: bool = True

    def _settle(self) -> None:
        super()._settle()
        flag("count_padding", self.count_padding)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The sum of each window by how many positions count."""
        padded = self._padded(doubles(arrays)[0], 0.0)
        total = np.sum([padded[:, :, rows, columns] for rows, columns in self._places()], axis=0)
        return np.asarray(total / self._counts())

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient; an addition for each position of each window, one multiplication."""
        inputs, outputs, positions = self._inputs(batch), self._elements(batch), prod(self.kernel)
        operations = outputs * (positions + 1)
        return VectorWork(outputs, positions, (outputs,), inputs[0], (operations,))

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """Each window's gradient, shared evenly by its positions."""
        result = np.zeros_like(self._padded(doubles(arrays)[0], 0.0))
        share = grad / self._counts()
        for rows, columns in self._places():
            result[:, :, rows, columns] += share
        return (self._unpadded(result),)

    def _counts(self) -> Array:
        """Positions that count, for each window; what lies beyond the padding never does."""
        _, height, width = self.shapes[0]
        if self.count_padding:
            top, left, bottom, right = self.padding
            ones = np.ones((1, 1, height + top + bottom, width + left + right))
            reach = [(0, max(self._reach(a) - ones.shape[2 + a], 0)) for a in (0, 1)]
            padded = np.pad(ones, [(0, 0), (0, 0), *reach])
        else:
            padded = self._padded(np.ones((1, 1, height, width)), 0.0)
        return np.asarray(np.sum([padded[:, :, r, c] for r, c in self._places()], axis=0))


@dataclass(frozen=True)
class GlobalAveragePool(VectorOperation):
    """The mean of each channel's image: (channels, height, width) to (channels, 1, 1)."""

    kind: ClassVar[str] = "global_average_pool"

    def _settle(self) -> None:
        _check_image(self.kind, self.shapes[0])

    @property
    def sample_shape(self) -> Shape:
        """(channels, 1, 1)."""
        return self.shapes[0][0], 1, 1

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """An addition for each element and a multiplication for each channel."""
        outputs, inputs = self._elements(batch), self._inputs(batch)
        operations = inputs[0] + outputs
        return VectorWork(outputs, inputs[0] // outputs, inputs, outputs, (operations,))

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient, multiplies it once, and writes it to every position."""
        outputs, inputs = self._elements(batch), self._inputs(batch)
        return VectorWork(inputs[0], 1, (outputs,), inputs[0], (inputs[0] + outputs,))

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The mean over height and width."""
        return np.asarray(doubles(arrays)[0].mean(axis=(2, 3), keepdims=True))

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient, shared evenly."""
        _, height, width = self.shapes[0]
        share = doubles([grad])[0] / (height * width)
        return (np.broadcast_to(share, (len(grad), *self.shapes[0])).copy(),)


def _check_image(kind: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise AccelsimError(f"{kind} needs (channels, height, width), not {shape}")


def _pair(field: str, value: Any) -> tuple[int, int]:
    both = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(both) != 2:
        raise AccelsimError(f"{field} = {shown(value)}: must be a whole number or a pair of them")
    return dimension(field, both[0]), dimension(field, both[1])


def _padding(value: Any) -> tuple[int, int, int, int]:
    sides = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(sides) not in (2, 4):
        raise AccelsimError(
            f"padding = {shown(value)}: must be a whole number, a pair or (top, left, bottom, "
            "right)"
        )
    top, left, bottom, right = (padding_amount("padding", side) for side in (sides * 2)[:4])
    return top, left, bottom, right
