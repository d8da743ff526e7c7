"""Which designs no other beats: of a search, and of what a sweep has run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import DEFAULT_TABLE, EnergyTable, load_energy_table
from accelsim.result import SearchResult, Trial, cost_of, pareto_front
from accelsim.study.designs import OBJECTIVES, Appraisal, Constraint, appraise, is_workload
from accelsim.study.store import Design, Row, Store

ALL_OBJECTIVES = ("latency", "energy", "traffic")
"""What is minimised where nothing is named."""

WITHOUT_VALUES = "objectives: 'accuracy' needs a study with values: true"


@dataclass(frozen=True)
class Tried:
    """A design with what it came to."""

    coordinates: Design
    appraisal: Appraisal
    violations: tuple[float, ...]
    """Of each constraint; none where it cannot be run."""

    @property
    def feasible(self) -> bool:
        """Whether it can be run and breaks no constraint."""
        return bool(self.appraisal.figures) and all(v <= 0 for v in self.violations)


@dataclass(frozen=True)
class Goal:
    """What is gone for, under which constraints, by which energy table."""

    objectives: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    table: EnergyTable

    @classmethod
    def of(
        cls, objectives: Sequence[str], constraints: Sequence[str], table: str | EnergyTable
    ) -> "Goal":
        """From names and texts."""
        for name in objectives:
            if name not in OBJECTIVES:
                raise AccelsimError(f"objectives: {name!r} must be one of {', '.join(OBJECTIVES)}")
        if not objectives or len(set(objectives)) < len(objectives):
            raise AccelsimError("objectives: must be one or several different ones")
        return cls(
            tuple(OBJECTIVES[name] for name in objectives),
            tuple(Constraint(text) for text in constraints),
            load_energy_table(table),
        )

    def tried(self, coordinates: Design, rows: Sequence[Row]) -> Tried:
        """A design by the rows of what it runs."""
        appraisal = appraise(rows, self.table)
        violations: list[float] = []
        if appraisal.figures:
            figures = {"batch": 1} | rows[0].coordinates | dict(appraisal.figures)
            violations = [constraint.violation(figures) for constraint in self.constraints]
        return Tried(coordinates, appraisal, tuple(violations))

    def costs(self, tried: Tried) -> tuple[float, ...]:
        """The objectives of a design that can be run, each as something to be minimised."""
        figures = tried.appraisal.figures
        for name in self.objectives:
            if name not in figures:
                raise AccelsimError(WITHOUT_VALUES)
        return tuple(cost_of(name, figures[name]) for name in self.objectives)

    def front(self, designs: Sequence[Tried]) -> list[int]:
        """Numbers of the feasible designs that no other beats; of equal ones the first."""
        feasible = [number for number, tried in enumerate(designs) if tried.feasible]
        costs = [self.costs(designs[number]) for number in feasible]
        kept: dict[tuple[float, ...], int] = {}
        for number, cost, best in zip(feasible, costs, pareto_front(costs), strict=True):
            if best:
                kept.setdefault(cost, number)
        return sorted(kept.values())

    def result(
        self,
        study: str,
        designs: Sequence[Tried],
        size: int,
        computed: int = 0,
        interrupted: bool = False,
    ) -> SearchResult:
        """All designs, with what they came to; `size` is how many there are."""
        front = set(self.front(designs))
        return SearchResult(
            study=study,
            objectives=self.objectives,
            constraints=tuple(constraint.text for constraint in self.constraints),
            energy_table=self.table.name,
            without_area=tuple(
                dict.fromkeys(name for tried in designs for name in tried.appraisal.without_area)
            ),
            designs=size,
            computed=computed,
            trials=tuple(
                Trial(
                    number=number,
                    coordinates=tried.coordinates,
                    objectives=dict(tried.appraisal.figures),
                    reason=self._reason(tried),
                    front=number in front,
                )
                for number, tried in enumerate(designs)
            ),
            interrupted=interrupted,
        )

    def _reason(self, tried: Tried) -> str:
        if not tried.appraisal.figures:
            return tried.appraisal.reason
        broken = [
            constraint.text
            for constraint, violation in zip(self.constraints, tried.violations, strict=True)
            if violation > 0
        ]
        return f"breaks {' and '.join(broken)}" if broken else ""


def front_of(
    store: Store,
    study: str | None = None,
    *,
    objectives: Sequence[str] = ALL_OBJECTIVES,
    constraints: Sequence[str] = (),
    energy: str | EnergyTable = "",
) -> SearchResult:
    """The designs that a sweep has run, or else those that a search has tried, with their front.

    A design of which not everything was run that others run is none to hold against them.
    """
    name = store.study_named(study)
    shown = store.shown(name)
    default = shown["energy"][0] if shown["energy"] else DEFAULT_TABLE
    goal = Goal.of(objectives, constraints, energy or default)
    axes = [axis for axis in shown["axes"] if not is_workload(axis)]
    designs = _grouped(store.rows(name), axes) or list(store.trial_rows(name))
    if not designs:
        raise AccelsimError(f"{store.path}: no point of study {name} was run yet")
    most = max(len(rows) for _, rows in designs)
    found = []
    for coordinates, rows in designs:
        if 0 < len(rows) < most:
            why = f"runs {len(rows)} of the {most} points that others run"
            found.append(Tried(coordinates, Appraisal({}, why), ()))
        else:
            found.append(goal.tried(coordinates, rows))
    return goal.result(name, found, len(found))


def _grouped(rows: Iterable[Row], axes: Sequence[str]) -> list[tuple[Design, list[Row]]]:
    """The designs of these rows, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.coordinates[name] for name in axes), []).append(row)
    return [(dict(zip(axes, values, strict=True)), found) for values, found in groups.items()]
