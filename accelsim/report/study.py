"""What a sweep or a search is going to do and what it came to, in a few lines."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.report.energy import area_gap
from accelsim.result import SearchResult, SweepPlan, SweepSummary

REASONS_SHOWN = 5
AREA = "known_area"
"""Begins the name of the area in objectives and constraints."""


def studies_document(questions: Mapping[str, str]) -> dict[str, Any]:
    """The studies that ship, as plain data."""
    return {
        "schema": "accelsim.study-list/1",
        "studies": [{"name": name, "question": text} for name, text in questions.items()],
    }


def studies_text(questions: Mapping[str, str]) -> RenderableType:
    """One line per study that ships, and how to go on."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("study")
    table.add_column("question")
    for name, text in questions.items():
        table.add_row(name, text)
    return Group(
        table,
        "",
        Text("accelsim sweep STUDY runs one; accelsim results STUDY.db --plot FILE.png draws it."),
    )


def plan_text(plan: SweepPlan) -> str:
    """How much there is to do, and about how long it takes."""
    text = (
        f"{plan.study}: {plan.points:,} points, {plan.simulations:,} different simulations, "
        f"{plan.missing:,} of them still to be run\n"
    )
    if not plan.missing:
        return text
    processes = "1 process" if plan.workers == 1 else f"{plan.workers} processes"
    timed = "one that was" if plan.timed == 1 else f"{plan.timed} that were"
    return f"{text}about {duration(plan.estimated_seconds)} on {processes}, by {timed} timed\n"


def summary_text(summary: SweepSummary, store: str) -> str:
    """What was run, what failed and why, and where the results are."""
    stored = summary.simulations - summary.computed
    lines = [
        f"{summary.study}: {summary.points:,} points, {summary.simulations:,} different "
        f"simulations; {summary.computed:,} run now, {stored:,} "
        + ("left or stored" if summary.interrupted else "were there")
    ]
    if summary.computed:
        rate = summary.computed / max(summary.seconds, 1e-9)
        pace = f"{rate:.1f} simulations per second"
        if rate < 1:
            pace = f"{duration(1 / rate)} for each simulation"
        lines.append(f"{duration(summary.seconds)}, {pace}")
    if summary.failed_points:
        lines.append(f"{summary.failed_points:,} points cannot be run:")
        shown = list(summary.reasons.items())[:REASONS_SHOWN]
        lines += [f"  {count:,} x {reason}" for reason, count in shown]
        if len(summary.reasons) > len(shown):
            lines.append(f"  and {len(summary.reasons) - len(shown)} other reasons")
    if summary.interrupted:
        lines.append("Interrupted. What was computed is kept; the same command goes on from here.")
    lines.append(f"Results: accelsim results {store}")
    return "\n".join(lines) + "\n"


def search_text(found: SearchResult) -> RenderableType:
    """The Pareto front, one design a line."""
    feasible = sum(not trial.reason for trial in found.trials)
    head = (
        f"{found.study}: {len(found.trials):,} of {found.designs:,} designs tried, {feasible:,} "
        f"feasible, {len(found.front):,} on the Pareto front; {found.computed:,} simulations run "
        "now"
    )
    parts: list[RenderableType] = [Text(head), ""]
    if found.front:
        parts += [_front(found), ""]
    else:
        reasons = {trial.reason: None for trial in found.trials}
        parts += [Text(reason) for reason in list(reasons)[:REASONS_SHOWN]]
    if found.constraints:
        parts.append(Text(f"Constraints: {'; '.join(found.constraints)}."))
    parts.append(Text(f"Sums over all layers; energy and area by {found.energy_table}."))
    if any(AREA in text for text in (*found.objectives, *found.constraints)):
        parts.append(Text(area_gap(found.without_area)))
    if found.interrupted:
        parts.append(Text("Interrupted. The same command goes on from here."))
    return Group(*parts)


def _front(found: SearchResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    axes = list(dict.fromkeys(name for trial in found.front for name in trial.coordinates))
    for name in axes:
        table.add_column(name.replace(".", ".\n"), overflow="fold")
    for name in found.objectives:
        table.add_column(name.replace("_", "_\n", 1), justify="right")
    for trial in found.front:
        table.add_row(
            *(str(trial.coordinates[name]) for name in axes),
            *(f"{trial.objectives[name]:,.4g}" for name in found.objectives),
        )
    return table


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
