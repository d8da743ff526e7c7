"""Many schemes at a glance, as one table of 80 columns."""

from collections.abc import Callable, Sequence

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
        *(Text(sentence) for sentence in _sentences(overview)),
        Text(f"Energy: {overview.energy_table}."),
        *(Text(f"Left out: {reason}.") for reason in left_out),
        *(Text(note) for note in notes),
    )


def _sentences(overview: Overview) -> list[str]:
    """What the columns are."""
    first = "Each row is one step, amortised over a period where steps differ."
    if _of_layer(overview):
        first += (
            " The next operation loads the output, or (lazy) its accumulators: this load is in the "
            "bytes that are compared; its cycles and energy are not, a comparison of named schemes "
            "prints them."
        )
        accuracy = "Accuracy is the mean of all steps but the first."
    else:
        accuracy = "Accuracy is that of the network's output in the last step."
    return [first, accuracy] if _valued(overview) else [first]


def _of_layer(overview: Overview) -> bool:
    """Whether somebody else loads what was made; in a network its own operations do."""
    return any(one.consumer_load_bytes_per_step is not None for one in overview.candidates)


def _valued(overview: Overview) -> bool:
    return any(one.cosine is not None for one in overview.candidates)


def _table(overview: Overview) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("")
    table.add_column("scheme", overflow="fold")
    columns: dict[str, Callable[[Candidate], str]] = {
        "KB\nmoved": lambda one: kib(one.bytes_per_step),
        "KB next\nloads": lambda one: kib(one.consumer_load_bytes_per_step or 0.0),
        "cycles": lambda one: f"{one.cycles_per_step:,.0f}",
        "uJ": lambda one: f"{one.energy_pj_per_step / 1e6:,.1f}",
    }
    if not _of_layer(overview):
        del columns["KB next\nloads"]
    if _valued(overview):
        columns |= {
            "SQNR\ndB": lambda one: _known(one.sqnr_db, ".2f"),
            "cosine": lambda one: _known(one.cosine, ".5f"),
        }
        if _of_layer(overview):
            columns["satu-\nrated"] = lambda one: _share(one.saturated_share)
    for column in columns:
        table.add_column(column, justify="right")
    colours = scheme_colours(one.scheme for one in overview.candidates)
    for one in overview.candidates:
        name = Text(broken(one.scheme), style=colours[one.scheme] if one.on_front else "")
        cells = [cell(one) for cell in columns.values()]
        table.add_row(FRONT if one.on_front else "", name, *cells)
    return table


def _known(value: float | None, digits: str) -> str:
    return NOTHING if value is None else f"{value:{digits}}"


def _share(value: float | None) -> str:
    return NOTHING if value is None else brief_percent(value)
