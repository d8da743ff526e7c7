"""Quantized ONNX models: real weights, and the grids of the tensors that are integers there.

A pair of QuantizeLinear and DequantizeLinear is no operation here: it gives its tensor a grid. The
QLinear operations are their float counterparts between tensors with grids. Sums of integers
(ConvInteger, MatMulInteger) get their scale from the product behind them, which goes into the
weights.
"""

from typing import Any

import numpy as np

from accelsim.network.grids import DynamicGrid, TensorGrid
from accelsim.network.network import parameter_shapes
from accelsim.network.onnx.builder import Array, Builder, Operator, UnsupportedError
from accelsim.network.onnx.elementwise import product, together
from accelsim.network.onnx.layers import add_linear, add_products, conv2d
from accelsim.network.onnx.movement import concatenate
from accelsim.network.vector import Add, Mul


def quantize(builder: Builder, node: Any, label: str) -> None:
    """QuantizeLinear: its operand has a grid."""
    source, output = node.input[0], node.output[0]
    grid = _grid(builder, node, node.input[1], _optional(node, 2))
    if builder.is_constant(source):
        builder.put_constant(output, grid.quantize(builder.constant(source)))
    else:
        builder.set_grid(builder.tensor(source), grid)
        builder.alias(output, source)


def dequantize(builder: Builder, node: Any, label: str) -> None:
    """DequantizeLinear: of a constant its real values, of an activation the same tensor."""
    source, output = node.input[0], node.output[0]
    if not builder.is_constant(source):
        builder.set_grid(
            builder.tensor(source), _grid(builder, node, node.input[1], _optional(node, 2))
        )
        builder.alias(output, source)
        return
    integers = builder.constant(source)
    grid = _grid(builder, node, node.input[1], _optional(node, 2), str(integers.dtype))
    builder.put_constant(output, grid.dequantize(integers))
    builder.weight_grids[output] = grid


def dynamic_quantize(builder: Builder, node: Any, label: str) -> None:
    """DynamicQuantizeLinear: a grid that each run finds anew."""
    source = node.input[0]
    builder.set_grid(builder.tensor(source), DynamicGrid())
    builder.alias(node.output[0], source)
    builder.dynamic[node.output[1]] = (builder.tensor(source), np.ones(()))
    builder.dynamic_zeros.add(node.output[2])


def qlinear_conv(builder: Builder, node: Any, label: str) -> None:
    """QLinearConv: the bias is in units of input scale times weight scale."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *rest = node.input
    x_grid, w_grid = _of(builder, x_scale, x_zero), _of(builder, w_scale, w_zero)
    weights = w_grid.dequantize(builder.constant(w))
    bias = {}
    if rest and rest[0]:
        bias["bias"] = builder.constant(rest[0]) * (x_grid.scale * w_grid.scale)
    builder.set_grid(builder.tensor(x), x_grid)
    layer = conv2d(builder, node, label, builder.shape(x), weights.shape, bool(bias))
    builder.add(label, layer, [x], node.output[0], weights=weights, **bias)
    builder.set_grid(f"{label}.weights", w_grid)
    builder.set_grid(label, _of(builder, y_scale, y_zero))


def qlinear_matmul(builder: Builder, node: Any, label: str) -> None:
    """QLinearMatMul, with a constant matrix or of two activations."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.input
    b_grid = _of(builder, b_scale, b_zero, axis=1)
    builder.set_grid(builder.tensor(a), _of(builder, a_scale, a_zero))
    if builder.is_constant(b):
        weights = b_grid.dequantize(builder.constant(b))
        add_linear(builder, a, node.output[0], label, weights.T, None)
        builder.set_grid(f"{label}.weights", b_grid.along(0))
    else:
        builder.set_grid(builder.tensor(b), b_grid)
        add_products(builder, a, b, node.output[0], label)
    builder.set_grid(builder.tensor(node.output[0]), _of(builder, y_scale, y_zero))


