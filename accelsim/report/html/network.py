"""A whole network in a report: its totals, every operation, what moved."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape
from typing import Any

from accelsim.report.format import KB
from accelsim.report.html.pictures import plots
from accelsim.report.html.tables import ENERGY, Column, energy_uj, table
from accelsim.report.kinds import bytes_by_kind
from accelsim.report.network import conditions, period_text, ratio_sentences, remarks
from accelsim.report.overview import MOST_SENTENCES, front_sentences
from accelsim.report.palette import scheme_colours
from accelsim.result import NetworkComparison, NetworkResult


def network_summary(comparison: NetworkComparison) -> str:
    """A sentence for each scheme that is held against the first, and what holds for all.

    Of many schemes those that no other beats.
    """
    if len(comparison.results) > MOST_SENTENCES:
        said = front_sentences(comparison, comparison.baseline.network)
        said += conditions(comparison.baseline)
    else:
        said = [*ratio_sentences(comparison), *remarks(comparison)]
    return "".join(f"<p class=summary>{escape(text)}</p>" for text in said)


def network_sections(
    comparison: NetworkComparison, progress: Callable[[int, int], None]
) -> list[tuple[str, str]]:
    """Heading and content of each section."""
    return [
        ("Totals", _totals(comparison) + _phases(comparison) + _updates(comparison)),
        ("Plots", plots(comparison, progress)),
        ("Operations", _operations(comparison)),
        ("DRAM traffic", _traffic(comparison)),
    ]


def _colours(comparison: NetworkComparison) -> dict[str, str]:
    return scheme_colours(result.scheme for result in comparison.results)


def _totals(comparison: NetworkComparison) -> str:
    columns = [Column("scheme", number=False), *COSTS, Column("MACs"), Column("MACs without zeros"),
               Column("on chip, KB", digits=1)]  # fmt: skip
    rows = [
        (r.scheme, *_costs(r), r.macs, r.useful_macs, r.chip_bytes / KB) for r in comparison.results
    ]
    return table("Totals", columns, rows, _colours(comparison))


COSTS = (
    Column("DRAM, KB", digits=1), Column("cycles"), Column("latency, us", digits=2), ENERGY
)  # fmt: skip


def _costs(result: NetworkResult) -> tuple[float | None, ...]:
    """Bytes, time and energy of all operations."""
    return result.total_bytes / KB, result.total_cycles, result.latency_us, energy_uj(result)


def _phases(comparison: NetworkComparison) -> str:
    """A line for each phase of a training step; nothing of an inference, which has but one."""
    if not comparison.baseline.training:
        return ""
    columns = [Column("phase", number=False), Column("scheme", number=False), *COSTS]
    rows = [
        (phase, result.scheme, *_costs(result.phase(phase)))
        for phase in comparison.baseline.phases
        for result in comparison.results
    ]
    return table("Phases", columns, rows, _colours(comparison))


def _updates(comparison: NetworkComparison) -> str:
    """Update steps, and a step on average; nothing where no scheme has such."""
    if not any(result.update_step for result in comparison.results):
        return ""
    columns = [
        Column("scheme", number=False), Column("one in so many steps", number=False),
        Column("update step, KB", digits=1), Column("of these, search, KB", digits=1),
        Column("update step, cycles"), Column("of these, search, cycles"),
        Column("per step, KB", digits=1), Column("per step, cycles", digits=1),
    ]  # fmt: skip
    rows = []
    for result in comparison.results:
        step = result.update_step
        looked: tuple[str | float | None, ...] = (None,) * 5
        if step:
            looked = (
                period_text(step), step.bytes / KB, step.search_bytes / KB, step.cycles,
                step.search_cycles,
            )  # fmt: skip
        average = result.bytes_per_step / KB, result.cycles_per_step
        rows.append((result.scheme, *looked, *average))
    return table("Update steps", columns, rows, _colours(comparison))


def _operations(comparison: NetworkComparison) -> str:
    columns = [
        Column("operation", number=False), Column("scheme", number=False),
        Column("kind", number=False), Column("phase", number=False),
        Column("program", number=False), Column("MACs"), *COSTS, Column("SQNR, dB", digits=2),
    ]  # fmt: skip
    updates = any(result.update_step for result in comparison.results)
    if updates:
        columns += [Column("per step, KB", digits=1), Column("per step, cycles", digits=1)]
    rows = [
        row for result in comparison.results for row in _operation_rows(result, updates=updates)
    ]
    return table("Operations", columns, rows, _colours(comparison))


def _operation_rows(result: NetworkResult, *, updates: bool) -> Iterator[tuple[Any, ...]]:
    for row in result.operations:
        yield (
            row.node, result.scheme, row.kind, row.phase, row.realisation, row.macs,
            *_costs(replace(result, operations=(row,))),
            row.numerics.sqnr_db if row.numerics else None,
            *((row.bytes_per_step / KB, row.cycles_per_step) if updates else ()),
        )  # fmt: skip


def _traffic(comparison: NetworkComparison) -> str:
    columns = [
        Column("tensor", number=False), Column("direction", number=False),
        Column("scheme", number=False), Column("bytes"), Column("KB", digits=1),
    ]  # fmt: skip
    rows = [
        (role, direction, result.scheme, count, count / KB)
        for result in comparison.results
        for (role, direction), count in bytes_by_kind(result).items()
    ]
    return table("DRAM traffic by kind of tensor", columns, rows, _colours(comparison))
