"""The search for a tiling: least DRAM traffic first, then fewest cycles.

Every candidate is weighed by its closed forms. Of those that load least, the ones with the lowest
estimate of cycles are looked at closely, remainders and all, and the best is taken. The estimate
chooses; the cycles that are reported are the machine's.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product as cartesian
from math import ceil, prod
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import BlockProduct, Hardware, TilesFor, block_timing, fold_rounds
from accelsim.lowering import weight_gradient
from accelsim.lowering.operation import Operation
from accelsim.lowering.parts import (
    channel_parts,
    even_parts,
    fills_bytes,
    pieces,
    spatial_parts,
    tiles,
)
from accelsim.lowering.tiling import (
    ALL,
    CHUNK,
    HELD,
    TILE,
    Candidates,
    Counts,
    Footprint,
    Tiling,
    output_footprints,
)
from accelsim.network import Nest
from accelsim.program import FORWARD, GRAD_INPUT, GRAD_WEIGHT

LOOKED_AT = 48
"""Of the tilings of least traffic, so many are estimated closely."""

WHOLE_RUN = 256
"""Vectors that continue one another where no tile cuts a row: more would change nothing."""

QUIET_BUS = 0.01
"""Weight of the bus time beside the cycles: of tilings that take as long, the quieter bus wins."""


@lru_cache(maxsize=65536)
def best_tiling(operation: Operation, hardware: Hardware, drained_bits: int) -> Tiling:
    """The legal tiling of least DRAM traffic; among those, of fewest estimated cycles.

    `array.tiles_for` says whether the cycles are the layer's or the array's alone.
    """
    found = candidates(operation, hardware, drained_bits)
    needs = footprints(operation, found, hardware, drained_bits)
    which = needs.least_loading(hardware)
    if not len(which):
        raise AccelsimError(_no_tile(operation, hardware, drained_bits))
    least, needs = found.some(which), needs.some(which, found.shape)
    rough = _cycles(operation, least, needs, hardware, drained_bits, _rough_array_cycles)
    which = _lowest(rough, LOOKED_AT)
    close, needs = least.some(which), needs.some(which, least.shape)
    cycles = _cycles(
        operation, close, needs, hardware, drained_bits, _exact_array_cycles, QUIET_BUS
    )
    return close[int(np.argmin(cycles))]


def _lowest(values: np.ndarray, count: int) -> np.ndarray:
    """Where the lowest are, in order; of equal ones those that come first."""
    if len(values) <= count:
        return np.argsort(values, kind="stable")
    highest = np.partition(values, count - 1)[count - 1]
    among = np.flatnonzero(values <= highest)
    return np.asarray(among[np.argsort(values[among], kind="stable")[:count]])


def candidates(operation: Operation, hardware: Hardware, drained_bits: int) -> Candidates:
    """The tilings that the search weighs; those that cannot win may be left out early."""
    if operation.direction == GRAD_WEIGHT:
        return weight_gradient.candidates(operation, hardware, drained_bits)
    return _crossed(spatial_parts(operation.nest, operation.region), operation, hardware)


def footprints(
    operation: Operation, tilings: Candidates, hardware: Hardware, drained_bits: int
) -> Footprint:
    """Closed forms of what each tiling occupies and loads; `steps` walks the same rules.

    `drained_bits` is the width of the widest integers that pass the output buffer.
    """
    if operation.direction == GRAD_WEIGHT:
        return weight_gradient.footprints(operation, tilings, hardware, drained_bits)
    return output_footprints(operation, tilings, hardware, drained_bits)


def _no_tile(operation: Operation, hardware: Hardware, drained_bits: int) -> str:
    """Name the buffer that is too small for even the smallest tile, and what it would need."""
    smallest = _smallest(operation, hardware, drained_bits)
    needs = footprints(operation, smallest, hardware, drained_bits)
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


def _smallest(operation: Operation, hardware: Hardware, drained_bits: int) -> Candidates:
    """The least there is of each dimension, one by one and together."""
    if operation.direction == GRAD_WEIGHT:
        return candidates(operation, hardware, drained_bits)
    return _crossed(spatial_parts(operation.nest, operation.region)[-1:], operation, hardware)


def _crossed(
    spatial: list[tuple[int, int, int]], operation: Operation, hardware: Hardware
) -> Candidates:
    """Every loop order, with all positions of an output, with all its channels."""
    order = np.arange(2).reshape(2, 1, 1)  # positions or channels outermost
    images, rows, columns = np.array(spatial).T[:, :, None]
    groups, outs, ins, *held = np.array(_channel_parts(operation, hardware)).T
    return Candidates([images, rows, columns, groups, outs, ins, order, *held])


def _channel_parts(operation: Operation, hardware: Hardware) -> list[tuple[int, ...]]:
    """(groups, out_channels, in_channels, input held, weights held), cut between whole bytes."""
    nest, array = operation.nest, hardware.array
    groups, n, c = nest.groups, nest.out_channels, nest.in_channels
    stored = operation.stored_bits(hardware.accumulator.bits)
    loaded: tuple[int, ...] = (operation.input_bits,)
    if operation.direction == GRAD_INPUT:  # its output channels are cut within forward filters
        cut_out = (*stored, operation.weight_bits)
    else:
        cut_out, loaded = stored, (operation.input_bits, operation.weight_bits)
    outs = [
        s for s in channel_parts(n, array.columns, even_parts(n))
        if (s == n or fills_bytes(s, n, cut_out)) and keeps_blocks(operation, 1, s)
    ]  # fmt: skip
    block = operation.reduction_block or 1
    ins = [
        s for s in channel_parts(c, array.rows)
        if s < c and s % block == 0 and fills_bytes(s, c, loaded)
    ]  # fmt: skip
    chunk, tile, whole = (HELD.index(held) for held in (CHUNK, TILE, ALL))
    depths = [(c, x, w) for x in (tile, whole) for w in (tile, whole)]
    depths += [
        (s, x, w) for s in ins for x, w in cartesian((chunk, tile, whole), repeat=2)
        if chunk in (x, w)
    ]  # fmt: skip
    single: list[tuple[int, ...]] = [(1, s, *depth) for s in outs for depth in depths]
    if groups == 1:
        return single
    if not (fills_bytes(n, n, stored) and fills_bytes(c, c, (operation.input_bits,))):
        single = []
    several = [
        (g, n, *depth) for g in channel_parts(groups, array.columns, even_parts(groups))
        for depth in depths[:4]
        if keeps_blocks(operation, g, n) and (
            g == groups
            or (fills_bytes(g * n, 0, stored) and fills_bytes(g * c, 0, (operation.input_bits,)))
        )
    ]  # fmt: skip
    return list(dict.fromkeys(several + single))


def keeps_blocks(operation: Operation, groups: int, out_channels: int) -> bool:
    """Whether tiles of so many channels cut no block and no region that has its own range."""
    if operation.direction == GRAD_WEIGHT:
        return True
    return operation.keeps_operand_blocks(groups) and keeps_regions(operation, groups, out_channels)


def keeps_regions(operation: Operation, groups: int, out_channels: int) -> bool:
    """Whether tiles of so many channels cut no region of channels that has a range of its own."""
    if operation.ranges is None or not operation.ranges.local:
        return True
    nest, step = operation.nest, operation.ranges.extent[3]
    if groups > 1 or nest.groups == 1:
        tile, whole = groups * out_channels, nest.groups * nest.out_channels
        return tile == whole or tile % step == 0
    return nest.out_channels % step == 0 and (
        out_channels == nest.out_channels or out_channels % step == 0
    )


# Cycles --------------------------------------------------------------------------------------


def _cycles(
    operation: Operation,
    t: Candidates,
    needs: Footprint,
    hardware: Hardware,
    drained_bits: int,
    array_cycles: Callable[[Operation, Candidates, Hardware], np.ndarray],
    bus_weight: float = 0,
) -> np.ndarray:
    """An estimate of every tiling's cycles, with a small part of the bus time on top."""
    cycles = array_cycles(operation, t, hardware)
    if hardware.array.tiles_for is TilesFor.ARRAY:
        return cycles
    dram_cycles = _dram_cycles(operation, t, needs, hardware, drained_bits)
    fill_cycles = _fill_cycles(operation, t, needs, hardware)
    return np.asarray(np.maximum(cycles, dram_cycles) + fill_cycles + bus_weight * dram_cycles)


