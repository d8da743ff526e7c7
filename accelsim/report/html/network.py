"""A whole network in a report: its totals, every operation, what moved."""

from collections.abc import Callable
from html import escape

from accelsim.report.format import KB
from accelsim.report.html.pictures import plots
from accelsim.report.html.tables import Column, table
from accelsim.report.kinds import bytes_by_kind
from accelsim.report.network import conditions, period_text, ratio_sentences, remarks
from accelsim.report.overview import MOST_SENTENCES, front_sentences
from accelsim.report.palette import scheme_colours
from accelsim.result import NetworkComparison


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
        ("Totals", _totals(comparison)),
        ("Plots", plots(comparison, progress)),
        ("Operations", _operations(comparison)),
        ("DRAM traffic", _traffic(comparison)),
    ]


def _colours(comparison: NetworkComparison) -> dict[str, str]:
    return scheme_colours(result.scheme for result in comparison.results)


def _totals(comparison: NetworkComparison) -> str:
    columns = [
        Column("scheme", number=False), Column("DRAM, KB", digits=1), Column("cycles"),
        Column("latency, us", digits=2), Column("MACs"), Column("on chip, KB", digits=1),
    ]  # fmt: skip
    rows = [
        (r.scheme, r.total_bytes / KB, r.total_cycles, r.latency_us, r.macs, r.chip_bytes / KB)
        for r in comparison.results
    ]
    return table("Totals", columns, rows, _colours(comparison)) + _updates(comparison)


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
        Column("program", number=False), Column("MACs"), Column("DRAM, KB", digits=1),
        Column("cycles"), Column("latency, us", digits=2), Column("SQNR, dB", digits=2),
    ]  # fmt: skip
    updates = any(result.update_step for result in comparison.results)
    if updates:
        columns += [Column("per step, KB", digits=1), Column("per step, cycles", digits=1)]
    rows = [
        (
            row.node, result.scheme, row.kind, row.phase, row.realisation, row.macs,
            row.total_bytes / KB, row.total_cycles, row.total_cycles / result.clock_mhz,
            row.numerics.sqnr_db if row.numerics else None,
            *((row.bytes_per_step / KB, row.cycles_per_step) if updates else ()),
        )
        for result in comparison.results
        for row in result.operations
    ]  # fmt: skip
    return table("Operations", columns, rows, _colours(comparison))


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
