"""Convolutions and matrix products of ONNX models of floats."""

from math import prod
from typing import Any

import numpy as np

from accelsim.network.layers import Conv2d, Linear, MatMul
from accelsim.network.network import Shape
from accelsim.network.onnx.builder import Array, Builder, UnsupportedError
from accelsim.network.onnx.pooling import padding_of
from accelsim.network.vector import Reshape


def convolution(builder: Builder, node: Any, label: str) -> None:
    """Conv of two dimensions with constant weights."""
    weights = builder.constant(node.input[1])
    bias = builder.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    shape = builder.shape(node.input[0])
    layer = conv2d(builder, node, label, shape, weights.shape, bias is not None)
    builder.add(label, layer, node.input[:1], node.output[0], weights=weights, **_optional(bias))
    _copy_grid(builder, node.input[1], f"{label}.weights")


def conv2d(
    builder: Builder, node: Any, label: str, shape: Shape, weights: Shape, bias: bool
) -> Conv2d:
    """The layer that a node's attributes and the shapes of its operands describe."""
    fields = builder.attributes(node)
    if len(shape) != 3 or len(weights) != 4:
        raise UnsupportedError("only convolutions over height and width are known")
    groups = int(fields.get("group", 1))
    return Conv2d(
        label, shape[0], weights[0], tuple(weights[2:]), shape[1], shape[2],
        tuple(fields.get("strides", (1, 1))),
        padding_of(fields, shape[1:], weights[2:]), tuple(fields.get("dilations", (1, 1))),
        groups, bias,
    )  # fmt: skip


def gemm(builder: Builder, node: Any, label: str) -> None:
    """Gemm with constant weights: alpha * A B + beta * C."""
    fields = builder.attributes(node)
    weights = builder.constant(node.input[1])
    if fields.get("transA", 0) or weights.ndim != 2:
        raise UnsupportedError("its first operand must not be turned, its second a matrix")
    weights = weights if fields.get("transB", 0) else weights.T
    weights = weights * weights.dtype.type(fields.get("alpha", 1.0))
    bias = None
    if len(node.input) > 2 and node.input[2]:
        row = np.asarray(builder.constant(node.input[2]) * fields.get("beta", 1.0))
        if row.ndim > 1 and row.shape[0] != 1:
            raise UnsupportedError("its third operand must be a vector")
        bias = np.broadcast_to(row.reshape(-1), len(weights)).copy()
    add_linear(builder, node.input[0], node.output[0], label, weights, bias)
    _copy_grid(builder, node.input[1], f"{label}.weights", not fields.get("transB", 0))


def matmul(builder: Builder, node: Any, label: str) -> None:
    """MatMul with a constant matrix, or of two activations."""
    first, second = node.input[:2]
    if builder.is_constant(second):
        weights = builder.constant(second)
        if weights.ndim != 2:
            raise UnsupportedError("its constant operand must be a matrix")
        add_linear(builder, first, node.output[0], label, weights.T, None)
        _copy_grid(builder, second, f"{label}.weights", turned=True)
    else:
        add_products(builder, first, second, node.output[0], label)


def add_products(builder: Builder, first: str, second: str, output: str, label: str) -> None:
    """Products of two activations, all axes but the last two as copies."""
    a, b = builder.shape(first), builder.shape(second)
    if len(a) < 2 or len(b) < 2 or a[:-2] != b[:-2]:
        raise UnsupportedError(f"its operands {a} and {b} must be matrices in equal numbers")
    layer = MatMul(label, a[-2], a[-1], b[-1], prod(a[:-2]))
    builder.add(label, layer, [first, second], output)
    _view(builder, label, output, (*a[:-1], b[-1]))


def add_linear(
    builder: Builder, source: str, output: str, label: str, weights: Array, bias: Array | None
) -> None:
    """A fully connected layer over the last axis; weights (out, in)."""
    shape = builder.shape(source)
    rows = prod(shape[:-1])
    layer = Linear(label, weights.shape[1], weights.shape[0], bias is not None, rows)
    given = {"weights": np.ascontiguousarray(weights), **_optional(bias)}
    builder.add(label, layer, [source], output, **given)
    _view(builder, label, output, (*shape[:-1], weights.shape[0]))


def _view(builder: Builder, label: str, output: str, shape: Shape) -> None:
    """Behind a layer a view where ONNX keeps more axes than the layer."""
    if builder.shape_here(label) != shape:
        view = builder.free_name(f"{label}.view")
        builder.add_here(view, Reshape((builder.shape_here(label),), shape), [label])
        builder.put(output, view)


def _optional(bias: Array | None) -> dict[str, Array]:
    return {} if bias is None else {"bias": bias}


def _copy_grid(builder: Builder, source: str, name: str, turned: bool = False) -> None:
    """Weights that came through DequantizeLinear keep their grid."""
    grid = builder.weight_grids.get(source)
    if grid is not None:
        builder.set_grid(name, grid.along(1 - grid.axis) if turned else grid)
