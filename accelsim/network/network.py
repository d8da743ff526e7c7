"""A network: operations in order of execution, and which reads what."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import MAXIMUM_ELEMENTS, dimension, identifier, known
from accelsim.network.grids import DynamicGrid, TensorGrid
from accelsim.network.layers import Conv2d, Layer, Linear, MatMul
from accelsim.network.vector import Scale, Transpose, VectorOperation

T = TypeVar("T")
Array = NDArray[Any]
Shape = tuple[int, ...]
Work = Layer | VectorOperation
Grid = TensorGrid | DynamicGrid


@dataclass(frozen=True)
class Node:
    """One operation of a network. `inputs` name earlier nodes or inputs of the network."""

    name: str
    work: Work
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        identifier("node name", self.name)
        object.__setattr__(self, "inputs", tuple(self.inputs))
        for name in self.inputs:
            identifier(f"node {self.name!r}: input", name)
        if isinstance(self.work, Layer) and self.work.name != self.name:
            raise AccelsimError(
                f"node {self.name!r}: holds the layer {self.work.name!r}; the names must agree"
            )
        if not isinstance(self.work, Layer | VectorOperation):
            raise AccelsimError(
                f"node {self.name!r}: work = {shown(self.work)}: must be a layer or a vector "
                "operation"
            )

    @property
    def kind(self) -> str:
        """The kind of its work, as files name it."""
        return self.work.kind


@dataclass(frozen=True)
class Network:
    """Nodes in order of execution, so without cycles; all shapes along the edges fit.

    `inputs` are the tensors that come from outside, with their shapes for one sample. Iterating
    gives the matrix layers, in order, and `len` counts them.

    A network from a file with weights has them in `parameters`, by the names `NODE.weights`,
    `NODE.bias`, `NODE.gamma`, in the layouts that the operation states; a quantized one has the
    grids of its tensors in `grids`, by the names of nodes, inputs and parameters.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: Mapping[str, Shape] = field(default_factory=dict, hash=False)
    parameters: Mapping[str, Array] = field(default_factory=dict, compare=False, repr=False)
    grids: Mapping[str, TensorGrid | DynamicGrid] = field(
        default_factory=dict, compare=False, repr=False
    )
    _by_name: dict[str, Node] = field(init=False, repr=False, compare=False)
    _shapes: dict[str, Shape] = field(init=False, repr=False, compare=False)
    _consumers: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        identifier("network name", self.name)
        where = f"network {self.name!r}"
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "inputs", _checked_inputs(where, self.inputs))
        if not self.nodes:
            raise AccelsimError(f"{where}: nodes is empty; at least one is needed")
        object.__setattr__(self, "parameters", dict(self.parameters))
        object.__setattr__(self, "grids", dict(self.grids))
        object.__setattr__(self, "_shapes", self._checked_shapes(where))
        object.__setattr__(self, "_by_name", {node.name: node for node in self.nodes})
        object.__setattr__(self, "_consumers", self._readers())
        for node in self.nodes:
            self._check_folding(where, node)
            self._check_drain(where, node)
        self._check_parameters(where)

    def _check_parameters(self, where: str) -> None:
        """Every parameter belongs to a node and has the shape that it needs."""
        needed = {
            f"{node.name}.{name}": shape
            for node in self.nodes
            for name, shape in parameter_shapes(node.work).items()
        }
        for name, array in self.parameters.items():
            if name not in needed:
                raise AccelsimError(f"{where}: no node has a parameter {shown(name)}")
            if array.shape != needed[name]:
                raise AccelsimError(
                    f"{where}: parameter {shown(name)} has shape {array.shape}, expected "
                    f"{needed[name]}"
                )

    @classmethod
    def of_layers(cls, name: str, layers: Iterable[Layer]) -> "Network":
        """Layers that are not connected: each reads tensors of its own from outside."""
        nodes: list[Node] = []
        inputs: dict[str, Shape] = {}
        for layer in layers:
            node = Node(layer.name, layer, own_inputs(layer))
            inputs.update(zip(node.inputs, operand_shapes(layer), strict=True))
            nodes.append(node)
        return cls(name, tuple(nodes), inputs)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The matrix layers, in order."""
        return tuple(node.work for node in self.nodes if isinstance(node.work, Layer))

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The names of the matrix layers, in order."""
        return tuple(layer.name for layer in self.layers)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the nodes that no node reads."""
        return tuple(node.name for node in self.nodes if not self.consumers_of(node.name))

    def macs(self, batch: int = 1) -> int:
        """Multiply-accumulates of all matrix layers, those with padding included."""
        return sum(layer.nest(batch).macs for layer in self.layers)

    @property
    def parameter_count(self) -> int:
        """Trainable numbers: weights, biases, and what the vector operations learn."""
        return sum(_parameter_count(node.work) for node in self.nodes)

    def layer(self, name: str) -> Layer:
        """The layer of exactly this name, or the first one whose name continues it after a dot."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        for layer in self.layers:
            if layer.name.startswith(f"{name}."):
                return layer
        raise AccelsimError(
            f"network {self.name!r} has no layer {shown(name)}; {known(self.layer_names, name)}"
        )

    def node(self, name: str) -> Node:
        """The node of exactly this name."""
        found = self._by_name.get(name)
        if found is None:
            names = [node.name for node in self.nodes]
            raise AccelsimError(
                f"network {self.name!r} has no node {shown(name)}; {known(names, str(name))}"
            )
        return found

    def consumers_of(self, name: str) -> tuple[str, ...]:
        """The nodes that read this node's output, or this input of the network, in order."""
        return self._named(name, self._consumers)

    def reads_sums(self, node: Node) -> bool:
        """Whether its operand is a layer's result, whose channels are also its own."""
        producer = self._by_name.get(node.inputs[0])
        layer = producer.work if producer is not None else None
        return isinstance(layer, Conv2d) or (isinstance(layer, Linear) and layer.rows == 1)

    def shape_of(self, name: str) -> Shape:
        """The shape of this node's output, or of this input of the network, for one sample."""
        return self._named(name, self._shapes)

    def _checked_shapes(self, where: str) -> dict[str, Shape]:
        """The shapes of all tensors, inferred edge by edge."""
        names = {node.name for node in self.nodes}
        shapes = dict(self.inputs)
        for node in self.nodes:
            if node.name in shapes:
                raise AccelsimError(f"{where}: {shown(node.name)} is given twice")
            try:
                check_operands(node, shapes, names)
            except AccelsimError as error:
                raise AccelsimError(f"{where}: {error}") from None
            shapes[node.name] = result_shape(node.work)
        return shapes

    def _readers(self) -> dict[str, tuple[str, ...]]:
        readers: dict[str, dict[str, None]] = {name: {} for name in self._shapes}
        for node in self.nodes:
            for name in node.inputs:
                readers[name][node.name] = None
        return {name: tuple(found) for name, found in readers.items()}

    def _named(self, name: str, table: Mapping[str, T]) -> T:
        if name not in table:
            raise AccelsimError(
                f"network {self.name!r} has no tensor {shown(name)}; {known(table, str(name))}"
            )
        return table[name]

    def _check_drain(self, where: str, node: Node) -> None:
        """Statistics of the drain are those of sums that leave the array, channel by channel."""
        if getattr(node.work, "from_drain", False) and not self.reads_sums(node):
            raise AccelsimError(
                f"{where}: node {node.name!r}: from_drain = True: {shown(node.inputs[0])} must be "
                "a Conv2d, or a Linear of one row, whose drain has its statistics; say "
                "from_drain: false"
            )

    def _check_folding(self, where: str, node: Node) -> None:
        """What claims to be part of its neighbour must have a neighbour that can take it."""
        if not getattr(node.work, "folds", False):
            return
        place = f"{where}: node {node.name!r}: folds = True"
        if not isinstance(node.work, Transpose):
            source = node.inputs[0]
            producer = self._by_name.get(source)
            takers = (Conv2d, Linear, MatMul) if isinstance(node.work, Scale) else (Conv2d, Linear)
            matrix = producer is not None and isinstance(producer.work, takers)
            if not matrix or self.consumers_of(source) != (node.name,):
                wanted = " or ".join(taker.__name__ for taker in takers)
                raise AccelsimError(
                    f"{place}: {shown(source)} must be a {wanted} that nobody else reads; say "
                    "folds: false"
                )
            return
        for name in self.consumers_of(node.name):
            reader = self.node(name)
            if not isinstance(reader.work, MatMul) or reader.inputs[0] == node.name:
                raise AccelsimError(
                    f"{place}: {shown(name)} must be a matmul that reads it as its second "
                    "operand; say folds: false"
                )


