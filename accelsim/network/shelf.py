"""The shelf: networks as files. `workloads/` comes with the package; any path will do."""

from collections.abc import Callable
from pathlib import Path

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import known
from accelsim.network.graph_file import parse_network
from accelsim.network.layers import Layer
from accelsim.network.network import Network
from accelsim.network.onnx import load_onnx
from accelsim.network.scalesim import load_topology
from accelsim.network.yaml_file import read_mapping


def _read_yaml(path: Path) -> Network:
    return parse_network(read_mapping(path), str(path))


READERS: dict[str, Callable[[Path], Network]] = {
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".csv": load_topology,
    ".onnx": load_onnx,
}
"""What reads a file, by the end of its name; anything else is taken for YAML."""


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
            f"{known(network_names(), name_or_path)}; or give the path of a {_suffixes()} file"
        )
    return workloads_folder() / f"{name_or_path}.yaml"


def load_network(name_or_path: str | Path, skip_unsupported: bool = False) -> Network:
    """The network of this name on the shelf, or in this file: all of it is checked.

    A file is YAML, a SCALE-Sim topology (.csv) or an ONNX model (.onnx, the extra `onnx`). What an
    ONNX model has and this package does not is refused, or with `skip_unsupported` stands in the
    network as vector work of known bytes.
    """
    path = network_path(name_or_path)
    if path.suffix.lower() == ".onnx":
        return load_onnx(path, skip_unsupported)
    return READERS.get(path.suffix.lower(), _read_yaml)(path)


def load_layer(reference: str, skip_unsupported: bool = False) -> Layer:
    """A layer by `network.layer` or `path/of/file.yaml:layer` (or another kind of file).

    The network is everything before the first dot; the layer is an exact name, or a prefix that
    ends at a dot and stands for the first layer it matches (`resnet18.layer1`). `skip_unsupported`
    is that of `load_network`.
    """
    if not isinstance(reference, str):
        raise AccelsimError(f"layer = {shown(reference)}: must be a string like resnet18.layer1")
    for suffix in READERS:
        if f"{suffix}:" in reference:
            stem, layer = reference.split(f"{suffix}:", 1)
            return load_network(Path(stem + suffix), skip_unsupported).layer(layer)
    if _is_path(reference):
        raise AccelsimError(f"layer {shown(reference)}: must be PATH.yaml:LAYER to name a layer")
    network, dot, layer = reference.partition(".")
    if not dot or not layer:
        names = load_network(network).layer_names
        raise AccelsimError(
            f"layer {shown(reference)}: must be NETWORK.LAYER; {known(names, layer)}"
        )
    return load_network(network).layer(layer)


def names_network(reference: str) -> bool:
    """Whether a reference names a whole network, not a layer of one."""
    if any(f"{suffix}:" in reference for suffix in READERS):
        return False
    return _is_path(reference) or "." not in reference


def _is_path(text: str) -> bool:
    return any(mark in text for mark in ("/", "\\")) or text.endswith(tuple(READERS))


def _suffixes() -> str:
    *others, last = READERS
    return f"{', '.join(others)} or {last}"
