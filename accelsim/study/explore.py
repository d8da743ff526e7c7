"""A search for designs that no other beats: Optuna proposes, the store keeps, and it goes on later.

Proposals come in rounds. Each round's sampler is seeded by the seed and the number of trials before
it, and learns from these alone; so a search that was stopped after a round and goes on proposes
what it would have proposed. What a design comes to is always computed from the store's simulations.
"""

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.errors import whole as whole_number
from accelsim.hardware import DEFAULT_TABLE, EnergyTable
from accelsim.result import SearchResult
from accelsim.study.description import Study
from accelsim.study.designs import ACCURACY, Designs, Places
from accelsim.study.front import ALL_OBJECTIVES, WITHOUT_VALUES, Goal, Tried
from accelsim.study.points import Point, check_values
from accelsim.study.store import Design, Store
from accelsim.study.sweeps import Progress, Runner

ROUND = 16
"""Proposals before the sampler hears what they came to."""

MOST_TRIALS = 1_000_000
VIOLATIONS = "violations"
LEAST_COST = -1000.0
"""Beyond any SQNR: the sampler cannot work with the infinite one of an output without an error."""


def explore(
    study: Study,
    store: Store,
    runner: Runner,
    *,
    objectives: Sequence[str] = ALL_OBJECTIVES,
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
    if ACCURACY in goal.objectives and not study.values:
        raise AccelsimError(WITHOUT_VALUES)
    trials = whole_number("trials", trials, 1, MOST_TRIALS)
    check_values(study)
    search = _Search(Designs(study), store, runner, goal, whole_number("seed", seed, 0, 2**31))
    interrupted = False
    try:
        search.run(trials, progress)
    except KeyboardInterrupt:
        interrupted = True
    if search.tried:
        store.mark_front(study.name, goal.front(search.tried))
    return goal.result(study.name, search.tried, search.size, search.computed, interrupted)


class _Search:
    """The state of one search."""

    def __init__(
        self, designs: Designs, store: Store, runner: Runner, goal: Goal, seed: int
    ) -> None:
        self.designs, self.store, self.runner = designs, store, runner
        self.goal, self.seed = goal, seed
        self.places: list[Places] = []
        self.tried: list[Tried] = []
        """What became of these places, in the same order."""
        self.computed = 0

    @property
    def size(self) -> int:
        """How many designs there are."""
        return math.prod(self.designs.sizes)

    def run(self, trials: int, progress: Progress) -> None:
        """Begin with the trials of the store, and go on until there are enough."""
        study = self.designs.study
        past = [self.designs.places(design) for design in self.store.trials(study.name)]
        self.store.begin_trials(study, self._try([places for places in past if places is not None]))
        propose = self._whole_space if self.size <= trials else self._proposals
        goal = min(trials, self.size)
        while len(self.tried) < goal:
            first, count = len(self.tried), min(ROUND, goal - len(self.tried))
            proposed = propose(count)
            if not proposed:
                break
            self.store.put_trials(study, first, self._try(proposed))
            progress(len(self.tried), goal)

    def _try(self, proposed: Sequence[Places]) -> list[tuple[Design, list[Point]]]:
        """Run what designs need and is not stored, and appraise them; gives what each runs."""
        name = self.designs.study.name
        found = [self.designs.points(places) for places in proposed]
        known = self.store.known_keys()
        tasks = {
            point.task.key: point.task
            for points in found
            for point in points
            if point.task is not None and point.task.key not in known
        }
        for outcomes in self.runner.run(tasks.values()):
            self.store.put(outcomes)
            self.computed += len(outcomes)
        designs = [self.designs.coordinates(places) for places in proposed]
        tried = [
            self.goal.tried(design, self.store.rows_of(name, points))
            for design, points in zip(designs, found, strict=True)
        ]
        self.places += proposed
        self.tried += tried
        return list(zip(designs, found, strict=True))

    def _whole_space(self, count: int) -> list[Places]:
        """The next designs that were not tried yet, in order."""
        done = set(self.places)
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
        past = zip(self.places, self.tried, strict=True)
        study.add_trials([self._past(optuna, *trial, names, ranges) for trial in past])
        proposed: dict[Places, None] = {}
        again: list[Places] = []
        done = set(self.places)
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

    def _past(
        self, optuna: Any, places: Places, tried: Tried, names: list[str], ranges: dict[str, Any]
    ) -> Any:
        state = optuna.trial.TrialState
        figures = tried.appraisal.figures
        violations = list(tried.violations)
        return optuna.trial.create_trial(
            state=state.COMPLETE if figures else state.FAIL,
            params=dict(zip(names, places, strict=True)),
            distributions=ranges,
            values=[max(cost, LEAST_COST) for cost in self.goal.costs(tried)] if figures else None,
            user_attrs={VIOLATIONS: violations},
            system_attrs={"constraints": violations} if self.goal.constraints else {},
        )


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
