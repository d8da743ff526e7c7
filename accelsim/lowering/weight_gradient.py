"""The gradient to the weights: its walk over tiles, and the closed forms of what they need.

A tile is `groups x out_channels x in_channels` weights with all their kernel positions. Its
reduction runs over every position of the output's gradient, cut into chunks of `batch x rows x
columns` that follow one another on chip: partial sums never travel. The input lies in the input
buffer, the output's gradient in the weight buffer; of each a buffer holds a chunk, what the tile
needs, or all. Chunks that follow one another down the rows share the input's halo.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product as cartesian
from math import gcd, prod
from typing import Any

import numpy as np

from accelsim.hardware import Hardware
from accelsim.lowering.operand_ranges import Pieces, ranges_met
from accelsim.lowering.operation import Operation
from accelsim.lowering.parts import (
    aligned,
    bytes_of,
    channel_parts,
    even_parts,
    halves,
    multiples,
    spatial_parts,
    tiles,
)
from accelsim.lowering.schedule import (
    Position,
    Span,
    Step,
    channels,
    cut,
    input_box,
    loops,
    parts,
    positions_box,
    positions_of,
)
from accelsim.lowering.tiling import (
    ALL,
    CHUNK,
    HELD,
    IN_CHANNELS,
    OUT_CHANNELS,
    OUTERMOST,
    TILE,
    Candidates,
    Footprint,
    Tiling,
    column_extents,
    row_extents,
    short_runs,
)
from accelsim.network import Nest
from accelsim.program import Box

# The walk ------------------------------------------------------------------------------------


def steps(operation: Operation, tiling: Tiling) -> Iterator[Step]:
    """All computes in issue order; the reduction is innermost.

    Steps that need the same part of an operand have the same box of it.
    """
    nest, area = operation.nest, operation.nest.kernel_height * operation.nest.kernel_width
    chunks, every_position = positions_of(nest, tiling)
    outs, every_out = list(cut(nest.out_channels, tiling.out_channels)), (0, nest.out_channels)
    ins, every_in = list(cut(nest.in_channels, tiling.in_channels)), (0, nest.in_channels)
    order = loops(len(ins), len(outs), tiling.outermost == IN_CHANNELS)
    for copy, groups in cartesian(range(nest.copies), cut(nest.groups, tiling.groups)):
        input_of, gradient_of = (partial(one, nest, copy, groups) for one in (_input, _gradient))
        inputs = parts(input_of, tiling.input_held, ins, every_in, chunks, every_position)
        gradients = parts(gradient_of, tiling.weights_held, outs, every_out, chunks, every_position)
        summed = parts(gradient_of, CHUNK, outs, every_out, chunks, every_position)
        for into, out in order:
            weights = _weights(nest, copy, groups, outs[out], ins[into])
            m, n = outs[out][1] - outs[out][0], area * (ins[into][1] - ins[into][0])
            for chunk, over in enumerate(summed[out]):
                yield Step(
                    inputs[into][chunk], gradients[out][chunk], weights, copy, groups, outs[out],
                    ins[into], chunk == 0, chunk == len(chunks) - 1, m, prod(over.shape[:3]), n,
                    over,
                )  # fmt: skip


def _weights(nest: Nest, copy: int, groups: Span, outs: Span, ins: Span) -> Box:
    """The weights of these channels, all their kernel positions."""
    first_filter = copy * nest.groups * nest.out_channels
    first, last = channels(groups, outs, nest.out_channels)
    return Box(
        (first_filter + first, 0, 0, ins[0]),
        (first_filter + last, nest.kernel_height, nest.kernel_width, ins[1]),
    )


def _input(nest: Nest, copy: int, groups: Span, ins: Span, chunk: Position) -> Box:
    """The inputs that these positions of the gradient meet: those from which they came."""
    return input_box(nest, copy, groups, chunk, ins)


def _gradient(nest: Nest, copy: int, groups: Span, outs: Span, chunk: Position) -> Box:
    """The output's gradients at these positions."""
    return positions_box(nest, copy, *chunk, channels(groups, outs, nest.out_channels))


