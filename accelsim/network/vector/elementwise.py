"""Sums and products, element by element."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import isfinite, prod
from typing import Any, ClassVar

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import dimension, flag
from accelsim.network.vector.operation import (
    NOTHING,
    SEVERAL,
    Array,
    Shape,
    VectorOperation,
    VectorWork,
    doubles,
    elementwise,
)


@dataclass(frozen=True)
class Add(VectorOperation):
    """The sum of its operands, of one shape, as at the end of a residual block."""

    kind: ClassVar[str] = "add"
    operands: ClassVar[tuple[int, int]] = SEVERAL

    def _settle(self) -> None:
        for shape in self.shapes[1:]:
            if shape != self.shapes[0]:
                raise AccelsimError(
                    f"add needs tensors of one shape, not {self.shapes[0]} and {shape}"
                )

    @property
    def sample_shape(self) -> Shape:
        """As each operand."""
        return self.shapes[0]

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """One operation less than there are operands, for each element."""
        elements = self._elements(batch)
        return elementwise(self._inputs(batch), elements, (len(self.shapes) - 1) * elements)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Nothing: the gradient to every operand is the gradient that arrives."""
        return NOTHING

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """x0 + x1 + ..."""
        return np.sum(doubles(arrays), axis=0)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient itself, for each operand."""
        return tuple(doubles([grad] * len(arrays)))


@dataclass(frozen=True)
class Mul(VectorOperation):
    """The product of its operands, element by element.

    An operand of size 1 along an axis goes with all elements of that axis, as the one number for
    each channel of a squeeze-and-excitation does.
    """

    kind: ClassVar[str] = "mul"
    operands: ClassVar[tuple[int, int]] = SEVERAL

    def _settle(self) -> None:
        wanted = self.sample_shape
        for shape in self.shapes:
            pairs = zip(shape, wanted, strict=False)
            if len(shape) != len(wanted) or any(own not in (1, size) for own, size in pairs):
                raise AccelsimError(
                    f"mul needs tensors of one shape, or of size 1 along an axis, not "
                    f"{self.shapes[0]} and {shape if shape != self.shapes[0] else self.shapes[1]}"
                )

    @property
    def sample_shape(self) -> Shape:
        """Along each axis the largest size of all operands."""
        return tuple(max(sizes) for sizes in zip(*self.shapes, strict=False))

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """One operation less than there are operands, for each element of the result."""
        elements = self._elements(batch)
        return elementwise(self._inputs(batch), elements, (len(self.shapes) - 1) * elements)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and all n operands; for each of n results n - 1 multiplications.

        They are those of each element of the result, and where an operand is smaller an addition.
        """
        elements, count, inputs = self._elements(batch), len(self.shapes), self._inputs(batch)
        added = sum(own < elements for own in inputs)
        operations = (count * (count - 1) + added) * elements
        return elementwise((elements, *inputs), sum(inputs), operations)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """x0 * x1 * ..."""
        return _product(doubles(arrays))

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """For each operand the gradient times all the others, summed where it is smaller."""
        factors = doubles(arrays)
        found = []
        for place, own in enumerate(factors):
            full = _product([grad, *factors[:place], *factors[place + 1 :]])
            axes = tuple(a for a in range(full.ndim) if own.shape[a] < full.shape[a])
            found.append(full.sum(axis=axes, keepdims=True) if axes else full)
        return tuple(found)


def _product(factors: Sequence[Array]) -> Array:
    return np.asarray(reduce(np.multiply, factors))


