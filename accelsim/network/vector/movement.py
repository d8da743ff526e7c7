"""Operations without arithmetic: they move elements, or only look at them another way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np

from accelsim.errors import AccelsimError, shown, whole
from accelsim.network.checks import MAXIMUM_ELEMENTS, flag
from accelsim.network.vector.operation import (
    MAXIMUM_OPERANDS,
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
class Concat(VectorOperation):
    """Its operands one after another along `axis`, the batch not counted (0: channels).

    Every element is copied: a move each.
    """

    kind: ClassVar[str] = "concat"
    operands: ClassVar[tuple[int, int]] = SEVERAL
    axis: int = 0

    def _settle(self) -> None:
        first = self.shapes[0]
        object.__setattr__(self, "axis", whole("axis", self.axis, 0, len(first) - 1))
        for shape in self.shapes[1:]:
            if len(shape) != len(first) or self._rest(shape) != self._rest(first):
                raise AccelsimError(
                    f"concat along axis {self.axis} needs tensors that agree in the other axes, "
                    f"not {first} and {shape}"
                )

    def _rest(self, shape: Shape) -> Shape:
        return shape[: self.axis] + shape[self.axis + 1 :]

    @property
    def sample_shape(self) -> Shape:
        """The first operand's, but for `axis`, where the sizes add up."""
        shape = list(self.shapes[0])
        shape[self.axis] = sum(each[self.axis] for each in self.shapes)
        return tuple(shape)

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """A move for each element."""
        elements = self._elements(batch)
        return elementwise(self._inputs(batch), elements, elements)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """A move for each element, back to where it came from."""
        elements = self._elements(batch)
        return elementwise((elements,), elements, elements)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The operands one after another."""
        return np.concatenate(doubles(arrays), axis=self.axis + 1)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient cut as the operands were."""
        ends = np.cumsum([shape[self.axis] for shape in self.shapes])[:-1]
        return tuple(np.split(doubles([grad])[0], ends, axis=self.axis + 1))


