"""The search for a tiling: least DRAM traffic first, then fewest cycles.

Every candidate is weighed by its closed forms. Of those that load least, the ones with the lowest
estimate of cycles are looked at closely, remainders and all, and the best is taken. The estimate
chooses; the cycles that are reported are the machine's.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product as cartesian
from math import ceil

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware, TilesFor
from accelsim.lowering.operation import Operation
from accelsim.lowering.tiling import (
    ALL,
    CHUNK,
    HELD,
    OUTERMOST,
    TILE,
    Candidates,
    Counts,
    Footprint,
    Tiling,
    bytes_of,
    footprints,
    tiles,
)
from accelsim.network import Nest
from accelsim.program import GRAD_INPUT

LOOKED_AT = 48
"""Of the tilings of least traffic, so many are estimated closely."""

EVERY_SIZE = 12
"""Up to so many rows or columns, images are cut in pieces of every size, beyond in even parts."""

WHOLE_RUN = 256
"""Vectors that continue one another where no tile cuts a row: more change nothing any more."""

QUIET_BUS = 0.01
"""Weight of the bus time beside the cycles: of tilings that take as long, the quieter bus wins."""


@lru_cache(maxsize=65536)
def best_tiling(operation: Operation, hardware: Hardware, drained_bits: int) -> Tiling:
    """The legal tiling of least DRAM traffic; among those, of fewest estimated cycles.

    `array.tiles_for` says whether the cycles are the layer's or the array's alone.
    """
    found = candidates(operation, hardware, drained_bits)
    if len(found):
        needs = footprints(operation, found, hardware, drained_bits)
        legal = needs.fits(hardware)
    if not len(found) or not legal.any():
        raise AccelsimError(_no_tile(operation, hardware, drained_bits))
    least = found.some(legal & (needs.load_bytes == needs.load_bytes[legal].min()))
    rough = _rough_cycles(operation, least, hardware, drained_bits)
    close = least.some(np.argsort(rough, kind="stable")[:LOOKED_AT])
    dram_cycles = _dram_cycles(operation, close, hardware, drained_bits)
    fill_cycles = _fill_cycles(operation, close, hardware, drained_bits)
    array_cycles = [_array_cycles(operation.nest, close[i], hardware) for i in range(len(close))]
    if hardware.array.tiles_for is TilesFor.ARRAY:
        return close[int(np.argmin(array_cycles))]
    cycles = np.maximum(array_cycles, dram_cycles) + fill_cycles
    return close[int(np.argmin(cycles + QUIET_BUS * dram_cycles))]


def _no_tile(operation: Operation, hardware: Hardware, drained_bits: int) -> str:
    """Name the buffer that is too small for even the smallest tile, and what it would need."""
    needs = footprints(operation, _smallest(operation, hardware), hardware, drained_bits)
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


# Candidates ----------------------------------------------------------------------------------


def candidates(operation: Operation, hardware: Hardware, drained_bits: int) -> Candidates:
    """Every tiling the search weighs, those left out early that one buffer alone refuses."""
    spatial = np.array(_spatial_parts(operation.nest))
    channels = np.array(_channel_parts(operation, hardware))
    sram, area = hardware.sram, spatial[:, 0] * spatial[:, 1] * spatial[:, 2]
    filters = channels[:, 0] * channels[:, 1]
    depth = np.where(
        channels[:, 3] == HELD.index(CHUNK), channels[:, 2], operation.nest.in_channels
    )
    sums = area[:, None] * bytes_of(filters * hardware.accumulator.bits)[None, :]
    read = np.where(channels[:, 3] == HELD.index(ALL), 0, channels[:, 0] * depth)
    inputs = _least_inputs(operation.nest, spatial)[:, None] * read[None, :]
    room = (sums <= sram.accumulator_bytes) & (
        inputs * operation.input_bits <= 8 * sram.input_bytes
    )
    return _crossed(spatial, channels, *np.nonzero(room))


def _least_inputs(nest: Nest, spatial: np.ndarray) -> np.ndarray:
    """Input positions that a tile reads at the least, when a border cuts it off on both sides."""
    rows = (spatial[:, 1] - 1) * nest.stride_h + 1 - max(nest.pad_top, 0) - max(nest.pad_bottom, 0)
    columns = (spatial[:, 2] - 1) * nest.stride_w + 1 - max(nest.pad_left, 0)
    columns -= max(nest.pad_right, 0)
    rows = np.minimum(rows // nest.input_dilation_h, nest.in_height)
    columns = np.minimum(columns // nest.input_dilation_w, nest.in_width)
    return spatial[:, 0] * np.maximum(rows, 0) * np.maximum(columns, 0)


def _smallest(operation: Operation, hardware: Hardware) -> Candidates:
    """The least there is of each dimension, one by one and together."""
    spatial = np.array(_spatial_parts(operation.nest)[-1:])
    channels = np.array(_channel_parts(operation, hardware))
    every = np.indices((1, len(channels))).reshape(2, -1)
    return _crossed(spatial, channels, *every)


def _crossed(spatial: np.ndarray, channels: np.ndarray, s: np.ndarray, c: np.ndarray) -> Candidates:
    orders = np.repeat(np.arange(len(OUTERMOST)), len(s))
    s, c = np.tile(s, len(OUTERMOST)), np.tile(c, len(OUTERMOST))
    picked = channels[c]
    return Candidates(np.column_stack([spatial[s], picked[:, :3], orders, picked[:, 3:]]))


def _spatial_parts(nest: Nest) -> list[tuple[int, int, int]]:
    """(batch, rows, columns) of a tile: whole images, whole rows of one, or pieces of rows."""
    batch, height, width = nest.batch, nest.out_height, nest.out_width
    whole_images = [(b, height, width) for b in _even_parts(batch)]
    heights = _even_parts(height) if height > EVERY_SIZE else range(height, 0, -1)
    widths = _halves(width) if width > EVERY_SIZE else range(width, 0, -1)
    whole_rows = [(1, rows, width) for rows in heights]
    pieces = [(1, rows, columns) for rows in heights for columns in widths]
    return list(dict.fromkeys(whole_images + whole_rows + pieces))


def _channel_parts(operation: Operation, hardware: Hardware) -> list[tuple[int, ...]]:
    """(groups, out_channels, in_channels, input held, weights held), cut between whole bytes."""
    nest, array = operation.nest, hardware.array
    groups, n, c = nest.groups, nest.out_channels, nest.in_channels
    stored: tuple[int, ...] = (operation.output_bits, hardware.accumulator.bits)
    loaded: tuple[int, ...] = (operation.input_bits,)
    if operation.direction == GRAD_INPUT:  # its output channels are cut within forward filters
        cut_out = (*stored, operation.weight_bits)
    else:
        cut_out, loaded = stored, (operation.input_bits, operation.weight_bits)
    outs = [
        s for s in _parts(n, array.columns, _even_parts(n)) if s == n or _aligned(s, n, cut_out)
    ]
    ins = [s for s in _parts(c, array.rows) if s < c and _aligned(s, c, loaded)]
    chunk, tile, whole = (HELD.index(held) for held in (CHUNK, TILE, ALL))
    depths = [(c, x, w) for x in (tile, whole) for w in (tile, whole)]
    depths += [
        (s, x, w) for s in ins for x, w in cartesian((chunk, tile, whole), repeat=2)
        if chunk in (x, w)
    ]  # fmt: skip
    single: list[tuple[int, ...]] = [(1, s, *depth) for s in outs for depth in depths]
    if groups == 1:
        return single
    if not (_aligned(n, n, stored) and _aligned(c, c, (operation.input_bits,))):
        single = []
    several = [
        (g, n, *depth) for g in _parts(groups, array.columns, _even_parts(groups))
        for depth in depths[:4]
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


def _parts(size: int, width: int, more: Iterable[int] = ()) -> list[int]:
    """Sizes of channel pieces: the whole, powers of two, multiples of the array's width, `more`."""
    powers = [2**power for power in range(16)]
    parts = {size, *more, *powers, *(width * power for power in powers)}
    return sorted((part for part in parts if part <= size), reverse=True)