def qgemm(builder: Builder, node: Any, label: str) -> None:
    """QGemm, an operation of ONNX Runtime's own; its bias is in units of both scales together."""
    a, a_scale, a_zero, b, b_scale, b_zero, *rest = _padded(node, 9)
    fields = builder.attributes(node)
    if fields.get("transA", 0) or fields.get("alpha", 1.0) != 1:
        raise UnsupportedError("its first operand must not be turned, its alpha be 1")
    turned = bool(fields.get("transB", 0))
    a_grid, b_grid = _of(builder, a_scale, a_zero), _of(builder, b_scale, b_zero, axis=1 - turned)
    weights = b_grid.dequantize(builder.constant(b))
    bias = builder.constant(rest[0]) * (a_grid.scale * b_grid.scale) if rest[0] else None
    builder.set_grid(builder.tensor(a), a_grid)
    weights = weights if turned else weights.T
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1), len(weights)).copy()
    add_linear(builder, a, node.output[0], label, weights, bias)
    builder.set_grid(f"{label}.weights", b_grid.along(0))
    if rest[1]:
        builder.set_grid(builder.tensor(node.output[0]), _of(builder, rest[1], rest[2]))


def qlinear(kind: type[Add | Mul]) -> Operator:
    """QLinearAdd and QLinearMul, operations of ONNX Runtime's own, of two activations."""

    def add(builder: Builder, node: Any, label: str) -> None:
        a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.input
        builder.set_grid(builder.tensor(a), _of(builder, a_scale, a_zero))
        builder.set_grid(builder.tensor(b), _of(builder, b_scale, b_zero))
        together(builder, label, kind, [a, b], node.output[0])
        builder.set_grid(label, _of(builder, y_scale, y_zero))

    return add


def between_grids(operator: Operator) -> Operator:
    """A float operation of one operand that ONNX Runtime has between two grids as well."""

    def add(builder: Builder, node: Any, label: str) -> None:
        x, x_scale, x_zero, y_scale, y_zero = _padded(node, 5)
        if builder.attributes(node).get("channels_last", 0):
            raise UnsupportedError("its channels must be the second axis")
        builder.set_grid(builder.tensor(x), _of(builder, x_scale, x_zero))
        operator(builder, node, label)
        builder.set_grid(builder.tensor(node.output[0]), _of(builder, y_scale, y_zero))

    return add


def qlinear_concat(builder: Builder, node: Any, label: str) -> None:
    """QLinearConcat: the result's grid, then each tensor and its grid."""
    y_scale, y_zero, *rest = node.input
    sources = rest[::3]
    for source, scale, zero in zip(sources, rest[1::3], rest[2::3], strict=True):
        builder.set_grid(builder.tensor(source), _of(builder, scale, zero))
    concatenate(builder, node, label, sources)
    builder.set_grid(builder.tensor(node.output[0]), _of(builder, y_scale, y_zero))


def conv_integer(builder: Builder, node: Any, label: str) -> None:
    """ConvInteger of an activation and constant weights."""
    weights, zero = _integer_weights(builder, node)
    layer = conv2d(builder, node, label, builder.shape(node.input[0]), weights.shape, False)
    builder.add(label, layer, node.input[:1], node.output[0], weights=weights)
    _wait_for_scale(builder, node, label, zero)


def matmul_integer(builder: Builder, node: Any, label: str) -> None:
    """MatMulInteger of an activation and a constant matrix."""
    weights, zero = _integer_weights(builder, node)
    if weights.ndim != 2:
        raise UnsupportedError("its constant operand must be a matrix")
    add_linear(builder, node.input[0], node.output[0], label, weights.T, None)
    _wait_for_scale(builder, node, label, zero)


