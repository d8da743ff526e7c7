"""What a program does about a range: at the drain, or after the tensor is complete.

With n outputs of b_a bytes and accumulators of b_acc bytes, what each moves beside the operands:

    static      n b_a                      the range is known before, or none is needed (float32)
    spill       n (2 b_acc + b_a)          store the accumulators, load them again, requantize
    spill16     n (2 * 2 + b_a)            the same with accumulators rounded to 16 bits
    lazy        n b_acc                    store the accumulators; the consumer requantizes them
    recompute   n b_a, operands twice      once for the statistics, once for the values
    resident    n b_a where all fits       keep on chip what fits until the range is known

Where parts of the output have ranges of their own, those are stored too, r bytes for each: with a
range per sample, the program of one sample comes after that of another, each with its barrier; the
ranges of regions and blocks are found as they are drained, and the program is `static`:

    samples     weights once per sample where a buffer does not hold them, twice in recompute
    regions     n b_a + r for each region

Where a range is searched for in the finished tensor, each search adds one pass over it:

    spill       n b_acc, spill16 n * 2, lazy n b_acc       loaded
    recompute   the operands
    resident    nothing where all fits

Where samples are mixed before they are quantized, one pass finds the ranges of the mixed samples;
it moves what a search moves. All samples of a position must be on chip together, so the product
cannot be made again tile by tile, and `resident` keeps all or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from accelsim.lowering.product import Tile
from accelsim.lowering.writer import Writer
from accelsim.program import ACCUMULATORS, OUTPUT, PRODUCT, RECOMPUTE, SEARCH


@dataclass(frozen=True)
class Realisation:
    """How a program is written, and what it leaves in DRAM on its way."""

    write: Callable[[Writer], None]
    stores_accumulators: bool
    stored_bits: int | None = None
    """Width of stored accumulators; None is their own."""
    outcome: str = OUTPUT
    """The tensor that the next operation loads."""
    multiplies_once: bool = True
    """Whether the product is made once, so that operands may wait on chip for the next sample."""

    def bits_stored(self, accumulator_bits: int) -> int | None:
        """Width of accumulators in DRAM, or None where none are stored."""
        if not self.stores_accumulators:
            return None
        return min(accumulator_bits, self.stored_bits or accumulator_bits)


def _static(writer: Writer) -> None:
    if OUTPUT in writer.blocking:
        writer.product(writer.store_blocks)
        return
    if writer.operation.region is not None:
        writer.product(writer.store_regions)
        writer.barrier()
        return
    needs_range = not writer.operation.output_float
    writer.product(partial(writer.store_tile, tensor=OUTPUT, observe=needs_range))
    if needs_range:
        writer.barrier()


def _spill(writer: Writer) -> None:
    _lazy(writer)
    writer.requantize_stored()


def _lazy(writer: Writer) -> None:
    writer.product(partial(writer.store_tile, tensor=ACCUMULATORS, observe=True))
    writer.barrier()

    def search(_: int) -> None:
        writer.search_stored()
        writer.barrier(writer.search_phase)

    writer.turns(writer.searches, search)


def _recompute(writer: Writer) -> None:
    def observe(phase: str, _: int) -> None:
        writer.product(partial(writer.observe_tile, keep=False, phase=phase), phase)
        writer.barrier(phase)

    observe(PRODUCT, 0)
    writer.turns(writer.searches, partial(observe, SEARCH))
    writer.product(
        partial(writer.store_tile, tensor=OUTPUT, observe=False, phase=RECOMPUTE), RECOMPUTE
    )


def _resident(writer: Writer) -> None:
    """Keep the last tiles: while they are made, those before them have left the buffer.

    A search leaves room to load what was not kept, in two blocks at a time or smaller ones.
    """
    room = writer.hardware.sram.accumulator_bytes
    first_kept = _first_kept(writer, room)
    if first_kept and writer.operation.mixed_samples:
        first_kept = len(writer.tile_boxes)
    elif first_kept and writer.searches:
        first_kept = _first_kept(writer, room - writer.largest_reload_bytes)
    kept: list[Tile] = []

    def leave(tile: Tile) -> None:
        if tile.place < first_kept:
            writer.store_tile(tile, ACCUMULATORS, observe=True)
        else:
            writer.observe_tile(tile, keep=True)
            kept.append(tile)

    writer.product(leave, all_leave_alike=False)
    writer.barrier()

    def search(_: int) -> None:
        writer.search_kept(kept)
        if first_kept:
            writer.search_stored(kept)
        writer.barrier(writer.search_phase)

    writer.turns(writer.searches, search)
    for tile in kept:
        writer.requantize_kept(tile)
    if first_kept:
        writer.requantize_stored(kept)


def _first_kept(writer: Writer, room: int) -> int:
    """The first of the last tiles that so many bytes hold together."""
    first = len(writer.tile_boxes)
    while first and writer.accumulator_bytes(writer.tile_boxes[first - 1]) <= room:
        first -= 1
        room -= writer.accumulator_bytes(writer.tile_boxes[first])
    return first


REALISATIONS = {
    "static": Realisation(_static, stores_accumulators=False),
    "spill": Realisation(_spill, stores_accumulators=True),
    "spill16": Realisation(_spill, stores_accumulators=True, stored_bits=16),
    "lazy": Realisation(_lazy, stores_accumulators=True, outcome=ACCUMULATORS),
    "recompute": Realisation(_recompute, stores_accumulators=False, multiplies_once=False),
    "resident": Realisation(_resident, stores_accumulators=True),
}

MIXING = ("spill", "spill16", "lazy", "resident")
"""What can be done where samples are mixed."""
