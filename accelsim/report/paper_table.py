"""The published memory-movement table beside the closed form and the simulated bytes."""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.report.format import KB
from accelsim.result import Movement, Table5, Table5Row

MACHINES_PER_TABLE = 3
"""Machines side by side within 80 columns."""

SAME, DIFFERENT = "=", "!"


def table5_text(table: Table5) -> RenderableType:
    """A row per layer (static, dynamic and delta in it), the legend, and the source's faults."""
    parts: list[RenderableType] = [Text(table.source, style="bold"), Text(_widths(table)), ""]
    for machines in _machine_groups(table):
        parts += [_rows(table, machines), ""]
    parts += [
        Text(f"{SAME}  the simulated bytes equal the closed form to the byte"),
        Text(f"{DIFFERENT}  the printed figure is not what the closed form gives"),
        "",
        Text("Faults of the source", style="bold"),
        *(Text(f"{number}. {fault}") for number, fault in enumerate(table.faults, 1)),
    ]
    return Group(*parts)


def _widths(table: Table5) -> str:
    return (
        "DRAM traffic in KB of 1024 bytes; bits: "
        f"weights {table.weight_bits}, inputs {table.input_bits}, outputs {table.output_bits}, "
        f"accumulators {table.accumulator_bits}. Static quantizes at the drain; dynamic stores "
        "the accumulators, loads them again and stores the output."
    )


def _machine_groups(table: Table5) -> Iterator[range]:
    """Positions among the movements (the closed form is the first) of each few machines."""
    machines = len(table.rows[0].movements) - 1
    for start in range(0, max(machines, 1), MACHINES_PER_TABLE):
        yield range(1 + start, 1 + min(start + MACHINES_PER_TABLE, machines))


def _rows(table: Table5, machines: range) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    drawn.add_column("layer", max_width=17)
    drawn.add_column("")
    drawn.add_column("published", justify="right")
    drawn.add_column("closed\nform", justify="right")
    for position in machines:
        name = table.rows[0].movements[position].source
        drawn.add_column(Text(f"simulated\non {name}"), justify="right", max_width=14)
    for row in table.rows:
        drawn.add_row(*_cells(row, machines))
    return drawn


def _cells(row: Table5Row, machines: range) -> list[str]:
    closed = row.movements[0]
    return [
        row.description,
        "static\ndynamic\ndelta",
        _published(row, closed),
        _figures(closed, "", ""),
        *(_simulated(row.movements[position], closed) for position in machines),
    ]


def _published(row: Table5Row, closed: Movement) -> str:
    return "\n".join(
        (
            _marked(row.published_static_kib, closed.static_bytes),
            _marked(row.published_dynamic_kib, closed.dynamic_bytes),
            f"{row.published_delta_percent:+} % ",
        )
    )


def _marked(printed: int, closed_bytes: int) -> str:
    """The printed figure, marked where it is not the closed form to within its rounding."""
    return f"{printed} {' ' if abs(printed - closed_bytes / KB) < 1 else DIFFERENT}"


def _simulated(movement: Movement, closed: Movement) -> str:
    return _figures(
        movement,
        SAME if movement.static_bytes == closed.static_bytes else " ",
        SAME if movement.dynamic_bytes == closed.dynamic_bytes else " ",
    )


def _figures(movement: Movement, static_mark: str, dynamic_mark: str) -> str:
    gap = " " if static_mark else ""
    return (
        f"{movement.static_bytes / KB:.1f}{gap}{static_mark}\n"
        f"{movement.dynamic_bytes / KB:.1f}{gap}{dynamic_mark}\n"
        f"{movement.delta_percent:+.0f} %{gap and '  '}"
    )
