"""The network while it grows: what each ONNX tensor is here, constants, grids, names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.grids import DynamicGrid, TensorGrid
from accelsim.network.layers import Layer, MatMul
from accelsim.network.network import Network, Node, Shape, Work, parameter_shapes, result_shape
from accelsim.network.onnx.clamps import with_clamps
from accelsim.network.onnx.reading import constant, onnx_package, shape_text, tensor_shape
from accelsim.network.vector import Scale, Transpose

Array = NDArray[Any]
MAIN = ("", "ai.onnx")
"""The names of ONNX's own set of operations."""

Operator = Callable[["Builder", Any, str], None]
"""Adds what an ONNX node is here; the text is the node's name."""


class UnsupportedError(Exception):
    """An ONNX node that has no counterpart here; the message says why."""


class Builder:
    """Nodes so far, and for every ONNX tensor either its constant or the tensor here."""

    def __init__(self, path: Path, model: Any) -> None:
        self._onnx = onnx_package()
        self._path = path
        self.opset = next((o.version for o in model.opset_import if o.domain in MAIN), 1)
        """The version of ONNX that the model is written in."""
        graph = model.graph
        if graph.sparse_initializer:
            raise AccelsimError("sparse initializers are not read")
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._constants: dict[str, Array] = {}
        self._inferred = {
            value.name: tensor_shape(value)
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self.inputs: dict[str, Shape] = {}
        self.nodes: dict[str, Node] = {}
        self.parameters: dict[str, Array] = {}
        self.grids: dict[str, TensorGrid | DynamicGrid] = {}
        self._names: dict[str, str] = {}
        self._used: set[str] = set()
        self.pending: dict[str, str] = {}
        """Sums of integers that wait for their scale: ONNX tensor -> node here."""
        self.dynamic: dict[str, tuple[str, Array]] = {}
        """Scales that are known at run time: ONNX tensor -> (tensor here, constant factor)."""
        self.dynamic_zeros: set[str] = set()
        """Zero points that are known at run time."""
        self.integer_zeros: dict[str, Array] = {}
        """The zero point of the weights of integer sums, by node here."""
        self.weight_grids: dict[str, TensorGrid] = {}
        """The grids of constants that came through DequantizeLinear."""
        self.gelu_parts: dict[str, tuple[str, str]] = {}
        """Steps of a Gelu that is written out: ONNX tensor -> (tensor here, what it is)."""
        self.folded_bytes = 0
        """Of all constants that were computed."""
        self.readers: dict[str, int] = {}
        for node in graph.node:
            for name in node.input:
                self.readers[name] = self.readers.get(name, 0) + 1
        for output in graph.output:
            self.readers[output.name] = self.readers.get(output.name, 0) + 1
        for value in graph.input:
            if value.name not in self._initializers:
                self._add_input(value)

    def _add_input(self, value: Any) -> None:
        shape = tensor_shape(value)
        if shape is None or len(shape) < 2 or None in shape or 0 in shape:
            raise AccelsimError(
                f"input {shown(value.name)} has the shape {shape_text(value)}: must be a batch and "
                "one or more fixed sizes; export the model with such, or fix them by "
                "onnx.tools.update_model_dims"
            )
        name = self.free_name(value.name)
        self.inputs[name] = tuple(int(size) for size in shape[1:] if size is not None)
        self._names[value.name] = name
        self._inferred[value.name] = shape

    # Tensors ---------------------------------------------------------------------------------

    def is_constant(self, name: str) -> bool:
        """Whether the ONNX tensor is known now."""
        return name in self._constants or name in self._initializers

    def constant(self, name: str) -> Array:
        """The numbers of a constant ONNX tensor."""
        if name not in self._constants:
            if name not in self._initializers:
                raise UnsupportedError(f"its input {shown(name)} must be a constant")
            self._constants[name] = self.read(self._initializers[name])
        return self._constants[name]

    def read(self, tensor: Any) -> Array:
        """The numbers of a TensorProto."""
        return constant(self._path, tensor)

    def stored_bytes(self, name: str) -> int:
        """What a constant takes in the file, or would take there."""
        grid = self.weight_grids.get(name)
        array = self.constant(name)
        return array.size * np.dtype(grid.dtype).itemsize if grid else array.nbytes

    def is_activation(self, name: str) -> bool:
        """Whether the ONNX tensor is one that the network computes."""
        return name in self._names

    def tensor(self, name: str) -> str:
        """The tensor here that an ONNX tensor is; its sums of integers must have got a scale."""
        if name in self.pending:
            raise UnsupportedError(f"it reads the sums {shown(name)} before they are scaled")
        if name not in self._names:
            raise UnsupportedError(f"its input {shown(name)} is no activation")
        return self._names[name]

    def shape(self, name: str) -> Shape:
        """The shape of an activation for one sample."""
        return self.shape_here(self.tensor(name))

    def shape_here(self, name: str) -> Shape:
        """The shape of a tensor of the network for one sample."""
        if name in self.inputs:
            return self.inputs[name]
        return result_shape(self.nodes[name].work)

    def inferred_shape(self, name: str) -> Shape | None:
        """The shape that onnx found, for one sample; None where it is not known."""
        shape = self._inferred.get(name)
        if shape is None or any(size is None or size < 1 for size in shape):
            return None
        return tuple(int(size) for size in shape[1:] if size is not None)

    @property
    def batch(self) -> int:
        """The batch that the model was made for (1 where it is open)."""
        shapes = [self._inferred[name] for name in self._names if name in self._inferred]
        return int((shapes[0] or (1,))[0] or 1) if shapes else 1

    # Nodes -----------------------------------------------------------------------------------

    def label(self, node: Any) -> str:
        """A name for a node: its own, or that of its first output; with a number if taken."""
        return self.free_name(node.name or next((name for name in node.output if name), "node"))

    def free_name(self, label: str) -> str:
        """The label, or with a number behind it where it is taken."""
        word = re.sub(r"\s+", "_", "".join(c for c in label if c.isprintable()))[:180] or "tensor"
        name, count = word, 1
        while name in self._used:
            count += 1
            name = f"{word}_{count}"
        self._used.add(name)
        return name

    def add(
        self, name: str, work: Work, sources: Sequence[str], output: str, **parameters: Array
    ) -> str:
        """One more node, `sources` and `output` being ONNX tensors; returns its name."""
        self.add_here(name, work, [self.tensor(source) for source in sources], **parameters)
        self._names[output] = name
        return name

    def add_here(self, name: str, work: Work, inputs: Sequence[str], **parameters: Array) -> None:
        """One more node that reads tensors of the network."""
        self._used.add(name)
        self.nodes[name] = Node(name, work, tuple(inputs))
        for parameter, shape in parameter_shapes(work).items():
            value = np.asarray(parameters[parameter])
            if value.shape != shape:
                raise AccelsimError(f"{parameter} has shape {value.shape}, expected {shape}")
            if not np.isfinite(value).all():
                raise AccelsimError(f"{parameter} holds NaN or infinite values")
            self.parameters[f"{name}.{parameter}"] = value

    def same(self, output: str, source: str) -> None:
        """An ONNX tensor that is another one, here."""
        self._names[output] = self.tensor(source)

    def alias(self, output: str, source: str) -> None:
        """The same, also for sums of integers that still wait for their scale."""
        if source not in self._names:
            raise UnsupportedError(f"its input {shown(source)} is no activation")
        self._names[output] = self._names[source]

    def put(self, output: str, name: str) -> None:
        """An ONNX tensor that is this tensor here."""
        self._names[output] = name

    def put_constant(self, output: str, value: Array) -> None:
        """An ONNX tensor whose numbers are known."""
        self._constants[output] = np.asarray(value)

    def replace(self, name: str, work: Work, **parameters: Array) -> None:
        """Another operation in the place of a node, which reads the same."""
        node = self.nodes[name]
        for parameter in parameter_shapes(node.work):
            del self.parameters[f"{name}.{parameter}"]
        self.add_here(name, work, node.inputs, **parameters)

    def set_grid(self, name: str, grid: TensorGrid | DynamicGrid) -> None:
        """The integers of a tensor here; it may have one grid only."""
        if self.grids.setdefault(name, grid) != grid:
            raise UnsupportedError(f"it quantizes {shown(name)} on another grid than before")

    def producer(self, name: str) -> Node | None:
        """The node that gives an activation, if it has no other reader."""
        if self.readers.get(name, 0) != 1 or name not in self._names:
            return None
        return self.nodes.get(self._names[name])

    def attributes(self, node: Any) -> dict[str, Any]:
        """The attributes of a node by name, texts decoded."""
        found = {}
        for attribute in node.attribute:
            value = self._onnx.helper.get_attribute_value(attribute)
            found[attribute.name] = value.decode() if isinstance(value, bytes) else value
        return found

    # The end ---------------------------------------------------------------------------------

    def network(self, outputs: Sequence[str]) -> Network:
        """What the model's outputs need, in order."""
        if self.pending.keys() & set(outputs):
            raise AccelsimError("an output holds integer sums without a scale")
        named, grids, renamed = with_clamps(self.nodes, self.grids, self.free_name)
        made = [self._names[name] for name in outputs if name in self._names]
        needed = {renamed.get(name, name) for name in made}
        for node in reversed(named):
            if node.name in needed:
                needed.update(node.inputs)
        nodes = tuple(_folded([node for node in named if node.name in needed]))
        if not nodes:
            raise AccelsimError("none of its outputs depends on an input")
        kept = {node.name for node in nodes} | {n for n in self.inputs if n in needed}
        return Network(
            _word(self._path.stem),
            nodes,
            {name: shape for name, shape in self.inputs.items() if name in needed},
            {n: a for n, a in self.parameters.items() if n.rpartition(".")[0] in kept},
            {n: g for n, g in grids.items() if n in kept or n.rpartition(".")[0] in kept},
        )


def _folded(nodes: list[Node]) -> list[Node]:
    """Constant factors go into the layer before them, turned operands into the product behind."""
    readers: dict[str, list[Node]] = {node.name: [] for node in nodes}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    by_name = {node.name: node for node in nodes}

    def work(node: Node) -> Work:
        if isinstance(node.work, Scale):
            (source,) = node.inputs
            layer = by_name.get(source)
            if layer is not None and isinstance(layer.work, Layer) and len(readers[source]) == 1:
                return replace(node.work, folds=True)
        if isinstance(node.work, Transpose) and not node.work.is_view:
            second = all(
                isinstance(reader.work, MatMul) and reader.inputs[0] != node.name
                for reader in readers[node.name]
            )
            if second and readers[node.name] and node.work.order[-2] == len(node.work.order) - 1:
                return replace(node.work, folds=True)
        return node.work

    return [Node(node.name, work(node), node.inputs) for node in nodes]


def _word(text: str) -> str:
    return re.sub(r"\s+", "_", "".join(c for c in text if c.isprintable()).strip())[:200] or "model"
