"""The operations between the matrix layers, which a vector unit runs."""

from accelsim.network.vector.elementwise import Add, Bias, Gain, Gelu, Mul, Relu, Relu6, Scale
from accelsim.network.vector.movement import Concat, Opaque, Reshape, Slice, Tokens, Transpose
from accelsim.network.vector.normalization import BatchNorm, LayerNorm, RangeBatchNorm, Softmax
from accelsim.network.vector.operation import NOTHING, VectorOperation, VectorWork
from accelsim.network.vector.pooling import AveragePool, GlobalAveragePool, MaxPool

VECTOR_KINDS: dict[str, type[VectorOperation]] = {
    operation.kind: operation
    for operation in (
        Add, Mul, Scale, Bias, Gain, Relu, Relu6, Gelu, MaxPool, AveragePool, GlobalAveragePool,
        BatchNorm, RangeBatchNorm, LayerNorm, Softmax, Concat, Reshape, Tokens, Slice, Transpose,
        Opaque,
    )
}  # fmt: skip
"""The operations by the `kind` that a network file names them with."""

__all__ = [
    "NOTHING",
    "VECTOR_KINDS",
    "Add",
    "AveragePool",
    "BatchNorm",
    "Bias",
    "Concat",
    "Gain",
    "Gelu",
    "GlobalAveragePool",
    "LayerNorm",
    "MaxPool",
    "Mul",
    "Opaque",
    "RangeBatchNorm",
    "Relu",
    "Relu6",
    "Reshape",
    "Scale",
    "Slice",
    "Softmax",
    "Tokens",
    "Transpose",
    "VectorOperation",
    "VectorWork",
]
