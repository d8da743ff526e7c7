"""What a tiling is, and the closed forms of what it occupies and loads.

A tile is `batch x rows x columns` output positions of `groups x out_channels`, its reduction cut
into chunks of `in_channels` that follow one another on chip: partial sums never travel. Two loop
orders exist: with `positions` outermost, all output channels of a tile of positions are done before
the next one; with `channels` outermost, all positions of a tile of channels. Of each operand a
buffer holds a chunk, what the tile needs, or all (of a copy and its tile of groups); it is loaded
again when the tile needs another part of it. Tiles that follow one another down the rows share
their halo, which stays in the buffer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from accelsim.hardware import Hardware
from accelsim.lowering.operand_ranges import Pieces, ranges_met
from accelsim.lowering.operation import BIAS_BITS, Operation
from accelsim.lowering.parts import bytes_of, input_extent, tiles
from accelsim.network import Nest
from accelsim.program import GRAD_INPUT

POSITIONS, CHANNELS = "positions", "channels"
IN_CHANNELS, OUT_CHANNELS = "input channels", "output channels"
OUTERMOST = (POSITIONS, CHANNELS, IN_CHANNELS, OUT_CHANNELS)
"""Loop orders: the first two of outputs, the others of the gradient to the weights."""

CHUNK, TILE, ALL = "chunk", "tile", "all"
HELD = (CHUNK, TILE, ALL)


@dataclass(frozen=True, slots=True)
class Tiling:
    """Extents of one tile, the loop that is outermost, and what is held of each operand.

    In a gradient to the weights `batch`, `rows` and `columns` are those of a chunk of the
    reduction, see `weight_gradient`.
    """

    batch: int
    rows: int
    columns: int
    groups: int
    out_channels: int
    in_channels: int
    outermost: str = POSITIONS
    input_held: str = TILE
    weights_held: str = TILE


class Candidates:
    """Many tilings as columns of integers, so that all are weighed at once.

    The columns broadcast against one another: every extent of an image with every cut of the
    channels is an axis for each, and what depends on one of them is worked out along it alone.
    """

    def __init__(self, columns: Iterable[np.ndarray]) -> None:
        self._all = tuple(columns)
        self.shape = np.broadcast_shapes(*(column.shape for column in self._all))
        self.batch, self.rows, self.columns, self.groups = self._all[:4]
        self.out_channels, self.in_channels, self.outermost = self._all[4:7]
        self.positions_first = self.outermost == OUTERMOST.index(POSITIONS)
        self.input_held, self.weights_held = self._all[7:]

    @classmethod
    def of(cls, tiling: Tiling) -> "Candidates":
        """A single one."""
        *extents, outermost, input_held, weights_held = astuple(tiling)
        codes = OUTERMOST.index(outermost), HELD.index(input_held), HELD.index(weights_held)
        return cls(np.array([*extents, *codes]).reshape(-1, 1))

    @property
    def table(self) -> np.ndarray:
        """All of them, a column of nine numbers for each."""
        return np.array([np.broadcast_to(one, self.shape).reshape(-1) for one in self._all])

    def __len__(self) -> int:
        return prod(self.shape)

    def __getitem__(self, number: int) -> Tiling:
        return next(iter(self.some(np.array([number]))))

    def __iter__(self) -> Iterator[Tiling]:
        for b, h, w, g, n, c, outermost, x, y in self.table.T.tolist():
            yield Tiling(b, h, w, g, n, c, OUTERMOST[outermost], HELD[x], HELD[y])

    def some(self, which: np.ndarray) -> "Candidates":
        """Those of these numbers."""
        return Candidates([picked(column, self.shape, which) for column in self._all])


def picked(column: np.ndarray | int, shape: tuple[int, ...], which: np.ndarray) -> np.ndarray:
    """Some values of a column that stands for one of this shape."""
    return np.asarray(np.broadcast_to(column, shape)[np.unravel_index(which, shape)])


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that tilings need in each buffer, and load from DRAM: closed forms, element by element.

    Like columns of `Candidates` they broadcast against one another.
    Double buffering: an operand that is loaded more than once needs room for the tile in use and
    for what the next tile adds; one that is loaded once needs room for itself alone.
    """

    input_bytes: np.ndarray
    weight_bytes: np.ndarray
    accumulator_bytes: np.ndarray
    output_bytes: np.ndarray
    input_load_bytes: np.ndarray
    weight_load_bytes: np.ndarray
    range_load_bytes: np.ndarray | int = 0
    """Of an input whose parts have a range each."""
    short_run_bytes: np.ndarray | int = 0
    """What runs of less than a quarter of a burst move beside their bytes: see `short_runs`."""

    @property
    def load_bytes(self) -> np.ndarray:
        """DRAM bytes of the operands' loads; what is stored depends on no tiling.

        Ranges of an input's parts are left out: few bytes that cost time, in bursts of their own.
        """
        return self.input_load_bytes + self.weight_load_bytes

    @property
    def weighed_bytes(self) -> np.ndarray:
        """The same as the search weighs them: a run counts as a quarter of a burst at least.

        A channel of three, cut out of every position, would else be the least in bytes, and many
        times as much on the bus.
        """
        return self.load_bytes + self.short_run_bytes

    def some(self, which: np.ndarray, shape: tuple[int, ...]) -> "Footprint":
        """Those of these numbers, of tilings of this shape."""
        columns = (
            self.input_bytes, self.weight_bytes, self.accumulator_bytes, self.output_bytes,
            self.input_load_bytes, self.weight_load_bytes, self.range_load_bytes,
            self.short_run_bytes,
        )  # fmt: skip
        return Footprint(*(picked(column, shape, which) for column in columns))

    def fits(self, hardware: Hardware) -> np.ndarray:
        """Which of the tilings every buffer holds."""
        sram = hardware.sram
        return (
            (self.input_bytes <= sram.input_bytes)
            & (self.weight_bytes <= sram.weight_bytes)
            & (self.accumulator_bytes <= sram.accumulator_bytes)
            & (self.output_bytes <= sram.output_bytes)
        )

    def least_loading(self, hardware: Hardware) -> np.ndarray:
        """The numbers of the tilings that fit and load least, as weighed; none where none fits."""
        legal, loads = np.broadcast_arrays(self.fits(hardware), self.weighed_bytes)
        if not legal.any():
            return np.zeros(0, np.int64)
        least = loads.min(where=legal, initial=loads.max())
        return np.flatnonzero(legal & (loads == least))


