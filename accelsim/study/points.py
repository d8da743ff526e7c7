"""From a study to its points: coordinates with derived fields, and what each has to run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.network import Layer
from accelsim.network.gradient import FORWARD
from accelsim.study.axes import Axis
from accelsim.study.description import RUN_FIELDS, TRAINING_FIELDS, Coordinates, Study, check_field
from accelsim.study.tasks import (
    DEFAULT_DRIFT,
    DEFAULT_HARDWARE,
    DEFAULT_SCHEME,
    DEFAULT_STEPS,
    Task,
    task_of,
)
from accelsim.study.workload import described_layer, named_layer, nest_values

MOST_PROBED = 100_000
"""Points of a value that are looked at before it is called unusable."""


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


def check_values(study: Study) -> None:
    """Refuse a value that no point can use; one that some can is recorded where it fails."""
    unusable, usable = "", False
    for number, axis in enumerate(study.axes):
        for row in axis.rows:
            only = (*study.axes[:number], replace(axis, rows=(row,)), *study.axes[number + 1 :])
            reason = _failure(replace(study, axes=only))
            usable = usable or reason is None
            if reason:
                unusable = unusable or f"axis {_told(axis, row)}: {reason}"
    if usable and unusable:
        raise AccelsimError(f"{unusable}; no point can use this value")
    if not usable and (reason := _failure(study)):
        raise AccelsimError(f"study {study.name}: no point can be run: {reason}")


def _failure(study: Study) -> str | None:
    """Why no point of a study can be described: None where one can, empty where it has none."""
    reason = ""
    for point in islice(points_of(study), MOST_PROBED):
        if point.task is not None:
            return None
        reason = reason or point.reason
    return reason


def _told(axis: Axis, row: tuple[Any, ...]) -> str:
    """The value, as a line names it."""
    return " and ".join(f"{n}={shown(v)}" for n, v in zip(axis.names, row, strict=True))


def _point(study: Study, coordinates: dict[str, Any]) -> Point | None:
    reader = _Reader(study, coordinates)
    for name, expression in study.derive:
        coordinates[name] = expression.value(reader.value)
    if not all(condition.value(reader.value) for condition in study.where):
        return None
    try:
        layer = None if study.takes_networks else _layer(study, coordinates)
        return Point(coordinates, task_of(coordinates, layer, study.values))
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

    def value(self, name: str) -> Any:
        """Of the point, else of its layer, else of the machine it starts from, else the default."""
        if name in self.coordinates and name != "layer":
            return self.coordinates[name]
        if name.startswith("layer."):
            if self.study.takes_networks:
                raise AccelsimError(f"{name}: unknown, as the points are whole networks")
            layer = _layer(self.study, self.coordinates)
            values = nest_values(layer.nest(self.coordinates.get("batch", 1)))
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
    **{name: getattr(TrainingOptions(), name) for name in TRAINING_FIELDS},
}  # fmt: skip


@lru_cache(maxsize=65536)
def _field(hardware: str, name: str) -> Any:
    value: Any = load_hardware(hardware).model_dump(mode="json")
    for step in name.split("."):
        if not isinstance(value, dict) or step not in value:
            raise AccelsimError(f"{name}: the machine {hardware} has no such field")
        value = value[step]
    return value
