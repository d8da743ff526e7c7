"""What the figures of a network are written in, and how its tables begin."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from accelsim.report.format import KB, NOTHING, heading, in_megabytes, in_milliseconds, kib
from accelsim.report.palette import scheme_styles
from accelsim.result import NetworkResult

SCHEMES_PER_TABLE = 3
"""Schemes side by side in one table of 80 columns; the first is repeated in the next table."""


class Units(NamedTuple):
    """What the bytes and times of all tables are in: one choice, by the largest total."""

    megabytes: bool
    milliseconds: bool

    def heads(self) -> tuple[str, str]:
        """Above the columns of bytes and of time."""
        return ("MB" if self.megabytes else "KB", "ms" if self.milliseconds else "us")

    def moved(self, count: float) -> str:
        """Bytes in a cell."""
        return kib(count / KB if self.megabytes else count)

    def cell(self, count: int) -> str:
        """The same where none is a dash."""
        return self.moved(count) if count else NOTHING

    def time(self, microseconds: float) -> str:
        """Time in a cell."""
        return f"{microseconds / 1000 if self.milliseconds else microseconds:,.1f}"


def units_of(results: Sequence[NetworkResult]) -> Units:
    """Those that the largest total asks for."""
    return Units(
        in_megabytes(max(result.bus_bytes for result in results)),
        in_milliseconds(max(result.latency_us for result in results)),
    )


def groups_of(results: Sequence[NetworkResult]) -> Iterable[tuple[NetworkResult, ...]]:
    """The baseline with each few of the others."""
    others, step = results[1:], SCHEMES_PER_TABLE - 1
    for start in range(0, max(len(others), 1), step):
        yield (results[0], *others[start : start + step])


def table_of(
    first: str, results: Sequence[NetworkResult], *, pairs: Units | None = None, ratio: bool = True
) -> Table:
    """A table with a column, or with units in `pairs` one for bytes and one for time, for each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(Text(first, style="bold"), no_wrap=True, vertical="bottom")
    styles = scheme_styles(result.scheme for result in results)
    for unit in pairs.heads() if pairs else ("",):
        for result in results:
            label = heading(result.scheme).replace("-", "-\n") if pairs else heading(result.scheme)
            head = f"{label}\n{unit}".strip()
            table.add_column(Text(head, style=styles[result.scheme]), justify="right")
        if ratio and len(results) == 2:
            table.add_column("ratio", justify="right")
    return table


def ratio_of(pair: Sequence[float]) -> str:
    """The second over the first, where there are just two."""
    if len(pair) != 2:
        return ""
    return f"{pair[1] / pair[0]:.2f}" if pair[0] else NOTHING
