"""Pools of ONNX models, and the padding that they share with convolutions."""

from typing import Any

import numpy as np

from accelsim.network.network import Shape
from accelsim.network.onnx.builder import Builder, Operator, UnsupportedError
from accelsim.network.onnx.elementwise import simple
from accelsim.network.vector import GlobalAveragePool, MaxPool, Reshape


def padding_of(fields: dict[str, Any], sizes: Shape, kernel: Shape) -> tuple[int, ...]:
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
            padding_of(fields, shape[1:], kernel), bool(fields.get("ceil_mode", 0)), **given,
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
