"""The values of a network: every node in float64, the reference that files are held against."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.layers import Layer, MatMul
from accelsim.network.network import Network, Node
from accelsim.network.reference import float_output
from accelsim.network.tensors import StepTensors
from accelsim.network.vector import VectorOperation

Array = NDArray[Any]


def evaluate(
    network: Network,
    inputs: Mapping[str, Array],
    quantized: bool = False,
    training: bool = False,
) -> dict[str, Array]:
    """The arrays of all nodes and inputs, (batch, ...), from those of the network's inputs.

    Weights and the like are `network.parameters`. With `quantized` every tensor that the network
    has a grid for is rounded to it, as a quantized file means it.
    """
    arrays: dict[str, Array] = {}
    for name, shape in network.inputs.items():
        if name not in inputs:
            raise AccelsimError(f"network {network.name!r}: the input {shown(name)} is missing")
        array = np.asarray(inputs[name], dtype=np.float64)
        if array.shape[1:] != shape:
            raise AccelsimError(
                f"network {network.name!r}: input {shown(name)} has shape {array.shape}, expected "
                f"(batch, {', '.join(map(str, shape))})"
            )
        arrays[name] = _rounded(network, name, array, quantized)
    for node in network.nodes:
        value = node_value(network, node, [arrays[name] for name in node.inputs], training)
        arrays[node.name] = _rounded(network, node.name, value, quantized)
    return arrays


def node_value(
    network: Network, node: Node, operands: list[Array], training: bool = False
) -> Array:
    """The result of one node in float64, (batch, ...), from those of the nodes that it reads."""
    if not isinstance(node.work, Layer):
        return node.work.forward([*operands, *node_parameters(network, node)], training)
    tensors = _tensors(network, node, operands)
    value = layer_output(node.work, tensors.input, tensors.weights, tensors.bias)
    return value.reshape(len(operands[0]), *network.shape_of(node.name))


def layer_tensors(network: Network, name: str, arrays: Mapping[str, Array]) -> StepTensors:
    """What a layer reads: its input from the arrays that `evaluate` gives, its own weights."""
    node = network.node(name)
    if not isinstance(node.work, Layer):
        raise AccelsimError(f"node {shown(name)} is a {node.kind}, must be a matrix layer")
    return _tensors(network, node, [arrays[source] for source in node.inputs])


def layer_output(layer: Layer, x: Array, weights: Array, bias: Array | None = None) -> Array:
    """The layer in float64, in the user's layouts."""
    nest = layer.nest(layer.batch_of(x))
    shift = None if bias is None else layer.to_nest_bias(bias)
    output = float_output(nest, layer.to_nest_input(x), layer.to_nest_weights(weights), shift)
    return layer.from_nest_output(output)


def _tensors(network: Network, node: Node, operands: list[Array]) -> StepTensors:
    layer, batch = node.work, len(operands[0])
    assert isinstance(layer, Layer)
    x = operands[0].reshape(layer.input_shape(batch))
    if isinstance(layer, MatMul):
        return StepTensors(x, operands[1].reshape(layer.weight_shape(batch)))
    bias = _parameter(network, node, "bias") if layer.has_bias else None
    return StepTensors(x, _parameter(network, node, "weights"), bias)


def node_parameters(network: Network, node: Node) -> list[Array]:
    """The parameters of a vector operation, in the order in which it takes them."""
    assert isinstance(node.work, VectorOperation)
    return [_parameter(network, node, name) for name in node.work.parameter_shapes()]


def _parameter(network: Network, node: Node, name: str) -> Array:
    full = f"{node.name}.{name}"
    if full not in network.parameters:
        raise AccelsimError(
            f"network {network.name!r}: has no parameter {shown(full)}; only networks from files "
            "with weights have values"
        )
    return network.parameters[full]


def _rounded(network: Network, name: str, array: Array, quantized: bool) -> Array:
    return network.grids[name].rounded(array) if quantized and name in network.grids else array
