"""Gelu: as one ONNX node, and written out as exporters do."""

from math import sqrt
from typing import Any

import numpy as np

from accelsim.network.onnx.builder import Builder, Operator, UnsupportedError
from accelsim.network.onnx.elementwise import simple
from accelsim.network.vector import Gelu, Scale

SAME_NUMBER = 1e-4
"""How close a written constant such as 1.41421 must come to the number it stands for."""


def gelu(builder: Builder, node: Any, label: str) -> None:
    """Gelu, exact."""
    if builder.attributes(node).get("approximate", "none") != "none":
        raise UnsupportedError("only the exact form, not that by tanh")
    simple(Gelu)(builder, node, label)


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