# Cycles --------------------------------------------------------------------------------------


def _rough_cycles(
    operation: Operation, t: Candidates, hardware: Hardware, drained_bits: int
) -> np.ndarray:
    """An estimate of every tiling's cycles as if all its tiles were full ones."""
    count = Counts.of(operation, t)
    area = operation.nest.kernel_height * operation.nest.kernel_width
    shapes = np.column_stack(
        [t.batch * t.rows * t.columns, area * t.in_channels, t.out_channels, t.groups]
    )
    unique, inverse = np.unique(shapes, axis=0, return_inverse=True)
    steady = [hardware.array.timing(*(int(v) for v in row)).steady_cycles for row in unique]
    computes = count.planes * count.positions * count.n_tiles * count.chunks
    array_cycles = np.array(steady)[inverse.ravel()] * computes
    if hardware.array.tiles_for is TilesFor.ARRAY:
        return array_cycles
    dram_cycles = _dram_cycles(operation, t, hardware, drained_bits)
    return np.maximum(array_cycles, dram_cycles) + _fill_cycles(
        operation, t, hardware, drained_bits
    )


def _array_cycles(nest: Nest, tiling: Tiling, hardware: Hardware) -> int:
    """The array's time for all tiles, those at the edges included."""
    area = nest.kernel_height * nest.kernel_width
    axes = (
        (nest.batch, tiling.batch), (nest.out_height, tiling.rows),
        (nest.out_width, tiling.columns), (nest.groups, tiling.groups),
        (nest.out_channels, tiling.out_channels), (nest.in_channels, tiling.in_channels),
    )  # fmt: skip
    cycles = 0
    for parts in cartesian(*(_pieces(size, step) for size, step in axes)):
        (b, nb), (h, nh), (w, nw), (g, ng), (n, nn), (c, nc) = parts
        timing = hardware.array.timing(b * h * w, area * c, n, g)
        cycles += timing.steady_cycles * nb * nh * nw * ng * nn * nc * nest.copies
    return cycles


