"""Operations in which every element stands alone: additions, products, activations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erf, isfinite, pi, prod, sqrt
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
class _Elementwise(VectorOperation):
    """One result for each element, or for each set of elements in the same place."""

    forward_operations: ClassVar[int]
    backward_operations: ClassVar[int]

    @property
    def sample_shape(self) -> Shape:
        """As the operand."""
        return self.shapes[0]

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """`forward_operations` for each element."""
        elements = self._elements(batch)
        return elementwise(self._inputs(batch), elements, self.forward_operations * elements)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and the operand; `backward_operations` for each element."""
        elements = self._elements(batch)
        return elementwise((elements, elements), elements, self.backward_operations * elements)


@dataclass(frozen=True)
class _Together(VectorOperation):
    """Two or more operands of the same shape; n - 1 operations for each element of the result."""

    operands: ClassVar[tuple[int, int]] = SEVERAL

    def _settle(self) -> None:
        for shape in self.shapes[1:]:
            if shape != self.shapes[0]:
                raise AccelsimError(
                    f"{self.kind} needs tensors of one shape, not {self.shapes[0]} and {shape}"
                )

    @property
    def sample_shape(self) -> Shape:
        """As each operand."""
        return self.shapes[0]

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """One operation less than there are operands, for each element."""
        elements = self._elements(batch)
        return elementwise(self._inputs(batch), elements, (len(self.shapes) - 1) * elements)


@dataclass(frozen=True)
class Add(_Together):
    """The sum of its operands, as at the end of a residual block."""

    kind: ClassVar[str] = "add"

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
class Mul(_Together):
    """The product of its operands, element by element."""

    kind: ClassVar[str] = "mul"

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and all n operands; for each of n results n - 1 multiplications."""
        elements, count = self._elements(batch), len(self.shapes)
        inputs = (elements, *self._inputs(batch))
        return elementwise(inputs, count * elements, count * (count - 1) * elements)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """x0 * x1 * ..."""
        return np.prod(doubles(arrays), axis=0)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """For each operand the gradient times all the others."""
        factors = doubles(arrays)
        return tuple(
            np.prod([grad, *factors[:place], *factors[place + 1 :]], axis=0)
            for place in range(len(factors))
        )


@dataclass(frozen=True)
class Scale(_Elementwise):
    """The operand times a constant, such as 1 / sqrt(d) in attention.

    `folds`: the operand comes from a matrix layer that nobody else reads, and the constant goes
    into that layer's requantization, so that nothing is left to do.
    """

    kind: ClassVar[str] = "scale"
    forward_operations: ClassVar[int] = 1
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
        return NOTHING if self.folds else super().work(batch, training)

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


@dataclass(frozen=True)
class Relu(_Elementwise):
    """max(x, 0): one comparison forward; backward a comparison, which selects."""

    kind: ClassVar[str] = "relu"
    forward_operations: ClassVar[int] = 1
    backward_operations: ClassVar[int] = 1

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """max(x, 0)."""
        return np.maximum(doubles(arrays)[0], 0.0)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient where x > 0."""
        return (np.where(doubles(arrays)[0] > 0, grad, 0.0),)


@dataclass(frozen=True)
class Relu6(_Elementwise):
    """min(max(x, 0), 6): two comparisons, forward and backward."""

    kind: ClassVar[str] = "relu6"
    forward_operations: ClassVar[int] = 2
    backward_operations: ClassVar[int] = 2

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """min(max(x, 0), 6)."""
        return np.clip(doubles(arrays)[0], 0.0, 6.0)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient where 0 < x < 6."""
        x = doubles(arrays)[0]
        return (np.where((x > 0) & (x < 6), grad, 0.0),)


@dataclass(frozen=True)
class Gelu(_Elementwise):
    """x * Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016), exact, not by tanh.

    Forward a look-up of Phi and a multiplication. Backward Phi(x) + x * phi(x): two look-ups, a
    multiplication, an addition, and the product with the gradient.
    """

    kind: ClassVar[str] = "gelu"
    forward_operations: ClassVar[int] = 2
    backward_operations: ClassVar[int] = 5

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """X * Phi(x)."""
        x = doubles(arrays)[0]
        return x * _normal_distribution(x)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """Grad * (Phi(x) + x * phi(x))."""
        x = doubles(arrays)[0]
        density = np.exp(-0.5 * x * x) / sqrt(2 * pi)
        return (grad * (_normal_distribution(x) + x * density),)


_ERF = np.vectorize(erf, otypes=[np.float64])


def _normal_distribution(x: Array) -> Array:
    return 0.5 * (1 + _ERF(x / sqrt(2)))
