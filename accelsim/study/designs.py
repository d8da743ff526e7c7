"""The designs of a study, and what one comes to over the whole workload.

A design is what a study varies but its workload: the machine, the scheme. Of the workload (layers,
operations, batches) every design runs all, so that designs can be held against each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.hardware import EnergyTable, Hardware
from accelsim.result import energy_of
from accelsim.study.description import DATA_FIELDS, Study
from accelsim.study.expression import Expression
from accelsim.study.points import Point, points_of
from accelsim.study.record import (
    Record,
    actions_in,
    bytes_per_step,
    consumer_price,
    consumer_refused,
    cycles_per_step,
    energy_pj_per_step,
    worst_sqnr_db,
)
from accelsim.study.store import Design, Row
from accelsim.study.tasks import machine_at

ACCURACY = "sqnr_db"
OBJECTIVES = {
    "latency": "latency_us",
    "energy": "energy_uj",
    "traffic": "traffic_bytes",
    "area": "known_area_um2",
    "accuracy": ACCURACY,
}
"""What a search may go for, and its name with its unit; all but the accuracy are minimised."""

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


def is_workload(name: str) -> bool:
    """Whether a field says what is to be done, not by what."""
    return name in ("workload", "operation", "batch", *DATA_FIELDS) or name.startswith("layer.")


@dataclass(frozen=True)
class Designs:
    """The axes of a study but those of its workload: of that, a design runs everything."""

    study: Study

    def __post_init__(self) -> None:
        for axis in self.study.axes:
            if len({is_workload(name) for name in axis.names}) > 1:
                raise AccelsimError(
                    f"axis {' and '.join(axis.names)}: must not zip the workload with other "
                    "fields in a search, which sums over the whole workload"
                )
        if not self.sizes:
            raise AccelsimError(f"study {self.study.name}: has no axis to search beside workload")

    @property
    def _searched(self) -> tuple[int, ...]:
        axes = enumerate(self.study.axes)
        return tuple(place for place, axis in axes if not is_workload(axis.names[0]))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many rows each searched axis has."""
        return tuple(len(self.study.axes[i]) for i in self._searched)

    def places(self, design: Design) -> Places | None:
        """Where a design stands on the searched axes; None if it does not."""
        axes = [self.study.axes[index] for index in self._searched]
        if set(design) != {name for axis in axes for name in axis.names}:
            return None
        rows = [tuple(design[name] for name in axis.names) for axis in axes]
        if any(row not in axis.rows for row, axis in zip(rows, axes, strict=True)):
            return None
        return tuple(axis.rows.index(row) for row, axis in zip(rows, axes, strict=True))

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
    """What a design came to, over the whole workload."""

    figures: Mapping[str, float]
    """The objectives by their names with units; empty where it cannot be run."""
    reason: str = ""
    without_area: tuple[str, ...] = ()
    """Components that the table has no area for."""


def appraise(rows: Sequence[Row], table: EnergyTable) -> Appraisal:
    """Sum over what a design runs, a step of each; area and bandwidth are those of its machine.

    With values its SQNR is the worst there is.
    """
    if not rows:
        return Appraisal({}, "left out by a condition of the study")
    sums = dict.fromkeys(("latency_us", "energy_uj", "traffic_bytes"), 0.0)
    area = bandwidth = 0.0
    accuracies: list[float | None] = []
    without_area: tuple[str, ...] = ()
    for row in rows:
        if row.record is None:
            return Appraisal({}, row.reason or "not run")
        if refused := consumer_refused(row.record):
            return Appraisal({}, f"what reads its output cannot be priced: {refused}")
        machine = machine_at(row.coordinates)
        for name, figure in _costs(row.record, machine, table).items():
            sums[name] += figure
        of_machine = energy_of(actions_in(row.record["actions"]), machine, table)
        area, without_area = max(area, of_machine.known_area_um2), of_machine.without_area
        bandwidth = max(bandwidth, float(machine.dram.peak_bytes_per_us) / 1000)
        accuracies.append(worst_sqnr_db(row.record))
    figures = sums | {"known_area_um2": area, "bandwidth_gb_per_s": bandwidth}
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    if len(known) == len(accuracies):
        figures[ACCURACY] = min(known)
    return Appraisal(figures, without_area=without_area)


def _costs(record: Record, machine: Hardware, table: EnergyTable) -> dict[str, float]:
    """A step on average, and what reading its output costs beyond plain static integers."""
    consumer = consumer_price(record, machine, table)
    energy_pj = energy_pj_per_step(record, machine, table) + consumer.energy_pj
    return {
        "latency_us": machine.cycles_to_us(cycles_per_step(record) + consumer.cycles),
        "energy_uj": energy_pj / 1e6,
        "traffic_bytes": bytes_per_step(record) + consumer.bytes,
    }
