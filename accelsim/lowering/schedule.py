"""The walk over tiles: which part of each operand a step needs, and what of it stays on chip."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product as cartesian
from math import prod
from typing import NamedTuple, TypeVar

from accelsim.lowering.operation import Operation
from accelsim.lowering.parts import input_extent
from accelsim.lowering.tiling import ALL, CHUNK, POSITIONS, Tiling
from accelsim.network import Nest
from accelsim.program import GRAD_INPUT, GRAD_WEIGHT, Box

Span = tuple[int, int]
Part = TypeVar("Part")
Along = TypeVar("Along")
Position = tuple[Span, Span, Span]
"""Images, rows and columns."""


class Step(NamedTuple):
    """One compute: a chunk of the reduction of one tile of outputs.

    `input` and `weights` are what the buffers hold for it, in DRAM layout, padding left out;
    `output` is what it adds to. Channels count within each group, `m`, `k`, `n` are one group's.
    """

    input: Box
    weights: Box
    output: Box
    copy: int
    groups: Span
    out_channels: Span
    in_channels: Span
    first: bool
    last: bool
    m: int
    k: int
    n: int
    over: Box | None = None
    """What of the output's gradient a gradient to the weights sums over."""


def steps(operation: Operation, tiling: Tiling) -> Iterator[Step]:
    """All computes in issue order; the reduction is innermost.

    Steps that need the same part of an operand have the same box of it.
    """
    nest, area = operation.nest, operation.nest.kernel_height * operation.nest.kernel_width
    positions, every_position = positions_of(nest, tiling)
    outs, every_out = list(cut(nest.out_channels, tiling.out_channels)), (0, nest.out_channels)
    ins, every_in = list(cut(nest.in_channels, tiling.in_channels)), (0, nest.in_channels)
    ends = [(start == 0, stop == nest.in_channels, area * (stop - start)) for start, stop in ins]
    order = loops(len(positions), len(outs), tiling.outermost == POSITIONS)
    for copy, groups in cartesian(range(nest.copies), cut(nest.groups, tiling.groups)):
        inputs = parts(
            partial(input_box, nest, copy, groups), tiling.input_held, positions, every_position,
            ins, every_in,
        )  # fmt: skip
        weights = parts(
            partial(_weights, operation, copy, groups), tiling.weights_held, outs, every_out,
            ins, every_in,
        )  # fmt: skip
        for position, out in order:
            of_output = channels(groups, outs[out], nest.out_channels)
            output = positions_box(nest, copy, *positions[position], of_output)
            m, n = prod(output.shape[:3]), outs[out][1] - outs[out][0]
            for chunk, (first, last, k) in enumerate(ends):
                yield Step(
                    inputs[position][chunk], weights[out][chunk], output, copy, groups, outs[out],
                    ins[chunk], first, last, m, k, n,
                )  # fmt: skip


def images(operation: Operation, tiling: Tiling) -> tuple[int, int]:
    """Of how many turns, and each of how many steps, a walk over all images of a tile consists.

    Turn after turn takes the next images, as many as a tile has; the last may have fewer.
    """
    nest = operation.nest
    steps = len(range(0, nest.out_width, tiling.columns)) * len(
        range(0, nest.out_height, tiling.rows)
    )
    if operation.direction != GRAD_WEIGHT:
        steps *= len(range(0, nest.in_channels, tiling.in_channels))
        if tiling.outermost == POSITIONS:
            steps *= len(range(0, nest.out_channels, tiling.out_channels))
    return len(range(0, nest.batch, tiling.batch)), steps


def images_are_even(operation: Operation, tiling: Tiling) -> bool:
    """Whether the images of a tile begin where parts or blocks of operands begin."""
    ranges = operation.input_ranges, operation.weight_ranges
    parts = [one.extent[0] for one in ranges if one is not None]
    if operation.block is not None and operation.reduction_axis == 0:
        parts.append(operation.block)
    return all(tiling.batch % part == 0 for part in parts)


def positions_of(nest: Nest, tiling: Tiling) -> tuple[list[Position], Position]:
    """Pieces of the output's images, rows and columns, down the rows first; and all of them."""
    pieces = [
        (images, rows, columns)
        for images in cut(nest.batch, tiling.batch)
        for columns in cut(nest.out_width, tiling.columns)
        for rows in cut(nest.out_height, tiling.rows)
    ]
    return pieces, ((0, nest.batch), (0, nest.out_height), (0, nest.out_width))


