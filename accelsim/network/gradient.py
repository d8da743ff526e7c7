"""A gradient of a layer as a layer of its own, so that whatever runs layers runs it too."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.layers import Array, Layer, MatMul
from accelsim.network.nest import Nest

FORWARD, GRAD_INPUT, GRAD_WEIGHT = "forward", "grad-input", "grad-weight"
OPERATIONS = (FORWARD, GRAD_INPUT, GRAD_WEIGHT)


TENSORS = {
    FORWARD: {},
    GRAD_INPUT: {"input": "output-gradient", "output": "input-gradient"},
    GRAD_WEIGHT: {"weights": "output-gradient", "output": "weight-gradient"},
}
"""What an operation calls a tensor, and what it is where that is something else."""


def operation_of_layer(layer: Layer, operation: str) -> Layer:
    """The layer itself, or the gradient of it that `operation` names."""
    if operation not in OPERATIONS:
        known = ", ".join(OPERATIONS)
        raise AccelsimError(f"operation = {shown(operation)}: must be one of {known}")
    return (
        layer if operation == FORWARD else Gradient(f"{layer.name}.{operation}", layer, operation)
    )


@dataclass(frozen=True)
class Gradient(Layer):
    """The gradient to a layer's input or to its weights; arrays as the layer's user has them.

    To the input: the output's gradient is the input here, the weights are the layer's own. To the
    weights: the input is the layer's, and the output's gradient takes the place of the weights.
    """

    kind: ClassVar[str] = "gradient"
    of: Layer
    to: str

    @property
    def operation(self) -> str:
        """Which of the layer's three operations this is."""
        return self.to

    def nest(self, batch: int = 1) -> Nest:
        """The nest that `lowering.Operation` takes for it."""
        nest = self.of.nest(batch)
        return nest.input_gradient() if self.to == GRAD_INPUT else nest

    def input_shape(self, batch: int = 1) -> tuple[int, ...]:
        """Of the output's gradient, or of the layer's input."""
        of = self.of
        return of.output_shape(batch) if self.to == GRAD_INPUT else of.input_shape(batch)

    def weight_shape(self, batch: int = 1) -> tuple[int, ...]:
        """Of the layer's weights, or of the output's gradient."""
        of = self.of
        return of.weight_shape(batch) if self.to == GRAD_INPUT else of.output_shape(batch)

    def output_shape(self, batch: int = 1) -> tuple[int, ...]:
        """Of the layer's input, or of its weights."""
        of = self.of
        return of.input_shape(batch) if self.to == GRAD_INPUT else of.weight_shape(batch)

    def to_nest_weights(self, array: Array) -> Array:
        """The operand in the place of the weights, of any batch, as it lies in DRAM."""
        array = np.asarray(array)
        if self.to == GRAD_INPUT:
            return self.of.to_nest_weights(array)
        return self._activation(array, self._batch("weights", array, self.weight_shape()))

    def _input(self, array: Array, batch: int) -> Array:
        if self.to == GRAD_INPUT:
            return self._activation(array, batch)
        return self.of.to_nest_input(array)

    def _activation(self, array: Array, batch: int) -> Array:
        """An output's gradient as the nest has outputs."""
        if array.ndim == 4:
            return np.ascontiguousarray(array.transpose(0, 2, 3, 1))
        return np.ascontiguousarray(array).reshape(self.of.nest(batch).output_shape)

    def _weights(self, array: Array) -> Array:
        return self.to_nest_weights(array)

    def from_nest_output(self, array: Array) -> Array:
        """The gradient in the layout of what it is the gradient to."""
        array = np.asarray(array)
        if isinstance(self.of, MatMul) and self.to == GRAD_WEIGHT:
            turned = array.reshape(-1, self.of.n, self.of.k).transpose(0, 2, 1)
            return np.ascontiguousarray(turned)
        of_one = self.of.weight_shape() if self.to == GRAD_WEIGHT else self.of.input_shape()
        if len(of_one) == 4:
            return np.ascontiguousarray(array.transpose(0, 3, 1, 2))
        return np.ascontiguousarray(array).reshape(-1, *of_one[1:])

    def _output(self, array: Array, batch: int) -> Array:
        return self.from_nest_output(array)
