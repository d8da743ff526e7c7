"""The ranges of an input's parts: the bytes of them that tiles load, and what they take on chip.

A range is loaded with every piece of the input that meets its part. It stays until the rows that it
came with have left the buffer.
"""

from collections.abc import Callable
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
    """Which pieces of an input tiles load, many tilings at once."""

    batch: Array
    rows: Array
    columns: Array
    groups: Array
    channels: Array
    """Of a group."""
    whole: Array
    """All positions at once."""
    slides: Array
    """Down the rows, each piece without what the one before it has left."""


class Met(NamedTuple):
    """Bytes of ranges."""

    loaded_bytes: Array
    """In one pass over all pieces."""
    held_bytes: Array
    """At most beside what the buffer holds of the input at a time."""
    with_next_bytes: Array
    """The same while the next piece arrives."""


def ranges_met(operation: Operation, pieces: Pieces) -> Met:
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
    axes = (
        _each(partial(_images_met, nest.copies, nest.batch, images), p.batch, p.whole),
        _each(partial(_windows_met, nest.in_height, rows, down), p.rows, p.whole, p.slides),
        _each(partial(_windows_met, nest.in_width, columns, across), p.columns, p.whole),
        _each(
            partial(_channels_met, nest.groups, nest.in_channels, channels), p.groups, p.channels
        ),
    )  # fmt: skip
    found = np.array(ranges.bits // 8)
    loaded, held, with_next = (
        found * axes[0][of] * axes[1][of] * axes[2][of] * axes[3][of] for of in range(3)
    )
    # What comes after the last rows begins anew beside them.
    return Met(loaded, held, np.maximum(2 * held, with_next))


def _each(met: Callable[..., tuple[int, int, int]], *columns: Array) -> Array:
    """The three figures along an axis, worked out once for equal steps."""
    steps = np.broadcast_arrays(*columns)
    unique, inverse = np.unique(
        np.stack([step.reshape(-1) for step in steps]).astype(np.int64), axis=1, return_inverse=True
    )
    found = np.array([met(*(int(one) for one in step)) for step in unique.T]).T
    return found[:, inverse.reshape(steps[0].shape)]


def _parts(start: int, stop: int, part: int) -> int:
    """Parts of this extent that [start, stop) meets."""
    return -(-stop // part) - start // part


@lru_cache(maxsize=4096)
def _images_met(copies: int, batch: int, part: int, step: int, whole: int) -> tuple[int, int, int]:
    step = batch if whole else step
    met = [
        _parts(copy * batch + start, copy * batch + min(start + step, batch), part)
        for copy in range(copies)
        for start in range(0, batch, step)
    ]
    return sum(met), max(met), max(met)


@lru_cache(maxsize=4096)
def _channels_met(
    groups: int, channels: int, part: int, group_step: int, step: int
) -> tuple[int, int, int]:
    met = [
        _parts(
            first * channels + start,
            (min(first + group_step, groups) - 1) * channels + min(start + step, channels),
            part,
        )
        for first in range(0, groups, group_step)
        for start in range(0, channels, step)
    ]
    return sum(met), max(met), max(met)


@lru_cache(maxsize=4096)
def _windows_met(
    size: int, part: int, window: Window, step: int, whole: int, slides: int = 0
) -> tuple[int, int, int]:
    """Of pieces of rows or columns."""
    if whole:
        return (_parts(0, size, part),) * 3
    out_size, *rest = window
    total = held = with_next = previous = 0
    kept: list[tuple[int, int]] = []
    """(stop, parts) of what is in the buffer."""
    for start in range(0, out_size, step):
        low, high = input_extent(start, min(start + step, out_size), size, out_size, *rest)
        fresh = max(low, previous) if slides and start else low
        met = _parts(fresh, high, part) if fresh < high else 0
        with_next = max(with_next, sum(parts for _, parts in kept) + met)
        total += met
        kept = [one for one in kept if slides and one[0] > low] + [(high, met)]
        held = max(held, sum(parts for _, parts in kept))
        previous = high
    return total, held, with_next
