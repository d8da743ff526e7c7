"""Which tile and loop order a layer runs in: least DRAM traffic, then fewest cycles, by search.

A tile is `batch x rows x columns` output positions of `groups x out_channels`, its reduction cut
into chunks of `in_channels` that follow one another on chip: partial sums never travel. An operand
is held whole for a tile, or comes in chunk by chunk. Two loop orders exist: with `positions`
outermost, all output channels of a tile of positions are done before the next one; with `channels`
outermost, all positions of a tile of channels. An operand is loaded again when the tile needs
another part of it than its buffer holds; tiles that follow one another down the rows share their
halo, which stays in the buffer.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import lru_cache
from itertools import product as cartesian
from math import ceil

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering.operation import BIAS_BITS, Operation
from accelsim.network import Nest

POSITIONS, CHANNELS = "positions", "channels"
OUTERMOST = (POSITIONS, CHANNELS)

NEITHER, INPUT_CHUNKS, WEIGHT_CHUNKS, BOTH = "neither", "input", "weights", "both"
CHUNKED = (NEITHER, INPUT_CHUNKS, WEIGHT_CHUNKS, BOTH)

MAX_TIMED_TILINGS = 512
"""Of the tilings of least traffic, so many (the largest tiles first) are compared in cycles."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Extents of one tile, the loop that is outermost, and the operands that come in chunks."""

    batch: int
    rows: int
    columns: int
    groups: int
    out_channels: int
    in_channels: int
    outermost: str = POSITIONS
    chunked: str = NEITHER

    @property
    def holds_input(self) -> bool:
        """Whether the whole reduction of a tile's input is on chip at once."""
        return self.chunked in (NEITHER, WEIGHT_CHUNKS)

    @property
    def holds_weights(self) -> bool:
        """Whether the whole reduction of a tile's weights is on chip at once."""
        return self.chunked in (NEITHER, INPUT_CHUNKS)


class Candidates:
    """Many tilings as columns of integers, so that all are weighed at once."""

    def __init__(self, table: np.ndarray) -> None:
        self._table = table
        columns = table.T
        self.batch, self.rows, self.columns = columns[0], columns[1], columns[2]
        self.groups, self.out_channels, self.in_channels = columns[3], columns[4], columns[5]
        self.positions_first = columns[6] == OUTERMOST.index(POSITIONS)
        self.holds_input = np.isin(columns[7], _codes(NEITHER, WEIGHT_CHUNKS))
        self.holds_weights = np.isin(columns[7], _codes(NEITHER, INPUT_CHUNKS))

    @classmethod
    def of(cls, tiling: Tiling) -> "Candidates":
        """A single one."""
        *extents, outermost, chunked = astuple(tiling)
        return cls(np.array([[*extents, OUTERMOST.index(outermost), CHUNKED.index(chunked)]]))

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Tiling:
        b, h, w, g, n, c, outermost, chunked = (int(value) for value in self._table[index])
        return Tiling(b, h, w, g, n, c, OUTERMOST[outermost], CHUNKED[chunked])