def scaled_product(builder: Builder, node: Any, label: str) -> None:
    """Mul: of scales, of integer sums by their scale, or any other."""
    first, second = node.input
    for one, other in ((first, second), (second, first)):
        if one in builder.dynamic and builder.is_constant(other):
            tensor, factor = builder.dynamic[one]
            builder.dynamic[node.output[0]] = (tensor, factor * builder.constant(other))
            return
        if one in builder.pending and other in builder.dynamic:
            _scale_sums(builder, node, builder.pending[one], *builder.dynamic[other])
            builder.alias(node.output[0], one)
            return
    product(builder, node, label)


def _integer_weights(builder: Builder, node: Any) -> tuple[Array, Array]:
    weights = builder.constant(node.input[1]).astype(np.int64)
    zero = builder.constant(node.input[3]) if _optional(node, 3) else np.zeros((), np.int64)
    zero = zero.astype(np.int64)
    if zero.size > 1:  # a matrix has one for each column, filters one for each of them
        zero = zero.reshape((1, -1) if weights.ndim == 2 else (-1, *[1] * (weights.ndim - 1)))
    return (weights - zero).astype(np.float64), zero


def _wait_for_scale(builder: Builder, node: Any, label: str, zero: Array) -> None:
    """Sums over a dynamic input wait for its scale; over a plain one they are the values."""
    source, x_zero = node.input[0], _optional(node, 2)
    builder.integer_zeros[label] = zero
    if x_zero and x_zero in builder.dynamic_zeros:
        builder.pending[node.output[0]] = label
        return
    zero_point = builder.constant(x_zero) if x_zero else np.zeros((), np.uint8)
    tensor = builder.tensor(source)
    builder.set_grid(tensor, TensorGrid(np.ones(()), zero_point.reshape(()), str(zero_point.dtype)))


def _scale_sums(builder: Builder, node: Any, name: str, tensor: str, factor: Array) -> None:
    """The constant part of the scale goes into the weights of the sums."""
    layer = builder.nodes[name]
    if layer.inputs[0] != tensor:
        raise UnsupportedError("its integer sums and its scale come from different tensors")
    factor = np.asarray(factor, dtype=np.float64).reshape(-1)
    weights = builder.parameters[f"{name}.weights"]
    if factor.size not in (1, len(weights)):
        raise UnsupportedError(f"{factor.size} scales for {len(weights)} channels")
    shape = (-1, *[1] * (weights.ndim - 1))
    given = {p: builder.parameters[f"{name}.{p}"] for p in parameter_shapes(layer.work)}
    builder.replace(name, layer.work, **given | {"weights": weights * factor.reshape(shape)})
    zeros = np.broadcast_to(builder.integer_zeros[name].reshape(-1), factor.shape)
    one = factor.size == 1
    builder.set_grid(
        f"{name}.weights",
        TensorGrid(factor[0] if one else factor, zeros[0] if one else zeros, "int8"),
    )


def _grid(
    builder: Builder, node: Any, scale: str, zero: str | None, dtype: str | None = None
) -> TensorGrid:
    """The grid of a QuantizeLinear or DequantizeLinear."""
    fields = builder.attributes(node)
    if fields.get("block_size", 0):
        raise UnsupportedError("scales by blocks are not known")
    return _of(builder, scale, zero, int(fields.get("axis", 1)), dtype)


def _of(
    builder: Builder, scale: str, zero: str | None, axis: int = 0, dtype: str | None = None
) -> TensorGrid:
    """The grid of constant scales and zero points; 0 where they are left out."""
    scales = builder.constant(scale)
    zeros = builder.constant(zero) if zero else np.zeros(scales.shape, dtype or "uint8")
    if scales.size == 1:
        scales, zeros = scales.reshape(()), zeros.reshape(())
    return TensorGrid(scales, zeros, str(zeros.dtype), axis if scales.ndim else 0)


def _padded(node: Any, count: int) -> list[str]:
    """All inputs of a node, "" for what is left out at the end."""
    given = list(map(str, node.input))
    return given + [""] * (count - len(given))


def _optional(node: Any, place: int) -> str | None:
    return str(node.input[place]) if len(node.input) > place and node.input[place] else None
