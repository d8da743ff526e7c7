"""The walk over tiles: which part of each operand a step needs, and what of it stays on chip."""

from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.lowering.tiling import ALL, CHUNK, POSITIONS, Tiling, input_extent
from accelsim.network import Nest
from accelsim.program import Box

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One compute: a chunk of the reduction for one tile of outputs, as half-open ranges."""

    copy: int
    groups: Span
    images: Span
    rows: Span
    columns: Span
    out_channels: Span
    in_channels: Span


def steps(nest: Nest, tiling: Tiling) -> Iterator[Step]:
    """All computes in issue order; the reduction is innermost."""
    for copy in range(nest.copies):
        for groups in _cut(nest.groups, tiling.groups):
            for position, channels in _output_tiles(nest, tiling):
                for chunk in _cut(nest.in_channels, tiling.in_channels):
                    yield Step(copy, groups, *position, channels, chunk)


def _output_tiles(nest: Nest, tiling: Tiling) -> Iterator[tuple[tuple[Span, Span, Span], Span]]:
    positions = [
        (images, rows, columns)
        for images in _cut(nest.batch, tiling.batch)
        for columns in _cut(nest.out_width, tiling.columns)
        for rows in _cut(nest.out_height, tiling.rows)
    ]
    channels = list(_cut(nest.out_channels, tiling.out_channels))
    if tiling.outermost == POSITIONS:
        yield from ((p, c) for p in positions for c in channels)
    else:
        yield from ((p, c) for c in channels for p in positions)


def _cut(size: int, step: int) -> Iterator[Span]:
    return ((start, min(start + step, size)) for start in range(0, size, step))


def output_box(nest: Nest, step: Step) -> Box:
    """The outputs that the step adds to."""
    first_image = step.copy * nest.batch
    first_channel, last_channel = _channels(step.groups, step.out_channels, nest.out_channels)
    return Box(
        (first_image + step.images[0], step.rows[0], step.columns[0], first_channel),
        (first_image + step.images[1], step.rows[1], step.columns[1], last_channel),
    )


def input_box(nest: Nest, step: Step, held: str) -> Box:
    """The inputs that are held for the step, padding left out: chunk, tile, or all of its plane."""
    first_image = step.copy * nest.batch
    chunk = step.in_channels if held == CHUNK else (0, nest.in_channels)
    first_channel, last_channel = _channels(step.groups, chunk, nest.in_channels)
    if held == ALL:
        return Box(
            (first_image, 0, 0, first_channel),
            (first_image + nest.batch, nest.in_height, nest.in_width, last_channel),
        )
    top, bottom = input_extent(
        *step.rows, nest.in_height, nest.out_height, nest.stride_h, nest.kernel_reach_h,
        nest.pad_top,
    )  # fmt: skip
    left, right = input_extent(
        *step.columns, nest.in_width, nest.out_width, nest.stride_w, nest.kernel_reach_w,
        nest.pad_left,
    )  # fmt: skip
    return Box(
        (first_image + step.images[0], top, left, first_channel),
        (first_image + step.images[1], bottom, right, last_channel),
    )


def weight_box(nest: Nest, step: Step, held: str) -> Box:
    """The weights that are held for the step, in DRAM layout: chunk, tile, or all of its plane."""
    first_filter = step.copy * nest.groups * nest.out_channels
    filters = (0, nest.out_channels) if held == ALL else step.out_channels
    first, last = _channels(step.groups, filters, nest.out_channels)
    chunk = step.in_channels if held == CHUNK else (0, nest.in_channels)
    return Box(
        (first_filter + first, 0, 0, chunk[0]),
        (first_filter + last, nest.kernel_height, nest.kernel_width, chunk[1]),
    )


def _channels(groups: Span, within: Span, per_group: int) -> Span:
    """Channels of a range within each of consecutive groups; several groups are taken whole."""
    return groups[0] * per_group + within[0], (groups[1] - 1) * per_group + within[1]


def slides_to(held: Box, wanted: Box) -> bool:
    """Whether `wanted` continues `held` down the rows of the same image, columns and channels."""
    a, b = held, wanted
    same = all(
        a.starts[axis] == b.starts[axis] and a.stops[axis] == b.stops[axis] for axis in (0, 2, 3)
    )
    return same and a.starts[1] <= b.starts[1] <= a.stops[1] <= b.stops[1] and a != b


def blocks(box: Box, most_elements: int) -> Iterator[Box]:
    """Cut `box` into boxes of at most `most_elements`, each as contiguous as it can be."""
    steps_per_axis = [1, 1, 1, 1]
    inner = 1
    for axis in (3, 2, 1, 0):
        extent = box.shape[axis]
        steps_per_axis[axis] = min(extent, max(1, most_elements // inner))
        if steps_per_axis[axis] < extent:
            break
        inner *= extent
    a, b = box.starts, box.stops
    for i in range(a[0], b[0], steps_per_axis[0]):
        for j in range(a[1], b[1], steps_per_axis[1]):
            for k in range(a[2], b[2], steps_per_axis[2]):
                for m in range(a[3], b[3], steps_per_axis[3]):
                    yield Box(
                        (i, j, k, m),
                        (
                            min(i + steps_per_axis[0], b[0]),
                            min(j + steps_per_axis[1], b[1]),
                            min(k + steps_per_axis[2], b[2]),
                            min(m + steps_per_axis[3], b[3]),
                        ),
                    )
