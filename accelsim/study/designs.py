"""The designs of a study, as a search sees them, and what one comes to over all its layers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.hardware import EnergyTable, Hardware
from accelsim.result import Action, energy_of
from accelsim.study.description import Study
from accelsim.study.expression import Expression
from accelsim.study.points import Point, points_of
from accelsim.study.store import Store
from accelsim.study.tasks import machine_at
from accelsim.study.work import DONE

OBJECTIVES = {
    "latency": "latency_us",
    "energy": "energy_uj",
    "traffic": "traffic_bytes",
    "area": "known_area_um2",
}
"""What a search may minimise, and its name with its unit."""

OTHER_FIGURES = ("bandwidth_gb_per_s",)
"""What a constraint may read beside the objectives and the fields of a point."""

Places = tuple[int, ...]
"""A design: which row of each axis."""


@dataclass(frozen=True)
class Constraint:
    """A comparison such as `known_area_um2 <= 2e6`."""

    text: str

    def __post_init__(self) -> None:
        _ = self._sides

    @property
    def _sides(self) -> tuple[Expression, Expression]:
        """The side that must not be larger, and the other."""
        for sign in ("<=", ">=", "<", ">"):
            left, found, right = self.text.partition(sign)
            if found:
                sides = Expression(left, "constraint"), Expression(right, "constraint")
                return sides if sign[0] == "<" else sides[::-1]
        raise AccelsimError(
            f"constraint={shown(self.text)}: must be a comparison such as known_area_um2 <= 2e6"
        )

    def violation(self, figures: Mapping[str, Any]) -> float:
        """By how much it is broken, as a share of its bound; at most 0 where it holds."""

        def lookup(name: str) -> Any:
            if name not in figures:
                raise AccelsimError(
                    f"constraint={shown(self.text)}: no figure {name}; there are "
                    f"{', '.join(figures)}"
                )
            return figures[name]

        small, large = (float(side.value(lookup)) for side in self._sides)
        return (small - large) / max(abs(large), 1e-12)


@dataclass(frozen=True)
class Designs:
    """The axes of a study but its workload: of that, a design runs every layer."""

    study: Study

    def __post_init__(self) -> None:
        for axis in self.study.axes:
            if "workload" in axis.names and len(axis.names) > 1:
                raise AccelsimError(
                    "axis workload: must not be zipped with others in a search, which sums over "
                    "all workloads"
                )
        if not self.sizes:
            raise AccelsimError(f"study {self.study.name}: has no axis to search beside workload")

    @property
    def _searched(self) -> tuple[int, ...]:
        return tuple(i for i, axis in enumerate(self.study.axes) if axis.names != ("workload",))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many rows each searched axis has."""
        return tuple(len(self.study.axes[i]) for i in self._searched)

    def coordinates(self, places: Places) -> dict[str, Any]:
        """The values of a design on the searched axes."""
        found: dict[str, Any] = {}
        for index, place in zip(self._searched, places, strict=True):
            axis = self.study.axes[index]
            found |= dict(zip(axis.names, axis.rows[place], strict=True))
        return found

    def points(self, places: Places) -> list[Point]:
        """What a design runs; nothing where a condition of the study leaves it out."""
        axes = list(self.study.axes)
        for index, place in zip(self._searched, places, strict=True):
            axes[index] = replace(axes[index], rows=(axes[index].rows[place],))
        return list(points_of(replace(self.study, axes=tuple(axes))))


@dataclass(frozen=True)
class Appraisal:
    """What a design came to, over all its layers."""

    figures: Mapping[str, float]
    """The objectives by their names with units; empty where it cannot be run."""
    reason: str = ""
    without_area: tuple[str, ...] = ()
    """Components that the table has no area for."""


def appraise(points: Sequence[Point], store: Store, table: EnergyTable) -> Appraisal:
    """Sum over the layers of a design, from the store; its area is that of the one machine."""
    if not points:
        return Appraisal({}, "left out by a condition of the study")
    latency_us = energy_uj = traffic_bytes = 0.0
    machine: Hardware | None = None
    area = 0.0
    without_area: tuple[str, ...] = ()
    for point in points:
        if point.task is None:
            return Appraisal({}, point.reason)
        outcome = store.outcome(point.task.key)
        if outcome is None or outcome.status != DONE:
            return Appraisal({}, "not run" if outcome is None else outcome.text)
        record = json.loads(outcome.text)
        machine = machine_at(point.coordinates)
        actions = [Action.from_dict(action) for action in record["actions"]]
        energy = energy_of(actions, machine, table)
        latency_us += record["latency_us"]
        energy_uj += energy.total_pj / 1e6
        traffic_bytes += sum(row["bytes"] for row in record["traffic"])
        area, without_area = max(area, energy.known_area_um2), energy.without_area
    assert machine is not None
    return Appraisal(
        {
            "latency_us": latency_us,
            "energy_uj": energy_uj,
            "traffic_bytes": traffic_bytes,
            "known_area_um2": area,
            "bandwidth_gb_per_s": float(machine.dram.peak_bytes_per_us) / 1000,
        },
        without_area=without_area,
    )