# Closed forms --------------------------------------------------------------------------------


class _Counts:
    """How often each loop of the tilings runs."""

    def __init__(self, nest: Nest, t: Candidates) -> None:
        self.strips = tiles(nest.batch, t.batch) * tiles(nest.out_width, t.columns)
        self.chunks = self.strips * tiles(nest.out_height, t.rows)
        self.ins = tiles(nest.in_channels, t.in_channels)
        self.outs = tiles(nest.out_channels, t.out_channels)
        self.planes = nest.copies * tiles(nest.groups, t.groups)


def footprints(
    operation: Operation, t: Candidates, hardware: Hardware, drained_bits: int
) -> Footprint:
    """What each tiling occupies and loads; `steps` walks the same rules."""
    nest, count = operation.nest, _Counts(operation.nest, t)
    input_bytes, input_loads = _input_footprint(operation, t, count)
    gradient_bytes, gradient_loads = _gradient_footprint(operation, t, count)
    area = nest.kernel_height * nest.kernel_width
    filters = t.groups * t.out_channels
    output_tiles = count.planes * count.ins * count.outs
    stored = operation.stored_bits(hardware.accumulator.bits)
    inside = aligned(nest.in_channels, stored) & aligned(t.in_channels, stored)
    vector = np.where(inside, t.in_channels, area * t.in_channels)
    sums = filters * bytes_of(area * t.in_channels * hardware.accumulator.bits)
    blocks = output_tiles * filters * np.where(inside, area, 1)
    return Footprint(
        input_bytes=input_bytes,
        weight_bytes=gradient_bytes,
        accumulator_bytes=sums * np.where(output_tiles > 1, 2, 1),
        output_bytes=(bytes_of(vector * drained_bits) + operation.output_scale_bytes(vector))
        * np.where(blocks > 1, 2, 1),
        input_load_bytes=input_loads,
        weight_load_bytes=gradient_loads,
        short_run_bytes=_short_runs(operation, t, hardware, input_loads, gradient_loads),
    )


def _short_runs(
    operation: Operation,
    t: Candidates,
    hardware: Hardware,
    inputs: np.ndarray,
    gradients: np.ndarray,
) -> np.ndarray:
    """Of both operands."""
    nest, whole, burst_bytes = operation.nest, HELD.index(ALL), hardware.dram.burst_bytes
    groups = tiles(nest.groups, t.groups)
    ins = np.where(t.input_held == whole, 1, tiles(nest.in_channels, t.in_channels))
    outs = np.where(t.weights_held == whole, 1, tiles(nest.out_channels, t.out_channels))
    input_bits = nest.groups * nest.in_channels * operation.input_bits
    gradient_bits = nest.groups * nest.out_channels * operation.weight_bits
    of_inputs = short_runs(inputs, groups * ins, input_bits, burst_bytes)
    return np.asarray(of_inputs + short_runs(gradients, groups * outs, gradient_bits, burst_bytes))


