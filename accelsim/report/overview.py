"""Many schemes at a glance, as one table of 80 columns."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.report.format import KB, NOTHING, brief_percent, broken, kib
from accelsim.report.palette import scheme_styles
from accelsim.result import Candidate, ConsumerPrice, Overview

FRONT = "*"
CONSUMER = "  its consumer"


LAYER = (
    "Each row is one step, amortised over a period where steps differ. Under it: what a "
    "stated operation that reads its output, a 1x1 convolution, pays beyond one that reads "
    "plain static integers. The front goes by the sums."
)
NETWORK = "Each row is one step, amortised over a period where steps differ."


def overview_text(
    overview: Overview,
    title: str,
    notes: Sequence[str] = (),
    left_out: Sequence[str] = (),
    *,
    of_network: bool = False,
) -> RenderableType:
    """A line per scheme, those on the Pareto front first and marked; then what was compared."""
    accuracy = (
        "Accuracy is that of the network's first output in the last step." if of_network
        else "Accuracy is the mean of all steps but the first."
    )  # fmt: skip
    return Group(
        Text(title, style="bold"),
        "",
        _table(overview),
        "",
        Text(
            f"{FRONT}  on the Pareto front: no other scheme is at least as good in all of these "
            f"and better in one: {', '.join(overview.objectives)}."
        ),
        Text(NETWORK if of_network else LAYER),
        *(Text(sentence) for sentence in _unknown(overview)),
        *([Text(accuracy)] if _valued(overview) else []),
        Text(f"Energy: {overview.energy_table}."),
        *(Text(f"Left out: {reason}.") for reason in left_out),
        *(Text(note) for note in notes),
    )


def _valued(overview: Overview) -> bool:
    return any(one.cosine is not None for one in overview.candidates)


def _unknown(overview: Overview) -> list[str]:
    """The schemes that are not compared, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for one in overview.candidates:
        if one.consumer is None:
            by_reason.setdefault(one.refused, []).append(one.scheme)
    return [
        f"Not compared, as the price of their consumer is not known: {', '.join(schemes)} ({why})."
        for why, schemes in by_reason.items()
    ]


def _table(overview: Overview) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("")
    table.add_column("scheme", overflow="fold")
    columns = ["KB", "cycles", "uJ"]
    if _valued(overview):
        columns += ["SQNR\ndB", "cosine"]
    if any(one.saturated_share is not None for one in overview.candidates):
        columns.append("satu-\nrated")
    for column in columns:
        table.add_column(column, justify="right")
    styles = scheme_styles(one.scheme for one in overview.candidates)
    for one in overview.candidates:
        name = Text(broken(one.scheme), style=styles[one.scheme] if one.on_front else "")
        cells = _cells(one)[: len(columns)]
        table.add_row(FRONT if one.on_front else "", name, *cells)
        if one.consumer is None:
            table.add_row("", CONSUMER, "unknown", style="dim")
        elif one.consumer != ConsumerPrice():
            table.add_row("", CONSUMER, *_price(one.consumer), style="dim")
    return table


def _cells(one: Candidate) -> list[str]:
    return [
        kib(one.bytes_per_step),
        f"{one.cycles_per_step:,.0f}",
        f"{one.energy_pj_per_step / 1e6:,.1f}",
        NOTHING if one.sqnr_db is None else f"{one.sqnr_db:.2f}",
        NOTHING if one.cosine is None else f"{one.cosine:.5f}",
        NOTHING if one.saturated_share is None else brief_percent(one.saturated_share),
    ]


def _price(price: ConsumerPrice) -> list[str]:
    return [
        f"{price.bytes / KB:+,.1f}",
        f"{price.cycles:+,.0f}",
        f"{price.energy_pj / 1e6:+,.1f}",
    ]