def _codes(*names: str) -> list[int]:
    return [CHUNKED.index(name) for name in names]


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that tilings need in each buffer, and load from DRAM: closed forms, element by element.

    Double buffering: an operand that is loaded more than once needs room for the tile in use and
    for what the next tile adds; one that is loaded once needs room for itself alone.
    """

    input_bytes: np.ndarray
    weight_bytes: np.ndarray
    accumulator_bytes: np.ndarray
    output_bytes: np.ndarray
    input_load_bytes: np.ndarray
    weight_load_bytes: np.ndarray

    @property
    def load_bytes(self) -> np.ndarray:
        """DRAM bytes of all loads of the product; what is stored depends on no tiling."""
        return self.input_load_bytes + self.weight_load_bytes

    def fits(self, hardware: Hardware) -> np.ndarray:
        """Which of the tilings every buffer holds."""
        sram = hardware.sram
        return (
            (self.input_bytes <= sram.input_bytes)
            & (self.weight_bytes <= sram.weight_bytes)
            & (self.accumulator_bytes <= sram.accumulator_bytes)
            & (self.output_bytes <= sram.output_bytes)
        )


def input_extent(
    start: int, stop: int, size: int, out_size: int, stride: int, reach: int, pad: int
) -> tuple[int, int]:
    """Input rows (or columns) that output rows [start, stop) take: a half-open range.

    The range runs on to the next tile's first row, and to the border for the last tile, so that
    tiles in sequence load every row exactly once, also the rows that a stride steps over.
    """
    low = min(max(start * stride - pad, 0), size) if start else 0
    if stop == out_size:
        return low, size
    return low, min(max((stop - 1) * stride - pad + reach, stop * stride - pad, low), size)


@lru_cache(maxsize=4096)
def _extents(
    size: int, out_size: int, step: int, stride: int, reach: int, pad: int
) -> tuple[int, int, int]:
    """Over tiles of `step`: sum of the extents, the largest, the most a later tile adds."""
    total = largest = fresh = previous = 0
    for start in range(0, out_size, step):
        stop = min(start + step, out_size)
        low, high = input_extent(start, stop, size, out_size, stride, reach, pad)
        total += high - low
        largest = max(largest, high - low)
        fresh = max(fresh, high - max(low, previous)) if start else 0
        previous = high
    return total, largest, fresh


def footprints(
    operation: Operation, tilings: Candidates, hardware: Hardware, drained_bits: int
) -> Footprint:
    """Closed forms of what each tiling occupies and loads; `schedule` walks the same rules.

    `drained_bits` is the width of the widest integers that pass the output buffer.
    """
    nest, t = operation.nest, tilings
    rows = (nest.in_height, nest.out_height, nest.stride_h, nest.kernel_reach_h, nest.pad_top)
    columns = (nest.in_width, nest.out_width, nest.stride_w, nest.kernel_reach_w, nest.pad_left)
    row_sum, row_max, row_fresh = _extent_columns(t.rows, *rows)
    column_sum, column_max, _ = _extent_columns(t.columns, *columns)

    strips = _tiles(nest.batch, t.batch) * _tiles(nest.out_width, t.columns)
    positions = strips * _tiles(nest.out_height, t.rows)
    chunks = _tiles(nest.in_channels, t.in_channels)
    n_tiles = _tiles(nest.out_channels, t.out_channels)
    planes = nest.copies * _tiles(nest.groups, t.groups)

    once = t.holds_input & (t.positions_first | (positions == 1))
    input_passes = np.where(once, 1, n_tiles)
    weights_stay = t.holds_weights & (~t.positions_first | (n_tiles == 1))
    weight_passes = np.where(weights_stay, 1, positions)

    vector_bytes = _bytes(nest.groups * nest.in_channels * operation.input_bits)
    pass_rows = np.where(t.holds_input, nest.in_height, row_sum)
    pass_bytes = nest.copies * nest.batch * pass_rows * column_sum * vector_bytes
    filters = nest.copies * nest.groups * nest.out_channels
    area = nest.kernel_height * nest.kernel_width
    bias_bytes = BIAS_BITS // 8 if operation.bias else 0
    filter_bytes = _bytes(area * nest.in_channels * operation.weight_bits) + bias_bytes

    held_channels = np.where(t.holds_input, nest.in_channels, t.in_channels)
    tile_vector = _bytes(t.groups * held_channels * operation.input_bits)
    held = t.batch * row_max * column_max * tile_vector
    one_strip = t.holds_input & (planes * strips * input_passes == 1)
    fresh = np.where(one_strip, row_fresh * column_max * tile_vector, held)

    tile_filters = t.groups * t.out_channels
    held_depth = np.where(t.holds_weights, nest.in_channels, t.in_channels)
    tile_weights = tile_filters * (_bytes(area * held_depth * operation.weight_bits) + bias_bytes)
    weight_loads = planes * n_tiles * np.where(t.holds_weights, 1, chunks)

    tile_positions = t.batch * t.rows * t.columns
    tiles = planes * n_tiles * positions
    accumulator_bits = hardware.accumulator.bits
    tile_sums = tile_positions * _bytes(tile_filters * accumulator_bits)
    vector_out = _bytes(tile_filters * drained_bits)
    return Footprint(
        input_bytes=held + fresh,
        weight_bytes=tile_weights * np.where(weight_loads > 1, 2, 1),
        accumulator_bytes=tile_sums * np.where(tiles > 1, 2, 1),
        output_bytes=vector_out * np.where(tiles * tile_positions > 1, 2, 1),
        input_load_bytes=pass_bytes * input_passes,
        weight_load_bytes=filters * filter_bytes * weight_passes,
    )


def _extent_columns(
    steps: np.ndarray, size: int, out_size: int, stride: int, reach: int, pad: int
) -> np.ndarray:
    unique, inverse = np.unique(steps, return_inverse=True)
    table = [_extents(size, out_size, int(step), stride, reach, pad) for step in unique]
    return np.array(table, dtype=np.int64)[inverse].T


def _tiles(size: int, step: np.ndarray) -> np.ndarray:
    return -(-size // step)


def _bytes(bits: int | np.ndarray) -> int | np.ndarray:
    return -(-bits // 8)


@lru_cache(maxsize=65536)
def best_tiling(operation: Operation, hardware: Hardware, drained_bits: int) -> Tiling:
    """The legal tiling of least DRAM traffic; among those, of fewest estimated cycles."""
    tilings = candidates(operation, hardware)
    needs = footprints(operation, tilings, hardware, drained_bits)
    legal = np.flatnonzero(needs.fits(hardware))
    if not len(legal):
        raise AccelsimError(_no_tile(operation, hardware, needs))
    traffic = needs.load_bytes[legal]
    least = legal[traffic == traffic.min()]
    work = (tilings.batch * tilings.rows * tilings.columns * tilings.groups)[least]
    work *= tilings.out_channels[least] * tilings.in_channels[least]
    largest = least[np.argsort(-work, kind="stable")][:MAX_TIMED_TILINGS]
    return min(
        (tilings[int(index)] for index in largest),
        key=lambda tiling: estimated_cycles(operation, tiling, hardware),
    )


def _no_tile(operation: Operation, hardware: Hardware, needs: Footprint) -> str:
    """Name the buffer that is too small for even the smallest tile, and what it would need."""
    sram = hardware.sram
    buffers = {
        "input": (needs.input_bytes, sram.input_bytes),
        "weight": (needs.weight_bytes, sram.weight_bytes),
        "accumulator": (needs.accumulator_bytes, sram.accumulator_bytes),
        "output": (needs.output_bytes, sram.output_bytes),
    }
    for name, (needed, held) in buffers.items():
        if needed.min() > held:
            return (
                f"sram.{name}_kib={getattr(sram, f'{name}_kib'):g}: too small for any tile of "
                f"{operation.name}; must be at least {_kib_up(needed.min())}"
            )
    worst = np.max([needed / max(1, held) for needed, held in buffers.values()], axis=0)
    nearest = int(np.argmin(worst))
    wanted = ", ".join(
        f"{name}_kib >= {_kib_up(needed[nearest])}" for name, (needed, _) in buffers.items()
    )
    return f"sram: no tile of {operation.name} fits all buffers at once; nearest needs {wanted}"


def _kib_up(size_bytes: int) -> str:
    """KiB to four decimals, rounded up: enough when it is typed in."""
    return f"{ceil(size_bytes / 1024 * 10_000) / 10_000:g}"


def candidates(operation: Operation, hardware: Hardware) -> Candidates:
    """Every tiling the search weighs."""
    spatial = np.array(_spatial_parts(operation.nest))
    channels = np.array(_channel_parts(operation, hardware))
    orders = np.arange(len(OUTERMOST))
    s, c, o = np.meshgrid(np.arange(len(spatial)), np.arange(len(channels)), orders, indexing="ij")
    picked = channels[c.ravel()]
    return Candidates(np.column_stack([spatial[s.ravel()], picked[:, :3], o.ravel(), picked[:, 3]]))


def _spatial_parts(nest: Nest) -> list[tuple[int, int, int]]:
    """(batch, rows, columns) of a tile: whole images, whole rows of one, or pieces of rows."""
    batch, height, width = nest.batch, nest.out_height, nest.out_width
    whole_images = [(b, height, width) for b in _even_parts(batch)]
    whole_rows = [(1, rows, width) for rows in _even_parts(height)]
    pieces = [(1, rows, columns) for rows in _halves(height) for columns in _halves(width)]
    return list(dict.fromkeys(whole_images + whole_rows + pieces))


def _channel_parts(operation: Operation, hardware: Hardware) -> list[tuple[int, int, int, int]]:
    """(groups, out_channels, in_channels, chunked) of a tile, cut between bytes of every tensor."""
    nest, array = operation.nest, hardware.array
    groups, n, c = nest.groups, nest.out_channels, nest.in_channels
    stored = (operation.output_bits, hardware.accumulator.bits)
    loaded = (operation.input_bits, operation.weight_bits)
    outs = [s for s in _parts(n, array.columns) if s == n or _aligned(s, n, stored)]
    ins = [s for s in _parts(c, array.rows) if s < c and _aligned(s, c, loaded)]
    depths = [(c, CHUNKED.index(NEITHER))]
    depths += [(s, CHUNKED.index(how)) for s in ins for how in CHUNKED if how != NEITHER]
    single = [(1, s, *depth) for s in outs for depth in depths]
    if groups == 1:
        return single
    if not (_aligned(n, n, stored) and _aligned(c, c, (operation.input_bits,))):
        single = []
    several = [
        (g, n, *depths[0]) for g in _parts(groups, array.columns)
        if g == groups
        or (_aligned(g * n, 0, stored) and _aligned(g * c, 0, (operation.input_bits,)))
    ]  # fmt: skip
    return list(dict.fromkeys(several + single))


def _aligned(step: int, whole: int, bits: Iterable[int]) -> bool:
    return all((step * b) % 8 == 0 and (whole * b) % 8 == 0 for b in bits)


def _even_parts(size: int) -> list[int]:
    """Every size of the pieces when `size` is cut into 1, 2, 3, ... parts, largest first."""
    return sorted({ceil(size / parts) for parts in range(1, size + 1)}, reverse=True)


def _halves(size: int) -> list[int]:
    sizes = [size]
    while sizes[-1] > 1:
        sizes.append(ceil(sizes[-1] / 2))
    return sizes


def _parts(size: int, width: int) -> list[int]:
    """Sizes of channel pieces: the whole, powers of two, and multiples of the array's width."""
    powers = [2**power for power in range(16)]
    parts = {size, *powers, *(width * power for power in powers)}
    return sorted((part for part in parts if part <= size), reverse=True)


