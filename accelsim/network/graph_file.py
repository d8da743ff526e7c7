"""From the mapping in a network file to a Network: fields that the input implies are filled in."""

import dataclasses
from collections.abc import Callable
from math import prod
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import dimension, flag, identifier, known
from accelsim.network.layers import Conv2d, Linear, MatMul
from accelsim.network.network import (
    Network,
    Node,
    Shape,
    check_operands,
    operand_shapes,
    own_inputs,
    result_shape,
)
from accelsim.network.vector import VECTOR_KINDS
from accelsim.network.yaml_file import check_fields, string_keyed

MAXIMUM_NODES = 10_000


@dataclasses.dataclass(frozen=True)
class _LayerKind:
    """How a file describes a matrix layer; `implied` finds fields in the shapes it reads."""

    build: Callable[..., Any]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    implied: Callable[..., dict[str, int]]


def _image(field: str) -> Callable[..., dict[str, int]]:
    def implied(shape: Shape) -> dict[str, int]:
        if len(shape) != 3:
            raise AccelsimError(f"its input is {shape}, must be (channels, height, width)")
        return dict(zip((field, "height", "width"), shape, strict=True))

    return implied


def _features(shape: Shape) -> dict[str, int]:
    if len(shape) == 2:
        return {"rows": shape[0], "in_features": shape[1]}
    return {"in_features": prod(shape)}


def _product(first: Shape, second: Shape) -> dict[str, int]:
    if len(first) != 3 or len(second) != 3:
        raise AccelsimError(f"its inputs are {first} and {second}, must be (copies, m, k)")
    return {"copies": first[0], "m": first[1], "k": first[2], "n": second[2]}


LAYER_KINDS = {
    "conv2d": _LayerKind(
        Conv2d,
        ("in_channels", "out_channels", "kernel", "height", "width"),
        ("stride", "padding", "dilation", "groups", "bias"),
        _image("in_channels"),
    ),
    "depthwise_conv2d": _LayerKind(
        Conv2d.depthwise,
        ("channels", "kernel", "height", "width"),
        ("stride", "padding", "dilation", "bias"),
        _image("channels"),
    ),
    "linear": _LayerKind(Linear, ("in_features", "out_features"), ("bias", "rows"), _features),
    "matmul": _LayerKind(MatMul, ("m", "k", "n"), ("copies",), _product),
}
"""The matrix layers by `kind`, with the fields that go with each."""


