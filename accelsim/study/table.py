"""The points of a study as flat rows: coordinates, what they came to, energy by chosen tables."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.hardware import DEFAULT_TABLE, EnergyTable, Hardware, load_energy_tables
from accelsim.result import SearchResult, energy_of
from accelsim.result.record import COMMAND, need_pandas
from accelsim.study.record import (
    Record,
    actions_in,
    bytes_per_step,
    consumer_price,
    consumer_refused,
    cycles_per_step,
    energy_pj_per_step,
    total_bytes,
)
from accelsim.study.store import Row, Store
from accelsim.study.tasks import machine_at
from accelsim.study.work import DONE, FAILED

if TYPE_CHECKING:
    import pandas as pd

PLAIN = (
    "realisation", "total_cycles", "latency_us", "macs", "array_utilisation",
    "array_busy_utilisation", "bus_bytes", "consumer_load_bytes",
)  # fmt: skip
FORMATS = ("csv", "parquet", "json")


def table_of(
    store: Store, study: str | None = None, energy: Sequence[str | EnergyTable] = ()
) -> list[dict[str, Any]]:
    """A flat row for each point of a study, in order, all with the same columns.

    `energy` names tables; each adds the energy of the components and the known area. Without any
    they are those of the study.
    """
    name = store.study_named(study)
    chosen = energy or store.shown(name)["energy"] or (DEFAULT_TABLE,)
    tables = load_energy_tables(chosen)
    rows = [_flat(row, tables) for row in store.rows(name)]
    columns: dict[str, None] = {}
    for row in rows:
        columns |= dict.fromkeys(row)
    return [{name: row.get(name) for name in columns} for row in rows]


def designs_table(found: SearchResult) -> list[dict[str, Any]]:
    """A flat row for each design: those of the front first, by the first objective."""
    in_order = [*found.front, *(trial for trial in found.trials if not trial.front)]
    names = list(dict.fromkeys(name for trial in in_order for name in trial.objectives))
    return [
        {
            "point": trial.number,
            **trial.coordinates,
            "status": DONE if trial.objectives else FAILED,
            "reason": trial.reason,
            "front": trial.front,
            **{name: trial.to_dict()["objectives"].get(name) for name in names},
        }
        for trial in in_order
    ]


def frame_of(rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """The rows as a pandas frame."""
    return need_pandas().DataFrame(list(rows))


def _flat(row: Row, tables: Sequence[EnergyTable]) -> dict[str, Any]:
    head = {"point": row.number, **row.coordinates, "status": row.status, "reason": row.reason}
    return head if row.record is None else head | dict(_figures(row, row.record, tables))


def _figures(row: Row, record: Record, tables: Sequence[EnergyTable]) -> Iterator[tuple[str, Any]]:
    for name in PLAIN:
        # A step whose range was not known ran another program than the point asked for.
        yield ("realised" if name == "realisation" else name), record[name]
    yield "statistics_held_cycles", record["statistics_held_cycles"]
    yield "total_bytes", total_bytes(record)
    of_consumer = record["consumer_load_bytes"] + record["consumer_range_bytes"]
    yield "bytes_with_consumer", total_bytes(record) + of_consumer
    yield "bytes_per_step", bytes_per_step(record)
    yield "cycles_per_step", cycles_per_step(record)
    machine = machine_at(row.coordinates)
    yield "latency_us_per_step", machine.cycles_to_us(cycles_per_step(record))
    yield from _inside("update", record.get("update"))
    yield from _consumer(record, machine, tables)
    yield from _parts(record)
    if "chip_bytes" in record:
        yield "chip_bytes", record["chip_bytes"]
    yield "roofline_bound", record["roofline"]["bound"]
    yield "memory_bound", int(record["roofline"]["bound"] == "memory")
    yield "macs_per_byte", record["roofline"]["macs_per_byte"]
    for unit in record["units"]:
        for state in ("busy", "starved", "blocked", "idle"):
            yield f"{unit['unit']}.{state}_cycles", unit[f"{state}_cycles"]
    yield from _inside("dram", record["dram"])
    yield from _inside("", record["numerics"])
    yield from _energy(record, machine, tables)


def _parts(record: Record) -> Iterator[tuple[str, Any]]:
    """Bytes by tensor and direction; of whole networks, what each phase comes to."""
    sums: dict[str, int] = {}
    for moved in record["traffic"]:
        name = f"bytes.{moved['tensor']}.{moved['direction']}"
        sums[name] = sums.get(name, 0) + moved["bytes"]
    yield from sums.items()
    for phase, figures in record.get("phases", {}).items():
        for name, figure in figures.items():
            yield f"{name}.{phase}", figure


def _inside(prefix: str, record: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """The single values of a part of a record that may be missing."""
    for name, value in (record or {}).items():
        label = f"{prefix}.{name}" if prefix else name
        if isinstance(value, Mapping):
            yield from _inside(label, value)
        elif not isinstance(value, list):
            yield label, value


def _consumer(
    record: Record, machine: Hardware, tables: Sequence[EnergyTable]
) -> Iterator[tuple[str, Any]]:
    """What reading the output costs a stated operation beyond plain integers of one range."""
    refused = consumer_refused(record)
    for number, table in enumerate(tables):
        price = None if refused else consumer_price(record, machine, table)
        if not number:
            yield "consumer.bytes_beyond_static", price and price.bytes
            yield "consumer.cycles_beyond_static", price and price.cycles
        yield f"consumer.energy_pj_beyond_static.{table.name}", price and price.energy_pj
    if refused:
        yield "consumer.refused", refused


def _energy(
    record: Record, machine: Hardware, tables: Sequence[EnergyTable]
) -> Iterator[tuple[str, Any]]:
    actions = actions_in(record["actions"])
    for table in tables:
        found = energy_of(actions, machine, table)
        yield f"energy_pj.{table.name}", found.total_pj
        for component in found.components:
            yield f"energy_pj.{table.name}.{component.component}", component.pj
        steps_differ = record["per_step"] is not None
        average = energy_pj_per_step(record, machine, table) if steps_differ else found.total_pj
        yield f"energy_pj_per_step.{table.name}", average
        yield f"known_area_um2.{table.name}", found.known_area_um2
        yield f"without_area.{table.name}", ", ".join(found.without_area)


def written(rows: Sequence[Mapping[str, Any]], kind: str, command: Sequence[str] = ()) -> bytes:
    """The rows as a file of this format; a document of JSON says which command made it."""
    if kind == "json":
        document = {"schema": "accelsim.study/1", COMMAND: list(command), "points": list(rows)}
        return (json.dumps(document) + "\n").encode()
    if kind == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    if kind != "parquet":
        raise AccelsimError(f"format={kind}: must be one of {', '.join(FORMATS)}")
    return _parquet(rows)


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise AccelsimError(
            "--format parquet needs pyarrow: pip install 'accelsim[parquet]'"
        ) from None
    buffer = io.BytesIO()
    columns = {name: _one_type([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _one_type(values: list[Any]) -> list[Any]:
    """A column of Parquet has one type: numbers and texts together become texts."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 or kinds <= {int, float}:
        return values
    return [None if value is None else str(value) for value in values]
