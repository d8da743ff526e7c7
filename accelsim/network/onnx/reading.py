"""Reading an ONNX file that a stranger may have written: a model with shapes, or one line of error.

Only this room imports the onnx package, and only when a model is read.
"""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import MAXIMUM_ELEMENTS

Array = NDArray[Any]

MAXIMUM_BYTES = 2**31 - 1
"""The largest file; protobuf reads no more."""

MAXIMUM_NODES = 50_000


def onnx_package() -> Any:
    """The onnx package; without it one error that names the extra."""
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError:
        raise AccelsimError(
            "reading ONNX models needs the package onnx: pip install 'accelsim[onnx]'"
        ) from None
    return onnx


def read_model(path: Path) -> Any:
    """The model in a file, its symbolic batch set to 1, with the shapes that onnx infers."""
    onnx = onnx_package()
    where = shown(str(path), 200).strip("'")
    content = _content(path, where)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's own class differs between its versions
        raise AccelsimError(f"{where}: not an ONNX model: {_line(error)}") from None
    graph = model.graph
    if not graph.node or not graph.output:
        raise AccelsimError(f"{where}: not an ONNX model: it has no nodes or no outputs")
    if len(graph.node) > MAXIMUM_NODES:
        raise AccelsimError(f"{where}: {len(graph.node)} nodes; at most {MAXIMUM_NODES}")
    _check_texts(where, graph)
    constants = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in constants:
            _fix_batch(value)
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # whatever a damaged model makes of it
        raise AccelsimError(f"{where}: its shapes cannot be inferred: {_line(error)}") from None


def tensor_shape(value: Any) -> tuple[int | None, ...] | None:
    """The shape in a ValueInfoProto, None where a size (or all) is not known."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        int(size.dim_value) if size.HasField("dim_value") else None
        for size in value.type.tensor_type.shape.dim
    )


def shape_text(value: Any) -> str:
    """The shape in a ValueInfoProto for people: open sizes by the names that the model has."""
    if not value.type.tensor_type.HasField("shape"):
        return "unknown"
    sizes = [
        str(size.dim_value) if size.HasField("dim_value") else size.dim_param or "?"
        for size in value.type.tensor_type.shape.dim
    ]
    text = shown(", ".join(sizes))[1:-1]
    return f"({text})"


def constant(path: Path, tensor: Any) -> Array:
    """The numbers of a TensorProto; those outside the model come from a file beside it only."""
    onnx = onnx_package()
    name = f"tensor {shown(tensor.name)}"
    if any(size < 0 for size in tensor.dims) or prod(tensor.dims) > MAXIMUM_ELEMENTS:
        raise AccelsimError(
            f"{name}: shape {shown(list(tensor.dims))}: at most {MAXIMUM_ELEMENTS} elements"
        )
    try:
        if onnx.external_data_helper.uses_external_data(tensor):
            return _external(onnx, path, tensor, name)
        array = np.asarray(onnx.numpy_helper.to_array(tensor))
    except AccelsimError:
        raise
    except Exception as error:  # truncated data, an unknown type, a wrong length
        raise AccelsimError(f"{name}: damaged: {_line(error)}") from None
    if array.dtype.kind not in "fiub":
        raise AccelsimError(f"{name}: holds {array.dtype}: must be real numbers")
    return array


def _external(onnx: Any, path: Path, tensor: Any, name: str) -> Array:
    """The bytes of a tensor in a file of their own, which must lie in the model's folder."""
    fields = {entry.key: entry.value for entry in tensor.external_data}
    folder = path.resolve().parent
    location = folder / fields.get("location", "")
    resolved = location.resolve()
    if folder not in resolved.parents or not resolved.is_file():
        raise AccelsimError(
            f"{name}: its data is in {shown(fields.get('location', ''))}: must be a file in the "
            "model's folder"
        )
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    needed = prod(tensor.dims) * dtype.itemsize
    offset = _offset(fields.get("offset", "0"), name)
    if resolved.stat().st_size - offset < needed:
        raise AccelsimError(f"{name}: its data is truncated: {needed} bytes are needed")
    with resolved.open("rb") as file:
        file.seek(offset)
        return np.frombuffer(file.read(needed), dtype.newbyteorder("<")).reshape(tensor.dims)


def _offset(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise AccelsimError(f"{name}: offset = {shown(text)}: must be a whole number")
    return int(text)


def _check_texts(where: str, graph: Any) -> None:
    """Names that are no UTF-8 come as bytes."""
    texts = [value.name for value in (*graph.initializer, *graph.input, *graph.output)]
    texts += [value.name for value in graph.value_info]
    for node in graph.node:
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output]
        texts += [attribute.name for attribute in node.attribute]
    for text in texts:
        if not isinstance(text, str):
            raise AccelsimError(f"{where}: damaged: the name {shown(text)} is not UTF-8")


def _fix_batch(value: Any) -> None:
    """A first axis without a size is the batch: it becomes 1."""
    shape = value.type.tensor_type.shape
    if shape.dim and not shape.dim[0].HasField("dim_value"):
        shape.dim[0].dim_value = 1


def _content(path: Path, where: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise AccelsimError(f"{where}: {size} bytes; at most {MAXIMUM_BYTES} are allowed")
        return path.read_bytes()
    except FileNotFoundError:
        raise AccelsimError(f"{where}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AccelsimError(f"{where}: cannot be read: {reason}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__
