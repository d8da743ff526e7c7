"""Named lines with a column for each scheme, as many side by side as 80 columns hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from accelsim.report.format import heading
from accelsim.report.palette import scheme_styles
from accelsim.result import NetworkResult

WIDTH = 80


@dataclass(frozen=True)
class Column:
    """A head of one line or several, and a cell for each line of the table."""

    head: str
    cells: Sequence[str]
    style: str = ""

    @property
    def width(self) -> int:
        """Characters of its longest line."""
        return max(len(line) for text in (self.head, *self.cells) for line in text.split("\n"))


def scheme_heads(
    results: Sequence[NetworkResult], unit: str = "", *, narrow: bool = False
) -> list[tuple[str, str]]:
    """Head and style of a column for each scheme; a `narrow` head is broken at hyphens as well."""
    styles = scheme_styles(result.scheme for result in results)
    heads = []
    for result in results:
        label = heading(result.scheme)
        label = label.replace("-", "-\n") if narrow else label
        heads.append((f"{label}\n{unit}".strip(), styles[result.scheme]))
    return heads


def grids(
    first: str, names: Sequence[str | Text], columns: Sequence[Column], repeated: int = 1
) -> list[Table]:
    """Tables of these lines; the `repeated` first columns stand in each, the others in one."""
    always, groups = list(columns[:repeated]), []
    group = list(always)
    for column in columns[repeated:]:
        if len(group) > repeated and not fit(first, names, [*group, column]):
            groups.append(group)
            group = list(always)
        group.append(column)
    return [_table(first, names, own) for own in (*groups, group)]


def fit(first: str, names: Sequence[str | Text], columns: Sequence[Column], gap: int = 1) -> bool:
    """Whether one table can hold these columns, so far from each other."""
    name_width = max(map(len, (*first.split("\n"), *names)))
    return name_width + sum(gap + column.width for column in columns) <= WIDTH


def _table(first: str, names: Sequence[str | Text], columns: Sequence[Column]) -> Table:
    roomy = fit(first, names, columns, gap=2)  # one space is the table's own
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, int(roomy), 0, 0), show_edge=False
    )
    table.add_column(Text(first, style="bold"), no_wrap=True, vertical="bottom")
    for column in columns:
        head = Text(column.head, style=column.style)
        table.add_column(head, justify="right", vertical="bottom")
    for name, *cells in zip(names, *(column.cells for column in columns), strict=True):
        table.add_row(name, *cells)
    return table
