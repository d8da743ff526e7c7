"""A sweep: what of a study is not in the store yet is run, and put there."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from accelsim.errors import AccelsimError
from accelsim.network import Linear
from accelsim.network.gradient import FORWARD
from accelsim.result import SweepPlan, SweepSummary
from accelsim.study.description import Study
from accelsim.study.points import Point, check_values, points_of
from accelsim.study.store import Store
from accelsim.study.tasks import LayerWork, Task
from accelsim.study.work import Outcome, work

TIMED_TASKS, TIMED_SECONDS = 8, 5.0
"""How many tasks an estimate runs, and after how long it takes no further one."""


class Runner(Protocol):
    """What `executors` are to a sweep."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""

    def run(self, tasks: Iterable[Task]) -> Iterator[list[Outcome]]:
        """The outcomes of all tasks, in any order; a task is drawn when it can be begun soon."""


@dataclass(frozen=True)
class Plan:
    """A study's points, the simulations they need, and those of them that are not stored yet."""

    study: Study
    points: tuple[Point, ...]
    simulations: int
    missing: tuple[Task, ...]

    @classmethod
    def of(cls, study: Study, store: Store | None = None) -> "Plan":
        """What is to be done; equal simulations once, in order of their first point."""
        points = tuple(points_of(study))
        if not points:
            raise AccelsimError(
                f"study {study.name}: of {study.size:,} combinations none meets every condition "
                "of where, so there is nothing to run"
            )
        if any(point.task is None for point in points):
            check_values(study)
        tasks = {point.task.key: point.task for point in points if point.task is not None}
        known = store.known_keys() if store is not None else set()
        missing = tuple(task for key, task in tasks.items() if key not in known)
        return cls(study, points, len(tasks), missing)

    def estimate(self, workers: int = 1) -> tuple[float, int]:
        """Seconds that the missing ones will take, and how many were timed to tell."""
        taken: list[float] = []
        for place in _spread(min(TIMED_TASKS, len(self.missing))):
            task = self.missing[int(place * len(self.missing))]
            if not taken:
                work([_tiny(task)])  # loads or compiles kernels, which is not what a task takes
            started = time.perf_counter()
            work([task])
            taken.append(time.perf_counter() - started)
            if sum(taken) > TIMED_SECONDS:
                break
        seconds = sum(taken) / max(1, len(taken)) * len(self.missing)
        return seconds / min(workers, max(1, len(self.missing))), len(taken)


def _spread(count: int) -> list[float]:
    """Places between 0 and 1, the first few spread as evenly as all: halves, quarters, eighths."""
    found: list[float] = []
    step = 0.5
    while len(found) < count:
        found += [step * odd for odd in range(1, int(1 / step), 2)]
        step /= 2
    return found[:count]


def _tiny(task: Task) -> Task:
    """On the same machine, next to nothing."""
    of = task.work
    scheme = of.scheme if isinstance(of, LayerWork) else of.policy.activations
    return replace(task, work=LayerWork(Linear("tiny", 32, 32), FORWARD, scheme), batch=1)


Progress = Callable[[int, int], None]


def dry_sweep(study: Study, store: str | Path | None, runner: Runner) -> SweepPlan:
    """How much there is to do, and about how long it takes; nothing is written."""
    if store is None:
        plan = Plan.of(study)
    else:
        with Store(store, read_only=True) as opened:
            plan = Plan.of(study, opened)
    seconds, timed = plan.estimate(runner.workers)
    return SweepPlan(
        study=study.name,
        points=len(plan.points),
        simulations=plan.simulations,
        missing=len(plan.missing),
        workers=runner.workers,
        estimated_seconds=seconds,
        timed=timed,
    )


def sweep(
    study: Study, store: Store, runner: Runner, progress: Progress = lambda done, total: None
) -> SweepSummary:
    """Run what is missing; `progress` hears how many simulations are done, and of how many.

    An interrupt (Ctrl-C) ends it in good order: what was computed is in the store.
    """
    plan = Plan.of(study, store)
    store.declare(study, plan.points)
    started, computed, interrupted = time.perf_counter(), 0, False
    try:
        for outcomes in _outcomes(plan.missing, store, runner):
            computed += len(outcomes)
            progress(computed, len(plan.missing))
    except KeyboardInterrupt:
        interrupted = True
    seconds = time.perf_counter() - started
    reasons = store.reasons(study.name)
    return SweepSummary(
        study=study.name,
        points=len(plan.points),
        simulations=plan.simulations,
        computed=computed,
        failed_points=sum(reasons.values()),
        reasons=reasons,
        seconds=seconds,
        interrupted=interrupted,
    )


def _outcomes(tasks: Sequence[Task], store: Store, runner: Runner) -> Iterator[list[Outcome]]:
    """What became of the tasks, each time it was put into the store.

    What another sweep is at comes last: it may be there by then. Whatever is not is run then, as
    that sweep may have been killed; so two that end together run the few that are under way twice.
    """
    owner, left_to_others = uuid.uuid4().hex, list[Task]()
    try:
        for outcomes in runner.run(_claimed(tasks, store, owner, left_to_others)):
            store.put(outcomes)
            yield outcomes
        for outcomes in runner.run(_not_stored(left_to_others, store)):
            store.put(outcomes)
            yield outcomes
    finally:
        store.release(owner)


def _claimed(
    tasks: Iterable[Task], store: Store, owner: str, left_to_others: list[Task]
) -> Iterator[Task]:
    """The tasks that this owner may run, the others are noted."""
    for task in tasks:
        if store.claim(task.key, owner):
            yield task
        else:
            left_to_others.append(task)


def _not_stored(tasks: Iterable[Task], store: Store) -> Iterator[Task]:
    for task in tasks:
        if not store.has(task.key):
            yield task
