"""What a worker does: a task in, the record of its result out. The same in every process."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.simulation import simulate
from accelsim.study.record import network_record, record_of
from accelsim.study.tasks import NetworkWork, Task

DONE, FAILED, BROKEN = "done", "failed", "broken"
"""It ran; it cannot run (and why); it met a mistake of the program, and will be tried again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: the record as JSON where it is done, else the reason."""

    key: str
    status: str
    text: str


def work(tasks: Sequence[Task]) -> list[Outcome]:
    """Run some tasks, one after the other. A task that fails is an outcome like any other."""
    return [_outcome(task) for task in tasks]


def _outcome(task: Task) -> Outcome:
    try:
        return Outcome(task.key, DONE, _record(task))
    except AccelsimError as error:
        return Outcome(task.key, FAILED, str(error))
    except Exception as error:  # one broken point must not end a sweep of thousands
        return Outcome(task.key, BROKEN, f"{type(error).__name__}: {error}")


def _record(task: Task) -> str:
    hardware = _hardware(task.machine)
    # Without data: the layer's tensors are None, which times it.
    values: dict[str, Any] = (
        {"data": None}
        if task.data is None
        else {"data": "synthetic", "steps": task.data.steps, "drift": task.data.drift}
    )
    values |= {"batch": task.batch, "seed": task.seed}
    work = task.work
    if isinstance(work, NetworkWork):
        of_network = simulate(work.network, hardware, work.policy, training=work.training, **values)
        return network_record(of_network, hardware)
    result = simulate(work.layer, hardware, work.scheme, operation=work.operation, **values)
    return record_of(result)


@lru_cache(maxsize=1024)
def _hardware(machine: str) -> Hardware:
    return Hardware(**json.loads(machine))
