"""From an ONNX model to a Network: one node after another, then what nobody reads is dropped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.network import Network
from accelsim.network.onnx.builder import Builder, UnsupportedError
from accelsim.network.onnx.folding import fold
from accelsim.network.onnx.reading import read_model
from accelsim.network.onnx.table import OPERATORS
from accelsim.network.vector import Opaque

_DAMAGE = (
    ValueError, IndexError, KeyError, TypeError, AttributeError, ArithmeticError, StopIteration,
)  # fmt: skip
"""What attributes and inputs of the wrong number or kind make of an operation."""


def load_onnx(path: Path, skip_unsupported: bool = False) -> Network:
    """The network in an ONNX file, with weights, and the grids of a quantized model.

    The first axis of every activation is the batch. What has no counterpart here is refused with
    the node's name; with `skip_unsupported` it becomes vector work of known bytes (`Opaque`).
    """
    where = shown(str(path), 200).strip("'")
    model = read_model(path)
    try:
        builder = Builder(path, model)
        _check_order(builder, model.graph.node)
        _check_makers(builder, model.graph)
        for node in model.graph.node:
            _add(builder, node, skip_unsupported)
        return builder.network([output.name for output in model.graph.output])
    except AccelsimError as error:
        raise AccelsimError(f"{where}: {error}") from None


def _check_order(builder: Builder, nodes: Sequence[Any]) -> None:
    """ONNX wants its nodes in order of execution; what reads a later result may be a cycle."""
    makers = {output: number for number, node in enumerate(nodes) for output in node.output}
    for number, node in enumerate(nodes):
        for name in node.input:
            if name and makers.get(name, -1) >= number:
                later = builder.label(nodes[makers[name]])
                raise AccelsimError(
                    f"node {shown(builder.label(node))}: its input {shown(name)} is made by node "
                    f"{shown(later)}, which does not come before it: the nodes must be in order of "
                    "execution, without cycles"
                )


def _check_makers(builder: Builder, graph: Any) -> None:
    """What is read, by a node or as an output of the model, is made somewhere."""
    made = {output for node in graph.node for output in node.output}
    readers = [(f"node {shown(n.name or n.op_type)}: its input", n.input) for n in graph.node]
    for reader, names in (*readers, ("its output", [output.name for output in graph.output])):
        for name in names:
            known = name in made or builder.is_constant(name) or builder.is_activation(name)
            if name and not known:
                raise AccelsimError(
                    f"{reader} {shown(name)} is made by nobody: it must be the result of a node, "
                    "an input of the model or a constant"
                )


def _add(builder: Builder, node: Any, skip_unsupported: bool) -> None:
    label = builder.label(node)
    try:
        if fold(builder, node):
            return
        operator = OPERATORS.get((_domain(node), node.op_type))
        if operator is None:
            raise UnsupportedError("there is no such operation here")
        with np.errstate(all="ignore"):
            operator(builder, node, label)
    except UnsupportedError as error:
        kind = node.op_type
        if not skip_unsupported:
            raise AccelsimError(
                f"node {shown(label)} ({shown(kind)}): {error}; --skip-unsupported runs it as "
                "vector work of known bytes"
            ) from None
        _add_opaque(builder, node, label, str(error))
    except AccelsimError as error:
        raise AccelsimError(f"node {shown(label)}: {error}") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:120]
        raise AccelsimError(f"node {shown(label)}: damaged: {reason}") from None


def _add_opaque(builder: Builder, node: Any, label: str, reason: str) -> None:
    """One opaque operation for each output that is read, reading what the node reads.

    Its constants are counted once, with the first of them.
    """
    sources = [name for name in node.input if builder.is_activation(name)]
    if not sources:
        raise AccelsimError(f"node {shown(label)}: {reason}; it reads no activation to skip it for")
    shapes = tuple(builder.shape(name) for name in sources)
    constants = {name for name in node.input if name and builder.is_constant(name)}
    parameter_bytes = sum(builder.stored_bytes(name) for name in constants)
    for output in node.output:
        if not builder.readers.get(output):
            continue
        shape = builder.inferred_shape(output)
        if shape is None or not shape:
            raise AccelsimError(f"node {shown(label)}: the shape of its output is not known")
        work = Opaque(shapes, shape, f"node {label} ({node.op_type})", parameter_bytes)
        name = builder.free_name(label) if label in builder.nodes else label
        builder.add(name, work, sources, output)
        parameter_bytes = 0


def _domain(node: Any) -> str:
    domain = str(node.domain)
    return "" if domain == "ai.onnx" else domain