def _pieces(size: int, step: int) -> list[tuple[int, int]]:
    """(extent, how many) of the pieces of `step`: the full ones, and the rest."""
    full, rest = divmod(size, step)
    return [piece for piece in ((step, full), (rest, 1)) if piece[0] and piece[1]]


def _fill_cycles(
    operation: Operation, t: Candidates, hardware: Hardware, drained_bits: int
) -> np.ndarray:
    """What nothing hides: the first tile's operands on their way in, the last tile's sums out."""
    needs: Footprint = footprints(operation, t, hardware, drained_bits)
    bandwidth = float(hardware.bandwidth_bytes_per_cycle)
    first = (needs.input_bytes + needs.weight_bytes) / 2 / bandwidth
    words = t.batch * t.rows * t.columns * tiles(t.groups * t.out_channels, hardware.array.columns)
    lanes = min(hardware.stat_lanes, hardware.requantizer_lanes)
    return first + words * ceil(hardware.array.columns / lanes)


def _dram_cycles(
    operation: Operation, t: Candidates, hardware: Hardware, drained_bits: int
) -> np.ndarray:
    """Time of all bytes in whole bursts: a run that fills no burst still takes one."""
    nest = operation.nest
    needs = footprints(operation, t, hardware, drained_bits)
    chunk = HELD.index(CHUNK)
    count = Counts.of(operation, t)

    input_vector = nest.groups * nest.in_channels * operation.input_bits / 8
    parts = np.where(t.input_held == chunk, count.chunks, 1) * tiles(nest.groups, t.groups)
    broken = t.columns < nest.out_width
    read = (t.columns - 1) * nest.stride_w + nest.kernel_reach_w
    inputs = _runs(needs.input_load_bytes, input_vector, parts, np.where(broken, read, WHOLE_RUN))
    filter_vector = operation.weight_shape[3] * operation.weight_bits / 8
    weight_parts = np.where(t.weights_held == chunk, count.chunks, 1)
    if operation.direction == GRAD_INPUT:
        weight_parts = np.where(t.weights_held == HELD.index(ALL), 1, count.n_tiles)
    whole = np.full(len(t), WHOLE_RUN)
    weights = _runs(needs.weight_load_bytes, filter_vector, weight_parts, whole)
    output_parts = count.n_tiles * tiles(nest.groups, t.groups)
    moved_bits = operation.output_bits if drained_bits == operation.output_bits else drained_bits
    output_vector = nest.groups * nest.out_channels * moved_bits / 8
    stored = np.full(len(t), nest.output_elements * moved_bits / 8)
    written = np.where(broken, t.columns, WHOLE_RUN)
    outputs = _runs(stored, output_vector, output_parts, written)
    burst = hardware.dram.burst_bytes
    total = sum(_in_bursts(*runs, burst) for runs in (inputs, weights, outputs))
    return np.asarray(total / float(hardware.bandwidth_bytes_per_cycle))


def _runs(
    total_bytes: np.ndarray, vector_bytes: float, parts: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """(bytes, length of a contiguous run, grain of its addresses) where vectors come in `parts`.

    Whole vectors continue one another, so many of them before a tile's row ends.
    """
    run_bytes = np.where(parts > 1, vector_bytes / parts, vectors * vector_bytes)
    return total_bytes, run_bytes, vector_bytes


def _in_bursts(
    total_bytes: np.ndarray, run_bytes: np.ndarray, grain_bytes: float, burst_bytes: int
) -> np.ndarray:
    """Bytes of the bursts touched.

    A run of L bytes at a multiple of g bytes touches (L + B - g) / B bursts of B on average.
    """
    grain = np.gcd(max(1, int(grain_bytes)), burst_bytes)
    return total_bytes / run_bytes * (np.ceil(run_bytes / grain) * grain + burst_bytes - grain)
