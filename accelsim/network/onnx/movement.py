"""Operations of ONNX models that change the shape, the order or the part of a tensor."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from accelsim.network.network import Shape
from accelsim.network.onnx.builder import Builder, UnsupportedError
from accelsim.network.vector import Concat, Reshape, Slice, Tokens, Transpose


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
