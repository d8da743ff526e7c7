"""Activations of ONNX models, and those that exporters write as a tensor times its own gate."""

from typing import Any

from accelsim.network.onnx.builder import Builder, UnsupportedError
from accelsim.network.vector import (
    Activation,
    Clip,
    Elu,
    HardSigmoid,
    LeakyRelu,
    Relu,
    Relu6,
    Sigmoid,
)

NO_LIMIT = 3e38
"""Limits beyond it are those of float32, which say that there is none."""


def _add(builder: Builder, node: Any, label: str, kind: type[Activation], **fields: Any) -> None:
    work = kind((builder.shape(node.input[0]),), **fields)
    builder.add(label, work, node.input[:1], node.output[0])


def clip(builder: Builder, node: Any, label: str) -> None:
    """Clip: to 0 and above a ReLU, to 0 and 6 a ReLU6; without limits nothing."""
    fields = builder.attributes(node)
    given = {
        field: float(builder.constant(node.input[place]).reshape(-1)[0])
        if len(node.input) > place and node.input[place]
        else fields.get(field)
        for place, field in ((1, "min"), (2, "max"))
    }
    low, high = (
        None if limit is None or abs(limit) >= NO_LIMIT else limit for limit in given.values()
    )
    if low is None and high is None:
        builder.same(node.output[0], node.input[0])
    elif (low, high) == (0, None):
        _add(builder, node, label, Relu)
    elif (low, high) == (0, 6):
        _add(builder, node, label, Relu6)
    else:
        _add(builder, node, label, Clip, low=low, high=high)


def leaky_relu(builder: Builder, node: Any, label: str) -> None:
    """LeakyRelu."""
    _add(builder, node, label, LeakyRelu, leak=builder.attributes(node).get("alpha", 0.01))


def elu(builder: Builder, node: Any, label: str) -> None:
    """Elu."""
    _add(builder, node, label, Elu, alpha=builder.attributes(node).get("alpha", 1.0))


def hard_sigmoid(builder: Builder, node: Any, label: str) -> None:
    """HardSigmoid."""
    fields = builder.attributes(node)
    factor, shift = fields.get("alpha", 0.2), fields.get("beta", 0.5)
    _add(builder, node, label, HardSigmoid, factor=factor, shift=shift)


def hard_swish(builder: Builder, node: Any, label: str) -> None:
    """HardSwish: x times HardSigmoid(x) of alpha 1/6 and beta 1/2."""
    _add(builder, node, label, HardSigmoid, gates=True)


def swish(builder: Builder, node: Any, label: str) -> None:
    """Swish, also called SiLU."""
    if builder.attributes(node).get("alpha", 1.0) != 1:
        raise UnsupportedError("only with alpha = 1")
    _add(builder, node, label, Sigmoid, gates=True)


def gated(builder: Builder, node: Any, label: str) -> bool:
    """One operation for a tensor times its own gate that nobody else reads; whether it is that."""
    for gate, operand in (tuple(node.input), tuple(node.input)[::-1]):
        producer = builder.producer(gate)
        if producer is None or not isinstance(producer.work, Sigmoid | HardSigmoid):
            continue
        same = builder.is_activation(operand) and producer.inputs == (builder.tensor(operand),)
        if same and not producer.work.gates and producer.name not in builder.grids:
            builder.add_here(label, producer.work.gating(), producer.inputs)
            builder.put(node.output[0], label)
            return True
    return False