def estimated_cycles(operation: Operation, tiling: Tiling, hardware: Hardware) -> int:
    """Array time against DRAM time, plus the first tile's load and the last tile's way out.

    An estimate to choose by; the machine's count is the one that is reported.
    """
    nest, array = operation.nest, hardware.array
    needs = footprints(operation, Candidates.of(tiling), hardware, operation.output_bits)
    array_cycles = 0
    axes = (
        (nest.batch, tiling.batch), (nest.out_height, tiling.rows),
        (nest.out_width, tiling.columns), (nest.groups, tiling.groups),
        (nest.out_channels, tiling.out_channels), (nest.in_channels, tiling.in_channels),
    )  # fmt: skip
    area = nest.kernel_height * nest.kernel_width
    for parts in cartesian(*(_pieces(size, step) for size, step in axes)):
        (b, nb), (h, nh), (w, nw), (g, ng), (n, nn), (c, nc) = parts
        timing = array.timing(b * h * w, area * c, n, g)
        array_cycles += timing.steady_cycles * nb * nh * nw * ng * nn * nc * nest.copies
    bandwidth = hardware.bandwidth_bytes_per_cycle
    dram_cycles = ceil(_burst_bytes(operation, tiling, hardware, needs) / bandwidth)
    fill_bytes = int(needs.input_bytes[0] + needs.weight_bytes[0]) // 2
    tile_outputs = tiling.batch * tiling.rows * tiling.columns * tiling.groups * tiling.out_channels
    tail_cycles = tile_outputs // array.columns
    return max(array_cycles, dram_cycles) + ceil(fill_bytes / bandwidth) + tail_cycles


