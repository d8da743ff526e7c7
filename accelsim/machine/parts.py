"""Parts of an output that have a range each: what was seen of them, and what each came to."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from accelsim.program import Box, Shape
from accelsim.quant import Grid, Range, Requantization

RECORD = np.dtype([("scale", np.float32), ("zero_point", np.int32)])
"""A range as it is stored beside the output."""


class Part(NamedTuple):
    """How one part is quantized."""

    requantization: Requantization
    grid: Grid


class Parts:
    """The parts of one output: extremes while it is drained, then a grid for each.

    `scales` are the real values of one unit of each channel's accumulators, copy after copy.
    """

    def __init__(
        self,
        shape: Shape,
        extent: Shape,
        copies: int,
        scales: np.ndarray | float,
        decide: Callable[[Range], Part],
    ) -> None:
        self.extent, self._decide = extent, decide
        self._channels, self._images_per_copy = shape[3], shape[0] // copies
        self._scales = np.broadcast_to(scales, (copies * shape[3],))
        counts = Box((0, 0, 0, 0), shape).shrunk(extent).stops
        self.records = np.zeros(counts, RECORD)
        self._low, self._high = np.zeros(counts), np.zeros(counts)
        self._found: dict[Shape, Part] = {}

    def pieces(self, starts: Shape, shape: tuple[int, ...]) -> Iterator[tuple[Box, Shape]]:
        """The box of this place and shape cut between parts, each with the part's number."""
        stops = tuple(start + size for start, size in zip(starts, shape, strict=True))
        whole = Box(starts, (stops[0], stops[1], stops[2], stops[3]))
        return ((box, box.shrunk(self.extent).starts) for box in whole.cut(self.extent))

    def observe(self, block: np.ndarray, starts: Shape) -> None:
        """Take in accumulators; zero is in every range."""
        for box, number in self.pieces(starts, block.shape):
            piece = within(block, box, starts).reshape(-1, box.shape[3])
            first = starts[0] // self._images_per_copy * self._channels + box.starts[3]
            scales = self._scales[first : first + box.shape[3]]
            self._low[number] = min(self._low[number], (piece.min(axis=0) * scales).min())
            self._high[number] = max(self._high[number], (piece.max(axis=0) * scales).max())

    def settle(self, number: Shape) -> None:
        """A part was seen as a whole: find how it is quantized."""
        part = self._decide(Range(float(self._low[number]), float(self._high[number])))
        self._found[number] = part
        self.records[number] = part.grid.scale, part.grid.zero_point

    def settle_all(self) -> None:
        """All parts were seen."""
        for number in np.ndindex(*self.records.shape):
            a, b, c, d = number
            self.settle((a, b, c, d))

    def requantization(self, number: Shape) -> Requantization:
        """That of a part that was settled."""
        assert number in self._found, "a drain requantizes before the range of its part is known"
        return self._found[number].requantization


def within(block: np.ndarray, box: Box, starts: Shape) -> np.ndarray:
    """The piece `box` of a block that begins at `starts`."""
    pairs = zip(box.starts, box.stops, starts, strict=True)
    return block[tuple(slice(start - first, stop - first) for start, stop, first in pairs)]
