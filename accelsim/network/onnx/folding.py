"""Nodes that depend on constants alone are computed at once, by the reference of the onnx package.

A model may come from a stranger, so what is computed is bounded before it is: in elements of what
is read and made, in products of elements where an operation may take so many, and over the model.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.network.onnx.builder import MAIN, Array, Builder, UnsupportedError
from accelsim.network.onnx.reading import MAXIMUM_BYTES, onnx_package

LARGEST = 10_000_000
"""Elements, at most, that an operation of one sweep reads and makes."""

LARGEST_SLOW = 100_000
"""The same of any other: some take microseconds for each element."""

MOST_PRODUCTS = 10**9
"""Elements of the operands of those, multiplied with one another: a bound of what they add up."""

SWEEPS = frozenset((
    "Abs", "Add", "And", "ArgMax", "ArgMin", "Cast", "Ceil", "Clip", "Concat", "ConstantOfShape",
    "Cos", "CumSum", "Div", "Equal", "Exp", "Expand", "EyeLike", "Flatten", "Floor", "Gather",
    "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Log", "Max", "Min", "Mod",
    "Mul", "Neg", "NonZero", "Not", "Or", "Pad", "Pow", "Range", "Reciprocal", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round", "Shape",
    "Sigmoid", "Sign", "Sin", "Size", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh",
    "Tile", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor",
))  # fmt: skip
"""What NumPy does in one sweep over what is read and made."""

NOT_LARGER = frozenset(("Compress", "NonZero", "Unique"))
"""Whose results have a size that depends on values: no more than the axes of the operand allow."""

KEPT = frozenset((
    "Bernoulli", "DequantizeLinear", "Dropout", "Multinomial", "QuantizeLinear", "RandomNormalLike",
    "RandomUniformLike",
))  # fmt: skip
"""What has a meaning of its own here for constants (grids), or is random."""

SMALL = 1000
"""Elements of an operand on which the shape of a result may depend."""


def fold(builder: Builder, node: Any) -> bool:
    """Compute a node whose inputs are constants; whether that was possible."""
    if node.domain not in MAIN:
        return False
    if node.op_type == "Constant":
        _fold_constant(builder, node)
        return True
    if node.op_type == "Shape" and builder.is_activation(node.input[0]):
        _fold_shape(builder, node)
        return True
    names = list(dict.fromkeys(name for name in node.input if name))
    graphs = any(field.HasField("g") or field.graphs for field in node.attribute)
    if not names or graphs or node.op_type in KEPT or not all(map(builder.is_constant, names)):
        return False
    values = {name: builder.constant(name) for name in names}
    largest = LARGEST if node.op_type in SWEEPS else LARGEST_SLOW
    if sum(value.size for value in values.values()) > largest:
        return False
    if node.op_type not in SWEEPS and prod(value.size or 1 for value in values.values()) > (
        MOST_PRODUCTS
    ):
        return False
    for output, value in _computed(builder, node, values, largest).items():
        builder.put_constant(output, value)
    return True


def _fold_constant(builder: Builder, node: Any) -> None:
    attribute = node.attribute[0]
    if attribute.name == "value":
        value = builder.read(attribute.t)
    else:
        value = np.asarray(onnx_package().helper.get_attribute_value(attribute))
    if value.dtype.kind not in "fiub":
        raise UnsupportedError("a constant must be real numbers")
    builder.put_constant(node.output[0], value)


def _fold_shape(builder: Builder, node: Any) -> None:
    shape = (builder.batch, *builder.shape(node.input[0]))
    attributes = builder.attributes(node)
    part = shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
    builder.put_constant(node.output[0], np.array(part, dtype=np.int64))


def _computed(
    builder: Builder, node: Any, values: dict[str, Array], largest: int
) -> dict[str, Array]:
    """The results by name, once their sizes are known to be bearable."""
    from onnx.reference import ReferenceEvaluator

    with _one_line():
        model = _model_of(builder, node, values)
        sizes = _inferred(model, values)
    for size in sizes.values():
        if size is None and node.op_type not in NOT_LARGER:
            raise UnsupportedError("how large its result is depends on more than shapes")
        if size is not None and size > largest:
            raise AccelsimError(f"makes a constant of {size:g} elements; at most {largest}")
    with _one_line(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = ReferenceEvaluator(model).run(list(sizes), values)
        results = dict(zip(sizes, map(np.asarray, found), strict=True))
    if any(value.dtype.kind not in "fiub" for value in results.values()):
        raise UnsupportedError("its results are no real numbers")
    builder.folded_bytes += sum(value.nbytes for value in results.values())
    if builder.folded_bytes > MAXIMUM_BYTES:
        raise AccelsimError(
            f"{builder.folded_bytes} bytes of constants are computed; at most {MAXIMUM_BYTES}"
        )
    return results


@contextmanager
def _one_line() -> Iterator[None]:
    """Whatever a damaged node makes of the onnx package, in one line."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:100]
        raise AccelsimError(f"cannot be computed from its constants: {reason}") from None


def _model_of(builder: Builder, node: Any, values: dict[str, Array]) -> Any:
    """A model of this node alone, of the version that the file is written in."""
    helper = onnx_package().helper
    graph = helper.make_graph(
        [node],
        "node",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in values.items()
        ],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", builder.opset)])


def _inferred(model: Any, values: dict[str, Array]) -> dict[str, int | None]:
    """Elements of each result as onnx infers them; None where that depends on values."""
    onnx = onnx_package()
    known = type(model)()
    known.CopyFrom(model)
    known.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name)
        for name, value in values.items()
        if value.size <= SMALL
    )
    found: dict[str, int | None] = {}
    for value in onnx.shape_inference.infer_shapes(known, data_prop=True).graph.output:
        tensor = value.type.tensor_type
        sizes = tensor.shape.dim
        fixed = tensor.HasField("shape") and all(size.HasField("dim_value") for size in sizes)
        found[value.name] = prod(size.dim_value for size in sizes) if fixed else None
    return found
