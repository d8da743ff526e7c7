"""What a point runs: a layer of a network, or one that the study describes."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache, lru_cache
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.network import Layer, Nest, Network, load_layer, load_network, names_network
from accelsim.network.graph_file import parse_network

LAYER_NAME = "layer"
COUNTS = ("macs", "input_elements", "weight_elements", "output_elements")
"""What an expression may read of a layer beside the fields of its nest."""


@cache
def layers_of(workload: Any) -> tuple[tuple[str, str], ...]:
    """The (workload, layer) pairs of a network's name or file, or the one of `network.layer`."""
    if not isinstance(workload, str):
        raise AccelsimError(
            f"workload={shown(workload)}: must be a network or NETWORK.LAYER, such as resnet18"
        )
    if names_network(workload):
        return tuple((workload, layer.name) for layer in load_network(workload))
    of_file, _, _ = workload.rpartition(":")
    return ((of_file or workload.partition(".")[0], load_layer(workload).name),)


@cache
def network_of(workload: Any, values: bool = False) -> Network:
    """A whole network by name or file; without the parameters that only values need."""
    if not isinstance(workload, str) or not names_network(workload):
        raise AccelsimError(
            f"workload={shown(workload)}: must be a whole network, such as resnet18, for "
            "operation inference or training"
        )
    network = load_network(workload)
    return network if values else replace(network, parameters={})


@lru_cache(maxsize=65536)
def named_layer(workload: str, layer: str) -> Layer:
    """A layer by the pair that `layers_of` gave."""
    return _network(workload)[layer]


@lru_cache(maxsize=1024)
def _network(workload: str) -> dict[str, Layer]:
    return {layer.name: layer for layer in load_network(workload)}


def layer_field_names() -> tuple[str, ...]:
    """The fields of a described layer, as axes name them."""
    names = (
        "kind in_channels out_channels channels kernel height width stride padding dilation groups "
        "bias in_features out_features rows m k n copies"
    )
    return tuple(f"layer.{name}" for name in names.split())


@lru_cache(maxsize=65536)
def _described(items: tuple[tuple[str, Any], ...]) -> Layer:
    entry = {"name": LAYER_NAME, **dict(items)}
    network = parse_network({"name": "study", "layers": [entry]}, "layer")
    return next(iter(network))


def described_layer(base: Mapping[str, Any], coordinates: Mapping[str, Any]) -> Layer:
    """The layer of a study that describes one, with the fields that a point sets."""
    changes = {
        name.removeprefix("layer."): value
        for name, value in coordinates.items()
        if name.startswith("layer.")
    }
    merged = dict(base) | changes
    return _described(
        tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in merged.items())
    )


def nest_values(nest: Nest) -> dict[str, int]:
    """What an expression may read of a layer, as `layer.NAME`."""
    found = {field.name: getattr(nest, field.name) for field in fields(nest)}
    return found | {name: getattr(nest, name) for name in COUNTS}
