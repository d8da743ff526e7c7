"""How often the parts of a machine did what: counts, from which any energy table makes joules."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from accelsim.result.record import Record

ARRAY, STATISTICS, REQUANTIZER, DRAM = "array", "statistics", "requantizer", "dram"
MULTIPLY, MULTIPLY_FLOAT, ADD, COMPARE = "multiply", "multiply-float", "add", "compare"
READ, WRITE, PADDING = "read", "write", "padding"
"""What a component does. Padding: bytes that a DRAM moves in partly used bursts, unasked."""


@dataclass(frozen=True, slots=True)
class Action(Record):
    """One component did one thing `count` times.

    The component is "array", "statistics", "requantizer", "dram", or the name of a buffer.
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
