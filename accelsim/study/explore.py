"""A search for designs that no other beats: Optuna proposes, the store keeps, and it goes on later.

Proposals come in rounds. Each round's sampler is seeded by the seed and the number of trials before
it, and learns from these alone; so a search that was stopped after a round and goes on proposes
what it would have proposed. What a design comes to is always computed from the store's simulations.
"""

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.errors import whole as whole_number
from accelsim.hardware import DEFAULT_TABLE, EnergyTable, load_energy_table
from accelsim.result import SearchResult, Trial
from accelsim.study.description import Study
from accelsim.study.designs import OBJECTIVES, Appraisal, Constraint, Designs, Places, appraise
from accelsim.study.points import check_values
from accelsim.study.store import Store
from accelsim.study.sweeps import Progress, Runner

ROUND = 16
"""Proposals before the sampler hears what they came to."""

MOST_TRIALS = 1_000_000
VIOLATIONS = "violations"


@dataclass(frozen=True)
class Goal:
    """What is minimised, under which constraints, by which energy table."""

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

    def violations(self, figures: dict[str, Any]) -> list[float]:
        """Of each constraint."""
        return [constraint.violation(figures) for constraint in self.constraints]


@dataclass(frozen=True)
class _Tried:
    """A design with what it came to."""

    places: Places
    appraisal: Appraisal
    violations: tuple[float, ...]

    @property
    def feasible(self) -> bool:
        return bool(self.appraisal.figures) and all(v <= 0 for v in self.violations)


