"""The gradients of a network: every node back in float64, what a training step is held against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.evaluation import Array, node_parameters
from accelsim.network.gradient import GRAD_INPUT, GRAD_WEIGHT, operation_of_layer
from accelsim.network.layers import Layer, MatMul
from accelsim.network.network import Network, Node
from accelsim.network.reference import float_input_gradient, float_weight_gradient
from accelsim.network.vector import VectorOperation


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of one scalar, the loss, to the tensors of a network; arrays of the tensors' shapes."""

    results: Mapping[str, Array]
    """To what each node gives, and to the inputs of the network where asked for."""
    operands: Mapping[tuple[str, int], Array]
    """What a node hands back to its first, second, ... operand: a part of that one's gradient."""
    parameters: Mapping[str, Array]
    """To what is learned, by the names of `Network.parameters`."""


def backpropagate(
    network: Network,
    arrays: Mapping[str, Array],
    output_gradients: Mapping[str, Array],
    to_inputs: bool = False,
) -> Gradients:
    """The gradients of a training step, from those to outputs of the network.

    `arrays` is what `evaluate(network, inputs, training=True)` gave. Gradients to the inputs of the
    network are left out, as a training step has no use for them, but with `to_inputs`.
    """
    results = {
        name: _checked(network, name, gradient, arrays)
        for name, gradient in output_gradients.items()
    }
    operands: dict[tuple[str, int], Array] = {}
    parameters: dict[str, Array] = {}
    for node in reversed(network.nodes):
        if node.name not in results:
            continue
        wanted = [to_inputs or name not in network.inputs for name in node.inputs]
        given, own = node_gradients(network, node, results[node.name], arrays, wanted)
        parameters |= own
        for place, (name, gradient) in enumerate(zip(node.inputs, given, strict=True)):
            if gradient is not None:
                operands[node.name, place] = gradient
                results[name] = results[name] + gradient if name in results else gradient
    return Gradients(results, operands, parameters)


def node_gradients(
    network: Network,
    node: Node,
    gradient: Array,
    arrays: Mapping[str, Array],
    wanted: Sequence[bool],
) -> tuple[list[Array | None], dict[str, Array]]:
    """What a node hands back to each operand that wants it, and the gradients to its parameters."""
    operands = [arrays[name] for name in node.inputs]
    if isinstance(node.work, Layer):
        return _layer_gradients(network, node, node.work, gradient, operands, wanted)
    return _vector_gradients(network, node, node.work, gradient, operands, arrays[node.name])


def _vector_gradients(
    network: Network,
    node: Node,
    work: VectorOperation,
    gradient: Array,
    operands: list[Array],
    output: Array,
) -> tuple[list[Array | None], dict[str, Array]]:
    found = work.backward(gradient, [*operands, *node_parameters(network, node)], output)
    own = found[len(operands) :]
    names = [f"{node.name}.{name}" for name in work.trainable]
    return list(found[: len(operands)]), dict(zip(names, own, strict=True))


def _layer_gradients(
    network: Network,
    node: Node,
    layer: Layer,
    gradient: Array,
    operands: list[Array],
    wanted: Sequence[bool],
) -> tuple[list[Array | None], dict[str, Array]]:
    batch = len(operands[0])
    gradient = gradient.reshape(layer.output_shape(batch))
    x = operands[0].reshape(layer.input_shape(batch))
    if isinstance(layer, MatMul):
        second = operands[1].reshape(layer.weight_shape(batch))
        return [
            layer_gradient(layer, GRAD_INPUT, gradient, second).reshape(operands[0].shape)
            if wanted[0] else None,
            layer_gradient(layer, GRAD_WEIGHT, x, gradient).reshape(operands[1].shape)
            if wanted[1] else None,
        ], {}  # fmt: skip
    own = {f"{node.name}.weights": layer_gradient(layer, GRAD_WEIGHT, x, gradient)}
    if layer.has_bias:
        own[f"{node.name}.bias"] = bias_gradient(layer, gradient)
    if not wanted[0]:
        return [None], own
    weights = network.parameters[f"{node.name}.weights"]
    to_input = layer_gradient(layer, GRAD_INPUT, gradient, weights)
    return [to_input.reshape(operands[0].shape)], own


def layer_gradient(layer: Layer, operation: str, first: Array, second: Array) -> Array:
    """One of a layer's two gradients in float64, in the user's layouts.

    To the input: `first` is the output's gradient, `second` the weights. To the weights: `first` is
    the input, `second` the output's gradient.
    """
    gradient = operation_of_layer(layer, operation)
    nest = layer.nest(gradient.batch_of(first))
    product = float_input_gradient if operation == GRAD_INPUT else float_weight_gradient
    found = product(nest, gradient.to_nest_input(first), gradient.to_nest_weights(second))
    return gradient.from_nest_output(found)


def bias_gradient(layer: Layer, gradient: Array) -> Array:
    """The output's gradient summed over all positions."""
    to_input = operation_of_layer(layer, GRAD_INPUT)
    return np.asarray(to_input.to_nest_input(gradient).sum(axis=(0, 1, 2)))


def _checked(network: Network, name: str, gradient: Array, arrays: Mapping[str, Array]) -> Array:
    """The gradient to an output of the network, of the output's shape."""
    if name not in network.outputs:
        raise AccelsimError(
            f"network {network.name!r}: {shown(name)} is no output; the outputs are "
            f"{', '.join(network.outputs)}"
        )
    array, expected = np.asarray(gradient, dtype=np.float64), arrays[name].shape
    if array.shape != expected:
        raise AccelsimError(
            f"network {network.name!r}: the gradient to {shown(name)} has shape {array.shape}, "
            f"expected {expected}"
        )
    return array