def parse_network(data: dict[str, Any], where: str) -> Network:
    """A network from the mapping in a file; every error names the place and the field."""
    check_fields(
        where,
        data,
        ("name", "layers"),
        ("description", "source", "notes", "published", "sequential", "inputs"),
    )
    sequential = flag(f"{where}: sequential", data.get("sequential", False))
    entries = data["layers"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAXIMUM_NODES:
        raise AccelsimError(
            f"{where}: layers = {shown(entries)}: must be a list of 1 to {MAXIMUM_NODES} layers"
        )
    graph = _Graph(_declared(f"{where}: inputs", data.get("inputs", {})), sequential)
    for position, entry in enumerate(entries):
        graph.add(f"{where}: layers[{position}]", entry)
    try:
        return Network(data["name"], tuple(graph.nodes), graph.inputs)
    except AccelsimError as error:
        raise AccelsimError(f"{where}: {error}") from None


class _Graph:
    """The nodes read so far and the shapes of all tensors known."""

    def __init__(self, inputs: dict[str, Shape], sequential: bool) -> None:
        self.inputs = inputs
        self.nodes: list[Node] = []
        self._shapes = dict(inputs)
        self._previous = next(iter(inputs)) if sequential and len(inputs) == 1 else None
        self._sequential = sequential

    def add(self, where: str, entry: Any) -> None:
        """One more entry of `layers`."""
        fields = dict(string_keyed(where, entry))
        if isinstance(fields.get("name"), str):
            where = f"{where} ({shown(fields['name'])})"
        kind = fields.pop("kind", None)
        if not isinstance(kind, str) or kind not in (*LAYER_KINDS, *VECTOR_KINDS):
            kinds = ", ".join((*LAYER_KINDS, *VECTOR_KINDS))
            raise AccelsimError(f"{where}: kind = {shown(kind)}: must be one of {kinds}")
        fields.pop("published", None)
        try:
            node = self._node(where, kind, fields)
        except AccelsimError as error:
            message = str(error)
            raise (
                error if message.startswith(where) else AccelsimError(f"{where}: {message}")
            ) from None
        self.nodes.append(node)
        self._shapes[node.name] = result_shape(node.work)
        if self._sequential:
            self._previous = node.name

    def _node(self, where: str, kind: str, fields: dict[str, Any]) -> Node:
        check_fields(where, fields, ("name",), tuple(fields))
        name = identifier("name", fields["name"])
        if name in self._shapes:
            raise AccelsimError(f"{name!r} is given twice")
        sources = _sources(fields)
        if not sources and self._previous is not None:
            sources = (self._previous,)
        shapes = tuple(self._shape(source) for source in sources)
        if kind in VECTOR_KINDS:
            if not sources:
                raise AccelsimError("the field 'input' is missing: which tensor does it read?")
            node = Node(name, _vector_work(where, kind, shapes, fields), sources)
        else:
            layer = _layer(where, LAYER_KINDS[kind], shapes, fields)
            node = Node(name, layer, sources or own_inputs(layer))
            if not sources:
                own = dict(zip(node.inputs, operand_shapes(layer), strict=True))
                self.inputs |= own
                self._shapes |= own
        check_operands(node, self._shapes)
        return node

    def _shape(self, source: str) -> Shape:
        if source not in self._shapes:
            raise AccelsimError(
                f"input = {shown(source)}: must be an earlier layer or an input of the network; "
                f"{known(self._shapes, source)}"
            )
        return self._shapes[source]


def _sources(fields: dict[str, Any]) -> tuple[str, ...]:
    """The names under `input` or `inputs`, taken out of the fields."""
    if "input" in fields and "inputs" in fields:
        raise AccelsimError("both input and inputs are given; keep one")
    if "input" in fields:
        return (identifier("input", fields.pop("input")),)
    names = fields.pop("inputs", [])
    if not isinstance(names, list) or len(names) > 1000:
        raise AccelsimError(f"inputs = {shown(names)}: must be a list of names")
    return tuple(identifier("inputs", name) for name in names)


def _vector_work(where: str, kind: str, shapes: tuple[Shape, ...], fields: dict[str, Any]) -> Any:
    operation = VECTOR_KINDS[kind]
    allowed = {f.name: f for f in dataclasses.fields(operation) if f.name != "shapes"}
    required = tuple(f for f in allowed if allowed[f].default is dataclasses.MISSING)
    check_fields(where, fields, ("name", *required), tuple(allowed))
    return operation(shapes, **{f: value for f, value in fields.items() if f != "name"})


def _layer(where: str, kind: _LayerKind, shapes: tuple[Shape, ...], fields: dict[str, Any]) -> Any:
    implied = _implied(kind, shapes, fields) if shapes else {}
    check_fields(where, {**implied, **fields}, ("name", *kind.required), kind.optional)
    return kind.build(**{**implied, **fields})


def _implied(kind: _LayerKind, shapes: tuple[Shape, ...], fields: dict[str, Any]) -> dict[str, int]:
    """The sizes that follow from what the layer reads."""
    wanted = 2 if kind.build is MatMul else 1
    if len(shapes) != wanted:
        raise AccelsimError(f"it reads {wanted} tensors, inputs names {len(shapes)}")
    # A linear layer that states other in_features than the last axis reads all of them flat.
    if kind.build is Linear and fields.get("in_features", shapes[0][-1]) != shapes[0][-1]:
        return {}
    return kind.implied(*shapes)


def _declared(where: str, inputs: Any) -> dict[str, Shape]:
    """The network's inputs: name and shape of one sample."""
    shapes: dict[str, Shape] = {}
    for name, sizes in string_keyed(where, inputs).items():
        if not isinstance(sizes, list) or not 1 <= len(sizes) <= 8:
            raise AccelsimError(f"{where}: {shown(name)} = {shown(sizes)}: must be a list of sizes")
        shapes[identifier(where, name)] = tuple(dimension(f"{where}: {name}", s) for s in sizes)
    return shapes
