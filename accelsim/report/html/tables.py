"""Tables as HTML: sortable by every column, read aloud with their headings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import DEFAULT_TABLE
from accelsim.report.format import KB
from accelsim.report.palette import scheme_colours
from accelsim.result import NetworkResult, Result

MANY_LINES = 25
_FIND = (
    '<p class="find"><label>Show lines with <input type="search" '
    'aria-label="words to find in {caption}" placeholder="words, numbers"></label> '
    "<output>{count} lines</output></p>"
)


@dataclass(frozen=True)
class Column:
    """A heading, whether its cells are numbers, and the digits they are written with."""

    title: str
    number: bool = True
    digits: int = 0


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    colours: Mapping[str, str],
    name: str = "",
) -> str:
    """A table whose first cell of a row is the row's heading; texts of `colours` are schemes.

    One of many lines has a field that finds some of them, unless it has a `name`: then it is the
    chart's, whose filters choose its lines.
    """
    head = "".join(
        f'<th scope="col" aria-sort="none"{_class(column)}>'
        f'<button type="button">{escape(column.title)}</button></th>'
        for column in columns
    )
    lines = [
        f'<tr data-point="{number}">' + "".join(_cells(columns, row, colours)) + "</tr>"
        for number, row in enumerate(rows)
    ]
    mark = f' id="{name}"' if name else ""
    many = len(lines) > MANY_LINES
    find = _FIND.format(caption=escape(caption), count=f"{len(lines):,}")
    return (
        f"{find if many and not name else ''}"
        f'<div class="wide{" long" if many else ""}" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}">'
        f"<table{mark}><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{chr(10).join(lines)}</tbody></table></div>"
    )


def _class(column: Column) -> str:
    return ' class="number"' if column.number else ""


def _cells(
    columns: Sequence[Column], row: Sequence[Any], colours: Mapping[str, str]
) -> Iterable[str]:
    for place, (column, value) in enumerate(zip(columns, row, strict=True)):
        tag = 'th scope="row"' if place == 0 else "td"
        text, key = _written(value, column.digits), "" if value is None else str(value)
        inside = escape(text)
        if isinstance(value, str) and value in colours:
            inside = f'<span class="scheme" style="--own: {colours[value]}">{inside}</span>'
        yield f'<{tag}{_class(column)} data-value="{escape(key)}">{inside}</{tag[:2]}>'


def _written(value: Any, digits: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.{digits}f}" if digits or value == int(value) else f"{value:,.6g}"


ENERGY = Column(f"uJ, {DEFAULT_TABLE}", digits=2)
"""Energy by the default table."""


def energy_uj(result: Result | NetworkResult) -> float | None:
    """Energy by the default table; None where the document's machine is none of this version."""
    try:
        return result.energy().total_pj / 1e6
    except AccelsimError:
        return None


def runs_table(results: Sequence[Result]) -> str:
    """A line for each run: bytes, time, energy, accuracy."""
    columns = [
        Column("layer", number=False), Column("scheme", number=False), Column("DRAM, KB", digits=1),
        Column("cycles"), Column("latency, us", digits=2), ENERGY,
        Column("array busy, %", digits=1), Column("MACs per byte", digits=1),
        Column("bound", number=False),
        Column("SQNR, dB", digits=2), Column("saturated, %", digits=3), Column("overflows"),
    ]  # fmt: skip
    rows = [
        (
            r.layer, r.scheme, r.total_bytes / KB, r.total_cycles, r.latency_us,
            energy_uj(r),
            100 * r.unit("array").busy_cycles / r.total_cycles, r.roofline.macs_per_byte,
            r.roofline.bound, *_numerics(r),
        )
        for r in results
    ]  # fmt: skip
    return table("Runs", columns, rows, _colours(results))


def _numerics(result: Result) -> tuple[Any, ...]:
    found = result.numerics
    if found is None:
        return None, None, None
    return found.sqnr_db, 100 * found.saturated_share, found.overflow_count


def updates_table(results: Sequence[Result]) -> str:
    """What a step costs on average, for each run with update steps; nothing where none has."""
    columns = [
        Column("layer", number=False), Column("scheme", number=False),
        Column("one in so many steps"), Column("update step, KB", digits=1),
        Column("update step, cycles"), Column("per step, KB", digits=1),
        Column("per step, cycles", digits=1),
    ]  # fmt: skip
    rows = [
        (
            r.layer, r.scheme, a.period_steps, a.update.bytes / KB, a.update.cycles,
            a.bytes_per_step / KB, a.cycles_per_step,
        )
        for r in results
        if (a := r.amortised)
    ]  # fmt: skip
    return table("Update steps", columns, rows, _colours(results)) if rows else ""


def consumer_table(results: Sequence[Result]) -> str:
    """What reading an output costs beyond plain integers, per step; nothing where all are such."""
    columns = [
        Column("layer", number=False), Column("scheme", number=False),
        Column("consumer", number=False), Column("bytes beyond static"),
        Column("cycles beyond static"), Column(f"uJ beyond static, {DEFAULT_TABLE}", digits=2),
    ]  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for r in results:
        found = [consumer for consumer in r.consumers if consumer]
        refused = [consumer.refused for consumer in found if consumer.refused]
        if refused:
            rows.append((r.layer, r.scheme, f"refused: {refused[0]}", None, None, None))
        elif found:
            price = r.consumer_price_per_step()
            beyond = price.bytes, price.cycles, price.energy_pj / 1e6
            rows.append((r.layer, r.scheme, found[0].work, *beyond))
    return table("At the consumer, per step", columns, rows, _colours(results)) if rows else ""


def traffic_table(results: Sequence[Result]) -> str:
    """A line for each tensor, direction and phase of each run."""
    columns = [
        Column("layer", number=False), Column("scheme", number=False),
        Column("tensor", number=False), Column("direction", number=False),
        Column("phase", number=False), Column("bytes"), Column("KB", digits=1),
    ]  # fmt: skip
    rows = [
        (r.layer, r.scheme, row.tensor, row.direction, row.phase, row.bytes, row.bytes / KB)
        for r in results
        for row in r.traffic
    ]
    return table("DRAM traffic by tensor", columns, rows, _colours(results))


def units_table(results: Sequence[Result]) -> str:
    """A line for each unit of each run."""
    columns = [
        Column("layer", number=False), Column("scheme", number=False), Column("unit", number=False),
        Column("busy cycles"), Column("starved cycles"), Column("blocked cycles"),
        Column("idle cycles"), Column("busy, %", digits=1),
    ]  # fmt: skip
    rows = [
        (
            r.layer, r.scheme, u.unit, u.busy_cycles, u.starved_cycles, u.blocked_cycles,
            u.idle_cycles, 100 * u.busy_cycles / r.total_cycles,
        )
        for r in results
        for u in r.units
    ]  # fmt: skip
    return table("How each unit spent its cycles", columns, rows, _colours(results))


def _colours(results: Sequence[Result]) -> dict[str, str]:
    return scheme_colours(result.scheme for result in results)
