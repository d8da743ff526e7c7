"""What a sweep or a search is going to do and what it came to, in a few lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.report.energy import area_gap
from accelsim.report.plot.titles import figure_of
from accelsim.result import SearchResult, SweepPlan, SweepSummary

REASONS_SHOWN = 5
WIDTH = 80
SHORT = {"known_area_um2": "area", "traffic_bytes": "traffic"}
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
        parts += _front(found)
    else:
        reasons = {trial.reason: None for trial in found.trials}
        parts += [Text(reason) for reason in list(reasons)[:REASONS_SHOWN]]
    if found.constraints:
        parts.append(Text(f"Constraints: {'; '.join(found.constraints)}."))
    parts.append(
        Text(
            "Sums over the workload, a step of each on average, with what the reader of an output "
            f"pays beyond static ranges; energy and area by {found.energy_table}."
        )
    )
    if any(AREA in text for text in (*found.objectives, *found.constraints)):
        parts.append(Text(area_gap(found.without_area)))
    if "sqnr_db" in found.objectives:
        parts.append(Text("SQNR: the worst of the workload."))
    if found.interrupted:
        parts.append(Text("Interrupted. The same command goes on from here."))
    return Group(*parts)


Cells = tuple[str, list[str]]
"""A heading of several lines, and what stands below it."""


def _front(found: SearchResult) -> list[RenderableType]:
    """The designs in one table, or in two that share their numbers where one would be too wide."""
    front = found.front
    numbers = "trial", [str(trial.number) for trial in front]
    figures = [_figures(name, [trial.objectives[name] for trial in front])
               for name in found.objectives]  # fmt: skip
    values = {
        name: [str(trial.coordinates[name]) for trial in front] for name in front[0].coordinates
    }
    varied = [(_heading(name), cells) for name, cells in values.items() if len({*cells}) > 1]
    together = [numbers, *varied, *figures]
    tables = [together] if _width(together) <= WIDTH else [[numbers, *figures], [numbers, *varied]]
    parts: list[RenderableType] = []
    for columns in tables:
        parts += [_table(columns), ""]
    same = [f"{name} {cells[0]}" for name, cells in values.items() if len({*cells}) == 1]
    return [*parts, Text(f"The same in all of these: {', '.join(same)}.")] if same else parts


def _figures(name: str, values: Sequence[float]) -> Cells:
    figure = figure_of(name)
    unit = figure.unit.partition(" ")[0]
    scaled = [value * figure.factor for value in values]
    return f"{SHORT.get(name, figure.title)}\n{unit}", [
        f"{value:,.0f}" if value >= 1e4 else f"{value:,.4g}" for value in scaled
    ]


def _heading(field: str) -> str:
    """A field's name, broken where it may be."""
    return field.replace(".", ".\n").replace("_", "_\n")


def _width(columns: Sequence[Cells]) -> int:
    return sum(
        1 + max(len(line) for line in (*heading.split("\n"), *cells)) for heading, cells in columns
    )


def _table(columns: Sequence[Cells]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for heading, cells in columns:
        right = all(cell[:1].isdigit() for cell in cells)
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*row)
    return table


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