@dataclass(frozen=True)
class Scale(VectorOperation):
    """The operand times a constant, such as 1 / sqrt(d) in attention.

    `folds`: the operand comes from a matrix layer that nobody else reads, and the constant goes
    into that layer's requantization, so that nothing is left to do.
    """

    kind: ClassVar[str] = "scale"
    factor: float = 1.0
    folds: bool = False

    def _settle(self) -> None:
        good = isinstance(self.factor, int | float) and not isinstance(self.factor, bool)
        if not good or not isfinite(self.factor):
            raise AccelsimError(f"factor = {shown(self.factor)}: must be a finite number")
        flag("folds", self.folds)
        object.__setattr__(self, "factor", float(self.factor))

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """A multiplication for each element, or nothing."""
        elements = self._elements(batch)
        return NOTHING if self.folds else elementwise((elements,), elements, elements)

    @property
    def sample_shape(self) -> Shape:
        """As the operand."""
        return self.shapes[0]

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient alone; a multiplication for each element, or nothing."""
        elements = self._elements(batch)
        return NOTHING if self.folds else elementwise((elements,), elements, elements)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """Factor * x."""
        return self.factor * doubles(arrays)[0]

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """Factor * grad."""
        return (self.factor * doubles([grad])[0],)


@dataclass(frozen=True)
class _Learned(VectorOperation):
    """The operand and one parameter of `shape` that is broadcast to it, its axes the last ones.

    Without a `shape` the parameter has that of the operand.
    """

    shape: Any = ()

    def _settle(self) -> None:
        sizes = self.shape if isinstance(self.shape, list | tuple) else (self.shape,)
        shape = tuple(dimension("shape", size) for size in sizes) or self.shapes[0]
        pairs = zip(reversed(shape), reversed(self.shapes[0]), strict=False)
        if len(shape) > len(self.shapes[0]) or any(own not in (1, size) for own, size in pairs):
            raise AccelsimError(
                f"shape = {shown(self.shape)}: cannot be broadcast to {self.shapes[0]}"
            )
        object.__setattr__(self, "shape", shape)

    @property
    def sample_shape(self) -> Shape:
        """As the operand."""
        return self.shapes[0]

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The one parameter, named like the kind."""
        return {self.kind: self.shape}

    @property
    def trainable(self) -> tuple[str, ...]:
        """The one parameter."""
        return (self.kind,)

    @property
    def _is_full(self) -> bool:
        """Whether the parameter is as large as a sample, so that it is read like an operand."""
        return prod(self.shape) == prod(self.sample_shape)

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """One operation for each element; a parameter as large as a sample is read with each."""
        elements = self._elements(batch)
        inputs = (elements,) * (2 if self._is_full else 1)
        return VectorWork(elements, 1, inputs, elements, (elements,), self._held)

    @property
    def _held(self) -> int:
        return 0 if self._is_full else prod(self.shape)

    def _reduced(self, grad: Array) -> Array:
        """A gradient of the operand's shape, summed to that of the parameter."""
        own = (1,) * (grad.ndim - len(self.shape)) + self.shape
        axes = tuple(axis for axis, size in enumerate(own) if size == 1)
        return np.asarray(grad.sum(axis=axes, keepdims=True).reshape(self.shape))


@dataclass(frozen=True)
class Bias(_Learned):
    """The operand plus a learned tensor, such as the positions of a transformer."""

    kind: ClassVar[str] = "bias"

    def backward_work(self, batch: int = 1) -> VectorWork:
        """The operand's gradient is the one that arrives; the parameter's is its sum."""
        elements, own = self._elements(batch), prod(self.shape)
        return VectorWork(own, elements // own, (elements,), own, (elements,))

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """X + bias."""
        x, bias = doubles(arrays)
        return np.asarray(x + bias)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient, and its sum."""
        grad = doubles([grad])[0]
        return grad, self._reduced(grad)


@dataclass(frozen=True)
class Gain(_Learned):
    """The operand times a learned tensor."""

    kind: ClassVar[str] = "gain"

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads gradient, operand and parameter: two multiplications, an addition for each."""
        elements, own = self._elements(batch), prod(self.shape)
        inputs = (elements,) * (3 if self._is_full else 2)
        outputs = elements + own
        return VectorWork(own, elements // own, inputs, outputs, (3 * elements,), self._held)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """X * gain."""
        x, gain = doubles(arrays)
        return np.asarray(x * gain)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient times the gain, and the sum of the gradient times the operand."""
        x, gain = doubles(arrays)
        return np.asarray(grad * gain), self._reduced(grad * x)
