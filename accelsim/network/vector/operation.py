"""What a vector unit does between the matrix layers: one operation, its work and its arithmetic."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import MAXIMUM_ELEMENTS, dimension

Array = NDArray[Any]
Shape = tuple[int, ...]

MAXIMUM_OPERANDS = 1000
MAXIMUM_RANK = 8
"""The most axes of a tensor, the batch not counted."""

SEVERAL = (2, MAXIMUM_OPERANDS)
"""The number of operands of an operation that joins tensors."""


@dataclass(frozen=True)
class VectorWork:
    """What a vector unit must do, in elements and lane operations; widths are the machine's affair.

    `groups` x `group_elements`: elements that must be seen together before the first result is
    known, such as the rows of a softmax or the channels of a batch normalization; where every
    element stands alone, `group_elements` is 1. `inputs`: elements of each tensor that is read.
    `outputs`: elements written. `operations`: lane operations of each pass; one is an addition, a
    multiplication, a comparison, a move or a look-up of a function (exponential, reciprocal, square
    root), as each kind states. A group is read once a pass when it does not stay on chip; passes
    before the last find a few numbers of each (a mean, a sum), which are kept.
    `parameters`: elements of the vectors read beside the tensors (gamma, beta).
    """

    groups: int
    group_elements: int
    inputs: tuple[int, ...]
    outputs: int
    operations: tuple[int, ...]
    parameters: int = 0

    @property
    def passes(self) -> int:
        """How often a group is read when it does not stay on chip."""
        return len(self.operations)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to do: the operation is a view, or part of another one."""
        return self.passes == 0


NOTHING = VectorWork(0, 0, (), 0, ())
"""The work of an operation that costs nothing."""


@dataclass(frozen=True)
class VectorOperation(ABC):
    """An operation on whole tensors of fixed shape; equal to another of the same kind and fields.

    `shapes` are those of its operands for one sample, without the batch; in arrays the batch is the
    first axis. Images are (channels, height, width), as in PyTorch.
    """

    kind: ClassVar[str]
    operands: ClassVar[tuple[int, int]] = (1, 1)
    """How few and how many operands there may be."""

    shapes: tuple[Shape, ...]

    def __post_init__(self) -> None:
        try:
            shapes = tuple(_shape(shape) for shape in self.shapes)
        except TypeError:
            raise AccelsimError(f"shapes = {shown(self.shapes)}: must be shapes") from None
        fewest, most = self.operands
        if not fewest <= len(shapes) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise AccelsimError(f"{self.kind} reads {wanted} tensors, {len(shapes)} are given")
        object.__setattr__(self, "shapes", shapes)
        self._settle()
        _shape(self.sample_shape)

    def input_shapes(self, batch: int = 1) -> tuple[Shape, ...]:
        """The operands' shapes, (batch, ...)."""
        return tuple((batch, *shape) for shape in self.shapes)

    def output_shape(self, batch: int = 1) -> Shape:
        """The result's shape, (batch, ...)."""
        return (batch, *self.sample_shape)

    @property
    @abstractmethod
    def sample_shape(self) -> Shape:
        """The result's shape for one sample, without the batch."""

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The vectors that belong to it, in the order in which `forward` takes them."""
        return {}

    @property
    def trainable(self) -> tuple[str, ...]:
        """The parameters that have a gradient."""
        return ()

    @abstractmethod
    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """What the forward direction costs."""

    @abstractmethod
    def backward_work(self, batch: int = 1) -> VectorWork:
        """What the gradients cost, those to the operands and to the parameters together."""

    @abstractmethod
    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """The result in float64; `arrays` are the operands, then the parameters."""

    @abstractmethod
    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradients of a training step: to each operand, then to each trainable parameter."""

    def _settle(self) -> None:  # noqa: B027 - many kinds have no fields of their own
        """Check the fields and store them in full."""

    def _elements(self, batch: int) -> int:
        """Elements of the result."""
        return batch * prod(self.sample_shape)

    def _inputs(self, batch: int) -> tuple[int, ...]:
        return tuple(batch * prod(shape) for shape in self.shapes)


def elementwise(inputs: tuple[int, ...], outputs: int, operations: int) -> VectorWork:
    """Work in which every element stands alone: one pass."""
    return VectorWork(outputs, 1, inputs, outputs, (operations,))


def doubles(arrays: Sequence[Array]) -> list[Array]:
    """The arrays as float64."""
    return [np.asarray(array, dtype=np.float64) for array in arrays]


def _shape(shape: Any) -> Shape:
    sizes = tuple(dimension("shape", size) for size in shape)
    if not 1 <= len(sizes) <= MAXIMUM_RANK:
        raise AccelsimError(f"shape = {shown(sizes)}: must have 1 to {MAXIMUM_RANK} axes")
    if prod(sizes) > MAXIMUM_ELEMENTS:
        raise AccelsimError(f"shape = {shown(sizes)}: more than {MAXIMUM_ELEMENTS} elements")
    return sizes
