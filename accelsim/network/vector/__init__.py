"""The operations between the matrix layers, which a vector unit runs."""

from accelsim.network.vector.activations import (
    Activation,
    Clip,
    Elu,
    Gelu,
    HardSigmoid,
    LeakyRelu,
    Relu,
    Relu6,
    Sigmoid,
    Tanh,
)
from accelsim.network.vector.elementwise import Add, Bias, Gain, Mul, Scale
from accelsim.network.vector.movement import Concat, Opaque, Reshape, Slice, Tokens, Transpose
from accelsim.network.vector.normalization import BatchNorm, LayerNorm, RangeBatchNorm, Softmax
from accelsim.network.vector.operation import NOTHING, VectorOperation, VectorWork
from accelsim.network.vector.pooling import AveragePool, GlobalAveragePool, MaxPool

VECTOR_KINDS: dict[str, type[VectorOperation]] = {
    operation.kind: operation
    for operation in (
        Add, Mul, Scale, Bias, Gain, Relu, Relu6, Clip, LeakyRelu, Elu, Tanh, Sigmoid, HardSigmoid,
        Gelu, MaxPool, AveragePool, GlobalAveragePool, BatchNorm, RangeBatchNorm, LayerNorm,
        Softmax, Concat, Reshape, Tokens, Slice, Transpose, Opaque,
    )
}  # fmt: skip
"""The operations by the `kind` that a network file names them with."""

__all__ = [
    "NOTHING",
    "VECTOR_KINDS",
    "Activation",
    "Add",
    "AveragePool",
    "BatchNorm",
    "Bias",
    "Clip",
    "Concat",
    "Elu",
    "Gain",
    "Gelu",
    "GlobalAveragePool",
    "HardSigmoid",
    "LayerNorm",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "Opaque",
    "RangeBatchNorm",
    "Relu",
    "Relu6",
    "Reshape",
    "Scale",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Tanh",
    "Tokens",
    "Transpose",
    "VectorOperation",
    "VectorWork",
]
