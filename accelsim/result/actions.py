"""How often the parts of a machine did what: counts, from which any energy table makes joules."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from accelsim.result.record import Record

ARRAY, STATISTICS, REQUANTIZER = "array", "statistics", "requantizer"
VECTOR_UNIT, CHAIN_MEMORY, DRAM = "vector unit", "on-chip memory", "dram"
MULTIPLY, MULTIPLY_FLOAT, ADD, COMPARE = "multiply", "multiply-float", "add", "compare"
ADD_FLOAT = "add-float"
OPERATE, READ, WRITE, PADDING = "operate", "read", "write", "padding"
"""What a component does. Operate: an operation of a lane of the vector unit. Padding: bytes that a
DRAM moves in partly used bursts, unasked."""


@dataclass(frozen=True, slots=True)
class Action(Record):
    """One component did one thing `count` times.

    The component is "array", "statistics", "requantizer", "vector unit", "on-chip memory" (for
    tensors between two operations), "dram" or a buffer.
    """

    component: str
    action: str
    bits: tuple[int, ...]
    """Widths of the operands; one for an access, two for a product."""
    count: int


def merged(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Equal actions as one, in order of first appearance: those of several runs together."""
    counts: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    for item in actions:
        counts[item.component, item.action, item.bits] += item.count
    return tuple(Action(*key, count) for key, count in counts.items())
