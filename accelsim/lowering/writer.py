"""Accumulators after the barrier: searched, mixed, requantized where they lie or loaded again.

What a realisation is made of: the product (`product`), what becomes of a finished tile
(`store_tile`, `observe_tile`), the barrier, and the requantization of accumulators that were kept
or stored.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product as cartesian
from typing import Any

from accelsim import program
from accelsim.errors import AccelsimError
from accelsim.lowering.finished import FinishedTiles
from accelsim.lowering.parts import fills_bytes
from accelsim.lowering.product import Tile
from accelsim.lowering.schedule import blocks
from accelsim.program import LOADED, Box, Mix, Store

OPERATIONS_PER_SUM, OPERATIONS_PER_GROUP = 5, 3
"""Of the vector unit where samples are mixed. Of each accumulator: to a float, times its group's
ratio, into the group's sum, plus the group's difference, back to an integer. Of each group and
position: its mean, the difference of the leader, and a product."""


def mixing_operations(samples: int, sums: int) -> int:
    """To mix so many sums of all samples, however these are grouped: at most in pairs."""
    return OPERATIONS_PER_SUM * sums + OPERATIONS_PER_GROUP * (samples // 2) * (sums // samples)


class Writer(FinishedTiles):
    """All that a program of one operation is written with."""

    def _remembered(self) -> tuple[Any, ...]:
        held = tuple((one.box, one.slides, one.loads, one.bytes) for one in self._operands)
        return self._tile, self._place, self._barrier, self._last_drain, self._barriers, held

    def _remember(self, numbers: tuple[Any, ...]) -> None:
        (
            self._tile, self._place, self._barrier, self._last_drain, self._barriers, held
        ) = numbers  # fmt: skip
        for one, left in zip(self._operands, held, strict=True):
            one.box, one.slides, one.loads, one.bytes = left

    def begin(self, sample: int, *, keep_operands: bool) -> None:
        """Go on with this sample, of which nothing was loaded again."""
        super().begin(sample, keep_operands=keep_operands)
        self._first_written, self._loaded_before = len(self.written), False
        self._reload_boxes: dict[int, list[Box]] = {}

    @property
    def search_phase(self) -> str:
        """Of a pass before the last one: it tries a range, or looks at mixed samples."""
        return program.MIX if self.operation.mixed_samples else program.SEARCH

    def search_kept(self, tiles: Sequence[Tile]) -> None:
        """Try a range on tiles that stay in the accumulator buffer; or mix, and look at them."""
        mixed = self._mixed_in_place() if tiles and self.operation.mixed_samples else []
        for tile in tiles:
            ready = tuple(mix for box, mix in mixed if box.meets(tile.box)) or (self._barrier,)
            self._observe(tile.box, tile.number, ready, self.search_phase, keep=True)

    def search_stored(self, kept: Sequence[Tile] = ()) -> None:
        """Load accumulators again and try a range on them: all but those of tiles that stay."""
        for block, ready in self._loaded_again(kept, self.search_phase):
            self._observe(block, LOADED, (ready,), self.search_phase, keep=False)

    def requantize_kept(self, tile: Tile) -> None:
        """Requantize a tile that stayed in the accumulator buffer, and store it."""
        for block in self._output_blocks(tile.box, self._widest(program.OUTPUT)):
            self._store_block(
                block, tile.number, (self._barrier,), program.REQUANTIZE, program.OUTPUT, False
            )

    def requantize_stored(self, kept: Sequence[Tile] = ()) -> None:
        """Load accumulators again, requantize and store them: all but those of tiles that stayed.

        These have left the buffer, or are about to.
        """
        for block, ready in self._loaded_again(kept, program.REQUANTIZE):
            self._store_block(block, LOADED, (ready,), program.REQUANTIZE, program.OUTPUT, False)

    def _loaded_again(self, kept: Sequence[Tile], phase: str) -> Iterator[tuple[Box, int]]:
        """Load stored accumulators block by block; each block with what makes it ready.

        The first time a load waits for the barrier, as before it the product needs the buffer, and
        for the stores of what it loads. Later ones run ahead as far as there is room: what lies in
        DRAM depends on no range, and the drain takes its blocks after the barrier in any case.
        Where samples are mixed, all samples of some positions are loaded together and mixed, which
        does depend on the barrier.
        """
        stored = None
        if not self._loaded_before:
            stores = self.since(self._first_written).of(Store)
            stored = _Boxes({one.id: one.box for one in stores if isinstance(one, Store)})
        self._loaded_before = True
        most = self._half_sums
        if phase != program.REQUANTIZE:
            held_bytes = sum(self.accumulator_bytes(tile.box) for tile in kept)
            room_bytes = self.hardware.sram.accumulator_bytes - held_bytes
            most = min(most, room_bytes // 2 * 8 // self.hardware.accumulator.bits)
        mixed = not kept and self.operation.mixed_samples > 0
        if most not in self._reload_boxes and not mixed:
            self._reload_boxes[most] = list(self._reloads(kept, most))
        for block in self._positions() if mixed else self._reload_boxes[most]:
            after: tuple[int, ...] = (self._barrier,) if stored or mixed else ()
            after += stored.meeting(block) if stored else ()
            ready, _ = self._load(
                program.ACCUMULATORS, block, program.ACCUMULATOR_BUFFER, phase, after,
                self.accumulator_bytes(block),
            )  # fmt: skip
            if not mixed:
                yield block, ready
                continue
            ready = self._mix(block, (ready,), phase, loaded=True)
            yield from ((piece, ready) for piece in self._leaving_pieces(block))

    def _mix(self, box: Box, after: tuple[int, ...], phase: str, *, loaded: bool) -> int:
        operations = mixing_operations(self.operation.mixed_samples, box.elements)
        return self._append(Mix(self.next_id, after, phase, box, operations, loaded))

    def _mixed_in_place(self) -> list[tuple[Box, int]]:
        """Mix what stayed in the accumulator buffer, row by row; each box with its command."""
        images, height, width, channels = self.operation.output_shape
        rows = [Box((0, row, 0, 0), (images, row + 1, width, channels)) for row in range(height)]
        return [(b, self._mix(b, (self._barrier,), program.MIX, loaded=False)) for b in rows]

    def _positions(self) -> Iterator[Box]:
        """The output in boxes of all samples that half the accumulator buffer holds."""
        images, height, width, channels = self.operation.output_shape
        most, widths = (
            self._half_sums // images,
            self.operation.stored_bits(self.hardware.accumulator.bits),
        )
        if most < channels:
            most = most // 8 * 8
            if not most or not fills_bytes(most, channels, widths):
                raise AccelsimError(
                    f"{self.operation.name}: sram.accumulator_kib="
                    f"{self.hardware.sram.accumulator_kib:g}: half of it must hold a position of "
                    f"all {images} images, which are mixed together"
                )
        for box in blocks(Box((0, 0, 0, 0), (1, height, width, channels)), most):
            yield Box(box.starts, (images, *box.stops[1:]))

    def _leaving_pieces(self, box: Box) -> Iterator[Box]:
        """A box of all samples as it leaves: copy by copy, in blocks for the output buffer."""
        images, bits = self.operation.output_shape[0], self._widest(program.OUTPUT)
        batch = images // self.operation.nest.copies
        for first in range(0, images, batch):
            own = Box((first, *box.starts[1:]), (first + batch, *box.stops[1:]))
            yield from self._output_blocks(own, bits)

    def _reloads(self, kept: Sequence[Tile], most: int) -> Iterator[Box]:
        """What was stored, in blocks of so many accumulators at most: two of them find room.

        Where no tile was kept a block runs across tiles, with all channels of its positions, as
        long runs in DRAM are quick to load. Beside kept tiles it is what was stored of the block.
        """
        stays = dict.fromkeys(tile.box for tile in kept)
        stored = [box for box in self.tile_boxes if box not in stays]
        slabs = list(self._slabs())
        if kept and max(self._whole_bytes(slab) for slab in slabs) > most:
            slabs = stored  # no room for all channels of a position
        in_the_way, left = _Boxes(dict(enumerate(stays))), _Boxes(dict(enumerate(stored)))
        for block in (b for slab in slabs for b in self._loadable(slab, most)):
            if not in_the_way.meeting(block):
                yield block
                continue
            parts = _joined(block.common(stored[place]) for place in left.meeting(block))
            yield from (piece for part in parts for piece in self._loadable(part, most))

    def _loadable(self, box: Box, most: int) -> list[Box]:
        return self._output_blocks(box, self._widest(program.OUTPUT), most)

    @property
    def largest_reload_bytes(self) -> int:
        """Room for one load of what was stored; the first tile is the largest."""
        blocks_of_tile = self._loadable(self.tile_boxes[0], self._half_sums)
        return max(self.accumulator_bytes(block) for block in blocks_of_tile)

    @property
    def _half_sums(self) -> int:
        """Accumulators that half the accumulator buffer holds."""
        half_bytes = self.hardware.sram.accumulator_bytes // 2
        return half_bytes * 8 // self.hardware.accumulator.bits

    def _slabs(self) -> Iterator[Box]:
        """The output copy by copy; all channels where their vector fits, else the tile's."""
        images, height, width, channels = self.operation.output_shape
        vector_bytes = -(-channels * self._widest(program.OUTPUT) // 8)
        fits = channels <= self._half_sums and vector_bytes <= self.hardware.sram.output_bytes // 2
        tile = self.tile_boxes[0].shape[3]
        step = channels if fits else tile
        batch = images // self.operation.nest.copies
        for first in range(0, images, batch):
            for start in range(0, channels, step):
                stop = min(start + step, channels)
                box = Box((first, 0, 0, start), (first + batch, height, width, stop))
                yield box.moved(self._sample * images)


class _Boxes:
    """Boxes by number, found by image and row."""

    def __init__(self, boxes: dict[int, Box]) -> None:
        self._boxes = boxes
        self._by_row: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, box in boxes.items():
            for row in _rows(box):
                self._by_row[row].append(number)

    def meeting(self, box: Box) -> tuple[int, ...]:
        """Those that have any element of `box`, in order of their numbers."""
        near = set[int]().union(*(self._by_row.get(row, ()) for row in _rows(box)))
        return tuple(sorted(number for number in near if self._boxes[number].meets(box)))


def _joined(boxes: Iterable[Box]) -> list[Box]:
    """Boxes of the same positions whose channels follow one another become one."""
    found: list[Box] = []
    for box in sorted(boxes):
        last = found[-1] if found else None
        places = (*box.starts[:3], *box.stops[:3])
        if last and (*last.starts[:3], *last.stops[:3], last.stops[3]) == (*places, box.starts[3]):
            found[-1] = Box(last.starts, box.stops)
        else:
            found.append(box)
    return found


def _rows(box: Box) -> Iterator[tuple[int, int]]:
    return cartesian(range(box.starts[0], box.stops[0]), range(box.starts[1], box.stops[1]))
