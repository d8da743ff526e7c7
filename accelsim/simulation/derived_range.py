"""What becomes of a range on its way: through a requantizer's clamp, or through vector work."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.network import Node, VectorOperation
from accelsim.network.vector import (
    Activation,
    AveragePool,
    Bias,
    Concat,
    Gain,
    GlobalAveragePool,
    MaxPool,
    Relu,
    Relu6,
    Scale,
    Softmax,
    Transpose,
)
from accelsim.quant import Grid, Range, Requantization

PASSING = (Relu, Relu6, MaxPool, AveragePool, GlobalAveragePool, Transpose)
"""Their results lie between zero and their operand's extremes: on its grid nothing is lost."""

WIDE = 2**30
"""Beyond every integer that a requantizer is asked for, and a float32."""


@dataclass(frozen=True)
class Drained:
    """What a requantizer does beside rounding: times a factor, then between two limits."""

    factor: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> "Drained":
        """The activations and constant factors that a product applies, in order."""
        found = cls()
        for node in nodes:
            found = found._then(node)
        return found

    def _then(self, node: Node) -> "Drained":
        work = node.work
        if isinstance(work, Scale):
            if work.factor <= 0:
                raise AccelsimError(
                    f"node {node.name!r}: factor={work.factor:g}: must be above 0 to go into a "
                    "requantizer; with values say folds: false and use fusion=none"
                )
            return Drained(
                self.factor * work.factor, self.low * work.factor, self.high * work.factor
            )
        top = 6.0 if isinstance(work, Relu6) else math.inf
        clip = [min(max(end, 0.0), top) for end in (self.low, self.high)]
        return replace(self, low=clip[0], high=clip[1])

    def limits(self, limits: Range) -> Range:
        """The range of what leaves, from that of scaled accumulators."""
        low, high = (min(max(e, self.low), self.high) for e in (limits.minimum, limits.maximum))
        return Range.covering(low, high)

    def opened(self, how: Requantization, grid: Grid) -> Requantization:
        """Without the clamp at an end that the activation holds: what it cuts is not saturation."""
        low, high = how.minimum, how.maximum
        if self.low >= grid.minimum:
            low = -WIDE
        if self.high <= grid.maximum:
            high = WIDE
        return replace(how, minimum=low, maximum=high)

    def applied(self, integers: np.ndarray, grid: Grid) -> np.ndarray:
        """The activation on integers. Rounding keeps the order, so it is that of the reals."""
        if math.isinf(self.low) and math.isinf(self.high):
            return integers
        low, high = (
            int(grid.quantize(np.clip(end, grid.minimum, grid.maximum)))
            for end in (self.low, self.high)
        )
        return np.clip(integers, low, high)


def derived_range(
    work: VectorOperation, ranges: Sequence[Range], parameters: Sequence[np.ndarray]
) -> Range:
    """The range of a result that follows from those of its operands, `plan.OWN_RANGE` aside."""
    first = ranges[0]
    if isinstance(work, Softmax):
        return Range(0.0, 1.0)
    if isinstance(work, Concat):
        return Range(min(r.minimum for r in ranges), max(r.maximum for r in ranges))
    if isinstance(work, Activation) and not isinstance(work, PASSING):
        return Range.covering(*work.reach(first.minimum, first.maximum))
    if isinstance(work, Scale):
        ends = work.factor * first.minimum, work.factor * first.maximum
        return Range.covering(min(ends), max(ends))
    if isinstance(work, Bias):
        own = parameters[0]
        return Range.covering(first.minimum + float(own.min()), first.maximum + float(own.max()))
    if isinstance(work, Gain):
        corners = [e * float(g) for e in (first.minimum, first.maximum)
                for g in (parameters[0].min(), parameters[0].max())]  # fmt: skip
        return Range.covering(min(corners), max(corners))
    assert isinstance(work, PASSING), f"{work.kind}: no rule for its range"
    return first
