"""Writes commands in issue order, and knows what each buffer holds at that point.

What a realisation is made of: the product (`product`), what becomes of a finished tile
(`store_tile`, `observe_tile`), the barrier, and the requantization of accumulators that were kept
or stored.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product as cartesian
from math import prod
from typing import NamedTuple

from accelsim import program
from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering import weight_gradient
from accelsim.lowering.operation import Operation
from accelsim.lowering.parts import fills_bytes
from accelsim.lowering.schedule import (
    Step,
    blocks,
    of_sample,
    slides_to,
    steps,
)
from accelsim.lowering.tiling import Tiling
from accelsim.program import (
    LOADED,
    Barrier,
    Box,
    Command,
    Compute,
    Drain,
    Load,
    Mix,
    Region,
    Store,
    Tensor,
)


class Tile(NamedTuple):
    """A finished tile of outputs, and the compute that completes it."""

    number: int
    """Among all of the program."""
    place: int
    """In its product."""
    box: Box
    compute: int


SCALES = {program.INPUT: program.INPUT_SCALES, program.WEIGHTS: program.WEIGHT_SCALES}
"""What travels with an operand in blocks."""

OPERATIONS_PER_SUM, OPERATIONS_PER_GROUP = 5, 3
"""Of the vector unit where samples are mixed. Of each accumulator: to a float, times its group's
ratio, into the group's sum, plus the group's difference, back to an integer. Of each group and
position: its mean, the difference of the leader, and a product."""


def mixing_operations(samples: int, sums: int) -> int:
    """To mix so many sums of all samples, however these are grouped: at most in pairs."""
    return OPERATIONS_PER_SUM * sums + OPERATIONS_PER_GROUP * (samples // 2) * (sums // samples)


Leave = Callable[[Tile], None]
"""What becomes of the accumulators of a finished tile."""


class Writer:
    """The commands of one operation, appended one by one.

    Where samples have a range each, it writes one sample after the other: `operation` is what is to
    be done for one, all boxes are those of the sample begun last.
    `searches`: passes over the finished tensor that look for its range, before the last one.
    """

    def __init__(
        self,
        operation: Operation,
        hardware: Hardware,
        tensors: dict[str, Tensor],
        tiling: Tiling,
        searches: int = 0,
    ) -> None:
        self.whole, self.operation, self.hardware = operation, operation.of_sample(), hardware
        self.tensors, self.tiling, self.searches = tensors, tiling, searches
        self.blocking = operation.blocking
        self.commands: list[Command] = []
        self._tile = -1
        self._last_drain = -1
        self._barrier = -1
        self._held: tuple[_Held, _Held] | None = None
        self.begin(0, keep_operands=False)

    def begin(self, sample: int, *, keep_operands: bool) -> None:
        """Go on with this sample; its operands may stay on chip for the next, made once only."""
        self._sample, self._first_command = sample, len(self.commands)
        self._loaded_before, self._barriers = False, 0
        last = sample + 1 == self.whole.samples
        self._next_sample = self._steps_of(sample + 1)[0] if keep_operands and not last else None
        self._walk = self._steps_of(sample)

    def _steps_of(self, sample: int) -> list[Step]:
        if sample == 0:
            return self._first_walk
        return [of_sample(step, self.whole, sample) for step in self._first_walk]

    @cached_property
    def _first_walk(self) -> list[Step]:
        if self.operation.direction == program.GRAD_WEIGHT:
            return list(weight_gradient.steps(self.operation, self.tiling))
        return list(steps(self.operation, self.tiling))

    # The product -----------------------------------------------------------------------------

    def product(self, leave: Leave, phase: str = program.PRODUCT) -> None:
        """Loads and computes of every tile; `leave` says what becomes of its accumulators."""
        inputs, weights = self._held or (
            _Held(program.INPUT, program.INPUT_BUFFER),
            _Held(program.WEIGHTS, program.WEIGHT_BUFFER),
        )
        self._held = (inputs, weights) if self._next_sample else None
        tiles = 0
        following_steps = [*self._walk[1:], self._next_sample]
        for step, following in zip(self._walk, following_steps, strict=True):
            self._take(inputs, step.input, phase)
            if self._take(weights, step.weights, phase) and self.operation.bias and step.first:
                self._take_bias(weights, phase)
            self._tile += step.first
            compute = self._compute(step, inputs, weights, following, phase)
            if step.last:
                tiles += 1
                leave(Tile(self._tile, tiles - 1, step.output, compute))

    @property
    def tile_boxes(self) -> list[Box]:
        """The output tiles in the order in which `product` completes them."""
        return [step.output for step in self._walk if step.last]

    def _take(self, held: "_Held", wanted: Box, phase: str) -> bool:
        """Load what of `wanted` the buffer does not hold; whether that was anything."""
        if wanted == held.box:
            return False
        fresh = wanted
        if held.box is not None and slides_to(held.box, wanted):
            fresh = Box((wanted.starts[0], held.box.stops[1], *wanted.starts[2:]), wanted.stops)
        held.box = wanted
        if not fresh.elements:
            return False
        load, taken = self._load(held.tensor, fresh, held.buffer, phase)
        held.loads, held.bytes = (load,), held.bytes + taken
        blocking = self.blocking.get(held.tensor)
        if blocking is not None:
            self._take_beside(held, SCALES[held.tensor], blocking.of(fresh), phase)
        return True

    def _take_beside(self, held: "_Held", tensor: str, box: Box, phase: str) -> None:
        """Load what travels with an operand."""
        load, taken = self._load(tensor, box, held.buffer, phase)
        held.loads, held.bytes = (*held.loads, load), held.bytes + taken

    def _take_bias(self, weights: "_Held", phase: str) -> None:
        """The bias travels with its weights."""
        assert weights.box is not None
        box = Box((0, 0, 0, weights.box.starts[0]), (1, 1, 1, weights.box.stops[0]))
        self._take_beside(weights, program.BIAS, box, phase)

    def _compute(
        self,
        step: Step,
        inputs: "_Held",
        weights: "_Held",
        following: Step | None,
        phase: str,
    ) -> int:
        released = self._released(inputs, following.input if following else None)
        released += self._released(weights, following.weights if following else None)
        stationary = self._stationary(inputs, weights)
        return self._add(
            Compute,
            tuple(sorted({*inputs.loads, *weights.loads})),
            phase=phase,
            tile=self._tile,
            box=step.output,
            copy=step.copy,
            group_start=step.groups[0],
            groups=step.groups[1] - step.groups[0],
            n_start=step.out_channels[0],
            n_count=step.out_channels[1] - step.out_channels[0],
            channel_start=step.in_channels[0],
            channel_stop=step.in_channels[1],
            first=step.first,
            last=step.last,
            m=step.m,
            k=step.k,
            n=step.n,
            stationary=max(stationary.loads, default=-1) if stationary else -1,
            accumulator_bytes=self.accumulator_bytes(step.output),
            releases=tuple(released),
            over=step.over,
        )

    def _stationary(self, inputs: "_Held", weights: "_Held") -> "_Held | None":
        """The operand that stays in the cells: of k x n (weight-stationary) or m x k.

        In a gradient to the weights the input is the one of k x n, and streams where weights stay.
        """
        over_m, over_n = inputs, weights
        if self.operation.direction == program.GRAD_WEIGHT:
            over_m, over_n = weights, inputs
        held = {"weight-stationary": over_n, "input-stationary": over_m}
        return held.get(self.hardware.array.dataflow)

    def _released(self, held: "_Held", wanted: Box | None) -> list[tuple[str, int]]:
        """Bytes that nothing reads after this step; overlapping rows stay for the next."""
        box, done = held.box, held.bytes
        assert box is not None
        if wanted == box:
            return []
        if wanted is not None and slides_to(box, wanted):
            passed = Box(box.starts, (box.stops[0], wanted.starts[1], *box.stops[2:]))
            done = self._bytes_of(held, passed) if passed.elements else 0
        held.bytes -= done
        return [(held.buffer, done)] if done else []

    def _bytes_of(self, held: "_Held", box: Box) -> int:
        """What a part of an operand takes in its buffer, scale bytes included."""
        size = self.tensors[held.tensor].region(box).total_bytes
        blocking = self.blocking.get(held.tensor)
        if blocking is None:
            return size
        return size + self.tensors[SCALES[held.tensor]].region(blocking.of(box)).total_bytes

    # Finished tiles --------------------------------------------------------------------------

    def store_tile(
        self, tile: Tile, tensor: str, *, observe: bool, phase: str = program.PRODUCT
    ) -> None:
        """Drain a tile in blocks that fit half the output buffer, and store each in `tensor`."""
        for block in self._output_blocks(tile.box, self._widest(tensor)):
            self._store_block(block, tile.number, (tile.compute,), phase, tensor, observe)

    def observe_tile(self, tile: Tile, *, keep: bool, phase: str = program.PRODUCT) -> None:
        """Show a tile to the statistics unit only; its accumulators are kept, or dropped."""
        self._observe(tile.box, tile.number, (tile.compute,), phase, keep)

    def _observe(self, box: Box, tile: int, after: tuple[int, ...], phase: str, keep: bool) -> None:
        self._last_drain = self._add(
            Drain,
            after,
            phase=phase,
            tile=tile,
            box=box,
            tensor=None,
            observe=True,
            keep=keep,
            output_bytes=0,
            accumulator_bytes=0 if keep else self.accumulator_bytes(box),
        )

    def barrier(self, phase: str = program.PRODUCT) -> None:
        """The point at which the statistics of all observed accumulators are complete."""
        self._barriers += 1
        # The last barrier before the range is used is the one that finds it.
        found = self._barriers == self.searches + 1
        ranges, mixed = self.tensors.get(program.RANGES), self.whole.mixed_samples
        if ranges is None or self.whole.region is not None or (mixed and not found):
            self._barrier = self._add(Barrier, (self._last_drain,), phase=phase)
            return
        part = None if mixed else self._sample
        box = Box((self._sample, 0, 0, 0), (self._sample + (mixed or 1), 1, 1, 1))
        region = ranges.region(box)
        taken = region.total_bytes if found else 0
        self._barrier = self._add(
            Barrier, (self._last_drain,), phase=phase, part=part, output_bytes=taken
        )
        if found:
            self._store(program.RANGES, box, region, self._barrier, taken, phase)

    def store_regions(self, tile: Tile) -> None:
        """Drain a tile region by region, each with the range that it finds for itself."""
        extent, ranges = self.whole.region, self.tensors[program.RANGES]
        assert extent is not None
        records = tile.box.shrunk(extent)
        region = ranges.region(records)
        record_bytes = region.total_bytes  # room for all of the tile's, taken with its first region
        for box in tile.box.cut(extent):
            self._store_block(
                box, tile.number, (tile.compute,), program.PRODUCT, program.OUTPUT, True,
                local=True, record_bytes=record_bytes,
            )  # fmt: skip
            record_bytes = 0
        self._store(
            program.RANGES, records, region, self._last_drain, region.total_bytes, program.PRODUCT
        )

    def store_blocks(self, tile: Tile) -> None:
        """Drain a tile whose channels come in blocks; each finds its scale on the way out."""
        ranges, blocking = self.tensors[program.RANGES], self.blocking[program.OUTPUT]
        bits = 8 * self.operation.output_scale_bytes(tile.box.shape[3])
        for box in self._output_blocks(tile.box, self._widest(program.OUTPUT), beside_bits=bits):
            records = blocking.of(box)
            region = ranges.region(records)
            self._store_once(
                box, tile.number, (tile.compute,), program.PRODUCT, program.OUTPUT, True,
                keep=False, record_bytes=region.total_bytes,
            )  # fmt: skip
            self._store(
                program.RANGES, records, region, self._last_drain, region.total_bytes,
                program.PRODUCT,
            )  # fmt: skip

    # After the barrier -----------------------------------------------------------------------

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
            commands = self.commands[self._first_command :]
            stored = _Stored([c for c in commands if isinstance(c, Store)])
        self._loaded_before = True
        most = self._half_sums
        if phase != program.REQUANTIZE:
            held_bytes = sum(self.accumulator_bytes(tile.box) for tile in kept)
            room_bytes = self.hardware.sram.accumulator_bytes - held_bytes
            most = min(most, room_bytes // 2 * 8 // self.hardware.accumulator.bits)
        mixed = not kept and self.operation.mixed_samples > 0
        for block in self._positions() if mixed else self._reloads(kept, most):
            after: tuple[int, ...] = (self._barrier,) if stored or mixed else ()
            after += stored.of(block) if stored else ()
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
        return self._add(Mix, after, phase=phase, box=box, operations=operations, loaded=loaded)

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
        stays = [tile.box for tile in kept]
        stored = [box for box in self.tile_boxes if box not in stays]
        slabs = list(self._slabs())
        if kept and max(self._whole_bytes(slab) for slab in slabs) > most:
            slabs = stored  # no room for all channels of a position
        for block in (b for slab in slabs for b in self._loadable(slab, most)):
            if not any(block.meets(box) for box in stays):
                yield block
                continue
            parts = _joined(block.common(box) for box in stored if block.meets(box))
            yield from (piece for part in parts for piece in self._loadable(part, most))

    def _loadable(self, box: Box, most: int) -> list[Box]:
        return self._output_blocks(box, self._widest(program.OUTPUT), most)

    @property
    def largest_reload_bytes(self) -> int:
        """Room for one load of what was stored; the first tile is the largest."""
        blocks_of_tile = self._loadable(self.tile_boxes[0], self._half_sums)
        return max(self.accumulator_bytes(block) for block in blocks_of_tile)

    def _widest(self, tensor: str) -> int:
        """Bits of what leaves for `tensor`, and for its second copy where there is one."""
        second = self.operation.second_output_bits or 0
        return max(self.tensors[tensor].bits, second if tensor == program.OUTPUT else 0)

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

    # Single commands -------------------------------------------------------------------------

    def accumulator_bytes(self, box: Box) -> int:
        """Bytes that the accumulators of these outputs take on chip."""
        packed = prod(box.shape[4 - self.tensors[program.OUTPUT].packed_axes :])
        return box.elements // packed * -(-packed * self.hardware.accumulator.bits // 8)

    def _output_blocks(
        self, box: Box, bits: int, most_elements: int | None = None, beside_bits: int = 0
    ) -> list[Box]:
        """Blocks whose integers fit half the output buffer, cut between whole bytes.

        `beside_bits`: what is stored beside each vector of channels.
        """
        half_bytes = self.hardware.sram.output_bytes // 2
        vector = self._whole_bytes(box)
        vectors = max(1, half_bytes // -(-(vector * bits + beside_bits) // 8))
        if most_elements is not None:
            vectors = max(1, min(vectors, most_elements // vector))
        return list(blocks(box, vectors * vector))

    def _whole_bytes(self, box: Box) -> int:
        """Elements of `box` that no cut may part: a vector of channels, or all that is packed."""
        bits = self.operation.stored_bits(self.hardware.accumulator.bits)
        if all(fills_bytes(box.shape[3], self.operation.output_shape[3], (b,)) for b in bits):
            return box.shape[3]
        return prod(box.shape[4 - self.tensors[program.OUTPUT].packed_axes :])

    def _store_block(
        self,
        block: Box,
        tile: int,
        after: tuple[int, ...],
        phase: str,
        tensor: str,
        observe: bool,
        local: bool = False,
        record_bytes: int = 0,
    ) -> None:
        """Drain and store a block; outputs that are stored twice are drained twice.

        A `local` one finds its own range; `record_bytes` is room for ranges beside the output.
        """
        twice = tensor == program.OUTPUT and program.SECOND_OUTPUT in self.tensors
        if twice:
            self._store_once(block, tile, after, phase, program.SECOND_OUTPUT, observe, keep=True)
        self._store_once(
            block, tile, after, phase, tensor, observe and not twice, keep=False,
            local=local, record_bytes=record_bytes,
        )  # fmt: skip

    def _store_once(
        self,
        block: Box,
        tile: int,
        after: tuple[int, ...],
        phase: str,
        tensor: str,
        observe: bool,
        *,
        keep: bool,
        local: bool = False,
        record_bytes: int = 0,
    ) -> None:
        region = self.tensors[tensor].region(block)
        self._last_drain = self._add(
            Drain,
            after,
            phase=phase,
            tile=tile,
            box=block,
            tensor=tensor,
            observe=observe,
            keep=keep,
            output_bytes=region.total_bytes + record_bytes,
            accumulator_bytes=0 if keep else self.accumulator_bytes(block),
            local=local,
        )
        self._store(tensor, block, region, self._last_drain, region.total_bytes, phase)

    def _store(
        self, tensor: str, box: Box, region: Region, source: int, taken: int, phase: str
    ) -> None:
        self._add(
            Store,
            (source,),
            phase=phase,
            tensor=tensor,
            box=box,
            region=region,
            source=source,
            output_bytes=taken,
        )

    def _load(
        self,
        tensor: str,
        box: Box,
        buffer: str,
        phase: str,
        after: tuple[int, ...] = (),
        buffer_bytes: int | None = None,
    ) -> tuple[int, int]:
        """The load's id, and the bytes it takes in the buffer: those it moves, unless given."""
        region = self.tensors[tensor].region(box)
        taken = region.total_bytes if buffer_bytes is None else buffer_bytes
        identity = self._add(
            Load,
            after,
            phase=phase,
            tensor=tensor,
            box=box,
            region=region,
            buffer=buffer,
            buffer_bytes=taken,
        )
        return identity, taken

    def _add(self, kind: type, after: tuple[int, ...], **fields: object) -> int:
        identity = len(self.commands)
        self.commands.append(kind(id=identity, after=after, **fields))
        return identity


class _Held:
    """What a buffer holds of an operand: the box, the loads that brought the last of it, bytes."""

    def __init__(self, tensor: str, buffer: str) -> None:
        self.tensor, self.buffer = tensor, buffer
        self.box: Box | None = None
        self.loads: tuple[int, ...] = ()
        self.bytes = 0


class _Stored:
    """Which stores wrote what, found by image and row."""

    def __init__(self, stores: Iterable[Store]) -> None:
        self._by_row: dict[tuple[int, int], list[Store]] = defaultdict(list)
        for store in stores:
            for row in _rows(store.box):
                self._by_row[row].append(store)

    def of(self, box: Box) -> tuple[int, ...]:
        """The stores of any element of `box`, in order."""
        found = {
            store.id for row in _rows(box) for store in self._by_row[row] if store.box.meets(box)
        }
        return tuple(sorted(found))


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
