"""Vector work + Hardware -> Program: blocks in, one pass after another over them, blocks out.

A pass reads every operand. What the passes of one group read again stays on chip where it fits the
input buffer, and is loaded once; otherwise it is loaded anew for each pass. A sweep after the first
is one pass. Bytes in closed form, where not all stays on chip:
`loads * ((1 where a group fits, else passes) + sweeps - 1) + stores`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from math import lcm

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering.operation import ADDRESS_ALIGNMENT_BYTES
from accelsim.lowering.turns import WRITTEN, Turns
from accelsim.program import (
    APPLY,
    GATHER,
    INPUT_BUFFER,
    SEARCH,
    Box,
    Load,
    Map,
    Program,
    Store,
    Tensor,
)


@dataclass(frozen=True)
class Stream:
    """One tensor that is read or written: `vectors` of `width` elements, channels innermost."""

    name: str
    vectors: int
    width: int
    bits: int
    samples: int | None = None
    """Of so many vectors each, one after another; None: it belongs to no sample."""


PARAMETER_BITS = 32
"""Width of what vector operations read beside tensors: gamma and beta, in float32."""


def parameter_shape(count: int, width: int) -> tuple[int, int]:
    """Vectors and width of so many parameters beside vectors of this width: none is left over."""
    if count <= width:
        return 1, count
    return (count // width, width) if count % width == 0 else (count, 1)


@dataclass(frozen=True)
class VectorTask:
    """Element-wise work: what is read, what is written, and the lane operations of each pass.

    The last pass writes; those before it gather statistics of each group. Groups are runs of
    vectors (a row of a softmax), or with `by_channel` runs of channels (batch normalization). All
    passes over all groups are one sweep; with several, the sweeps before the last one only find the
    range of the results: the first sees them, those after it search. What was gathered of groups is
    known then, so every sweep after the first is the last pass alone. Where each of several
    `samples` has a range of its own, all sweeps over one come before those over the next.

    Where results lie in blocks of so many samples that share a scale (`block`), those are side by
    side in every piece: the same vectors of each.
    """

    name: str = field(compare=False)
    loads: tuple[Stream, ...]
    stores: tuple[Stream, ...]
    operations: tuple[int, ...]
    groups: int = 1
    by_channel: bool = False
    sweeps: int = 1
    samples: int = 1
    block: int | None = None

    @property
    def passes(self) -> int:
        """Of the first sweep."""
        return len(self.operations)

    @property
    def all_operations(self) -> tuple[int, ...]:
        """Lane operations of each pass of all sweeps."""
        return (*self.operations, *self.operations[-1:] * (self.sweeps - 1))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Where the streams lie in DRAM: one after the other from address 0."""
        return _place((*self.loads, *self.stores), by_sample=self.block is not None)


def lower_vector(task: VectorTask, hardware: Hardware) -> Program:
    """The program of `task` on the vector unit."""
    searching = range(task.passes, task.passes + task.sweeps - 2)
    operands_bytes = sum(task.tensors[stream.name].total_bytes for stream in task.loads)
    if task.sweeps > 1 and operands_bytes <= hardware.sram.input_bytes * task.samples:
        # All of a sample stays on chip: the sweeps are passes over one group.
        task = replace(
            task, operations=task.all_operations, sweeps=1, groups=task.samples, samples=1,
            by_channel=False,
        )  # fmt: skip
    writer = _Writer(task, hardware, searching)
    writer.write()
    return Program(
        name=task.name,
        realisation="",
        tensors=writer.tensors,
        outcome=task.stores[-1].name if task.stores else "",
        window=None,
        commands=writer.commands,
        notes={"resident": writer.resident},
    )


