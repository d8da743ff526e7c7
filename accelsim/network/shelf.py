"""The shelf: networks as YAML files. `workloads/` comes with the package; any path will do."""

import dataclasses
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import flag, identifier, known
from accelsim.network.layers import Conv2d, Layer, Linear, MatMul
from accelsim.network.network import Network
from accelsim.network.yaml_file import check_fields, read_mapping, string_keyed

MAXIMUM_LAYERS = 10_000


@dataclasses.dataclass(frozen=True)
class _Kind:
    build: Any
    required: tuple[str, ...]
    optional: tuple[str, ...]


KINDS = {
    "conv2d": _Kind(
        Conv2d,
        ("in_channels", "out_channels", "kernel", "height", "width"),
        ("stride", "padding", "dilation", "groups", "bias"),
    ),
    "depthwise_conv2d": _Kind(
        Conv2d.depthwise,
        ("channels", "kernel", "height", "width"),
        ("stride", "padding", "dilation", "bias"),
    ),
    "linear": _Kind(Linear, ("in_features", "out_features"), ("bias", "rows")),
    "matmul": _Kind(MatMul, ("m", "k", "n"), ("copies",)),
}
"""What a layer's `kind` may be in a file, and the fields that go with it."""


def workloads_folder() -> Path:
    """Where the shelf lies: inside an installed package, or beside it in a source checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "workloads", package.parent / "workloads"):
        if (folder / "resnet18.yaml").is_file():
            return folder
    raise AccelsimError(f"workloads: no folder of networks in or beside {package}; reinstall")


def network_names() -> tuple[str, ...]:
    """The networks on the shelf, sorted."""
    return tuple(sorted(path.stem for path in workloads_folder().glob("*.yaml")))


def network_path(name_or_path: str | Path) -> Path:
    """The file of a network on the shelf, or the path itself when it looks like one."""
    if not isinstance(name_or_path, str | Path):
        raise AccelsimError(f"network = {shown(name_or_path)}: must be a name or a path")
    if isinstance(name_or_path, Path) or _is_path(name_or_path):
        return Path(name_or_path)
    if name_or_path not in network_names():
        raise AccelsimError(
            f"no network {shown(name_or_path)} on the shelf; "
            f"{known(network_names(), name_or_path)}; or give the path of a .yaml file"
        )
    return workloads_folder() / f"{name_or_path}.yaml"


def load_network(name_or_path: str | Path) -> Network:
    """The network of this name on the shelf, or in this YAML file. All of the file is checked."""
    path = network_path(name_or_path)
    return parse_network(read_mapping(path), str(path))


def load_layer(reference: str) -> Layer:
    """A layer by `network.layer` or `path/of/file.yaml:layer`.

    The network is everything before the first dot; the layer is an exact name, or a prefix that
    ends at a dot and stands for the first layer it matches (`resnet18.layer1`).
    """
    if not isinstance(reference, str):
        raise AccelsimError(f"layer = {shown(reference)}: must be a string like resnet18.layer1")
    for suffix in (".yaml:", ".yml:"):
        if suffix in reference:
            stem, layer = reference.split(suffix, 1)
            return load_network(Path(stem + suffix[:-1])).layer(layer)
    if _is_path(reference):
        raise AccelsimError(f"layer {shown(reference)}: must be PATH.yaml:LAYER to name a layer")
    network, dot, layer = reference.partition(".")
    if not dot or not layer:
        names = load_network(network).layer_names
        raise AccelsimError(
            f"layer {shown(reference)}: must be NETWORK.LAYER; {known(names, layer)}"
        )
    return load_network(network).layer(layer)


def parse_network(data: dict[str, Any], where: str) -> Network:
    """A network from the mapping in a file; every error names the place and the field."""
    check_fields(
        where,
        data,
        ("name", "layers"),
        ("description", "source", "notes", "published", "sequential"),
    )
    sequential = flag(f"{where}: sequential", data.get("sequential", False))
    entries = data["layers"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAXIMUM_LAYERS:
        raise AccelsimError(
            f"{where}: layers = {shown(entries)}: must be a list of 1 to {MAXIMUM_LAYERS} layers"
        )
    layers: list[Layer] = []
    links: list[tuple[str, str]] = []
    for position, entry in enumerate(entries):
        layer, producer = _parse_layer(f"{where}: layers[{position}]", entry)
        if producer is None and sequential and layers:
            producer = layers[-1].name
        if producer is not None:
            links.append((layer.name, producer))
        layers.append(layer)
    try:
        return Network(data["name"], tuple(layers), tuple(links))
    except AccelsimError as error:
        raise AccelsimError(f"{where}: {error}") from None


def _parse_layer(where: str, entry: Any) -> tuple[Layer, str | None]:
    fields = dict(string_keyed(where, entry))
    if isinstance(fields.get("name"), str):
        where = f"{where} ({shown(fields['name'])})"
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise AccelsimError(f"{where}: kind = {shown(kind)}: must be one of {', '.join(KINDS)}")
    check_fields(
        where, fields, ("name", *KINDS[kind].required),
        (*KINDS[kind].optional, "input", "published"),
    )  # fmt: skip
    producer = fields.pop("input", None)
    fields.pop("published", None)
    try:
        if producer is not None:
            identifier("input", producer)
        return KINDS[kind].build(**fields), producer
    except AccelsimError as error:
        raise AccelsimError(f"{where}: {error}") from None


def _is_path(text: str) -> bool:
    return any(mark in text for mark in ("/", "\\")) or text.endswith((".yaml", ".yml"))
