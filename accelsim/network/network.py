"""A network: named layers in order, and which layer feeds which."""

from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import identifier, known
from accelsim.network.layers import Conv2d, Layer, Linear


@dataclass(frozen=True)
class Network:
    """Layers in order of execution. `links` are (consumer, producer) names, checked to fit.

    A link says that the producer's output (after activation, residual addition or global pooling)
    is the consumer's input. Where something else stands between two layers, there is no link.
    """

    name: str
    layers: tuple[Layer, ...]
    links: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        identifier("network name", self.name)
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "links", tuple((str(a), str(b)) for a, b in self.links))
        if not self.layers:
            raise AccelsimError(f"network {self.name!r}: layers is empty; at least one is needed")
        seen: set[str] = set()
        for layer in self.layers:
            if layer.name in seen:
                raise AccelsimError(f"network {self.name!r}: layer {layer.name!r} is given twice")
            seen.add(layer.name)
        order = {layer.name: position for position, layer in enumerate(self.layers)}
        for consumer, producer in self.links:
            self._check_link(order, consumer, producer)

    def _check_link(self, order: dict[str, int], consumer: str, producer: str) -> None:
        where = f"network {self.name!r}: layer {shown(consumer)}: input = {shown(producer)}"
        if consumer not in order or producer not in order or order[producer] >= order[consumer]:
            earlier = list(order)[: order.get(consumer, 0)]
            raise AccelsimError(f"{where}: must be an earlier layer; {known(earlier, producer)}")
        mismatch = _mismatch(self.layers[order[producer]], self.layers[order[consumer]])
        if mismatch:
            raise AccelsimError(f"{where}: {mismatch}")

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The names of the layers, in order."""
        return tuple(layer.name for layer in self.layers)

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


def _mismatch(producer: Layer, consumer: Layer) -> str:
    """Why the producer's output cannot be the consumer's input; empty where it can."""
    given, needed = producer.output_shape()[1:], consumer.input_shape()[1:]
    if isinstance(producer, Conv2d) and isinstance(consumer, Linear):
        channels, height, width = given
        if consumer.rows == 1 and consumer.in_features in (channels, channels * height * width):
            return ""
        return (
            f"it gives {channels} channels of {height}x{width}, so in_features must be {channels} "
            f"(pooled) or {channels * height * width} (flattened), not {consumer.in_features}"
        )
    if type(producer) is type(consumer) and isinstance(consumer, Conv2d | Linear):
        rows = (getattr(producer, "rows", 1), getattr(consumer, "rows", 1))
        if given == needed and rows[0] == rows[1]:
            return ""
        return f"it gives {producer.output_shape()}, {consumer.input_shape()} is needed"
    return f"a {consumer.kind} layer cannot be linked to a {producer.kind} layer; leave it out"
