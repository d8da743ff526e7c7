"""What a worker does: a task in, the record of its result out. The same in every process."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.result import Result
from accelsim.simulation import simulate
from accelsim.study.points import Task

DONE, FAILED, BROKEN = "done", "failed", "broken"
"""It ran; it cannot run (and why); it met a mistake of the program, and will be tried again."""

FIELDS = (
    "realisation", "total_cycles", "latency_us", "macs", "array_utilisation",
    "array_busy_utilisation", "units", "traffic", "bus_bytes", "roofline", "tiling",
    "consumer_load_bytes", "consumer_range_bytes", "statistics_held_cycles", "actions", "dram",
    "numerics",
)  # fmt: skip
"""Of a result, what a store keeps."""


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
        return Outcome(task.key, DONE, record_of(_result(task)))
    except AccelsimError as error:
        return Outcome(task.key, FAILED, str(error))
    except Exception as error:  # one broken point must not end a sweep of thousands
        return Outcome(task.key, BROKEN, f"{type(error).__name__}: {error}")


def _result(task: Task) -> Result:
    hardware = _hardware(task.machine)
    if task.data is None:
        return simulate(
            task.layer, hardware, task.scheme, None, batch=task.batch, operation=task.operation
        )
    return simulate(
        task.layer, hardware, task.scheme, batch=task.batch, seed=task.scheme.seed,
        steps=task.data.steps, drift=task.data.drift, operation=task.operation,
    )  # fmt: skip


def record_of(result: Result) -> str:
    """The kept fields as JSON, the same to the byte for the same result."""
    document = replace(result, spans=(), trace=None, machine={}).to_dict()
    kept: dict[str, Any] = {name: document[name] for name in FIELDS}
    return json.dumps(kept, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=1024)
def _hardware(machine: str) -> Hardware:
    return Hardware(**json.loads(machine))
