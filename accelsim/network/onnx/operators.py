"""What each ONNX operation of floats is here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.network.layers import Conv2d, Linear, MatMul
from accelsim.network.network import Shape
from accelsim.network.onnx.builder import Builder, UnsupportedError
from accelsim.network.vector import (
    Add,
    BatchNorm,
    Bias,
    Concat,
    Gain,
    Gelu,
    GlobalAveragePool,
    LayerNorm,
    MaxPool,
    Mul,
    Relu,
    Relu6,
    Reshape,
    Scale,
    Slice,
    Softmax,
    Tokens,
    Transpose,
)

Array = NDArray[Any]
Operator = Callable[[Builder, Any, str], None]

SAME_NUMBER = 1e-4
"""How close a written constant such as 1.41421 must come to the number it stands for."""


# Matrix layers -------------------------------------------------------------------------------


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
        _padding(fields, shape[1:], weights[2:]), tuple(fields.get("dilations", (1, 1))),
        groups, bias,
    )  # fmt: skip


def _padding(fields: dict[str, Any], sizes: Shape, kernel: Shape) -> tuple[int, ...]:
    """(top, left, bottom, right) from `pads` or `auto_pad`."""
    automatic = fields.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        strides, dilations = fields.get("strides", (1, 1)), fields.get("dilations", (1, 1))
        sides = []
        for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
            total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
            first = total // 2 if automatic == "SAME_UPPER" else -(-total // 2)
            sides.append((first, total - first))
        return sides[0][0], sides[1][0], sides[0][1], sides[1][1]
    pads = (0, 0, 0, 0) if automatic == "VALID" else tuple(fields.get("pads", (0, 0, 0, 0)))
    if len(pads) != 4 or min(pads) < 0:
        raise UnsupportedError("its pads must be four numbers, none below 0")
    return pads


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


# Element by element --------------------------------------------------------------------------


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
        _together(builder, node, label, Add)
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
        _together(builder, node, label, Mul)
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


def _together(builder: Builder, node: Any, label: str, kind: type) -> None:
    shapes = tuple(builder.shape(name) for name in node.input)
    if len(set(shapes)) != 1:
        raise UnsupportedError(f"its operands have the shapes {', '.join(map(str, shapes))}")
    builder.add(label, kind(shapes), list(node.input), node.output[0])


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


def clip(builder: Builder, node: Any, label: str) -> None:
    """Clip to 0 and 6, or to 0 and above."""
    fields = builder.attributes(node)
    low, high = (
        float(builder.constant(node.input[place]).reshape(-1)[0])
        if len(node.input) > place and node.input[place]
        else fields.get(field)
        for place, field in ((1, "min"), (2, "max"))
    )
    if low == 0 and high == 6:
        simple(Relu6)(builder, node, label)
    elif low == 0 and (high is None or high >= 3e38):
        simple(Relu)(builder, node, label)
    else:
        raise UnsupportedError(f"limits {low} and {high}: only 0 and 6, or 0 and none")


def gelu(builder: Builder, node: Any, label: str) -> None:
    """Gelu, exact."""
    if builder.attributes(node).get("approximate", "none") != "none":
        raise UnsupportedError("only the exact form, not that by tanh")
    simple(Gelu)(builder, node, label)


def softmax(builder: Builder, node: Any, label: str) -> None:
    """Softmax over the last axis."""
    rank = len(builder.shape(node.input[0])) + 1
    axis = builder.attributes(node).get("axis", -1)
    if axis not in (-1, rank - 1):
        raise UnsupportedError(f"axis = {axis}: only the last one")
    simple(Softmax)(builder, node, label)


def erf_of_gelu(builder: Builder, node: Any, label: str) -> None:
    """Erf as exporters write Gelu: x / sqrt(2), Erf, + 1, times x (or x / 2), times 1 / 2.

    The nodes up to here and the next ones become one; the tensors between are nobody else's.
    """
    scaled = builder.producer(node.input[0])
    if scaled is None or not isinstance(scaled.work, Scale):
        raise UnsupportedError("only as part of Gelu")
    if abs(scaled.work.factor - 1 / sqrt(2)) > SAME_NUMBER:
        raise UnsupportedError("only as part of Gelu")
    source = scaled.inputs[0]
    builder.gelu_parts[node.output[0]] = (source, "erf")


def _gelu_step(builder: Builder, node: Any, label: str) -> bool:
    """One more step of a Gelu that is written out; whether this node is one."""
    parts = [(name, builder.gelu_parts[name]) for name in node.input if name in builder.gelu_parts]
    if len(parts) != 1:
        return False
    part, (source, state) = parts[0]
    other = next(name for name in node.input if name != part)
    output = node.output[0]
    if node.op_type == "Add" and state == "erf":
        if builder.is_constant(other) and np.all(builder.constant(other) == 1):
            builder.gelu_parts[output] = (source, "sum")
            return True
        return False
    if node.op_type != "Mul":
        return False
    if builder.is_constant(other):
        half = np.all(np.abs(builder.constant(other) - 0.5) < SAME_NUMBER)
        if state == "sum" and half:
            builder.gelu_parts[output] = (source, "halved")
            return True
        if state == "product" and half:
            return _finish_gelu(builder, source, output, label)
        return False
    tensor = builder.tensor(other)
    if tensor == source:
        if state == "halved":
            return _finish_gelu(builder, source, output, label)
        builder.gelu_parts[output] = (source, "product")
        return state == "sum"
    node_here = builder.nodes.get(tensor)
    if state != "sum" or node_here is None or not isinstance(node_here.work, Scale):
        return False
    if abs(node_here.work.factor - 0.5) >= SAME_NUMBER or node_here.inputs[0] != source:
        return False
    return _finish_gelu(builder, source, output, label)


def _finish_gelu(builder: Builder, source: str, output: str, label: str) -> bool:
    builder.add_here(label, Gelu((builder.shape_here(source),)), [source])
    builder.put(output, label)
    return True


def stepwise(operator: Operator) -> Operator:
    """An operation that may be a step of a Gelu that is written out."""

    def add(builder: Builder, node: Any, label: str) -> None:
        if not _gelu_step(builder, node, label):
            operator(builder, node, label)

    return add


# Norms and pools -----------------------------------------------------------------------------


def batch_norm(builder: Builder, node: Any, label: str) -> None:
    """BatchNormalization at inference; it folds into a layer that nobody else reads."""
    fields = builder.attributes(node)
    if fields.get("training_mode", 0):
        raise UnsupportedError("training_mode must be 0")
    source = node.input[0]
    gamma, beta, mean, variance = (builder.constant(name) for name in node.input[1:5])
    producer = builder.producer(source)
    folds = producer is not None and isinstance(producer.work, Conv2d | Linear)
    work = BatchNorm((builder.shape(source),), float(fields.get("epsilon", 1e-5)), folds)
    builder.add(
        label, work, [source], node.output[0],
        gamma=gamma, beta=beta, mean=mean, variance=variance,
    )  # fmt: skip


def layer_norm(builder: Builder, node: Any, label: str) -> None:
    """LayerNormalization over the last axes."""
    fields = builder.attributes(node)
    shape = builder.shape(node.input[0])
    axis = fields.get("axis", -1)
    axes = -axis if axis < 0 else len(shape) + 1 - axis
    if not 1 <= axes <= len(shape):
        raise UnsupportedError(f"axis = {axis}: the batch cannot be normalized over")
    group = shape[-axes:]
    gamma = builder.constant(node.input[1]).reshape(group)
    has_beta = len(node.input) > 2 and node.input[2]
    beta = builder.constant(node.input[2]).reshape(group) if has_beta else np.zeros(group)
    work = LayerNorm((shape,), axes, float(fields.get("epsilon", 1e-5)))
    builder.add(label, work, node.input[:1], node.output[0], gamma=gamma, beta=beta)


def pool(kind: type) -> Operator:
    """MaxPool and AveragePool over height and width."""

    def add(builder: Builder, node: Any, label: str) -> None:
        fields = builder.attributes(node)
        shape, kernel = builder.shape(node.input[0]), tuple(fields["kernel_shape"])
        if len(shape) != 3 or len(kernel) != 2:
            raise UnsupportedError("only over height and width")
        if set(fields.get("dilations", (1, 1))) != {1} or len(node.output) > 1:
            raise UnsupportedError("neither dilations nor indices are known")
        given = {} if kind is MaxPool else {"count_padding": bool(fields.get("count_include_pad"))}
        work = kind(
            (shape,), kernel, tuple(fields.get("strides", (1, 1))),
            _padding(fields, shape[1:], kernel), bool(fields.get("ceil_mode", 0)), **given,
        )  # fmt: skip
        builder.add(label, work, node.input[:1], node.output[0])

    return add


def reduce_mean(builder: Builder, node: Any, label: str) -> None:
    """ReduceMean over height and width."""
    fields = builder.attributes(node)
    shape = builder.shape(node.input[0])
    given = builder.constant(node.input[1]) if len(node.input) > 1 else fields.get("axes", ())
    axes = {int(axis) % (len(shape) + 1) for axis in np.ravel(given)}
    if len(shape) != 3 or axes != {2, 3}:
        raise UnsupportedError("only over height and width")
    simple(GlobalAveragePool)(builder, node, label)
    if not fields.get("keepdims", 1):
        view = builder.free_name(f"{label}.view")
        builder.add_here(view, Reshape(((shape[0], 1, 1),), (shape[0],)), [label])
        builder.put(node.output[0], view)


# Views and moves -----------------------------------------------------------------------------


def reshape(builder: Builder, node: Any, label: str) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze: the sizes are those that onnx infers."""
    source, shape = builder.shape(node.input[0]), _new_shape(builder, node)
    if not shape or prod(shape) != prod(source):
        raise UnsupportedError("the first axis must stay the batch, and its sizes must be known")
    if shape == source:
        builder.same(node.output[0], node.input[0])
    else:
        builder.add(label, Reshape((source,), shape), node.input[:1], node.output[0])


