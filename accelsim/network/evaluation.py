"""The values of a network: every node in float64, the reference that files are held against."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.layers import Layer, MatMul
from accelsim.network.network import Network, Node
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
        operands = [arrays[name] for name in node.inputs]
        if isinstance(node.work, Layer):
            tensors = _tensors(network, node, operands)
            value = layer_output(node.work, tensors.input, tensors.weights, tensors.bias)
            value = value.reshape(len(operands[0]), *network.shape_of(node.name))
        else:
            value = node.work.forward([*operands, *_parameters(network, node)], training)
        arrays[node.name] = _rounded(network, node.name, value, quantized)
    return arrays


def layer_tensors(network: Network, name: str, arrays: Mapping[str, Array]) -> StepTensors:
    """What a layer reads: its input from the arrays that `evaluate` gives, its own weights."""
    node = network.node(name)
    if not isinstance(node.work, Layer):
        raise AccelsimError(f"node {shown(name)} is a {node.kind}, must be a matrix layer")
    return _tensors(network, node, [arrays[source] for source in node.inputs])


def layer_output(layer: Layer, x: Array, weights: Array, bias: Array | None = None) -> Array:
    """The layer in float64, in the user's layouts: one product for each kernel position."""
    nest = layer.nest(layer.batch_of(x))
    pads = [(0, 0), (nest.pad_top, nest.pad_bottom), (nest.pad_left, nest.pad_right), (0, 0)]
    image = np.pad(np.asarray(layer.to_nest_input(x), dtype=np.float64), pads)
    kernel = np.asarray(layer.to_nest_weights(weights), dtype=np.float64)
    kernel = kernel.reshape(
        nest.copies, nest.groups, nest.out_channels, nest.kernel_height, nest.kernel_width, -1
    )
    rows = (nest.out_height - 1) * nest.stride_h + 1
    columns = (nest.out_width - 1) * nest.stride_w + 1
    place = (nest.copies, nest.batch, nest.out_height, nest.out_width, nest.groups)
    total = np.zeros((*place, nest.out_channels))
    for i in range(nest.kernel_height):
        for j in range(nest.kernel_width):
            top, left = i * nest.dilation_h, j * nest.dilation_w
            seen = image[:, top : top + rows : nest.stride_h, left : left + columns : nest.stride_w]
            seen = seen.reshape(*place, nest.in_channels)
            total += np.einsum("abhwgk,agnk->abhwgn", seen, kernel[:, :, :, i, j], optimize=True)
    output = layer.from_nest_output(total.reshape(nest.output_shape))
    if bias is None:
        return output
    channels = (-1, 1, 1) if output.ndim == 4 else (-1,)
    return np.asarray(output + np.asarray(bias, dtype=np.float64).reshape(channels))


def _tensors(network: Network, node: Node, operands: list[Array]) -> StepTensors:
    layer, batch = node.work, len(operands[0])
    assert isinstance(layer, Layer)
    x = operands[0].reshape(layer.input_shape(batch))
    if isinstance(layer, MatMul):
        return StepTensors(x, operands[1].reshape(layer.weight_shape(batch)))
    bias = _parameter(network, node, "bias") if layer.has_bias else None
    return StepTensors(x, _parameter(network, node, "weights"), bias)


def _parameters(network: Network, node: Node) -> list[Array]:
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
