"""From a study to its points: coordinates with derived fields, and what each has to run.

Two points that come to the same thing share one task: its key is a hash of all that the result
depends on, without names. What a run without values depends on is less: the operation that is
lowered, the realisation, and what the statistics unit is asked for.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from accelsim.errors import AccelsimError, whole
from accelsim.hardware import Hardware, load_hardware
from accelsim.network import Layer, operation_of_layer
from accelsim.network.gradient import FORWARD
from accelsim.quant import Scheme
from accelsim.simulation import MODEL_VERSION, layer_needs, planned_step
from accelsim.study.description import RUN_FIELDS, SCHEME_FIELDS, Coordinates, Study, check_field
from accelsim.study.workload import LAYER_NAME, described_layer, named_layer, nest_values

DEFAULT_HARDWARE, DEFAULT_SCHEME = "edge", "in-hindsight"
DEFAULT_STEPS, DEFAULT_DRIFT, LARGEST_BATCH = 2, 0.05, 2**20
MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Data:
    """The synthetic tensors of a run with values."""

    steps: int
    drift: float


@dataclass(frozen=True, slots=True)
class Task:
    """One simulation: all that its result depends on, fit to be sent to another process."""

    key: str
    layer: Layer
    operation: str
    """The layer itself, or one of its gradients."""
    batch: int
    machine: str
    """The description of the hardware, without its name, as JSON."""
    scheme: Scheme
    data: Data | None


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a study. Without a task it cannot be run, for the reason given."""

    coordinates: Coordinates
    task: Task | None
    reason: str = ""


def points_of(study: Study) -> Iterator[Point]:
    """The points of a study that its conditions let through, in order."""
    for coordinates in study.coordinates():
        point = _point(study, dict(coordinates))
        if point is not None:
            yield point


def _point(study: Study, coordinates: dict[str, Any]) -> Point | None:
    layer = _layer(study, coordinates)
    reader = _Reader(study, coordinates, layer)
    for name, expression in study.derive:
        coordinates[name] = expression.value(reader.value)
    if study.derive and study.layer:
        reader.layer = layer = _layer(study, coordinates)
    if not all(condition.value(reader.value) for condition in study.where):
        return None
    try:
        return Point(coordinates, _task(study, coordinates, layer))
    except AccelsimError as error:
        return Point(coordinates, None, str(error))


def _layer(study: Study, coordinates: Coordinates) -> Layer:
    if study.layer:
        return described_layer(study.layer, coordinates)
    return named_layer(coordinates["workload"], coordinates["layer"])


@dataclass
class _Reader:
    """The values of the fields that an expression names."""

    study: Study
    coordinates: Coordinates
    layer: Layer

    def value(self, name: str) -> Any:
        """Of the point, else of its layer, else of the machine it starts from, else the default."""
        if name in self.coordinates and name != "layer":
            return self.coordinates[name]
        if name.startswith("layer."):
            values = nest_values(self.layer.nest(self.coordinates.get("batch", 1)))
            if name.removeprefix("layer.") in values:
                return values[name.removeprefix("layer.")]
            known = ", ".join(values)
            raise AccelsimError(f"{name}: unknown; of a layer there are {known}")
        if name in RUN_FIELDS:
            return _DEFAULTS[name]
        check_field(name)
        return _field(self.coordinates.get("hardware", DEFAULT_HARDWARE), name)


_DEFAULTS: Mapping[str, Any] = {
    "hardware": DEFAULT_HARDWARE, "workload": "", "operation": FORWARD, "batch": 1,
    "scheme": DEFAULT_SCHEME, "realisation": "",
    "weight_bits": 8, "input_bits": 8, "output_bits": 8,
    "weights": "symmetric", "weight_scales": "per-channel", "inputs": "asymmetric",
    "outputs": "asymmetric", "steps": DEFAULT_STEPS, "seed": 0, "drift": DEFAULT_DRIFT,
}  # fmt: skip


@lru_cache(maxsize=65536)
def _field(hardware: str, name: str) -> Any:
    value: Any = load_hardware(hardware).model_dump(mode="json")
    for step in name.split("."):
        if not isinstance(value, dict) or step not in value:
            raise AccelsimError(f"{name}: the machine {hardware} has no such field")
        value = value[step]
    return value


def _task(study: Study, coordinates: Coordinates, layer: Layer) -> Task:
    machine, machine_hash = _machine(*_machine_of(coordinates))
    batch = whole("batch", coordinates.get("batch", 1), 1, LARGEST_BATCH)
    scheme = _scheme(tuple((n, coordinates[n]) for n in SCHEME_FIELDS if n in coordinates))
    data = None
    if study.values:
        scheme = replace(scheme, seed=coordinates.get("seed", 0))
        data = Data(
            coordinates.get("steps", DEFAULT_STEPS), coordinates.get("drift", DEFAULT_DRIFT)
        )
    layer = _renamed(layer)
    operation = coordinates.get("operation", FORWARD)
    what = _what(layer, operation, batch, scheme, data)
    key = hashlib.sha256(f"{MODEL_VERSION}\n{machine_hash}\n{what}".encode()).hexdigest()
    return Task(key, layer, operation, batch, machine, scheme, data)


def machine_at(coordinates: Coordinates) -> Hardware:
    """The machine of a point."""
    return _loaded(*_machine_of(coordinates))


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


@lru_cache(maxsize=65536)
def _scheme(fields: tuple[tuple[str, Any], ...]) -> Scheme:
    values = dict(fields)
    text, realisation = values.pop("scheme", DEFAULT_SCHEME), values.pop("realisation", None)
    if realisation is not None:
        text = f"{str(text).partition('/')[0]}/{realisation}"
    return Scheme.parse(text, **values)


@lru_cache(maxsize=65536)
def _renamed(layer: Layer) -> Layer:
    return replace(layer, name=LAYER_NAME)


@lru_cache(maxsize=65536)
def _what(layer: Layer, operation: str, batch: int, scheme: Scheme, data: Data | None) -> str:
    """All that a run depends on beside machine and model, as canonical text."""
    if data is None:
        layer = operation_of_layer(layer, operation)
        plan = planned_step(layer, batch, scheme)
        found: dict[str, Any] = {
            "operation": dataclasses.asdict(plan.operation),
            "realisation": plan.realisation,
            "passes": plan.passes,
            "statistics": sorted(layer_needs(layer, scheme)),
        }
    else:
        found = {
            "layer": [layer.kind, dataclasses.asdict(layer)],
            "operation": operation,
            "batch": batch,
            "scheme": dataclasses.asdict(scheme),
            "data": dataclasses.asdict(data),
        }
    return json.dumps(found, sort_keys=True, separators=(",", ":"))
