"""Made-up parameters and inputs of a network, of stated and seeded distributions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import whole
from accelsim.network.drift import Drift
from accelsim.network.evaluation import node_value
from accelsim.network.layers import Layer
from accelsim.network.network import Network, Node, parameter_shapes
from accelsim.network.vector import BatchNorm, RangeBatchNorm

Array = NDArray[Any]

FEWEST = 8
"""Elements that a channel must have for statistics of its own."""

_INPUT, _PARAMETER, _SCALE, _CALIBRATION = range(4)


class SyntheticInputs:
    """The inputs of a network, step by step: the same arguments give the same arrays.

    Every input is `s_t * (N + mean)`, N standard normal draws of its own at each step, as images
    are whose mean and deviation were taken out. s_t is 1 at step 0 and takes a random step,
    times `exp(amount * N)`, at each further one, times what the other parts of the drift make of
    it. float32.
    """

    def __init__(
        self,
        network: Network,
        batch: int = 1,
        seed: int = 0,
        drift: Drift | float | str | Iterable[str] = 0.05,
    ) -> None:
        self.network, self.drift = network, Drift.parse(drift)
        self.batch = whole("batch", batch, 1, 2**20)
        self.seed = whole("seed", seed, 0, 2**63 - 1)

    def steps(self, count: int) -> Iterator[dict[str, Array]]:
        """The arrays (batch, ...) of this many steps by the names of the inputs."""
        scale = 1.0
        for step in range(count):
            if step:
                draw = random_stream(self.seed, _SCALE, "", step).standard_normal()
                scale *= float(np.exp(self.drift.amount * draw))
            size = scale * self.drift.scale(step)
            yield self._arrays(_INPUT, step, size, self.drift.mean(step))

    def calibration(self, count: int) -> Iterator[dict[str, Array]]:
        """Further batches from before step 0, of scale 1."""
        for batch in range(whole("calibrate", count, 0, 2**20)):
            yield self._arrays(_CALIBRATION, batch, 1.0, 0.0)

    def _arrays(self, stream: int, step: int, scale: float, mean: float) -> dict[str, Array]:
        arrays = {}
        for name, shape in self.network.inputs.items():
            draws = normal_draws(self.seed, stream, name, step, (self.batch, *shape))
            arrays[name] = np.float32(scale) * (draws + np.float32(mean))
        return arrays


def with_parameters(
    network: Network, inputs: Mapping[str, Array], seed: int = 0, training: bool = False
) -> Network:
    """The network with made-up values for those parameters that its file does not give.

    Weights are `sqrt(2 / K) * N` (He), K products in a sum; biases and betas `0.1 * N`; gammas and
    gains `1 + 0.1 * N`. Each is drawn by itself, keyed by (seed, name). The running statistics of
    batch normalizations are those of their operand where the network reads `inputs`, or of the
    whole tensor where a channel has fewer than 8 elements; in `training`, which has no use for
    them, they are 1.
    """
    found = dict(network.parameters)
    for node in network.nodes:
        for name, shape in parameter_shapes(node.work).items():
            full = f"{node.name}.{name}"
            if full in found:
                continue
            if not _is_running(node, name):
                found[full] = _made(node, name, full, shape, seed)
            elif training:
                found[full] = np.ones(shape, np.float32)
    complete = replace(network, parameters=found)
    if any(_lacks_statistics(node, found) for node in network.nodes):
        return _with_statistics(complete, inputs)
    return complete


def _with_statistics(network: Network, inputs: Mapping[str, Array]) -> Network:
    """Runs the network once, as far as its last normalization without statistics."""
    found = dict(network.parameters)
    last = max(i for i, node in enumerate(network.nodes) if _lacks_statistics(node, found))
    arrays = {name: np.asarray(array, np.float64) for name, array in inputs.items()}
    for place, node in enumerate(network.nodes[: last + 1]):
        operands = [arrays[name] for name in node.inputs]
        if _lacks_statistics(node, found):
            assert isinstance(node.work, BatchNorm | RangeBatchNorm)
            mean, spread = _statistics(node.work, operands[0])
            _, _, first, second = node.work.parameter_shapes()
            found |= {f"{node.name}.{first}": mean, f"{node.name}.{second}": spread}
            network = replace(network, parameters=found)
        arrays[node.name] = node_value(network, node, operands)
        for name in node.inputs:
            if _last_reader(network, name) <= place:
                arrays.pop(name, None)
    return network


def _statistics(norm: BatchNorm | RangeBatchNorm, x: Array) -> tuple[Array, Array]:
    """Mean and spread of each channel, or of the tensor where channels have few elements.

    No channel's spread is taken for less than a hundredth of their mean: one that happened to be
    constant would be blown up in the next step.
    """
    channels = x.shape[1]
    if x.size < FEWEST * channels:
        spread = x.var() if isinstance(norm, BatchNorm) else x.std()
        return np.full(channels, x.mean()), np.full(channels, max(spread, 1e-12))
    mean, spreads = norm.statistics(x)
    return mean, np.maximum(spreads, max(0.01 * spreads.mean(), 1e-12))


def _last_reader(network: Network, name: str) -> int:
    places = {node.name: place for place, node in enumerate(network.nodes)}
    return max(places[reader] for reader in network.consumers_of(name))


def _is_running(node: Node, name: str) -> bool:
    return isinstance(node.work, BatchNorm | RangeBatchNorm) and name not in node.work.trainable


def _lacks_statistics(node: Node, found: Mapping[str, Array]) -> bool:
    return any(
        _is_running(node, name) and f"{node.name}.{name}" not in found
        for name in parameter_shapes(node.work)
    )


def _made(node: Node, name: str, full: str, shape: tuple[int, ...], seed: int) -> Array:
    draws = normal_draws(seed, _PARAMETER, full, 0, shape)
    if name == "weights":
        assert isinstance(node.work, Layer)
        draws *= np.float32(np.sqrt(2 / node.work.nest().reduction))
        return draws
    small = np.float32(0.1) * draws
    return small + np.float32(1) if name in ("gamma", "gain") else small


def normal_draws(seed: int, stream: int, name: str, step: int, shape: tuple[int, ...]) -> Array:
    """Standard normal draws in float32 from the stream of this name."""
    draws = random_stream(seed, stream, name, step)
    return draws.standard_normal(prod(shape), dtype=np.float32).reshape(shape)


def random_stream(seed: int, stream: int, name: str, step: int) -> np.random.Generator:
    """A stream of its own for each name, whatever the order in which they are asked for."""
    digest = blake2b(f"{seed}:{stream}:{name}:{step}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest, "little")))