def _input_footprint(
    operation: Operation, t: Candidates, count: _Counts
) -> tuple[np.ndarray, np.ndarray]:
    """(bytes the input buffer needs, bytes loaded)."""
    nest, bits = operation.nest, operation.input_bits
    _, row_max, row_fresh = row_extents(nest, t.rows)
    column_sum, column_max, _ = column_extents(nest, t.columns)
    # One chunk is the whole reduction, and stays for the next tile as such.
    chunk = (t.input_held == HELD.index(CHUNK)) & (count.chunks > 1)
    whole = t.input_held == HELD.index(ALL)
    once = whole | (~chunk & ((t.outermost == OUTERMOST.index(IN_CHANNELS)) | (count.ins == 1)))
    passes = np.where(once, 1, count.outs)

    columns = np.where(chunk, column_sum, nest.in_width)
    size = nest.batch, nest.in_height
    loads = nest.copies * _bytes(operation, *size, columns, nest.groups * nest.in_channels, bits)
    loads = loads * passes

    part = t.groups * np.where(whole, nest.in_channels, t.in_channels)
    held = np.where(
        chunk,
        _bytes(operation, t.batch, row_max, column_max, part, bits),
        _bytes(operation, *size, nest.in_width, part, bits),
    )
    times = count.planes * np.where(whole, 1, count.ins * passes)
    fresh = np.where(times > 1, held, 0)
    one_strip = count.planes * count.ins * count.outs * count.strips == 1
    next_rows = _bytes(operation, nest.batch, row_fresh, column_max, part, bits)
    sliding = np.where(one_strip, next_rows, held)
    total = held + np.where(chunk, sliding, fresh)
    if operation.input_ranges is None:
        return total, loads
    pieces = Pieces(t.batch, t.rows, t.columns, t.groups, t.in_channels, whole=~chunk)
    room = 2 * ranges_met(operation, pieces).most * (operation.input_ranges.bits // 8)
    return total + room, loads


def _gradient_footprint(
    operation: Operation, t: Candidates, count: _Counts
) -> tuple[np.ndarray, np.ndarray]:
    """(bytes the weight buffer needs, bytes loaded)."""
    nest, bits = operation.nest, operation.weight_bits
    chunk = (t.weights_held == HELD.index(CHUNK)) & (count.chunks > 1)
    whole = t.weights_held == HELD.index(ALL)
    once = whole | (~chunk & ((t.outermost == OUTERMOST.index(OUT_CHANNELS)) | (count.outs == 1)))
    passes = np.where(once, 1, count.ins)

    size = nest.batch, nest.out_height, nest.out_width
    loads = nest.copies * _bytes(operation, *size, nest.groups * nest.out_channels, bits) * passes

    part = t.groups * np.where(whole, nest.out_channels, t.out_channels)
    held = np.where(
        chunk,
        _bytes(operation, t.batch, t.rows, t.columns, part, bits),
        _bytes(operation, *size, part, bits),
    )
    if operation.weight_ranges is not None:
        samples = tiles(np.where(chunk, t.batch, nest.batch), operation.weight_ranges.extent[0]) + 1
        held = held + samples * (operation.weight_ranges.bits // 8)
    times = count.planes * np.where(whole, 1, count.outs * passes)
    return held * np.where(chunk | (times > 1), 2, 1), loads


def _bytes(
    operation: Operation, images: Any, rows: Any, columns: Any, channels: Any, bits: int
) -> Any:
    """Of a box of either operand; with its scale bytes, where blocks lie along images or rows."""
    size = images * rows * columns * bytes_of(channels * bits)
    block = operation.block
    if block is None:
        return size
    if operation.reduction_axis == 0:
        return size + -(-images // block) * rows * columns * channels
    return size + images * -(-rows // block) * columns * channels


# What the search weighs ----------------------------------------------------------------------


def candidates(operation: Operation, hardware: Hardware, drained_bits: int) -> Candidates:
    """The tilings of least traffic, their chunks cut in every way.

    Traffic depends on how many tiles there are and on how wide a chunk is, not on its rows and
    images. So the smallest chunks find the least traffic, and only those tiles are cut further.
    """
    parts = _tile_parts(operation, hardware)
    thin = _thinnest(operation)
    smallest = _crossed(thin, parts)
    needs = footprints(operation, smallest, hardware, drained_bits)
    best = needs.least_loading(hardware)
    if not len(best):
        return smallest
    winners = np.unique(smallest.some(best).table[3:].T, axis=0)
    return _crossed(np.array(_chunks(operation)), winners)


def _thinnest(operation: Operation) -> np.ndarray:
    """The smallest chunks, of every width. Blocks are not cut, nor rows: sums have an order."""
    nest, block = operation.nest, operation.block
    if block is None:
        return np.array([(1, 1, width) for width in halves(nest.out_width)])
    if operation.reduction_axis == 0:
        return np.array([(min(block, nest.batch), 1, nest.out_width)])
    return np.array([(1, min(block, nest.out_height), nest.out_width)])


def _chunks(operation: Operation) -> list[tuple[int, int, int]]:
    """(images, rows, columns) of chunks: all, or such as cut no block."""
    nest, block = operation.nest, operation.block
    if block is None:
        return spatial_parts(nest)
    size = nest.batch, nest.out_height, nest.out_width
    if operation.reduction_axis == 1:
        return [(1, rows, 1) for rows in multiples(nest.out_height, block)]
    whole_images = [(images, *size[1:]) for images in multiples(nest.batch, block)]
    some_rows = [(min(block, nest.batch), rows, size[2]) for rows in even_parts(size[1])]
    return list(dict.fromkeys(whole_images + some_rows))


def _crossed(spatial: np.ndarray, parts: np.ndarray) -> Candidates:
    return Candidates([*spatial.T[:, :, None], *parts.T])


def _tile_parts(operation: Operation, hardware: Hardware) -> np.ndarray:
    """(groups, out_channels, in_channels, outermost, input held, gradient held), in whole bytes."""
    nest = operation.nest
    extents = _extents(operation, hardware)
    sums = nest.kernel_height * nest.kernel_width * hardware.accumulator.bits
    room = 8 * hardware.sram.accumulator_bytes
    fitting = [e for e in extents if e[0] * e[1] * e[2] * sums <= room]
    chunk, tile, whole = (HELD.index(held) for held in (CHUNK, TILE, ALL))
    rows = [
        (groups, outs, ins, OUTERMOST.index(order), x, y)
        for groups, outs, ins in fitting or [min(extents, key=prod)]
        for order in (IN_CHANNELS, OUT_CHANNELS)
        for x, y in cartesian((chunk, tile, whole), repeat=2)
        if (ins < nest.in_channels or x != whole) and (outs < nest.out_channels or y != whole)
    ]
    return np.array(rows)


def _extents(operation: Operation, hardware: Hardware) -> list[tuple[int, int, int]]:
    """(groups, out_channels, in_channels) of tiles; several groups are taken whole."""
    nest, array = operation.nest, hardware.array
    in_bits, out_bits = (operation.input_bits,), (operation.weight_bits,)
    stored = operation.stored_bits(hardware.accumulator.bits)
    ins = _sizes(nest.in_channels, array.columns, (*in_bits, *stored))
    block = operation.block if not operation.output_float else None
    ins = [size for size in ins if size == nest.in_channels or not size % (block or 1)]
    outs = _sizes(nest.out_channels, array.rows, out_bits)
    single = [(1, out, into) for out in outs for into in ins]
    if nest.groups == 1:
        return single
    several = [
        (groups, nest.out_channels, nest.in_channels)
        for groups in channel_parts(nest.groups, array.columns, even_parts(nest.groups))
        if groups == nest.groups
        or (
            aligned(groups * nest.in_channels, in_bits)
            and aligned(groups * nest.out_channels, out_bits)
        )
    ]
    alone = aligned(nest.in_channels, in_bits) and aligned(nest.out_channels, out_bits)
    return several + (single if alone else [])


def _sizes(size: int, width: int, bits: tuple[int, ...]) -> list[int]:
    """Sizes of pieces that start between whole bytes: even parts, and multiples of the array's.

    Rounded up to whole bytes, a part still needs no more pieces.
    """
    if not aligned(size, bits):
        return [size]
    grain = max(8 // gcd(8, width_bits) for width_bits in bits)
    wanted = {*even_parts(size), *(width * 2**power for power in range(16))}
    rounded = {-(-part // grain) * grain for part in wanted}
    return [size, *sorted((part for part in rounded if part < size), reverse=True)]
