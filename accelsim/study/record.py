"""What a store keeps of a result: whole numbers and counts, from which any figure can be made."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from accelsim.hardware import EnergyTable, Hardware
from accelsim.result import (
    Action,
    Amortised,
    Consumer,
    ConsumerPrice,
    NetworkResult,
    Result,
    Roofline,
    energy_of,
    merged,
)

FIELDS = (
    "realisation", "total_cycles", "latency_us", "macs", "array_utilisation",
    "array_busy_utilisation", "units", "traffic", "bus_bytes", "roofline", "tiling",
    "consumer_load_bytes", "consumer_range_bytes", "statistics_held_cycles", "actions", "dram",
    "numerics",
)  # fmt: skip
"""Kept of a layer's result as they are."""

Record = Mapping[str, Any]


def record_of(result: Result) -> str:
    """A layer's record as JSON, the same to the byte for the same result."""
    document = replace(result, spans=(), trace=None, machine={}).to_dict()
    kept = {name: document[name] for name in FIELDS}
    kept["per_step"] = _per_step(result, [(result.amortised, result.actions)])
    if result.amortised:
        update = result.amortised.update
        kept["update"] = _update(result.amortised.period_steps, update.bytes, update.cycles)
    kept["consumers"] = _consumers(result)
    return _text(kept)


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
    kept = {
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
        "consumer_range_bytes": 0,
        "statistics_held_cycles": result.statistics_held_cycles,
        "actions": [action.to_dict() for action in result.actions],
        "dram": None,
        "numerics": _numerics(result),
        "per_step": _per_step(result, [(row.amortised, row.actions) for row in result.operations]),
        "consumers": [],
    }
    if update := result.update_step:
        kept["update"] = _update(update.shortest_period_steps, update.bytes, update.cycles)
    return _text(kept)


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


Costs = Sequence[tuple[Amortised | None, tuple[Action, ...]]]
"""Of each operation what it costs over a period, where steps differ, and its actions."""


def _per_step(result: Result | NetworkResult, costs: Costs) -> dict[str, Any] | None:
    """A step on average, update steps included; None where every step is alike.

    The actions are in parts, each with its share of the steps: those of operations whose steps are
    all alike have 1.
    """
    if not any(amortised for amortised, _ in costs):
        return None
    parts: dict[float, list[Action]] = {}
    for amortised, actions in costs:
        if amortised is None:
            parts.setdefault(1.0, []).extend(actions)
            continue
        period = amortised.period_steps
        parts.setdefault(1 / period, []).extend(amortised.update.actions)
        parts.setdefault((period - 1) / period, []).extend(amortised.plain.actions)
    return {
        "bytes": result.bytes_per_step,
        "cycles": result.cycles_per_step,
        "actions": [
            {"share": share, "actions": _dicts(merged(actions))} for share, actions in parts.items()
        ],
    }


def _update(period_steps: int, moved_bytes: int, cycles: int) -> dict[str, int]:
    return {"period_steps": period_steps, "bytes": moved_bytes, "cycles": cycles}


def _consumers(result: Result) -> list[dict[str, Any]]:
    """What reads the outputs of its steps, each with its share of these; none of plain integers."""
    shares = [1.0]
    if result.amortised:
        period = result.amortised.period_steps
        shares = [1 / period, (period - 1) / period]
    return [
        {"share": share, "consumer": consumer.to_dict()}
        for share, consumer in zip(shares, result.consumers, strict=True)
        if consumer is not None
    ]


def _dicts(actions: Iterable[Action]) -> list[dict[str, Any]]:
    return [action.to_dict() for action in actions]


def _text(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


def actions_in(listed: Iterable[Record]) -> list[Action]:
    """The actions of a record, or of a part of it."""
    return [Action.from_dict(action) for action in listed]


def total_bytes(record: Record) -> int:
    """All DRAM bytes of the measured step."""
    return sum(moved["bytes"] for moved in record["traffic"])


def bytes_per_step(record: Record) -> float:
    """The same of a step on average, where steps differ."""
    return record["per_step"]["bytes"] if record["per_step"] else total_bytes(record)


def cycles_per_step(record: Record) -> float:
    """Cycles of a step on average, where steps differ."""
    return record["per_step"]["cycles"] if record["per_step"] else record["total_cycles"]


def energy_pj_per_step(record: Record, machine: Hardware, table: EnergyTable) -> float:
    """Energy of a step on average, where steps differ."""
    alike = [{"share": 1, "actions": record["actions"]}]
    parts = record["per_step"]["actions"] if record["per_step"] else alike
    return sum(
        part["share"] * energy_of(actions_in(part["actions"]), machine, table).total_pj
        for part in parts
    )


def worst_sqnr_db(record: Record) -> float | None:
    """How near the output is to float, of a network the worst one; None without values."""
    numerics = record["numerics"]
    if numerics is None:
        return None
    outputs = [part for part in numerics.values() if isinstance(part, dict) and "sqnr_db" in part]
    found = [part["sqnr_db"] for part in outputs or [numerics]]
    return min(float(sqnr_db) for sqnr_db in found)


def consumer_refused(record: Record) -> str:
    """Why it cannot be told what reading the output costs; empty where it can."""
    refused = [part["consumer"]["refused"] for part in record["consumers"]]
    return next(filter(None, refused), "")


def consumer_price(record: Record, machine: Hardware, table: EnergyTable) -> ConsumerPrice:
    """What reading the output costs beyond plain static integers, a step on average."""
    moved = cycles = energy_pj = 0.0
    for part in record["consumers"]:
        price = Consumer.from_dict(part["consumer"]).price(machine, table)
        moved += part["share"] * price.bytes
        cycles += part["share"] * price.cycles
        energy_pj += part["share"] * price.energy_pj
    return ConsumerPrice(moved, cycles, energy_pj)
