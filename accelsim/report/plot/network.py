"""Traffic and time of a whole network: a line for each operation and scheme."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from accelsim.report.format import KB
from accelsim.report.network import node_rows
from accelsim.report.plot import canvas, rows
from accelsim.result import NetworkComparison, NetworkResult, OperationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Networks = NetworkResult | NetworkComparison
Operations = Sequence[OperationResult]


class Line(NamedTuple):
    """What a bar is of: an operation under a scheme."""

    layer: str
    scheme: str


def network_traffic(data: Networks, ax: "Axes | None" = None) -> "Axes":
    """DRAM bytes by role; accumulators both ways together."""
    parts: tuple[tuple[str, float, Callable[[Operations], float]], ...] = (
        ("operands", 0.4, lambda found: _operands(found)),
        ("weights", 0.6, lambda found: _moved(found, "weights", "bias")),
        ("accumulators", 1.0, lambda found: _moved(found, "accumulators")),
        ("results", 0.2, lambda found: _results(found)),
    )
    return _draw(data, ax, parts, "DRAM traffic (KB of 1024 bytes)", digits=0)


def network_latency(data: Networks, ax: "Axes | None" = None) -> "Axes":
    """Microseconds in which the unit that computes is busy, and the others."""
    clock_mhz = _results_of(data)[0].clock_mhz

    def busy(found: Operations) -> float:
        working = ("array", "vector unit")
        return sum(u.busy_cycles for r in found for u in r.units if u.unit in working) / clock_mhz

    def other(found: Operations) -> float:
        return sum(row.total_cycles for row in found) / clock_mhz - busy(found)

    return _draw(data, ax, (("busy", 1.0, busy), ("waiting", 0.3, other)), "latency (us)", digits=1)


def _results_of(data: Networks) -> tuple[NetworkResult, ...]:
    return data.results if isinstance(data, NetworkComparison) else (data,)


def _draw(
    data: Networks,
    ax: "Axes | None",
    parts: Sequence[tuple[str, float, Callable[[Operations], float]]],
    label: str,
    digits: int,
) -> "Axes":
    results = _results_of(data)
    found = [
        (Line(name, result.scheme), chosen)
        for name, stacks in node_rows(results)
        for result, chosen in zip(results, stacks, strict=True)
    ]
    lines = [line for line, _ in found]
    pieces = [
        rows.Part(name, share, rows.lengths(length(chosen) for _, chosen in found))
        for name, share, length in parts
    ]
    with canvas.style():
        ax = ax or rows.new_axes(lines)
        rows.draw(ax, lines, [piece for piece in pieces if piece.lengths], digits)
        ax.set_xlabel(label)
    return ax


def _moved(found: Operations, *roles: str, direction: str | None = None) -> float:
    return sum(row.bytes_of(role, direction) for row in found for role in roles) / KB


def _operands(found: Operations) -> float:
    """All that is loaded beside weights and accumulators."""
    loaded = sum(row.bytes_of(None, "load") for row in found) / KB
    return loaded - _moved(found, "weights", "bias", "accumulators", direction="load")


def _results(found: Operations) -> float:
    """All that is stored beside accumulators, weights included."""
    stored = sum(row.bytes_of(None, "store") for row in found) / KB
    return stored - _moved(found, "weights", "bias", "accumulators", direction="store")
