"""The published figures of memory movement that the closed form is held against."""

from dataclasses import dataclass
from typing import Any

from accelsim.errors import AccelsimError, shown, whole
from accelsim.network.graph_file import parse_network
from accelsim.network.layers import Layer
from accelsim.network.shelf import network_path
from accelsim.network.yaml_file import check_fields, read_mapping, string_keyed


@dataclass(frozen=True)
class PublishedRow:
    """One row as printed: KiB (1024 bytes) moved with static and with dynamic quantization.

    `note` says what is known to be wrong with the row, or is empty.
    """

    layer: Layer
    static_kib: int
    dynamic_kib: int
    delta_percent: int
    note: str = ""


def load_table5() -> tuple[PublishedRow, ...]:
    """Table 5 of Fournarakis & Nagel (2021), from the shelf's `table5.yaml`, in printed order."""
    path = network_path("table5")
    data = read_mapping(path)
    network = parse_network(data, str(path))
    return tuple(
        _row(f"{path}: {layer.name}: published", layer, entry.get("published"))
        for layer, entry in zip(network.layers, data["layers"], strict=True)
    )


def _row(where: str, layer: Layer, published: Any) -> PublishedRow:
    figures = string_keyed(where, published)
    check_fields(where, figures, ("static_kb", "dynamic_kb", "delta_percent"), ("note",))
    note = figures.get("note", "")
    if not isinstance(note, str):
        raise AccelsimError(f"{where}: note = {shown(note)}: must be a string")
    static, dynamic, delta = (
        whole(f"{where}: {field}", figures[field], 0, 10**9)
        for field in ("static_kb", "dynamic_kb", "delta_percent")
    )
    return PublishedRow(layer, static, dynamic, delta, " ".join(note.split()))
