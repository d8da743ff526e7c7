"""Operations of ONNX models that work element by element."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.network.layers import Conv2d, Linear
from accelsim.network.network import Shape
from accelsim.network.onnx.activations import gated
from accelsim.network.onnx.builder import Array, Builder, Operator, UnsupportedError
from accelsim.network.vector import Add, Bias, Gain, Mul, Scale, Softmax


def simple(kind: type) -> Operator:
    """An operation of one operand and no fields."""

    def add(builder: Builder, node: Any, label: str) -> None:
        builder.add(label, kind((builder.shape(node.input[0]),)), node.input[:1], node.output[0])

    return add


def addition(builder: Builder, node: Any, label: str) -> None:
    """Add and Sub: of activations, or of a constant, which may be a layer's bias."""
    first, second = node.input
    if builder.is_activation(first) and builder.is_activation(second):
        if node.op_type == "Sub":
            raise UnsupportedError("a difference of two activations has no counterpart")
        together(builder, label, Add, node.input, node.output[0])
        return
    source, value = _with_constant(builder, node)
    if node.op_type == "Sub":
        if source != first:
            raise UnsupportedError("a constant minus an activation has no counterpart")
        value = -value
    if _into_bias(builder, source, value):
        builder.same(node.output[0], source)
        return
    value = _parameter(value, builder.shape(source))
    builder.add(
        label, Bias((builder.shape(source),), value.shape), [source], node.output[0], bias=value
    )


def _into_bias(builder: Builder, source: str, value: Array) -> bool:
    """A vector added to a layer without bias that nobody else reads is its bias."""
    producer = builder.producer(source)
    if producer is not None and producer.name == f"{producer.inputs[0]}.view":
        producer = builder.nodes.get(producer.inputs[0])
    if producer is None or not isinstance(producer.work, Linear | Conv2d) or producer.work.bias:
        return False
    layer = producer.work
    channels = layer.out_features if isinstance(layer, Linear) else layer.out_channels
    vector = (channels,) if isinstance(layer, Linear) else (channels, 1, 1)
    if value.size != channels or value.shape[-len(vector) :] != vector:
        return False
    weights = builder.parameters[f"{producer.name}.weights"]
    builder.replace(
        producer.name, replace(layer, bias=True), weights=weights, bias=value.reshape(-1)
    )
    return True


def product(builder: Builder, node: Any, label: str) -> None:
    """Mul and Div: of activations, or by a constant."""
    first, second = node.input
    if builder.is_activation(first) and builder.is_activation(second):
        if node.op_type == "Div":
            raise UnsupportedError("a quotient of two activations has no counterpart")
        if not gated(builder, node, label):
            together(builder, label, Mul, node.input, node.output[0])
        return
    source, value = _with_constant(builder, node)
    if node.op_type == "Div":
        if source != first:
            raise UnsupportedError("a constant over an activation has no counterpart")
        value = 1.0 / value.astype(np.float64)
    shape = builder.shape(source)
    if value.size == 1:
        work = Scale((shape,), float(value.reshape(-1)[0]))
        builder.add(label, work, [source], node.output[0])
        return
    value = _parameter(value, shape)
    builder.add(label, Gain((shape,), value.shape), [source], node.output[0], gain=value)


def together(
    builder: Builder, label: str, kind: type[Add | Mul], sources: Sequence[str], output: str
) -> None:
    """A sum or a product of activations, if their shapes go together here."""
    shapes = tuple(builder.shape(name) for name in sources)
    try:
        work = kind(shapes)
    except AccelsimError as error:
        raise UnsupportedError(str(error)) from None
    builder.add(label, work, sources, output)


def _with_constant(builder: Builder, node: Any) -> tuple[str, Array]:
    first, second = node.input
    if builder.is_constant(second):
        return first, builder.constant(second)
    return second, builder.constant(first)


def _parameter(value: Array, shape: Shape) -> Array:
    """A constant without the axis of the batch, or refused where it has one."""
    if value.ndim > len(shape):
        if value.ndim > len(shape) + 1 or value.shape[0] != 1:
            raise UnsupportedError(f"its constant of shape {value.shape} differs between samples")
        value = value[0]
    return np.atleast_1d(value)


def softmax(builder: Builder, node: Any, label: str) -> None:
    """Softmax over the last axis."""
    rank = len(builder.shape(node.input[0])) + 1
    axis = builder.attributes(node).get("axis", -1)
    if axis not in (-1, rank - 1):
        raise UnsupportedError(f"axis = {axis}: only the last one")
    simple(Softmax)(builder, node, label)
