"""The ranges of an input's parts: the bytes of them that tiles load, and what they take on chip.

They are loaded where a tile meets others than the one before it, and slide down the rows as the
input does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from accelsim.lowering.operation import Operation
from accelsim.lowering.parts import input_extent

Array = np.ndarray
Window = tuple[int, int, int, int, int]
"""Size of the output, stride, reach, padding and input dilation along an axis."""


@dataclass(frozen=True)
class Pieces:
    """What tiles hold of an input, many tilings at once."""

    batch: Array
    rows: Array
    columns: Array
    """All of the output's."""
    groups: Array
    channels: Array
    """Of each group."""
    whole: Array
    """All positions at once."""


class Met(NamedTuple):
    """Parts that the pieces of an axis meet, one after the other."""

    all: Array
    """Of all pieces."""
    changes: Array
    """Of those that meet others than the piece before."""
    boxes: Array
    """How many such pieces there are."""
    most: Array
    """Of the piece that meets most."""


class ChannelsMet(NamedTuple):
    """The same of channels, whose tiles of groups come one after the other."""

    all: Array
    changes: Array
    of_tiles: Array
    """Of those that meet others than the piece before in their tile, or begin it."""
    boxes: Array
    """Different pieces in one tile, at most."""
    most: Array


class RangesMet(NamedTuple):
    """The same of all axes."""

    images: Met
    rows: Met
    columns: Met
    channels: ChannelsMet

    @property
    def most(self) -> Array:
        """Parts that one tile meets at most."""
        images, rows, columns, channels = self
        return images.most * rows.most * columns.most * channels.most

    def loads(self, positions_first: Array, n_tiles: Array, row_parts: int) -> Array:
        """Parts that are loaded by all tiles of a product."""
        images, rows, columns, channels = self
        one_by_one = images.all * columns.all * row_parts  # a slide down each strip
        strips = np.where(
            columns.boxes > 1, images.all * columns.changes, images.changes * columns.changes
        )
        still = (images.boxes == 1) & (rows.boxes == 1) & (columns.boxes == 1)
        loads = np.where(rows.boxes > 1, one_by_one, strips * rows.changes)
        loads = loads * np.where(still, channels.changes, channels.of_tiles)
        loads = loads * np.where(still | positions_first, 1, n_tiles)
        every_step = images.all * rows.all * columns.all * channels.all * n_tiles
        return np.where(channels.boxes > 1, every_step, loads)


def ranges_met(operation: Operation, pieces: Pieces) -> RangesMet:
    """Of an input whose parts have a range each."""
    ranges, nest, p = operation.input_ranges, operation.nest, pieces
    assert ranges is not None
    images, rows, columns, channels = ranges.extent
    down: Window = (
        nest.out_height, nest.stride_h, nest.kernel_reach_h, nest.pad_top, nest.input_dilation_h
    )  # fmt: skip
    across: Window = (
        nest.out_width, nest.stride_w, nest.kernel_reach_w, nest.pad_left, nest.input_dilation_w
    )  # fmt: skip
    return RangesMet(
        Met(*_each(partial(_images_met, nest.copies, nest.batch, images), p.batch, p.whole)),
        Met(*_each(partial(_windows_met, nest.in_height, rows, down), p.rows, p.whole)),
        Met(*_each(partial(_windows_met, nest.in_width, columns, across), p.columns, p.whole)),
        ChannelsMet(
            *_each(
                partial(_channels_met, nest.groups, nest.in_channels, channels),
                p.groups, p.channels,
            )
        ),
    )  # fmt: skip


Counts = tuple[int, ...]


def _each(met: Callable[..., Counts], *columns: Array) -> Array:
    """What is met along an axis, worked out once for equal steps."""
    steps = np.broadcast_arrays(*columns)
    unique, inverse = np.unique(
        np.stack([step.reshape(-1) for step in steps]).astype(np.int64), axis=1, return_inverse=True
    )
    found = np.array([met(*(int(one) for one in step)) for step in unique.T]).T
    return np.asarray(found[:, inverse.reshape(steps[0].shape)])


def _met(pieces: Iterable[tuple[int, int]], part: int) -> Counts:
    """Of half-open ranges, in order, and parts of this extent."""
    boxes = [(low // part, -(-high // part)) for low, high in pieces]
    met, changed = ([high - low for low, high in some] for some in (boxes, dict.fromkeys(boxes)))
    return sum(met), sum(changed), len(changed), max(met)


@lru_cache(maxsize=4096)
def _images_met(copies: int, batch: int, part: int, step: int, whole: int) -> Counts:
    step = batch if whole else step
    return _met(
        (
            (copy * batch + start, copy * batch + min(start + step, batch))
            for copy in range(copies)
            for start in range(0, batch, step)
        ),
        part,
    )


@lru_cache(maxsize=4096)
def _channels_met(groups: int, channels: int, part: int, group_step: int, step: int) -> Counts:
    tiles = [
        [
            (
                first * channels + start,
                (min(first + group_step, groups) - 1) * channels + min(start + step, channels),
            )
            for start in range(0, channels, step)
        ]
        for first in range(0, groups, group_step)
    ]
    met, changes, _, most = _met((piece for tile in tiles for piece in tile), part)
    each = [_met(tile, part) for tile in tiles]
    return met, changes, sum(one[1] for one in each), max(one[2] for one in each), most


@lru_cache(maxsize=4096)
def _windows_met(size: int, part: int, window: Window, step: int, whole: int) -> Counts:
    if whole:
        return _met([(0, size)], part)
    out_size, *rest = window
    return _met(
        (
            input_extent(start, min(start + step, out_size), size, out_size, *rest)
            for start in range(0, out_size, step)
        ),
        part,
    )