def _new_shape(builder: Builder, node: Any) -> Shape | None:
    """The shape of the result for one sample."""
    source = builder.shape(node.input[0])
    if node.op_type == "Flatten":
        return (prod(source),) if builder.attributes(node).get("axis", 1) == 1 else None
    if node.op_type == "Reshape" and builder.is_constant(node.input[1]):
        full = (builder.batch, *source)
        asked = [int(size) for size in builder.constant(node.input[1]).ravel()]
        zero_is_copy = not builder.attributes(node).get("allowzero", 0)
        sizes = [full[i] if s == 0 and zero_is_copy else s for i, s in enumerate(asked)]
        if sizes.count(-1) == 1:
            known = -prod(sizes)
            sizes[sizes.index(-1)] = prod(full) // known if known else 0
        return tuple(sizes[1:]) if sizes and sizes[0] == builder.batch else None
    return builder.inferred_shape(node.output[0])


def transpose(builder: Builder, node: Any, label: str) -> None:
    """Transpose with the batch in its place; behind a flattened image it is a sequence."""
    source = node.input[0]
    shape = builder.shape(source)
    perm = builder.attributes(node).get("perm") or list(range(len(shape) + 1))[::-1]
    if perm[0] != 0:
        raise UnsupportedError("the batch must stay the first axis")
    order = tuple(int(axis) - 1 for axis in perm[1:])
    producer = builder.nodes.get(builder.tensor(source))
    if order == (1, 0) and producer is not None and isinstance(producer.work, Reshape):
        (image,) = producer.work.shapes
        if len(image) == 3 and shape == (image[0], image[1] * image[2]):
            builder.add_here(label, Tokens((image,)), producer.inputs)
            builder.put(node.output[0], label)
            return
    builder.add(label, Transpose((shape,), order), [source], node.output[0])