def loops(first: int, second: int, first_outermost: bool) -> list[tuple[int, int]]:
    """Every pair of numbers below two, with the first or the second in the outer loop."""
    if first_outermost:
        return [(one, other) for one in range(first) for other in range(second)]
    return [(one, other) for other in range(second) for one in range(first)]


def parts(
    box: Callable[[Part, Along], Box],
    held: str,
    of_tiles: Sequence[Part],
    of_plane: Part,
    chunks: Sequence[Along],
    whole: Along,
) -> list[list[Box]]:
    """What is held of an operand for each tile and chunk of the reduction; what is equal is one."""
    if held == ALL:
        return [[box(of_plane, whole)] * len(chunks)] * len(of_tiles)
    if held == CHUNK:
        return [[box(part, chunk) for chunk in chunks] for part in of_tiles]
    return [[box(part, whole)] * len(chunks) for part in of_tiles]


def of_sample(step: Step, operation: Operation, sample: int) -> Step:
    """The step of the first sample of `operation`, in a later sample."""
    nest, samples = operation.nest, operation.samples
    share = sample if nest.copies > 1 else 0
    return step._replace(
        input=step.input.moved(sample * nest.input_shape[0] // samples),
        weights=step.weights.moved(share * operation.weight_shape[0] // samples),
        output=step.output.moved(sample * operation.output_shape[0] // samples),
        copy=step.copy + share * nest.copies // samples,
        over=step.over and step.over.moved(sample * nest.output_shape[0] // samples),
    )


def cut(size: int, step: int) -> Iterator[Span]:
    """Consecutive pieces of `step`, the last one what is left."""
    return ((start, min(start + step, size)) for start in range(0, size, step))


def input_box(nest: Nest, copy: int, groups: Span, position: Position, in_channels: Span) -> Box:
    """The inputs that these outputs read."""
    images, rows, columns = position
    return positions_box(
        nest, copy, images, input_rows(nest, rows), input_columns(nest, columns),
        channels(groups, in_channels, nest.in_channels),
    )  # fmt: skip


def _weights(operation: Operation, copy: int, groups: Span, outs: Span, ins: Span) -> Box:
    """The weights from these input channels to these outputs.

    The gradient to the input reads the forward filters, one for each of its input channels.
    """
    nest = operation.nest
    filters, depth, per_group = outs, ins, nest.out_channels
    if operation.direction == GRAD_INPUT:
        filters, depth, per_group = ins, outs, nest.in_channels
    first_filter = copy * nest.groups * per_group
    first, last = channels(groups, filters, per_group)
    return Box(
        (first_filter + first, 0, 0, depth[0]),
        (first_filter + last, nest.kernel_height, nest.kernel_width, depth[1]),
    )


def positions_box(
    nest: Nest, copy: int, images: Span, rows: Span, columns: Span, of_channels: Span
) -> Box:
    """A box of an activation of this copy."""
    first = copy * nest.batch
    return Box(
        (first + images[0], rows[0], columns[0], of_channels[0]),
        (first + images[1], rows[1], columns[1], of_channels[1]),
    )


def input_rows(nest: Nest, rows: Span) -> Span:
    """Input rows that output rows take, those to the next tile's first included."""
    return input_extent(
        *rows, nest.in_height, nest.out_height, nest.stride_h, nest.kernel_reach_h, nest.pad_top,
        nest.input_dilation_h,
    )  # fmt: skip


def input_columns(nest: Nest, columns: Span) -> Span:
    """Input columns that output columns take, those to the next tile's first included."""
    return input_extent(
        *columns, nest.in_width, nest.out_width, nest.stride_w, nest.kernel_reach_w, nest.pad_left,
        nest.input_dilation_w,
    )  # fmt: skip


def channels(groups: Span, within: Span, per_group: int) -> Span:
    """Channels of a range within each of consecutive groups; several groups are taken whole."""
    return groups[0] * per_group + within[0], (groups[1] - 1) * per_group + within[1]


def slides_to(held: Box, wanted: Box) -> bool:
    """Whether `wanted` continues `held` down the rows of the same image, columns and channels."""
    (a0, a1, a2, a3), (b0, b1, b2, b3) = held
    (c0, c1, c2, c3), (d0, d1, d2, d3) = wanted
    return (
        a1 <= c1 <= b1 <= d1
        and (a3, b3, a2, b2, a0, b0) == (c3, d3, c2, d2, c0, d0)
        and held != wanted
    )


def blocks(box: Box, most_elements: int) -> Iterator[Box]:
    """Cut `box` into boxes of at most `most_elements`, each as contiguous as it can be."""
    if box.elements <= most_elements:
        yield box
        return
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
