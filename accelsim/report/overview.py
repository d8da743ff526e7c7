"""Many schemes at a glance, as one table of 80 columns."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.report.format import NOTHING, brief_percent, broken, kib
from accelsim.report.palette import scheme_colours
from accelsim.result import Candidate, Overview

FRONT = "*"


def overview_text(
    overview: Overview, title: str, notes: Sequence[str] = (), left_out: Sequence[str] = ()
) -> RenderableType:
    """A line per scheme, those on the Pareto front first and marked; then what was compared."""
    return Group(
        Text(title, style="bold"),
        "",
        _table(overview),
        "",
        Text(
            f"{FRONT}  on the Pareto front: no other scheme is at least as good in all of these "
            f"and better in one: {', '.join(overview.objectives)}."
        ),
        Text(
            "Each row is one step, amortised over a period where steps differ. The next operation "
            "loads the output, or (lazy) its accumulators: this load is in the bytes that are "
            "compared; its cycles and energy are not, a comparison of named schemes prints them."
        ),
        *([Text("Accuracy is the mean of all steps but the first.")] if _valued(overview) else []),
        Text(f"Energy: {overview.energy_table}."),
        *(Text(f"Left out: {reason}.") for reason in left_out),
        *(Text(note) for note in notes),
    )


def _valued(overview: Overview) -> bool:
    return any(one.cosine is not None for one in overview.candidates)


def _table(overview: Overview) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("")
    table.add_column("scheme", overflow="fold")
    columns = ["KB\nmoved", "KB next\nloads", "cycles", "uJ"]
    if _valued(overview):
        columns += ["SQNR\ndB", "cosine", "satu-\nrated"]
    for column in columns:
        table.add_column(column, justify="right")
    colours = scheme_colours(one.scheme for one in overview.candidates)
    for one in overview.candidates:
        name = Text(broken(one.scheme), style=colours[one.scheme] if one.on_front else "")
        cells = _cells(one)[: len(columns)]
        table.add_row(FRONT if one.on_front else "", name, *cells)
    return table


def _cells(one: Candidate) -> list[str]:
    return [
        kib(one.bytes_per_step),
        kib(one.consumer_load_bytes_per_step),
        f"{one.cycles_per_step:,.0f}",
        f"{one.energy_pj_per_step / 1e6:,.1f}",
        NOTHING if one.sqnr_db is None else f"{one.sqnr_db:.2f}",
        NOTHING if one.cosine is None else f"{one.cosine:.5f}",
        NOTHING if one.saturated_share is None else brief_percent(one.saturated_share),
    ]
