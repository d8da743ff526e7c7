"""A whole network: a line, a point or a cell for each of its nodes and schemes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from accelsim.hardware import load_hardware
from accelsim.report.format import KB
from accelsim.report.kinds import is_parameter
from accelsim.report.network import node_rows, units_of
from accelsim.report.palette import MOST_COLOURS
from accelsim.report.plot import canvas, rows
from accelsim.report.plot.titles import UPDATES_APART
from accelsim.result import (
    NetworkComparison,
    NetworkResult,
    Numerics,
    OperationResult,
    OutputAccuracy,
    Roofline,
    UnitTime,
)
from accelsim.result.network import DRAM

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Networks = NetworkResult | NetworkComparison
Operations = Sequence[OperationResult]
COMPUTING = ("array", "vector unit")
MOST_LINES = 150
"""Bars of one picture; where more schemes would make more, nodes are drawn for the first two."""
STATES = (("busy", 1.0), ("starved", 0.3), ("blocked", 0.6), ("idle", 0.0))


class Line(NamedTuple):
    """What a bar is of: a node, or a whole network, under a scheme."""

    layer: str
    scheme: str


class Product(NamedTuple):
    """What a point under the roof is of: a node with a product, under a scheme."""

    layer: str
    scheme: str
    roofline: Roofline


def network_traffic(data: Networks, ax: "Axes | None" = None, *, whole: bool = False) -> "Axes":
    """DRAM bytes by role, of each node or of the `whole`; accumulators stored are hatched."""
    large = units_of(networks_of(data)).megabytes
    unit_bytes, digits = (KB * KB, 1) if large else (KB, 0)
    parts = [
        (name, share, lambda found, of=of: of(found) / unit_bytes, hatched)
        for name, share, of, hatched in TRAFFIC
    ]
    unit = "MB of 1024 KB" if large else "KB of 1024 bytes"
    return _draw(data, ax, parts, f"DRAM traffic ({unit})", digits, whole)


def network_latency(data: Networks, ax: "Axes | None" = None, *, whole: bool = False) -> "Axes":
    """Time of each node or of the `whole`, by the state of the unit that computes.

    That is the array or the vector unit.
    """
    results = networks_of(data)
    large = units_of(results).milliseconds
    unit_cycles = results[0].clock_mhz * (1000 if large else 1)

    def spent(state: str) -> Callable[[Operations], float]:
        name = f"{state}_cycles"
        return lambda found: sum(getattr(_computing(row), name) for row in found) / unit_cycles

    parts = [(state, share, spent(state), False) for state, share in STATES]
    label = f"latency ({'ms' if large else 'us'})\nof array or vector unit"
    return _draw(data, ax, parts, label, 1, whole)


def networks_of(data: Networks) -> tuple[NetworkResult, ...]:
    """The network under each scheme."""
    return data.results if isinstance(data, NetworkComparison) else (data,)


def whole_lines(data: Networks) -> list[Line]:
    """A line for each scheme, all nodes together."""
    return [Line(result.network, result.scheme) for result in networks_of(data)]


def products_of(data: Networks) -> list[Product]:
    """Each node with a product where it stands under the ceilings, all its phases together."""
    machine = load_hardware(networks_of(data)[0].machine)
    products = []
    for line, found in _lines(data):
        macs, moved = sum(row.macs for row in found), sum(row.total_bytes for row in found)
        cycles = sum(row.total_cycles for row in found)
        if macs and moved:
            products.append(Product(*line, Roofline.of(macs, moved, cycles, machine)))
    return products


def network_rows(data: Networks) -> list[Mapping[str, Any]]:
    """The whole network under each scheme as names and values, as `data.row_of` has them."""
    return [
        _row(result, result.operations, result.network, result.outputs)
        for result in networks_of(data)
    ]


def node_figures(data: Networks) -> list[Mapping[str, Any]]:
    """The same for each node."""
    results = {result.scheme: result for result in networks_of(data)}
    return [_row(results[line.scheme], found, line.layer) for line, found in _lines(data)]


def _row(
    result: NetworkResult,
    found: Operations,
    name: str,
    outputs: Sequence[OutputAccuracy] = (),
) -> dict[str, Any]:
    cycles = sum(row.total_cycles for row in found)
    per_step = sum(row.cycles_per_step for row in found)
    row: dict[str, Any] = {
        "layer": name,
        "scheme": result.scheme,
        "network": result.network,
        "hardware": result.hardware,
        "batch": result.batch,
        "total_bytes": sum(row.total_bytes for row in found),
        "total_cycles": cycles,
        "latency_us": cycles / result.clock_mhz,
        "bytes_per_step": sum(row.bytes_per_step for row in found),
        "cycles_per_step": per_step,
        "latency_us_per_step": per_step / result.clock_mhz,
    }
    measured: Sequence[OutputAccuracy | Numerics]
    measured = outputs or [one.numerics for one in found if one.numerics]
    if len(measured) == 1:
        row |= {"sqnr_db": measured[0].sqnr_db, "cosine": measured[0].cosine}
    return row


def _lines(data: Networks) -> Iterator[tuple[Line, Operations]]:
    results = networks_of(data)
    return chain.from_iterable(
        ((Line(name, r.scheme), chosen) for r, chosen in zip(results, stacks, strict=True))
        for name, stacks in node_rows(results)
    )


def _draw(
    data: Networks,
    ax: "Axes | None",
    parts: Sequence[tuple[str, float, Callable[[Operations], float], bool]],
    label: str,
    digits: int,
    whole: bool,
) -> "Axes":
    """A line for each node and scheme; or one for each scheme, all its nodes together."""
    results = networks_of(data)
    if any(r.update_step for r in results):
        label += UPDATES_APART
    found: list[tuple[Line, Operations]]
    if whole or len(results) > MOST_COLOURS:
        found = [(line, r.operations) for line, r in zip(whole_lines(data), results, strict=True)]
        label += "\nof the whole network"
    else:
        found = list(_lines(data))
        if len(results) > 2 and len(found) > MOST_LINES:
            found = list(_lines(NetworkComparison(tuple(results[:2]))))
            label += f"\nthe first two of {len(results)} schemes"
    lines = [line for line, _ in found]
    pieces = [
        rows.Part(name, share, rows.lengths(length(chosen) for _, chosen in found), hatched)
        for name, share, length, hatched in parts
    ]
    with canvas.style():
        ax = ax or rows.new_axes(lines)
        rows.draw(ax, lines, [piece for piece in pieces if piece.lengths], digits)
        ax.set_xlabel(label)
    return ax


def _computing(row: OperationResult) -> UnitTime:
    """Of the units that compute, the one that this operation is for."""
    return max(
        (unit for unit in row.units if unit.unit in COMPUTING), key=lambda unit: unit.busy_cycles
    )


def _accumulators(direction: str) -> Callable[[Operations], float]:
    return lambda found: sum(row.bytes_of("accumulators", direction) for row in found)


def _weights(found: Operations) -> float:
    """All that is loaded of what is learned, and of what is kept for it."""
    return sum(_parameter_bytes(row) for row in found)


def _parameter_bytes(row: OperationResult) -> int:
    loads = (move for move in row.moves if move.direction == "load" and move.memory == DRAM)
    return sum(move.bytes for move in loads if is_parameter(move))


def _operands(found: Operations) -> float:
    """All that is loaded beside weights and accumulators."""
    loaded = sum(row.bytes_of(None, "load") for row in found)
    return loaded - _weights(found) - _accumulators("load")(found)


def _results(found: Operations) -> float:
    """All that is stored beside accumulators, weights included."""
    return sum(row.bytes_of(None, "store") for row in found) - _accumulators("store")(found)


TRAFFIC: tuple[tuple[str, float, Callable[[Operations], float], bool], ...] = (
    ("operands", 0.4, _operands, False),
    ("weights", 0.6, _weights, False),
    ("accumulators stored", 1.0, _accumulators("store"), True),
    ("accumulators loaded", 1.0, _accumulators("load"), False),
    ("results", 0.2, _results, False),
)
"""The parts of a bar of bytes: name, strength of the colour, how many, and whether hatched."""
