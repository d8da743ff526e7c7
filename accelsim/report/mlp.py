"""The statement on multilayer perceptrons beside what this model says."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.result import MlpStatement


def mlp_text(statement: MlpStatement) -> RenderableType:
    """A line per machine, bandwidth and batch, and a plain verdict."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for name in ("machine", "GB/s", "batch", "static cycles", "dynamic cycles"):
        table.add_column(name, justify="left" if name == "machine" else "right")
    table.add_column("latency", justify="right")
    table.add_column("traffic", justify="right")
    for point in statement.points:
        table.add_row(
            point.hardware, f"{point.dram_gb_per_s:g}", str(point.batch),
            f"{point.static_cycles:,}", f"{point.dynamic_cycles:,}",
            f"{point.latency_percent:+.1f} %", f"{point.bytes_percent:+.1f} %",
        )  # fmt: skip
    return Group(
        Text(f"Claim: {statement.claim}", style="bold"),
        Text(f"{statement.network}, {statement.dynamic} against {statement.static}"),
        "",
        table,
        "",
        Text(_verdict(statement)),
    )


def _verdict(statement: MlpStatement) -> str:
    costs = [point.latency_percent for point in statement.points]
    reached = len(statement.reached)
    return (
        f"Here it costs {min(costs):.1f} to {max(costs):.1f} % of latency; 20 % or more at "
        f"{reached} of {len(costs)} points. A layer of a perceptron has many weights for each "
        "output: at a small batch the weights' bytes decide, which both schemes load alike. What "
        "waits for a range are the outputs, whose number grows with the batch."
    )
