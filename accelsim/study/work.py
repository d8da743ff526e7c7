"""What a worker does: a task in, the record of its result out. The same in every process."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.result import NetworkResult, Result, Roofline
from accelsim.simulation import simulate
from accelsim.study.tasks import NetworkWork, Task

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


def record_of(result: Result) -> str:
    """The kept fields as JSON, the same to the byte for the same result."""
    document = replace(result, spans=(), trace=None, machine={}).to_dict()
    return _text({name: document[name] for name in FIELDS})


def network_record(result: NetworkResult, hardware: Hardware) -> str:
    """The sums of a network's operations, in the fields of a layer as far as there are such."""
    peak, total_cycles = hardware.peak_macs_per_cycle, result.total_cycles
    busy_cycles = result.unit("array").busy_cycles
    bound = Roofline.of(result.macs, result.total_bytes, total_cycles, hardware)
    traffic = [
        {"tensor": role, "direction": direction, "bytes": moved}
        for (role, direction), moved in result.bytes_by("role", "direction").items()
    ]
    phases = {
        name: {"total_cycles": of.total_cycles, "total_bytes": of.total_bytes}
        for name in result.phases
        for of in (result.phase(name),)
    }
    return _text(
        {
            "realisation": result.scheme.partition("/")[2] if "=" not in result.scheme else "mixed",
            "total_cycles": total_cycles,
            "latency_us": result.latency_us,
            "macs": result.macs,
            "array_utilisation": result.macs / (peak * total_cycles),
            "array_busy_utilisation": result.macs / (peak * busy_cycles) if busy_cycles else None,
            "units": [unit.to_dict() for unit in result.units],
            "traffic": traffic,
            "phases": phases,
            "chip_bytes": result.chip_bytes,
            "bus_bytes": result.bus_bytes,
            "roofline": bound.to_dict(),
            "consumer_load_bytes": 0,
            "actions": [action.to_dict() for action in result.actions],
            "dram": None,
            "numerics": _numerics(result),
        }
    )


def _numerics(result: NetworkResult) -> dict[str, Any] | None:
    """How near its outputs are to float, by name where there are several; overflows of all."""
    if not result.outputs:
        return None
    found = {accuracy.node: accuracy.to_dict() for accuracy in result.outputs}
    for accuracy in found.values():
        del accuracy["node"]
    counts = [row.numerics.overflow_count for row in result.operations if row.numerics]
    shown = next(iter(found.values())) if len(found) == 1 else found
    return {**shown, "overflow_count": sum(counts)}


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=1024)
def _hardware(machine: str) -> Hardware:
    return Hardware(**json.loads(machine))