def short_runs(loads: np.ndarray, parts: np.ndarray, vector_bits: int, burst_bytes: int) -> Any:
    """Bytes by which the runs of vectors in so many parts fall short of a quarter of a burst.

    Whole vectors continue one another, and fall short of nothing.
    """
    vector_bytes, least = -(-vector_bits // 8), burst_bytes // 4
    missing = np.where(parts > 1, np.maximum(least * parts - vector_bytes, 0), 0)
    return loads * missing // vector_bytes


@lru_cache(maxsize=4096)
def _extents(
    size: int, out_size: int, step: int, stride: int, reach: int, pad: int, apart: int
) -> tuple[int, int, int]:
    """Over tiles of `step`: sum of the extents, the largest, the most a later tile adds."""
    total = largest = fresh = previous = 0
    for start in range(0, out_size, step):
        stop = min(start + step, out_size)
        low, high = input_extent(start, stop, size, out_size, stride, reach, pad, apart)
        total += high - low
        largest = max(largest, high - low)
        fresh = max(fresh, high - max(low, previous)) if start else 0
        previous = high
    return total, largest, fresh


@dataclass(frozen=True)
class Counts:
    """How often each loop of the tilings runs."""

    strips: np.ndarray
    """Runs of tiles down the rows, per copy and tile of groups."""
    positions: np.ndarray
    chunks: np.ndarray
    n_tiles: np.ndarray
    planes: np.ndarray
    """Copies times tiles of groups: nothing is shared between them."""

    @classmethod
    def of(cls, operation: Operation, t: Candidates) -> "Counts":
        """From the extents."""
        nest = operation.nest
        strips = tiles(nest.batch, t.batch) * tiles(nest.out_width, t.columns)
        return cls(
            strips=strips,
            positions=strips * tiles(nest.out_height, t.rows),
            chunks=tiles(nest.in_channels, t.in_channels),
            n_tiles=tiles(nest.out_channels, t.out_channels),
            planes=nest.copies * tiles(nest.groups, t.groups),
        )


def output_footprints(
    operation: Operation, tilings: Candidates, hardware: Hardware, drained_bits: int
) -> Footprint:
    """What each tiling of an output occupies and loads; `schedule` walks the same rules."""
    t = tilings
    count = Counts.of(operation, t)
    input_bytes, input_loads, range_loads = _input_footprint(operation, t, count)
    weight_bytes, weight_loads = _weight_footprint(operation, t, count)
    tile_filters = t.groups * t.out_channels
    tile_positions = t.batch * t.rows * t.columns
    output_tiles = count.planes * count.n_tiles * count.positions
    tile_sums = tile_positions * bytes_of(tile_filters * hardware.accumulator.bits)
    return Footprint(
        input_bytes=input_bytes,
        weight_bytes=weight_bytes,
        accumulator_bytes=tile_sums * np.where(output_tiles > 1, 2, 1),
        output_bytes=_output_bytes(operation, t, output_tiles, drained_bits),
        input_load_bytes=input_loads,
        weight_load_bytes=weight_loads,
        range_load_bytes=range_loads,
        short_run_bytes=_short_runs(operation, t, hardware, input_loads, weight_loads),
    )


def _short_runs(
    operation: Operation, t: Candidates, hardware: Hardware, inputs: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Of both operands; weights lie with the channels of the forward input innermost."""
    nest, burst_bytes, chunk = operation.nest, hardware.dram.burst_bytes, HELD.index(CHUNK)
    chunks = tiles(nest.in_channels, t.in_channels)
    parts = tiles(nest.groups, t.groups) * np.where(t.input_held == chunk, chunks, 1)
    depths = np.where(t.weights_held == chunk, chunks, 1)
    if operation.direction == GRAD_INPUT:
        whole = t.weights_held == HELD.index(ALL)
        depths = np.where(whole, 1, tiles(nest.out_channels, t.out_channels))
    vector_bits = nest.groups * nest.in_channels * operation.input_bits
    filter_bits = operation.weight_shape[3] * operation.weight_bits
    of_inputs = short_runs(inputs, parts, vector_bits, burst_bytes)
    return np.asarray(of_inputs + short_runs(weights, depths, filter_bits, burst_bytes))


def _output_bytes(
    operation: Operation, t: Candidates, output_tiles: np.ndarray, drained_bits: int
) -> np.ndarray:
    """Room for the smallest drain, twice where another follows, and for the ranges of a tile."""
    filters, positions = t.groups * t.out_channels, t.batch * t.rows * t.columns
    if operation.region is None:
        vector = bytes_of(filters * drained_bits) + operation.output_scale_bytes(filters)
        return vector * np.where(output_tiles * positions > 1, 2, 1)
    assert operation.ranges is not None
    images, rows, columns, channels = operation.region
    largest = (
        np.minimum(t.batch, images) * np.minimum(t.rows, rows) * np.minimum(t.columns, columns)
    )
    largest = largest * bytes_of(np.minimum(filters, channels) * drained_bits)
    regions = tiles(t.batch, images) * tiles(t.rows, rows) * tiles(t.columns, columns)
    regions = regions * tiles(filters, channels)
    return np.asarray(
        largest * np.where(output_tiles * regions > 1, 2, 1)
        + regions * (operation.ranges.bits // 8)
    )


def _input_footprint(
    operation: Operation, t: Candidates, count: Counts
) -> tuple[np.ndarray, np.ndarray, np.ndarray | int]:
    """(bytes the input buffer needs, bytes loaded, bytes of ranges loaded beside them)."""
    nest = operation.nest
    row_sum, row_max, row_fresh = row_extents(nest, t.rows)
    column_sum, column_max, _ = column_extents(nest, t.columns)
    chunk, whole = t.input_held == HELD.index(CHUNK), t.input_held == HELD.index(ALL)
    once = whole | (~chunk & (t.positions_first | (count.positions == 1)))
    passes = np.where(once, 1, count.n_tiles)

    depth = nest.groups * nest.in_channels
    vector = bytes_of(depth * operation.input_bits)
    vector = vector + operation.input_scale_bytes(nest.groups, nest.in_channels)
    images = nest.copies * nest.batch
    pass_rows = np.where(chunk, row_sum, nest.in_height)
    pass_columns = np.where(whole, nest.in_width, column_sum)
    loads = images * vector * pass_rows * pass_columns * passes

    channels = np.where(chunk, t.in_channels, nest.in_channels)
    tile_vector = bytes_of(t.groups * channels * operation.input_bits)
    tile_vector = tile_vector + operation.input_scale_bytes(t.groups, channels)
    plane = nest.batch * nest.in_height * nest.in_width
    held = np.where(whole, plane, t.batch * row_max * column_max) * tile_vector
    one_strip = ~chunk & (count.planes * count.strips == 1) & (passes == 1)
    fresh = np.where(one_strip, row_fresh * column_max * tile_vector, held)
    fresh = np.where(whole & (count.planes == 1), 0, fresh)
    if operation.input_ranges is None:
        return held + fresh, loads, 0
    met = ranges_met(operation, Pieces(t.batch, t.rows, t.columns, t.groups, channels, whole))
    range_bytes = operation.input_ranges.bits // 8
    row_parts = -(-nest.in_height // operation.input_ranges.extent[1])
    range_loads = met.loads(whole | t.positions_first, count.n_tiles, row_parts) * range_bytes
    room = met.most * range_bytes * np.where(fresh > 0, 2, 1)
    return held + fresh + room, loads, range_loads


def _weight_footprint(
    operation: Operation, t: Candidates, count: Counts
) -> tuple[np.ndarray, np.ndarray]:
    """(bytes the weight buffer needs, bytes loaded); the bias travels with its weights."""
    nest = operation.nest
    chunk, whole = t.weights_held == HELD.index(CHUNK), t.weights_held == HELD.index(ALL)
    once = whole | (~chunk & (~t.positions_first | (count.n_tiles == 1)))
    passes = np.where(once, 1, count.positions)

    area = nest.kernel_height * nest.kernel_width
    bias_bytes = BIAS_BITS // 8 if operation.bias else 0
    filters, _, _, vector = operation.weight_shape
    filter_bits = area * vector * operation.weight_bits
    planes = nest.copies * nest.groups
    scales = operation.weight_scale_bytes(planes, nest.out_channels, nest.in_channels)
    loads = (filters * (bytes_of(filter_bits) + bias_bytes) + scales) * passes

    ins = np.where(chunk, t.in_channels, nest.in_channels)
    outs = np.where(whole, nest.out_channels, t.out_channels)
    per_group, depth = (ins, outs) if operation.direction == GRAD_INPUT else (outs, ins)
    depth_bytes = bytes_of(area * depth * operation.weight_bits)
    held = t.groups * per_group * (depth_bytes + bias_bytes)
    held = held + operation.weight_scale_bytes(t.groups, outs, ins)
    if operation.weight_ranges is not None:  # a copy is of one sample
        held = held + operation.weight_ranges.bits // 8
    times = count.planes * np.where(whole, 1, count.n_tiles) * np.where(chunk, count.chunks, 1)
    return held * np.where(times > 1, 2, 1), loads * np.where(times > 1, operation.repeats, 1)


def row_extents(nest: Nest, rows: np.ndarray) -> np.ndarray:
    """Input rows of tiles so high: their sum, the most of one tile, the most a later one adds."""
    return _extent_columns(
        rows, nest.in_height, nest.out_height, nest.stride_h, nest.kernel_reach_h, nest.pad_top,
        nest.input_dilation_h,
    )  # fmt: skip


def column_extents(nest: Nest, columns: np.ndarray) -> np.ndarray:
    """The same for input columns of tiles so wide."""
    return _extent_columns(
        columns, nest.in_width, nest.out_width, nest.stride_w, nest.kernel_reach_w, nest.pad_left,
        nest.input_dilation_w,
    )  # fmt: skip


def _extent_columns(steps: np.ndarray, size: int, out_size: int, *window: int) -> np.ndarray:
    by_step = np.zeros((3, int(steps.max(initial=0)) + 1), np.int64)
    for step in np.unique(steps):
        by_step[:, step] = _extents(size, out_size, int(step), *window)
    return np.asarray(by_step[:, steps])