def operand_shapes(work: Work) -> tuple[Shape, ...]:
    """What the operation reads from the graph for one sample: weights are no operand."""
    if isinstance(work, VectorOperation):
        return work.shapes
    if isinstance(work, MatMul):
        return work.input_shape(), work.weight_shape()
    if isinstance(work, Linear) and work.rows == 1:
        return ((work.in_features,),)
    return (work.input_shape() if isinstance(work, Linear) else work.input_shape()[1:],)


def result_shape(work: Work) -> Shape:
    """What the operation gives for one sample."""
    if isinstance(work, VectorOperation):
        return work.sample_shape
    if isinstance(work, Linear) and work.rows == 1:
        return (work.out_features,)
    return work.output_shape() if isinstance(work, Linear | MatMul) else work.output_shape()[1:]


def parameter_shapes(work: Work) -> dict[str, Shape]:
    """The parameters of an operation by name: weights and bias, or those of a vector operation."""
    if isinstance(work, VectorOperation):
        return dict(work.parameter_shapes())
    if isinstance(work, MatMul):
        return {}
    bias = {"bias": work.bias_shape()} if work.has_bias else {}
    return {"weights": work.weight_shape(), **bias}


def trainable_parameters(work: Work) -> tuple[str, ...]:
    """Those of its parameters that have a gradient."""
    return work.trainable if isinstance(work, VectorOperation) else tuple(parameter_shapes(work))