def concat(builder: Builder, node: Any, label: str) -> None:
    """Concat of activations along another axis than the batch."""
    concatenate(builder, node, label, node.input)


def concatenate(builder: Builder, node: Any, label: str, sources: Sequence[str]) -> None:
    """These tensors along the axis that the node names."""
    shapes = tuple(builder.shape(name) for name in sources)
    axis = builder.attributes(node)["axis"] % (len(shapes[0]) + 1)
    if axis == 0:
        raise UnsupportedError("the batch cannot be concatenated")
    if len(shapes) == 1:
        builder.same(node.output[0], sources[0])
    else:
        builder.add(label, Concat(shapes, axis - 1), list(sources), node.output[0])


def part(builder: Builder, node: Any, label: str) -> None:
    """Slice along one axis, without steps."""
    starts, ends, *rest = (builder.constant(name).ravel() for name in node.input[1:] if name)
    shape = builder.shape(node.input[0])
    axes = rest[0] if rest else np.arange(len(starts))
    if len(starts) != 1 or (len(rest) > 1 and rest[1][0] != 1):
        raise UnsupportedError("only along one axis and without steps")
    axis = int(axes[0]) % (len(shape) + 1)
    if axis == 0:
        raise UnsupportedError("the batch cannot be cut")
    start, stop, _ = slice(int(starts[0]), int(ends[0])).indices(shape[axis - 1])
    builder.add(
        label, Slice((shape,), axis - 1, start, stop), node.input[:1], node.output[0]
    )  # fmt: skip


