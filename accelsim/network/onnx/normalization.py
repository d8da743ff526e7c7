"""Norms of ONNX models."""

from typing import Any

import numpy as np

from accelsim.network.layers import Conv2d, Linear
from accelsim.network.onnx.builder import Builder, UnsupportedError
from accelsim.network.vector import BatchNorm, LayerNorm


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