def explore(
    study: Study,
    store: Store,
    runner: Runner,
    *,
    objectives: Sequence[str] = ("latency", "energy", "traffic"),
    constraints: Sequence[str] = (),
    trials: int = 500,
    energy: str | EnergyTable = "",
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> SearchResult:
    """Try designs until there are `trials` of them, those of earlier searches counted.

    Where the axes have no more designs than that, each is tried once instead.
    """
    default = study.energy[0] if study.energy else DEFAULT_TABLE
    goal = Goal.of(objectives, constraints, energy or default)
    trials = whole_number("trials", trials, 1, MOST_TRIALS)
    check_values(study)
    search = _Search(Designs(study), store, runner, goal, whole_number("seed", seed, 0, 2**31))
    interrupted = False
    try:
        search.run(trials, progress)
    except KeyboardInterrupt:
        interrupted = True
    return search.result(interrupted)


class _Search:
    """The state of one search."""

    def __init__(
        self, designs: Designs, store: Store, runner: Runner, goal: Goal, seed: int
    ) -> None:
        self.designs, self.store, self.runner = designs, store, runner
        self.goal, self.seed = goal, seed
        self.tried: list[_Tried] = []
        self.computed = 0

    @property
    def size(self) -> int:
        """How many designs there are."""
        return math.prod(self.designs.sizes)

    def run(self, trials: int, progress: Progress) -> None:
        """Begin with the trials of the store, and go on until there are enough."""
        name = self.designs.study.name
        stored = [places for places in self.store.trials(name) if self._fits(places)]
        self._try(stored)
        propose = self._whole_space if self.size <= trials else self._proposals
        goal = min(trials, self.size) if self.size <= trials else trials
        while len(self.tried) < goal:
            count = min(ROUND, goal - len(self.tried))
            proposed = propose(count)
            if not proposed:
                break
            first = len(self.tried)
            self._try(proposed)
            self.store.put_trials(name, first, proposed)
            progress(len(self.tried), goal)
        self.store.mark_front(name, self._front())

    def _fits(self, places: Places) -> bool:
        sizes = self.designs.sizes
        return len(places) == len(sizes) and all(
            place < size for place, size in zip(places, sizes, strict=True)
        )

    def _try(self, proposed: Sequence[Places]) -> None:
        """Run what they need and is not stored, and appraise them."""
        found = [self.designs.points(places) for places in proposed]
        known = self.store.known_keys()
        tasks = {
            point.task.key: point.task
            for points in found
            for point in points
            if point.task is not None and point.task.key not in known
        }
        for outcomes in self.runner.run(tuple(tasks.values())):
            self.store.put(outcomes)
            self.computed += len(outcomes)
        for places, points in zip(proposed, found, strict=True):
            appraisal = appraise(points, self.store, self.goal.table)
            violations: list[float] = []
            if appraisal.figures:
                fields = {"batch": 1} | dict(points[0].coordinates)
                violations = self.goal.violations(fields | dict(appraisal.figures))
            self.tried.append(_Tried(places, appraisal, tuple(violations)))

    def _whole_space(self, count: int) -> list[Places]:
        """The next designs that were not tried yet, in order."""
        done = {tried.places for tried in self.tried}
        every = itertools.product(*(range(size) for size in self.designs.sizes))
        return list(itertools.islice((p for p in every if p not in done), count))

    def _proposals(self, count: int) -> list[Places]:
        """What the sampler makes of all trials; none of them again where it can be helped."""
        with warnings.catch_warnings():
            # Optuna calls some of its parts experimental, others deprecated, as versions go on.
            warnings.simplefilter("ignore")
            return self._asked(_optuna(), count)

    def _asked(self, optuna: Any, count: int) -> list[Places]:
        names = [str(index) for index in range(len(self.designs.sizes))]
        ranges = {
            name: optuna.distributions.IntDistribution(0, size - 1)
            for name, size in zip(names, self.designs.sizes, strict=True)
        }
        sampler = optuna.samplers.TPESampler(
            seed=self.seed * 1_000_003 + len(self.tried),
            n_startup_trials=2 * ROUND,
            constraints_func=_violations if self.goal.constraints else None,
            multivariate=True,
            constant_liar=True,
        )
        study = optuna.create_study(
            sampler=sampler, directions=["minimize"] * len(self.goal.objectives)
        )
        study.add_trials([self._past(optuna, tried, names, ranges) for tried in self.tried])
        proposed: dict[Places, None] = {}
        again: list[Places] = []
        done = {tried.places for tried in self.tried}
        for _ in range(4 * count):
            trial = study.ask(ranges)
            places = tuple(trial.params[name] for name in names)
            if places in done or places in proposed:
                again.append(places)
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                proposed[places] = None
            if len(proposed) == count:
                break
        return [*proposed, *again][:count]

    def _past(self, optuna: Any, tried: _Tried, names: list[str], ranges: dict[str, Any]) -> Any:
        state = optuna.trial.TrialState
        figures = tried.appraisal.figures
        violations = list(tried.violations)
        return optuna.trial.create_trial(
            state=state.COMPLETE if figures else state.FAIL,
            params=dict(zip(names, tried.places, strict=True)),
            distributions=ranges,
            values=[figures[name] for name in self.goal.objectives] if figures else None,
            user_attrs={VIOLATIONS: violations},
            system_attrs={"constraints": violations} if self.goal.constraints else {},
        )

    def _front(self) -> list[int]:
        """Numbers of the feasible trials that no other beats; of equal ones the first."""
        costs = {
            number: tuple(tried.appraisal.figures[name] for name in self.goal.objectives)
            for number, tried in enumerate(self.tried)
            if tried.feasible
        }
        kept: list[int] = []
        seen: set[tuple[float, ...]] = set()
        for number, cost in costs.items():
            beaten = any(_beats(other, cost) for other in costs.values())
            if not beaten and cost not in seen:
                kept.append(number)
                seen.add(cost)
        return kept

    def result(self, interrupted: bool) -> SearchResult:
        """All trials, with what they came to."""
        front = set(self._front())
        return SearchResult(
            study=self.designs.study.name,
            objectives=self.goal.objectives,
            constraints=tuple(constraint.text for constraint in self.goal.constraints),
            energy_table=self.goal.table.name,
            without_area=tuple(
                dict.fromkeys(name for tried in self.tried for name in tried.appraisal.without_area)
            ),
            designs=self.size,
            computed=self.computed,
            trials=tuple(
                Trial(
                    number=number,
                    coordinates=self.designs.coordinates(tried.places),
                    objectives=dict(tried.appraisal.figures),
                    reason=self._reason(tried),
                    front=number in front,
                )
                for number, tried in enumerate(self.tried)
            ),
            interrupted=interrupted,
        )

    def _reason(self, tried: _Tried) -> str:
        if not tried.appraisal.figures:
            return tried.appraisal.reason
        broken = [
            constraint.text
            for constraint, violation in zip(self.goal.constraints, tried.violations, strict=True)
            if violation > 0
        ]
        return f"breaks {' and '.join(broken)}" if broken else ""


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """At least as good in all, better in one."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _violations(trial: Any) -> list[float]:
    return list(trial.user_attrs[VIOLATIONS])


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise AccelsimError(
            "a search of more designs than trials needs Optuna: pip install 'accelsim[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
