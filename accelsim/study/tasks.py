"""What a point has to run, and the key of it: a hash of all that the result depends on, no names.

Two points that come to the same thing share one task. What a run without values depends on is less
than its point says: of a layer the operation that is lowered, the realisation, and what the
statistics unit is asked for; of a network its operations and which reads what.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError, shown, whole
from accelsim.hardware import Hardware, load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.network import Drift, Layer, Network, operation_of_layer
from accelsim.network.gradient import FORWARD
from accelsim.quant import Policy, Scheme
from accelsim.simulation import MODEL_VERSION, layer_needs, network_policy, planned_step
from accelsim.study.description import (
    RUN_FIELDS,
    SCHEME_FIELDS,
    TRAINING,
    TRAINING_FIELDS,
    Coordinates,
)
from accelsim.study.workload import LAYER_NAME, network_of

DEFAULT_HARDWARE, DEFAULT_SCHEME = "edge", "in-hindsight"
DEFAULT_STEPS, DEFAULT_DRIFT, LARGEST_BATCH = 2, 0.05, 2**20
MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Data:
    """The synthetic tensors of a run with values."""

    steps: int
    drift: float


@dataclass(frozen=True, slots=True)
class LayerWork:
    """A layer, or one of its gradients."""

    layer: Layer
    operation: str
    scheme: Scheme


@dataclass(frozen=True, slots=True)
class NetworkWork:
    """An inference of a whole network, or a training step."""

    network: Network
    policy: Policy
    training: TrainingOptions | None


@dataclass(frozen=True, slots=True)
class Task:
    """One simulation: all that its result depends on, fit to be sent to another process."""

    key: str
    work: LayerWork | NetworkWork
    batch: int
    machine: str
    """The description of the hardware, without its name, as JSON."""
    seed: int
    data: Data | None


def task_of(coordinates: Coordinates, layer: Layer | None, values: bool) -> Task:
    """What runs at these coordinates: the layer, or the whole network that they name."""
    machine, machine_hash = _machine(*_machine_of(coordinates))
    batch = whole("batch", coordinates.get("batch", 1), 1, LARGEST_BATCH)
    data = _data(coordinates) if values else None
    seed = coordinates.get("seed", 0) if values else 0
    work: LayerWork | NetworkWork
    if layer is None:
        work = _network_work(coordinates, seed, values)
        what = _of_network(work, batch, data)
    else:
        scheme = replace(_scheme(_text_of_scheme(coordinates), _widths(coordinates)), seed=seed)
        operation = coordinates.get("operation", FORWARD)
        operation_of_layer(layer, operation)  # refuses one that there is not
        work = LayerWork(_renamed(layer), operation, scheme)
        what = _of_layer(work, batch, data)
    key = hashlib.sha256(f"{MODEL_VERSION}\n{machine_hash}\n{what}".encode()).hexdigest()
    return Task(key, work, batch, machine, seed, data)


def machine_at(coordinates: Coordinates) -> Hardware:
    """The machine of a point."""
    return _loaded(*_machine_of(coordinates))


def _data(coordinates: Coordinates) -> Data:
    drift = coordinates.get("drift", DEFAULT_DRIFT)
    Drift.parse(drift)
    return Data(whole("steps", coordinates.get("steps", DEFAULT_STEPS), 1, MOST_STEPS), drift)


def _machine_of(coordinates: Coordinates) -> tuple[str, tuple[tuple[str, Any], ...]]:
    overrides = tuple((name, coordinates[name]) for name in coordinates if _is_hardware(name))
    return coordinates.get("hardware", DEFAULT_HARDWARE), overrides


def _is_hardware(name: str) -> bool:
    return name not in RUN_FIELDS and name != "layer" and not name.startswith("layer.")


@lru_cache(maxsize=65536)
def _loaded(hardware: str, overrides: tuple[tuple[str, Any], ...]) -> Hardware:
    return load_hardware(hardware, dict(overrides))


@lru_cache(maxsize=65536)
def _machine(hardware: str, overrides: tuple[tuple[str, Any], ...]) -> tuple[str, str]:
    """The machine as JSON, and a hash of it."""
    machine = _loaded(hardware, overrides)
    described = machine.model_dump(mode="json") | {"name": Hardware().name}
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()


def _text_of_scheme(coordinates: Coordinates) -> str:
    text, realisation = coordinates.get("scheme", DEFAULT_SCHEME), coordinates.get("realisation")
    if realisation is None:
        return str(text)
    if "=" in str(text).partition(":")[0]:
        raise AccelsimError(
            f"realisation={shown(realisation)}: must be left out where scheme={shown(text)} names "
            "one for each kind of tensor"
        )
    return f"{str(text).partition('/')[0]}/{realisation}"


Widths = tuple[tuple[str, Any], ...]


def _widths(coordinates: Coordinates) -> Widths:
    """Bits and symmetries: what a scheme has beside its text."""
    named = ("scheme", "realisation")
    return tuple((n, coordinates[n]) for n in SCHEME_FIELDS if n in coordinates and n not in named)


@lru_cache(maxsize=65536)
def _scheme(text: str, widths: Widths) -> Scheme:
    return Scheme.parse(text, **dict(widths))


@lru_cache(maxsize=65536)
def _renamed(layer: Layer) -> Layer:
    return replace(layer, name=LAYER_NAME)


def _network_work(coordinates: Coordinates, seed: int, values: bool) -> NetworkWork:
    options = {name: coordinates[name] for name in TRAINING_FIELDS if name in coordinates}
    training = TrainingOptions(**options) if coordinates["operation"] == TRAINING else None
    policy = Policy.parse(_text_of_scheme(coordinates), seed=seed, **dict(_widths(coordinates)))
    network = network_of(coordinates["workload"], values)
    return NetworkWork(network, network_policy(policy, seed), training)


@lru_cache(maxsize=65536)
def _of_layer(work: LayerWork, batch: int, data: Data | None) -> str:
    """All that a run depends on beside machine and model, as canonical text."""
    if data is None:
        layer = operation_of_layer(work.layer, work.operation)
        scheme = work.scheme
        plan, estimator = planned_step(layer, batch, scheme), scheme.new_estimator()
        return _canonical(
            operation=dataclasses.asdict(plan.operation),
            realisation=plan.realisation,
            passes=plan.passes,
            statistics=sorted(layer_needs(layer, scheme)),
            update=[estimator.period, estimator.planned_passes, scheme.realisation]
            if estimator.period
            else None,
            consumer=[scheme.weight_bits, scheme.output_bits],
        )
    return _canonical(
        layer=[work.layer.kind, dataclasses.asdict(work.layer)],
        operation=work.operation,
        batch=batch,
        scheme=dataclasses.asdict(work.scheme),
        data=dataclasses.asdict(data),
    )


def _of_network(work: NetworkWork, batch: int, data: Data | None) -> str:
    """The same of a network. With values its names count, as they seed its tensors."""
    return _canonical(
        network=_structure(work.network, data is not None),
        policy=dataclasses.asdict(work.policy),
        training=None if work.training is None else dataclasses.asdict(work.training),
        batch=batch,
        data=None if data is None else dataclasses.asdict(data),
    )


def _structure(network: Network, named: bool) -> dict[str, Any]:
    """Its operations and which reads what; with names, its parameters too."""
    names = [*network.inputs, *(node.name for node in network.nodes)]
    places: Mapping[str, Any] = (
        {name: name for name in names} if named else {name: i for i, name in enumerate(names)}
    )
    nodes = []
    for node in network.nodes:
        fields = dataclasses.asdict(node.work)
        fields.pop("name", None)
        reads = [places[name] for name in node.inputs]
        nodes.append([places[node.name], node.kind, fields, reads])
    parameters = {
        name: hashlib.sha256(array.tobytes()).hexdigest()
        for name, array in network.parameters.items()
    }
    return {
        "inputs": [[places[name], shape] for name, shape in network.inputs.items()],
        "nodes": nodes,
        "parameters": parameters if named else {},
        "grids": {name: _grid(grid) for name, grid in network.grids.items()} if named else {},
    }


def _grid(grid: Any) -> list[Any]:
    """What a file says of one tensor's integers, as plain data."""
    found = {field.name: getattr(grid, field.name) for field in dataclasses.fields(grid)}
    plain = {name: np.asarray(value).tolist() for name, value in found.items()}
    return [type(grid).__name__, plain]


def _canonical(**fields: Any) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))