def _place(streams: Sequence[Stream], *, by_sample: bool) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    address = 0
    for stream in streams:
        samples = (stream.samples or 1) if by_sample else 1
        shape = 1, samples, stream.vectors // samples, stream.width
        tensor = Tensor(stream.name, shape, stream.bits, address)
        tensors[stream.name] = tensor
        address += -(-tensor.total_bytes // ADDRESS_ALIGNMENT_BYTES) * ADDRESS_ALIGNMENT_BYTES
    return tensors


WHOLE_BYTES = 8
"""Elements that fill whole bytes at every width."""

Share = tuple[int, int]
"""A half-open range of the steps along which a task is cut."""


@dataclass(frozen=True)
class _Order:
    """The steps along which vectors are cut: all of one block of samples, then those of the next.

    A step is the same vector of each sample of its block; each sample has `run` of them.
    """

    samples: int
    block: int
    run: int

    @cached_property
    def blocks(self) -> int:
        """How many blocks the samples make."""
        return -(-self.samples // self.block)

    @cached_property
    def steps(self) -> int:
        """All of them."""
        return self.blocks * self.run

    def part(self, stream: Stream, top: int, bottom: int) -> tuple[Share, Share]:
        """The samples of a stream that these steps go over, and the vectors of each."""
        samples, rows, steps = (0, 1), stream.vectors, self.steps
        if self.samples > 1 and stream.samples is not None:
            first, last = top // self.run, -(-bottom // self.run)
            # Scales of a block come once for all of its samples.
            each = self.block if stream.samples > self.blocks else 1
            samples = first * each, min(last * each, stream.samples)
            rows, steps = rows // stream.samples, self.run
            top, bottom = top - first * steps, min(bottom - first * steps, steps)
        return samples, (-(-top * rows // steps), -(-bottom * rows // steps))

    def cut(self, steps: Share, most: int) -> Iterator[Share]:
        """So many at a time: whole blocks, or such as lie in one."""
        if most % self.run == 0:
            return _cut(steps, most)
        start, stop = steps
        runs = range(start // self.run * self.run, stop, self.run)
        own = ((max(start, run), min(stop, run + self.run)) for run in runs)
        return (piece for share in own for piece in _cut(share, most))


@dataclass(frozen=True)
class _Piece:
    """A part of all tensors: a share of the vectors in some order, and of the channels of each."""

    vectors: Share
    channels: Share
    order: _Order


class _Writer(Turns):
    """Cuts a task along its vectors, and its channels where that keeps groups on chip.

    Channels are cut as well where not one vector has room: then its parts are strided regions.

    A share of the steps is the same share of every tensor, so tensors of other sizes (a pooled
    output, a vector of parameters) move along. What is only gathered needs no blocks of samples:
    it goes over all vectors as they lie.
    """

    def __init__(self, task: VectorTask, hardware: Hardware, searching: range) -> None:
        super().__init__()
        self.task, self.searching, self.operations = task, searching, task.all_operations
        self._last_map = -1
        self.tensors = task.tensors
        sram = hardware.sram
        self.input_bytes, self.output_bytes = sram.input_bytes, sram.output_bytes
        self.order = _order(task)
        self.width = max(stream.width for stream in (*task.loads, *task.stores))
        steps = self.order.steps
        self.unit = _Piece((0, -(-steps // task.groups)), (0, self.width), self.order)
        self.resident = task.passes > 1
        if task.by_channel:
            channels = self._channels_of_a_burst(hardware)
            self.unit = _Piece((0, steps), (0, channels), self.order)
        if self.resident and self._moved(task.loads, self.unit) > self.input_bytes:
            # A group that does not fit is streamed; channels then all at once, as they lie.
            self.resident = False
        if task.by_channel and not self.resident:
            self.unit = _Piece((0, steps), (0, self.width), self.order)

    def _channels_of_a_burst(self, hardware: Hardware) -> int:
        """Channels that are loaded together: a burst of the narrowest tensor, and whole bytes."""
        bits = min(stream.bits for stream in self.task.loads)
        least = -(-hardware.dram.burst_bytes * 8 // bits)
        step = lcm(8, max(1, self.width // self.task.groups))
        return min(self.width, -(-least // step) * step)

    def write(self) -> None:
        """All commands, in issue order."""
        for sample in range(self.task.samples):
            for numbers in self._sweeps():
                for one_by_one, gathered, pieces in self._sets(sample, len(numbers)):
                    if one_by_one:
                        self._each(pieces, numbers, partial(self._alone, numbers))
                    else:
                        self._passes(gathered, pieces, numbers)

    def _sweeps(self) -> Iterator[range]:
        """The numbers of the passes of each sweep."""
        first = self.task.passes
        yield range(first)
        for number in range(first, len(self.operations)):
            yield range(number, number + 1)

    def _alone(self, numbers: range, piece: _Piece) -> None:
        """The passes of one sweep over one piece."""
        self._passes([piece], [piece], numbers)

    def _passes(self, gathered: list[_Piece], pieces: list[_Piece], numbers: range) -> None:
        """The passes of one sweep over some pieces."""
        held: dict[_Piece, list[Load]] = {}
        before: tuple[int, ...] = ()
        for number in numbers:
            own = pieces if self._phase(number) == APPLY else gathered
            if self.resident:
                for piece in own:
                    if piece not in held:
                        held[piece] = self._load(piece, self._phase(number))
                    self._map(piece, number, held[piece], before)
            else:
                streamed = partial(self._streamed, number, before)
                self._each(own, range(number, number + 1), streamed)
            before = (self._last_map,)

    def _streamed(self, number: int, before: tuple[int, ...], piece: _Piece) -> None:
        """One pass over one piece, which is loaded for it."""
        self._map(piece, number, self._load(piece, self._phase(number)), before)

    def _each(self, pieces: list[_Piece], numbers: range, write: Callable[[_Piece], None]) -> None:
        """Write piece after piece in these passes; those that have as much of all are turns."""
        for first, last in pairwise(self._runs(pieces, numbers)):

            def turn(number: int, first: int = first) -> None:
                write(pieces[first + number])

            self.turns(last - first, turn)

    def _runs(self, pieces: list[_Piece], numbers: range) -> list[int]:
        """Where a piece has more or less of anything than the one before it; and both ends."""
        if len(pieces) <= WRITTEN or self.order.samples > 1:
            return list(range(len(pieces) + 1))
        places = np.array([(*piece.vectors, *piece.channels) for piece in pieces])
        follows = (places[1:, 0] == places[:-1, 1]) & (places[1:, 2:] == places[:-1, 2:]).all(
            axis=1
        )
        sizes = [[self._operations(piece, number) for piece in pieces] for number in numbers]
        for stream in (*self.task.loads, *self.task.stores):
            shares = (self.order.part(stream, *piece.vectors)[1] for piece in pieces)
            sizes.append([last - first for first, last in shares])
        same = (np.diff(np.array(sizes), axis=1) == 0).all(axis=0)
        return [0, *(1 + np.flatnonzero(~(follows & same))).tolist(), len(pieces)]

    def _phase(self, number: int) -> str:
        if number in self.searching:
            return SEARCH
        return APPLY if number == len(self.operations) - 1 else GATHER

    def _sets(self, sample: int, passes: int) -> Iterator[tuple[bool, list[_Piece], list[_Piece]]]:
        """Pieces that all passes of a sweep of a sample go over before the next; or `one_by_one`.

        First as those passes take them that gather, then as the last one does.
        """
        steps = self.order.steps
        first, last = (steps * n // self.task.samples for n in (sample, sample + 1))
        unit = self.unit if passes > 1 else _Piece((0, steps), (0, self.width), self.order)
        for channels in _cut((0, self.width), unit.channels[1]):
            whole = unit.vectors[1]
            parts = list(_cut(channels, self._channels_at_once(channels)))
            largest = self._largest_piece(parts[0], self.order)
            if passes == 1 or (self.resident and largest >= whole and len(parts) == 1):
                step = largest if largest < whole else largest // whole * whole
                for part in parts:
                    cuts = self.order.cut((first, last), step)
                    pieces = [_Piece(vectors, part, self.order) for vectors in cuts]
                    yield True, pieces, pieces
            else:
                for group in _cut((first, last), whole):
                    pieces = self._pieces(group, parts, self.order)
                    gathered, as_they_lie = pieces, replace(self.order, block=1)
                    if as_they_lie != self.order and group == (0, steps) and not self.resident:
                        gathered = self._pieces((0, as_they_lie.steps), parts, as_they_lie)
                    yield False, gathered, pieces

    def _pieces(self, vectors: Share, parts: Sequence[Share], order: _Order) -> list[_Piece]:
        """As few as fit, of some steps and all parts of the channels."""
        most = self._largest_piece(parts[0], order)
        return [_Piece(own, part, order) for part in parts for own in order.cut(vectors, most)]

    def _channels_at_once(self, channels: Share) -> int:
        """All of them, or so many, in whole bytes, that a vector of them has room.

        What lies in blocks both ways cannot be cut further: it may be alone in the buffers.
        """
        start, step = channels[0], channels[1] - channels[0]
        grain = lcm(WHOLE_BYTES, self.task.block or 1)
        while not self._fits(piece := _Piece((0, 1), (start, start + step), self.order)):
            if step <= grain:
                if self.task.block is None or not self._fits(piece, at_once=1):
                    raise AccelsimError(self._no_piece(piece))
                break
            step = -(-step // (2 * grain)) * grain
        return step

    def _fits(self, piece: _Piece, at_once: int = 2) -> bool:
        """Whether so many such pieces, operands and results, fit their buffers at a time."""
        rooms = (self.task.loads, self.input_bytes), (self.task.stores, self.output_bytes)
        return all(self._moved(streams, piece) <= room // at_once for streams, room in rooms)

    def _largest_piece(self, channels: Share, order: _Order) -> int:
        """Most vectors of these channels that fit at a time; of several blocks, all of each."""

        def most(high: int, step: int) -> int:
            low = 1
            while low < high:
                middle = (low + high + 1) // 2
                if self._fits(_Piece((0, middle * step), channels, order)):
                    low = middle
                else:
                    high = middle - 1
            return low

        vectors = most(order.run, 1)
        return vectors if vectors < order.run else order.run * most(order.blocks, order.run)

    def _no_piece(self, piece: _Piece) -> str:
        loads, stores = (self._moved(s, piece) for s in (self.task.loads, self.task.stores))
        room = "twice that" if self.task.block is None else "that"
        return (
            f"{self.task.name}: vector work takes {loads} bytes of operands and {stores} of "
            f"results at a time; sram.input_kib={self.input_bytes / 1024:g} and "
            f"sram.output_kib={self.output_bytes / 1024:g} must each hold {room}"
        )

    def _box(self, stream: Stream, piece: _Piece) -> Box:
        (first, last), (top, bottom) = piece.order.part(stream, *piece.vectors)
        (left, right), columns = piece.channels, stream.width
        return Box(
            (0, first, top, -(-left * columns // self.width)),
            (1, last, bottom, -(-right * columns // self.width)),
        )

    def _moved(self, streams: Sequence[Stream], piece: _Piece) -> int:
        boxes = ((self.tensors[stream.name], self._box(stream, piece)) for stream in streams)
        return sum(tensor.region(box).total_bytes for tensor, box in boxes if box.elements)

    def _load(self, piece: _Piece, phase: str) -> list[Load]:
        loads = []
        for stream in self.task.loads:
            box = self._box(stream, piece)
            if not box.elements:
                continue
            region = self.tensors[stream.name].region(box)
            load = Load(
                self.next_id, (), phase, stream.name, box, region, INPUT_BUFFER,
                region.total_bytes,
            )  # fmt: skip
            self._append(load)
            loads.append(load)
        return loads

    def _map(
        self, piece: _Piece, number: int, loads: list[Load], gathered: tuple[int, ...]
    ) -> None:
        """One pass over one piece, and the stores of its results where it is the last pass."""
        last = self._phase(number) == APPLY
        regions = [
            (stream, box, self.tensors[stream.name].region(box))
            for stream in (self.task.stores if last else ())
            if (box := self._box(stream, piece)).elements
        ]
        read_again = self.resident and number < self.task.passes - 1
        taken = 0 if read_again else sum(load.buffer_bytes for load in loads)
        done = self._last_map = self.next_id
        self._append(
            Map(
                done,
                (*(load.id for load in loads), *gathered),
                self._phase(number),
                self._operations(piece, number),
                sum(region.total_bytes for _, _, region in regions),
                ((INPUT_BUFFER, taken),) if taken else (),
            )
        )
        for stream, box, region in regions:
            self._append(
                Store(
                    self.next_id, (done,), APPLY, stream.name, box, region, done,
                    region.total_bytes,
                )
            )  # fmt: skip

    def _operations(self, piece: _Piece, number: int) -> int:
        """The piece's part of what one pass does; parts add up to the task's."""
        of_pass = self.operations[number]
        (left, right), (top, bottom) = piece.channels, piece.vectors
        steps = piece.order.steps
        of_channels = of_pass * right // self.width - of_pass * left // self.width
        return of_channels * bottom // steps - of_channels * top // steps


def _order(task: VectorTask) -> _Order:
    """As the vectors lie; where samples come in blocks, the longest of them has all the steps."""
    streams = (*task.loads, *task.stores)
    if task.block is None:
        return _Order(1, 1, max(stream.vectors for stream in streams))
    of_samples = [(s.samples, s.vectors // s.samples) for s in streams if s.samples]
    return _Order(max(n for n, _ in of_samples), task.block, max(run for _, run in of_samples))


def _cut(whole: Share, step: int) -> Iterator[Share]:
    start, stop = whole
    return ((a, min(a + step, stop)) for a in range(start, stop, step))
