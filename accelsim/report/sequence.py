"""A sequence of steps as text: its totals, its means, its worst step, scheme by scheme."""

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.report.format import LONGEST_LABEL, NOTHING, brief_percent, broken, kib
from accelsim.report.palette import scheme_styles
from accelsim.result import (
    SETTLED_STEPS,
    SQNR_TOLERANCE_DB,
    STALENESS_TOLERANCE,
    STEPS_BEFORE,
    Result,
    TraceSummary,
)

SHORTEST_STEPS = 3
"""A sequence of fewer steps is its measured step and what led to it: there is nothing to sum up."""

BACK = (
    f"Back: {SETTLED_STEPS} steps in a row no more than {SQNR_TOLERANCE_DB:g} dB below the "
    f"{STEPS_BEFORE} before it, their used/obs. within {STALENESS_TOLERANCE:.0%} of theirs; or as "
    "near to them as three in four of these were."
)


def sequence_parts(results: Sequence[Result]) -> list[RenderableType]:
    """The tables of all steps together; none where the sequence is short or has no values."""
    summaries = [
        (result, result.trace.summary)
        for result in results
        if result.trace and len(result.trace.steps) >= SHORTEST_STEPS
    ]
    if not summaries:
        return []
    parts: list[RenderableType] = [_costs(summaries), "", _errors(summaries), ""]
    disturbed = [result for result in results if result.trace and result.trace.recoveries()]
    return [*parts, _recoveries(disturbed), Text(BACK), ""] if disturbed else parts


def _costs(summaries: Sequence[tuple[Result, TraceSummary]]) -> Table:
    steps = summaries[0][1].steps
    table = _table(f"All {steps} steps", "KB, sum", "KB, mean", "cycles, sum", "cycles, mean")
    for name, found in _named(summaries):
        table.add_row(
            name,
            kib(found.total_bytes),
            kib(found.mean_bytes),
            f"{found.total_cycles:,}",
            f"{found.mean_cycles:,.0f}",
        )
    return table


def _errors(summaries: Sequence[tuple[Result, TraceSummary]]) -> Table:
    table = _table(
        "Mean of all steps", "SQNR\ndB", "worst\ndB", "at\nstep", "cosine", "satu-\nrated",
        "under-\nflow", "levels\nused", "range\nused/obs.",
    )  # fmt: skip
    for name, found in _named(summaries, longest=16):
        table.add_row(
            name,
            _figure(found.mean_sqnr_db, ".2f"),
            f"{found.worst_sqnr_db:.2f}",
            str(found.worst_step),
            _figure(found.mean_cosine, ".5f"),
            _share(found.mean_saturated_share),
            _share(found.mean_underflow_share),
            _figure(found.mean_levels_used, ".0f"),
            _figure(found.mean_range_staleness, ".3f"),
        )
    return table


def _recoveries(results: Sequence[Result]) -> Table:
    """How long each scheme took to come back from each disturbance."""
    table = _table(
        "After a disturbance", "at\nstep", "dB\nbefore", "dB\nworst", "SQNR back\nafter steps",
        "used/obs.\nworst", "range back\nafter steps",
    )  # fmt: skip
    styles = scheme_styles(result.scheme for result in results)
    for result in results:
        assert result.trace is not None
        for position, found in enumerate(result.trace.recoveries()):
            name = Text(broken(result.scheme), style=styles[result.scheme])
            table.add_row(
                "" if position else name,
                str(found.step),
                f"{found.sqnr_before_db:.2f}",
                f"{found.worst_sqnr_db:.2f}",
                _steps(found.recovery_steps),
                f"{found.worst_staleness:.3f}",
                _steps(found.range_lag_steps),
            )
    return table


def _steps(count: int | None) -> str:
    return "not yet" if count is None else str(count)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        first = column is columns[0]
        table.add_column(
            Text(column, style="bold" if first else ""),
            justify="left" if first else "right",
            overflow="fold",
        )
    return table


def _named(
    summaries: Sequence[tuple[Result, TraceSummary]], longest: int = LONGEST_LABEL
) -> list[tuple[Text, TraceSummary]]:
    styles = scheme_styles(result.scheme for result, _ in summaries)
    return [
        (Text(broken(result.scheme, longest), style=styles[result.scheme]), found)
        for result, found in summaries
    ]


def _figure(value: float | None, form: str) -> str:
    return NOTHING if value is None else f"{value:{form}}"


def _share(value: float | None) -> str:
    return NOTHING if value is None else brief_percent(value)