def _parameter_count(work: Work) -> int:
    shapes = parameter_shapes(work)
    return sum(prod(shapes[name]) for name in trainable_parameters(work))


def own_inputs(layer: Layer) -> tuple[str, ...]:
    """The names of the tensors that an unconnected layer reads from outside."""
    first = f"{layer.name}.input"
    return (first, f"{layer.name}.weights") if isinstance(layer, MatMul) else (first,)


def check_operands(node: Node, shapes: Mapping[str, Shape], names: Container[str] = ()) -> None:
    """The node reads as many tensors as it needs, all of them known, each of a shape that fits.

    `names` are those of all nodes, to tell one that comes too late from one that does not exist.
    """
    where = f"node {node.name!r}: input"
    needed = operand_shapes(node.work)
    if len(node.inputs) != len(needed):
        raise AccelsimError(
            f"node {node.name!r}: a {node.kind} reads {len(needed)} tensors, inputs names "
            f"{len(node.inputs)}"
        )
    for place, (name, shape) in enumerate(zip(node.inputs, needed, strict=True)):
        if name not in shapes:
            late = "stands there or later; " if name in names else ""
            raise AccelsimError(
                f"{where} = {shown(name)}: {late}must be an earlier node or an input of the "
                f"network; {known(shapes, name)}"
            )
        if not fits(node.work, place, shapes[name]):
            raise AccelsimError(
                f"{where} = {shown(name)}: it gives {shapes[name]}, {shape} is needed"
            )


def fits(work: Work, place: int, given: Shape) -> bool:
    """Whether a tensor of this shape can be operand `place`.

    A linear layer reads a tensor of any shape flattened (rows = 1), or all axes but the last as
    rows; a matrix product takes all axes but the last two as copies. Else shapes are equal.
    """
    needed = operand_shapes(work)[place]
    if isinstance(work, Linear):
        flat = prod(given) == prod(needed)
        return flat and (work.rows == 1 or given[-1] == needed[-1])
    if isinstance(work, MatMul):
        return given[-2:] == needed[-2:] and prod(given[:-2]) == needed[0]
    return given == needed


def _checked_inputs(where: str, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    checked = {}
    for name, shape in dict(inputs).items():
        identifier(f"{where}: input name", name)
        sizes = shape if isinstance(shape, list | tuple) else (shape,)
        checked[name] = tuple(dimension(f"{where}: input {shown(name)}", size) for size in sizes)
        if not 1 <= len(sizes) <= 8 or prod(checked[name]) > MAXIMUM_ELEMENTS:
            raise AccelsimError(
                f"{where}: input {shown(name)} = {shown(sizes)}: must have 1 to 8 axes and at "
                f"most {MAXIMUM_ELEMENTS} elements"
            )
    return checked