def _rough_array_cycles(operation: Operation, t: Candidates, hardware: Hardware) -> np.ndarray:
    """The array's time as if all tiles were full ones."""
    nest = operation.nest
    times = nest.copies * np.prod([tiles(size, step) for size, step in _axes(nest, t)], axis=0)
    one = (t.batch, t.rows, t.columns, t.groups, t.out_channels, t.in_channels)
    m, k, n, groups = _product_shape(operation, *one)
    block = operation.reduction_block
    if operation.summed_images is not None:
        # As if no fold held two samples.
        samples = tiles(t.batch, operation.summed_images)
        k = samples * tiles(tiles(k, samples), hardware.array.rows) * hardware.array.rows
    if block is not None:
        # As if every block filled the rows it is alone in.
        along = _along(operation, *one)
        rounds = fold_rounds(hardware.array, k // along, along, block)
        k = np.maximum(k, rounds * hardware.array.rows)
    return times * hardware.array.steady_cycles(m, k, n, groups)


def _exact_array_cycles(operation: Operation, t: Candidates, hardware: Hardware) -> np.ndarray:
    """The array's time for all tiles, those at the edges included."""
    return np.array([_array_cycles(operation, tiling, hardware) for tiling in t])


def _array_cycles(operation: Operation, tiling: Tiling, hardware: Hardware) -> int:
    cuts = [pieces(size, step) for size, step in _axes(operation.nest, tiling)]
    cycles, block, real = 0, operation.reduction_block, operation.block is None
    summed = operation.summed_images
    for parts in cartesian(*cuts):
        extents = [extent for extent, _ in parts]
        shape = _product_shape(operation, *extents)
        times = prod(often for _, often in parts)
        if summed is not None:
            m, k, n, groups = shape
            product = BlockProduct(m, 1, k, n, summed * (k // extents[0]), groups, True)
            timing = block_timing(hardware.array, product, hardware.vector_lanes)
        elif block is None:
            timing = hardware.array.timing(*shape)
        else:
            (m, k, n, groups), along = shape, _along(operation, *extents)
            product = BlockProduct(m, k // along, along, n, block, groups, real)
            timing = block_timing(hardware.array, product, hardware.vector_lanes)
        cycles += timing.steady_cycles * times
    return cycles * operation.nest.copies


def _axes(nest: Nest, t: Any) -> list[tuple[int, Any]]:
    """(size, step) of every loop that a tiling, or many, cut."""
    return [
        (nest.batch, t.batch), (nest.out_height, t.rows), (nest.out_width, t.columns),
        (nest.groups, t.groups), (nest.out_channels, t.out_channels),
        (nest.in_channels, t.in_channels),
    ]  # fmt: skip


def _product_shape(
    operation: Operation, batch: Any, rows: Any, columns: Any, groups: Any, outs: Any, ins: Any
) -> tuple[Any, Any, Any, Any]:
    """m, k, n and groups of one compute: as `Step` has them."""
    area = operation.nest.kernel_height * operation.nest.kernel_width
    if operation.direction == GRAD_WEIGHT:
        return outs, batch * rows * columns, area * ins, groups
    return batch * rows * columns, area * ins, outs, groups


def _along(
    operation: Operation, batch: Any, rows: Any, columns: Any, groups: Any, outs: Any, ins: Any
) -> Any:
    """Of a compute's reduction, what lies along the axis of its blocks."""
    return {0: batch, 1: rows, 3: ins}[operation.reduction_axis]


def _fill_cycles(
    operation: Operation, t: Candidates, needs: Footprint, hardware: Hardware
) -> np.ndarray:
    """What nothing hides: the first tile's operands on their way in, the last tile's sums out."""
    bandwidth = float(hardware.bandwidth_bytes_per_cycle)
    first = (needs.input_bytes + needs.weight_bytes) / 2 / bandwidth
    width = hardware.array.columns
    if operation.direction == GRAD_WEIGHT:
        area = operation.nest.kernel_height * operation.nest.kernel_width
        words = t.groups * t.out_channels * tiles(area * t.in_channels, width)
    else:
        words = t.batch * t.rows * t.columns * tiles(t.groups * t.out_channels, width)
    lanes = min(hardware.stat_lanes, hardware.requantizer_lanes)
    return first + words * ceil(width / lanes)


def _dram_cycles(
    operation: Operation, t: Candidates, needs: Footprint, hardware: Hardware, drained_bits: int
) -> np.ndarray:
    """Time of all bytes in whole bursts: a run that fills no burst still takes one."""
    runs = _gradient_runs if operation.direction == GRAD_WEIGHT else _output_runs
    total = sum(
        _in_bursts(*some, hardware.dram.burst_bytes)
        for some in runs(operation, t, needs, drained_bits)
    )
    return np.asarray(total / float(hardware.bandwidth_bytes_per_cycle))


Runs = tuple[np.ndarray, np.ndarray, float]
"""All bytes of a tensor, the length of a contiguous run, the grain of its addresses."""


def _output_runs(
    operation: Operation, t: Candidates, needs: Footprint, moved_bits: int
) -> Iterator[Runs]:
    """Input, weights and output, and the scales or ranges that travel beside them."""
    nest, count = operation.nest, Counts.of(operation, t)
    chunk = HELD.index(CHUNK)
    group_tiles = tiles(nest.groups, t.groups)
    broken = t.columns < nest.out_width
    whole = np.full(len(t), WHOLE_RUN)

    input_vector = nest.groups * nest.in_channels * operation.input_bits / 8
    scales = operation.input_scale_bytes(nest.groups, nest.in_channels)
    scale_bytes = needs.input_load_bytes * scales / (ceil(input_vector) + scales)
    parts = np.where(t.input_held == chunk, count.chunks, 1) * group_tiles
    read = np.where(broken, _read_columns(nest, t), whole)
    yield _runs(needs.input_load_bytes - scale_bytes, input_vector, parts, read)
    filter_vector = operation.weight_shape[3] * operation.weight_bits / 8
    weight_parts = np.where(t.weights_held == chunk, count.chunks, 1)
    if operation.direction == GRAD_INPUT:
        weight_parts = np.where(t.weights_held == HELD.index(ALL), 1, count.n_tiles)
    yield _runs(needs.weight_load_bytes, filter_vector, weight_parts, whole)
    output_vector = nest.groups * nest.out_channels * moved_bits / 8
    stored = np.full(len(t), nest.output_elements * moved_bits / 8)
    written = np.where(broken, t.columns, whole)
    yield _runs(stored, output_vector, count.n_tiles * group_tiles, written)
    if operation.block is not None:
        yield from _scale_runs(operation, t, scale_bytes)
    if operation.input_ranges is not None and operation.direction == FORWARD:
        _, _, columns, channels = operation.input_ranges.extent
        of_tile = tiles(t.columns, columns) * tiles(nest.in_channels, channels)
        range_bytes = operation.input_ranges.bits // 8
        yield np.asarray(needs.range_load_bytes), of_tile * range_bytes, range_bytes


def _scale_runs(
    operation: Operation, t: Candidates, input_scale_bytes: np.ndarray
) -> Iterator[Runs]:
    """A byte for each block of an activation's channels, position after position.

    So a run is as long as a tile's positions that follow one another: a tile of few columns takes a
    burst for as many bytes. Those of the weights, which lie by filters, are as good as their own.
    """
    nest = operation.nest
    broken = t.columns < nest.out_width
    rows = np.maximum(1, t.rows * nest.stride_h // nest.input_dilation_h)
    read = np.where(broken, _read_columns(nest, t), rows * nest.in_width)
    read = np.where(t.input_held == HELD.index(ALL), nest.in_height * nest.in_width, read)
    yield input_scale_bytes, read, 1
    channels = nest.groups * nest.out_channels
    stored = nest.output_elements // channels * operation.output_scale_bytes(channels)
    yield np.full(len(t), stored), np.where(broken, t.columns, t.rows * t.columns), 1


def _gradient_runs(
    operation: Operation, t: Candidates, needs: Footprint, moved_bits: int
) -> Iterator[Runs]:
    """Input, the output's gradient, and the weights'."""
    nest, whole = operation.nest, HELD.index(ALL)
    group_tiles = tiles(nest.groups, t.groups)
    ins, outs = tiles(nest.in_channels, t.in_channels), tiles(nest.out_channels, t.out_channels)
    read = _read_columns(nest, t)
    for held, cuts, channels, bits, loaded, columns in (
        (t.input_held, ins, nest.in_channels, operation.input_bits, needs.input_load_bytes, read),
        (
            t.weights_held, outs, nest.out_channels, operation.weight_bits,
            needs.weight_load_bytes, t.columns,
        ),
    ):  # fmt: skip
        parts = np.where(held == whole, 1, cuts) * group_tiles
        broken = (held == HELD.index(CHUNK)) & (t.columns < nest.out_width)
        vectors = np.where(broken, columns, WHOLE_RUN)
        yield _runs(loaded, nest.groups * channels * bits / 8, parts, vectors)
    stored = np.full(len(t), nest.weight_elements * moved_bits / 8)
    yield _runs(stored, nest.in_channels * moved_bits / 8, ins, np.full(len(t), WHOLE_RUN))


def _read_columns(nest: Nest, t: Candidates) -> np.ndarray:
    """Columns of the input that a tile reads."""
    return (t.columns - 1) * nest.stride_w + nest.kernel_reach_w


def _runs(
    total_bytes: np.ndarray, vector_bytes: float, parts: np.ndarray, vectors: np.ndarray
) -> Runs:
    """The runs of a tensor whose vectors come in `parts`.

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
