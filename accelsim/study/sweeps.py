"""A sweep: what of a study is not in the store yet is run, and put there."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from accelsim.errors import AccelsimError
from accelsim.result import SweepPlan, SweepSummary
from accelsim.study.description import Study
from accelsim.study.points import Point, check_values, points_of
from accelsim.study.store import Store
from accelsim.study.tasks import Task
from accelsim.study.work import Outcome, work

TIMED_TASKS, TIMED_SECONDS = 8, 5.0
"""How many tasks an estimate runs, and after how long it takes no further one."""


class Runner(Protocol):
    """What `executors` are to a sweep."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""

    def run(self, tasks: Sequence[Task]) -> Iterator[list[Outcome]]:
        """The outcomes of all tasks, in any order."""


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

    def estimated_seconds(self, workers: int = 1) -> float:
        """What the missing ones will take, from a few that are run and thrown away."""
        if not self.missing:
            return 0.0
        step = max(1, len(self.missing) // TIMED_TASKS)
        sample = self.missing[step // 2 :: step][:TIMED_TASKS]
        work(sample[:1])  # loads or compiles kernels, which is not what a task takes
        taken: list[float] = []
        for task in sample:
            started = time.perf_counter()
            work([task])
            taken.append(time.perf_counter() - started)
            if sum(taken) > TIMED_SECONDS:
                break
        return sum(taken) / len(taken) * len(self.missing) / workers


Progress = Callable[[int, int], None]


def dry_sweep(study: Study, store: str | Path | None, runner: Runner) -> SweepPlan:
    """How much there is to do, and about how long it takes; nothing is written."""
    if store is None:
        plan = Plan.of(study)
    else:
        with Store(store, create=False) as opened:
            plan = Plan.of(study, opened)
    return SweepPlan(
        study=study.name,
        points=len(plan.points),
        simulations=plan.simulations,
        missing=len(plan.missing),
        workers=runner.workers,
        estimated_seconds=plan.estimated_seconds(runner.workers),
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
        for outcomes in runner.run(plan.missing):
            store.put(outcomes)
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