def _burst_bytes(operation: Operation, tiling: Tiling, hardware: Hardware, needs: Footprint) -> int:
    """Bytes that move when every contiguous run fills whole bursts: short runs cost more."""
    nest, t = operation.nest, tiling
    in_channels = nest.in_channels if t.holds_input else t.in_channels
    input_run = t.groups * in_channels * operation.input_bits // 8
    if t.groups * in_channels == nest.groups * nest.in_channels:
        input_run *= t.columns * (t.rows if t.columns == nest.out_width else 1)
    depth = nest.in_channels if t.holds_weights else t.in_channels
    weight_run = depth * operation.weight_bits // 8
    if depth == nest.in_channels:
        weight_run *= nest.kernel_height * nest.kernel_width * t.out_channels * t.groups
    output_run = t.groups * t.out_channels * operation.output_bits // 8
    if t.groups * t.out_channels == nest.groups * nest.out_channels:
        output_run *= t.columns * (t.rows if t.columns == nest.out_width else 1)
    output_bytes = nest.output_elements * operation.output_bits // 8
    runs = (
        (int(needs.input_load_bytes[0]), input_run),
        (int(needs.weight_load_bytes[0]), weight_run),
        (output_bytes, output_run),
    )
    return sum(_in_bursts(total, max(1, run), hardware.dram.burst_bytes) for total, run in runs)


def _in_bursts(total_bytes: int, run_bytes: int, burst_bytes: int) -> int:
    """`total_bytes` in runs of `run_bytes`, each in whole bursts; an odd length adds one."""
    bursts = run_bytes // burst_bytes + (run_bytes % burst_bytes > 0)
    return total_bytes * bursts * burst_bytes // run_bytes


def _pieces(size: int, step: int) -> list[tuple[int, int]]:
    """(extent, how many) of the pieces of `step`: the full ones, and the rest."""
    full, rest = divmod(size, step)
    return [piece for piece in ((step, full), (rest, 1)) if piece[0] and piece[1]]
