"""The data of the interactive chart: rows, what they may be filtered by, what may be an axis."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from accelsim.report.html.tables import Column, table
from accelsim.report.palette import scheme_colours
from accelsim.report.plot.titles import figure_of, title_of

FIRST = (
    "total_bytes", "total_cycles", "latency_us", "bytes_per_step", "cycles_per_step", "sqnr_db",
    "consumer.bytes_beyond_static", "consumer.cycles_beyond_static",
)  # fmt: skip
MOST_FIGURES = 10
"""In the table: the first ones, and of the others as many as there is room for."""
MOST_VALUES = 24
"""A column of more different values is no filter."""
PREFERRED = (("bytes_per_step", "total_bytes"), ("latency_us_per_step", "latency_us"))
"""What is drawn first, as x and as y, where there is the one or the other."""


class Chart:
    """Rows of named values. Figures are the numbers among them that are not `axes`."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], axes: Sequence[str]) -> None:
        names = list(dict.fromkeys(name for row in rows for name in row))
        self.rows = rows
        self.axes = [name for name in axes if len(self._values(name)) > 1]
        self.figures = [
            name
            for name in names
            if name not in axes and len(self._values(name)) > 1 and self._is_number(name)
        ]
        labels = [str(row.get("scheme", "")) for row in rows]
        self.colours = scheme_colours(labels)

    def _values(self, name: str) -> list[str]:
        return list(dict.fromkeys(str(row.get(name)) for row in self.rows))

    def _is_number(self, name: str) -> bool:
        found = [row[name] for row in self.rows if row.get(name) is not None]
        return bool(found) and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in found
        )

    @property
    def worth_drawing(self) -> bool:
        """Whether there are points to tell apart, by two figures at least."""
        return len(self.rows) > 1 and len(self.figures) > 1

    def section(self) -> str:
        """The controls, the place of the chart, and the table of its points."""
        few = [name for name in self.axes if len(self._values(name)) <= MOST_VALUES]
        filters = "".join(self._filter(name) for name in few)
        return (
            f'<div class="filters">{self._select("x", 0)}{self._select("y", 1)}</div>'
            f'<div class="filters">{filters}</div>'
            f'<div id="chart"></div><p id="told" role="status"></p>{self.table()}'
        )

    def _select(self, side: str, place: int) -> str:
        wanted = [name for name in PREFERRED[place] if name in self.figures]
        chosen = wanted[0] if wanted else self.figures[place]
        options = "".join(
            f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>'
            f"{escape(title_of(name))}</option>"
            for name in self.figures
        )
        return f'<label>{side} <select id="{side}">{options}</select></label>'

    def _filter(self, name: str) -> str:
        boxes = "".join(
            f'<label><input type="checkbox" checked data-axis="{escape(name)}" '
            f'value="{escape(value)}"> {escape(value)}</label>'
            for value in self._values(name)
        )
        return f"<fieldset><legend>{escape(name)}</legend>{boxes}</fieldset>"

    def table(self) -> str:
        """The points with what was varied and their first figures."""
        ordered = sorted(self.figures, key=lambda name: name not in FIRST)
        figures = [(name, figure_of(name)) for name in ordered[:MOST_FIGURES]]
        columns = [Column(name, number=self._is_number(name)) for name in self.axes]
        columns += [Column(figure.short) for _, figure in figures]
        rows = [
            [row.get(name) for name in self.axes]
            + [_scaled(row.get(name), figure.factor) for name, figure in figures]
            for row in self.rows
        ]
        return table(
            "Points; those on the front are bold", columns, rows, self.colours, "pointtable"
        )

    def data(self) -> str:
        """The rows for the script, which cannot end the element that holds them."""
        figures = {
            name: {
                "title": title_of(name),
                "factor": figure_of(name).factor,
                "lower": figure_of(name).lower_is_better,
            }
            for name in self.figures
        }
        names = [*self.axes, *self.figures]
        rows = [
            {name: row.get(name) for name in names}
            | {"colour": self.colours[str(row.get("scheme", ""))]}
            for row in self.rows
        ]
        text = json.dumps({"axes": self.axes, "figures": figures, "rows": rows})
        for character in "<>&":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return f'<script type="application/json" id="points">{text}</script>'


def _scaled(value: Any, factor: float) -> Any:
    """In the unit for people; what is no number as it is."""
    return value if factor == 1 or not isinstance(value, int | float) else value * factor