def gather(builder: Builder, node: Any, label: str) -> None:
    """Gather of one place along one axis."""
    shape = builder.shape(node.input[0])
    index = builder.constant(node.input[1])
    axis = builder.attributes(node).get("axis", 0) % (len(shape) + 1)
    if index.size != 1 or axis == 0:
        raise UnsupportedError("only one place, of another axis than the batch")
    start = int(index.ravel()[0]) % shape[axis - 1]
    builder.add(
        label, Slice((shape,), axis - 1, start, start + 1), node.input[:1], node.output[0]
    )  # fmt: skip
    if index.ndim == 0:
        view = builder.free_name(f"{label}.view")
        rest = shape[: axis - 1] + shape[axis:]
        builder.add_here(view, Reshape((builder.shape_here(label),), rest or (1,)), [label])
        builder.put(node.output[0], view)


def split(builder: Builder, node: Any, label: str) -> None:
    """Split along one axis: a slice for each output."""
    fields = builder.attributes(node)
    shape = builder.shape(node.input[0])
    axis = fields.get("axis", 0) % (len(shape) + 1)
    if axis == 0:
        raise UnsupportedError("the batch cannot be split")
    size, count = shape[axis - 1], len(node.output)
    even = [-(-size // count)] * (count - 1)
    sizes = fields.get("split") or [*even, size - sum(even)]
    if len(node.input) > 1 and node.input[1]:
        sizes = [int(each) for each in builder.constant(node.input[1]).ravel()]
    start = 0
    for output, each in zip(node.output, sizes, strict=True):
        work = Slice((shape,), axis - 1, start, start + int(each))
        builder.add(builder.free_name(label), work, node.input[:1], output)
        start += int(each)


def identity(builder: Builder, node: Any, label: str) -> None:
    """Identity, Dropout, Cast: the same tensor."""
    source, output = node.input[0], node.output[0]
    if source in builder.pending:
        builder.pending[output] = builder.pending[source]
    if source in builder.dynamic:
        builder.dynamic[output] = builder.dynamic[source]
    if builder.is_constant(source):
        builder.put_constant(output, builder.constant(source))
    elif source not in builder.dynamic:
        builder.alias(output, source)