@dataclass(frozen=True)
class Reshape(VectorOperation):
    """The same elements in the same order under another shape: a view, no work."""

    kind: ClassVar[str] = "reshape"
    shape: Any

    def _settle(self) -> None:
        sizes = self.shape if isinstance(self.shape, list | tuple) else (self.shape,)
        shape = tuple(whole("shape", size, -1, MAXIMUM_ELEMENTS) for size in sizes)
        elements = prod(self.shapes[0])
        if shape.count(-1) == 1:
            known = -prod(shape)
            shape = tuple(elements // known if s == -1 and known else s for s in shape)
        if min(shape, default=0) < 1 or prod(shape) != elements:
            raise AccelsimError(
                f"shape = {shown(self.shape)}: must hold the {elements} elements of "
                f"{self.shapes[0]}; one size may be -1"
            )
        object.__setattr__(self, "shape", shape)

    @property
    def sample_shape(self) -> Shape:
        """As asked for."""
        return tuple(self.shape)

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """Nothing."""
        return NOTHING

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Nothing."""
        return NOTHING

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The operand under the other shape."""
        x = doubles(arrays)[0]
        return x.reshape(len(x), *self.sample_shape)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient under the operand's shape."""
        return (doubles([grad])[0].reshape(len(grad), *self.shapes[0]),)


@dataclass(frozen=True)
class Tokens(VectorOperation):
    """An image as a sequence: (channels, height, width) to (height * width, channels).

    Images are kept channels-last, so this is a view.
    """

    kind: ClassVar[str] = "tokens"

    def _settle(self) -> None:
        if len(self.shapes[0]) != 3:
            raise AccelsimError(f"tokens needs (channels, height, width), not {self.shapes[0]}")

    @property
    def sample_shape(self) -> Shape:
        """(height * width, channels)."""
        channels, height, width = self.shapes[0]
        return height * width, channels

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """Nothing."""
        return NOTHING

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Nothing."""
        return NOTHING

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """Position by position, row by row."""
        x = doubles(arrays)[0]
        return np.ascontiguousarray(x.reshape(*x.shape[:2], -1).transpose(0, 2, 1))

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient as an image."""
        turned = doubles([grad])[0].transpose(0, 2, 1)
        return (np.ascontiguousarray(turned).reshape(len(grad), *self.shapes[0]),)


@dataclass(frozen=True)
class Slice(VectorOperation):
    """The places `start` to `stop` (not included) along `axis`: a view, its readers skip the rest.

    The gradient of what is left out is zero and must be written: a move for each element.
    """

    kind: ClassVar[str] = "slice"
    axis: int = 0
    start: int = 0
    stop: int = 1

    def _settle(self) -> None:
        shape = self.shapes[0]
        whole("axis", self.axis, 0, len(shape) - 1)
        whole("start", self.start, 0, shape[self.axis] - 1)
        whole("stop", self.stop, self.start + 1, shape[self.axis])

    @property
    def sample_shape(self) -> Shape:
        """The operand's, but for `axis`."""
        shape = list(self.shapes[0])
        shape[self.axis] = self.stop - self.start
        return tuple(shape)

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """Nothing."""
        return NOTHING

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient, writes the operand's."""
        inputs = self._inputs(batch)[0]
        return elementwise((self._elements(batch),), inputs, inputs)

    def _places(self) -> tuple[slice, ...]:
        return (slice(None),) * (self.axis + 1) + (slice(self.start, self.stop),)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The part asked for."""
        return doubles(arrays)[0][self._places()].copy()

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient in its place, zero elsewhere."""
        result = np.zeros((len(grad), *self.shapes[0]))
        result[self._places()] = grad
        return (result,)


@dataclass(frozen=True)
class Transpose(VectorOperation):
    """The axes in the order `order` (0: the first after the batch), as NumPy's transpose has it.

    A copy, a move for each element, unless only whole vectors along the last axis change places:
    then whoever reads the tensor next does so by other addresses, and it is a view. `folds` says
    that a matrix product reads the result as its second operand, and whole vectors have changed
    places but for its last two axes: the array takes them in either order, so this is a view too.
    """

    kind: ClassVar[str] = "transpose"
    order: Any
    folds: bool = False

    def _settle(self) -> None:
        rank = len(self.shapes[0])
        good = isinstance(self.order, list | tuple) and all(type(a) is int for a in self.order)
        if not good or sorted(self.order) != list(range(rank)):
            raise AccelsimError(
                f"order = {shown(self.order)}: must be the axes 0 to {rank - 1}, each once"
            )
        object.__setattr__(self, "order", tuple(self.order))
        if flag("folds", self.folds) and (rank < 2 or self.order[-2] != rank - 1):
            raise AccelsimError(
                f"folds = True: the last axis, {rank - 1}, must become the last but one"
            )

    @property
    def sample_shape(self) -> Shape:
        """The operand's, in the new order."""
        return tuple(self.shapes[0][axis] for axis in self.order)

    @property
    def is_view(self) -> bool:
        """Whether it is a matter of addresses alone."""
        sizes = self.shapes[0]
        if self.folds or sizes[-1] == 1 or self.order[-1] == len(sizes) - 1:
            return True
        long = [axis for axis in self.order if sizes[axis] > 1]
        return long == sorted(long)

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """Nothing for a view, else a move for each element."""
        elements = self._elements(batch)
        return NOTHING if self.is_view else elementwise((elements,), elements, elements)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """The same, back."""
        return self.work(batch)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The operand with its axes in the new order."""
        return np.ascontiguousarray(
            doubles(arrays)[0].transpose(0, *(axis + 1 for axis in self.order))
        )

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradient with its axes in the old order."""
        back = np.argsort(self.order)
        return (np.ascontiguousarray(grad.transpose(0, *(axis + 1 for axis in back))),)


@dataclass(frozen=True)
class Opaque(VectorOperation):
    """A stand-in for what cannot be computed here: it reads its operands and writes `shape`.

    Its bytes are known, its values are not: `forward` refuses. A move for each element written.
    `parameter_bytes` of weights are read once, forward and backward; whether they are learned is
    not known, so they have no gradient.
    """

    kind: ClassVar[str] = "opaque"
    operands: ClassVar[tuple[int, int]] = (1, MAXIMUM_OPERANDS)
    shape: Any
    description: str = ""
    parameter_bytes: int = 0

    def _settle(self) -> None:
        sizes = self.shape if isinstance(self.shape, list | tuple) else (self.shape,)
        object.__setattr__(self, "shape", tuple(sizes))
        whole("parameter_bytes", self.parameter_bytes, 0, 2**40)

    @property
    def sample_shape(self) -> Shape:
        """As stated."""
        return tuple(self.shape)

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """Every operand and the weights read once, the result written."""
        elements = self._elements(batch)
        return replace(elementwise(self._inputs(batch), elements, elements), parameters=self._words)

    @property
    def _words(self) -> int:
        """The weights as the machine has parameters of vector work: in words of 32 bits."""
        return -(-self.parameter_bytes // 4)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """The gradient, operands and weights read once, a gradient to each operand written."""
        inputs = self._inputs(batch)
        work = elementwise((self._elements(batch), *inputs), sum(inputs), sum(inputs))
        return replace(work, parameters=self._words)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """Refused."""
        raise AccelsimError(f"{self.description or 'an opaque operation'}: has bytes but no values")

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """Refused."""
        raise AccelsimError(f"{self.description or 'an opaque operation'}: has bytes but no values")
