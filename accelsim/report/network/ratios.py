"""Every other scheme over the first: a sentence of one, a line for each of several."""

from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text

from accelsim.hardware import EnergyTable
from accelsim.report.network.grid import Column, grids
from accelsim.report.palette import scheme_styles
from accelsim.result import NetworkComparison, NetworkResult


def ratio_sentences(comparison: NetworkComparison) -> list[str]:
    """Bytes and cycles of each, and with update steps where there are such."""
    sentences = [
        f"{ratio.scheme} moves {ratio.bytes_ratio:.2f} times the bytes and takes "
        f"{ratio.cycles_ratio:.2f} times the cycles of {ratio.baseline}."
        for ratio in comparison.ratios
    ]
    pairs = zip(comparison.results[1:], comparison.ratios, strict=True)
    for result, ratio in pairs:
        if result.update_step or comparison.baseline.update_step:
            sentences.append(
                f"Update steps included, {ratio.scheme} moves {ratio.bytes_per_step_ratio:.2f} "
                f"times the bytes and takes {ratio.cycles_per_step_ratio:.2f} times the cycles of "
                f"{ratio.baseline} per step."
            )
    return sentences


def ratio_tables(comparison: NetworkComparison, tables: Sequence[EnergyTable]) -> list[Table]:
    """Bytes, time and energy of each; with update steps where there are such."""
    first, *others = comparison.results
    updates = any(result.update_step for result in comparison.results)
    figures: list[tuple[str, Callable[[NetworkResult], float]]] = [
        ("bytes", lambda r: r.total_bytes), ("cycles", lambda r: r.total_cycles),
    ]  # fmt: skip
    if updates:
        figures += [
            ("bytes\nper step", lambda r: r.bytes_per_step),
            ("cycles\nper step", lambda r: r.cycles_per_step),
        ]
    for table in tables:
        step = "\nper step" if updates else ""
        figures.append(
            (f"energy{step}\n{table.name}", lambda r, table=table: r.energy_pj_per_step(table))  # type: ignore[misc]
        )
    columns = []
    for head, of in figures:
        base = of(first)
        columns.append(Column(head, [f"{of(other) / base:.2f}" for other in others]))
    styles = scheme_styles(result.scheme for result in comparison.results)
    names = [Text(other.scheme, style=styles[other.scheme]) for other in others]
    return grids(f"Times {first.scheme}", names, columns, repeated=0)
