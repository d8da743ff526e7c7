"""Vector work + Hardware -> Program: blocks in, one pass after another over them, blocks out.

A pass reads every operand. What the passes of one group read again stays on chip where it fits the
input buffer, and is loaded once; otherwise it is loaded anew for each pass. Bytes in closed form:
`loads * (1 where a group fits, else passes) + stores`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import lcm

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering.operation import ADDRESS_ALIGNMENT_BYTES
from accelsim.lowering.turns import Turns
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


@dataclass(frozen=True)
class VectorTask:
    """Element-wise work: what is read, what is written, and the lane operations in total.

    The last pass writes; those before it gather statistics of each group. Groups are runs of
    vectors (a row of a softmax), or with `by_channel` runs of channels (batch normalization). All
    passes over all groups are one sweep; with several, the sweeps before the last one only find the
    range of the results: the first sees them, those after it search. Operations are shared evenly
    by the passes of all sweeps. Where each of several `samples` has a range of its own, all sweeps
    over one come before those over the next.
    """

    name: str = field(compare=False)
    loads: tuple[Stream, ...]
    stores: tuple[Stream, ...]
    operations: int
    passes: int = 1
    groups: int = 1
    by_channel: bool = False
    sweeps: int = 1
    samples: int = 1

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Where the streams lie in DRAM: one after the other from address 0."""
        return _place((*self.loads, *self.stores))


def lower_vector(task: VectorTask, hardware: Hardware) -> Program:
    """The program of `task` on the vector unit."""
    searching = range(task.passes, task.passes * (task.sweeps - 1))
    operands_bytes = sum(task.tensors[stream.name].total_bytes for stream in task.loads)
    if task.sweeps > 1 and operands_bytes <= hardware.sram.input_bytes * task.samples:
        # All of a sample stays on chip: the sweeps are passes over one group.
        passes, groups = task.passes * task.sweeps, task.samples
        task = replace(task, passes=passes, sweeps=1, groups=groups, samples=1, by_channel=False)
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


def _place(streams: Sequence[Stream]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    address = 0
    for stream in streams:
        tensor = Tensor(stream.name, (1, 1, stream.vectors, stream.width), stream.bits, address)
        tensors[stream.name] = tensor
        address += -(-tensor.total_bytes // ADDRESS_ALIGNMENT_BYTES) * ADDRESS_ALIGNMENT_BYTES
    return tensors


WHOLE_BYTES = 8
"""Elements that fill whole bytes at every width."""

Share = tuple[int, int]
"""A half-open range of the steps along which a task is cut."""


@dataclass(frozen=True)
class _Piece:
    """A part of all tensors: a share of the vectors, and of the channels of each."""

    vectors: Share
    channels: Share


class _Writer(Turns):
    """Cuts a task along its vectors, and its channels where that keeps groups on chip.

    Channels are cut as well where not one vector has room: then its parts are strided regions.

    A share of the steps is the same share of every tensor, so tensors of other sizes (a pooled
    output, a vector of parameters) move along.
    """

    def __init__(self, task: VectorTask, hardware: Hardware, searching: range) -> None:
        super().__init__()
        self.task, self.searching = task, searching
        self.tensors = task.tensors
        sram = hardware.sram
        self.input_bytes, self.output_bytes = sram.input_bytes, sram.output_bytes
        streams = (*task.loads, *task.stores)
        self.vectors = max(stream.vectors for stream in streams)
        self.width = max(stream.width for stream in streams)
        self.unit = _Piece((0, -(-self.vectors // task.groups)), (0, self.width))
        self.resident = task.passes > 1
        if task.by_channel:
            self.unit = _Piece((0, self.vectors), (0, self._channels_of_a_burst(hardware)))
        if self.resident and self._moved(task.loads, self.unit) > self.input_bytes:
            # A group that does not fit is streamed; channels then all at once, as they lie.
            self.resident = False
        if task.by_channel and not self.resident:
            self.unit = _Piece((0, self.vectors), (0, self.width))

    def _channels_of_a_burst(self, hardware: Hardware) -> int:
        """Channels that are loaded together: a burst of the narrowest tensor, and whole bytes."""
        bits = min(stream.bits for stream in self.task.loads)
        least = -(-hardware.dram.burst_bytes * 8 // bits)
        step = lcm(8, max(1, self.width // self.task.groups))
        return min(self.width, -(-least // step) * step)

    def write(self) -> None:
        """All commands, in issue order."""
        for sample in range(self.task.samples):
            even = self.task.operations % self.task.sweeps == 0
            self.turns(self.task.sweeps, partial(self._sweep, sample), even=even)

    def _sweep(self, sample: int, sweep: int) -> None:
        for pieces in self._sets(sample):
            self._passes(pieces, sweep * self.task.passes)

    def _passes(self, pieces: list[_Piece], first: int) -> None:
        """All passes of one sweep over some pieces; `first` is the number of the first pass."""
        loads: list[list[Load]] = []
        gathered: tuple[int, ...] = ()
        for number in range(first, first + self.task.passes):
            if number == first or not self.resident:
                loads = []
            for position, piece in enumerate(pieces):
                if len(loads) <= position:
                    loads.append(self._load(piece, self._phase(number)))
                done = self._map(piece, number, loads[position], gathered)
            gathered = (done,)

    def _phase(self, number: int) -> str:
        if number in self.searching:
            return SEARCH
        return APPLY if number == self.task.passes * self.task.sweeps - 1 else GATHER

    def _sets(self, sample: int) -> Iterator[list[_Piece]]:
        """Pieces of a sample that all passes go over before the next ones are begun."""
        first, last = (self.vectors * n // self.task.samples for n in (sample, sample + 1))
        for channels in _cut((0, self.width), self.unit.channels[1]):
            whole = self.unit.vectors[1]
            parts = list(_cut(channels, self._channels_at_once(channels)))
            largest = self._largest_piece(parts[0])
            if self.task.passes == 1 or (self.resident and largest >= whole and len(parts) == 1):
                step = largest if largest < whole else largest // whole * whole
                for part in parts:
                    for vectors in _cut((first, last), step):
                        yield [_Piece(vectors, part)]
            else:
                for group in _cut((first, last), whole):
                    yield [
                        _Piece(vectors, part) for part in parts for vectors in _cut(group, largest)
                    ]

    def _channels_at_once(self, channels: Share) -> int:
        """All of them, or so many, in whole bytes, that a vector of them has room."""
        start, step = channels[0], channels[1] - channels[0]
        while not self._fits(_Piece((0, 1), (start, start + step))):
            if step <= WHOLE_BYTES:
                raise AccelsimError(self._no_piece(_Piece((0, 1), (start, start + step))))
            step = -(-step // (2 * WHOLE_BYTES)) * WHOLE_BYTES
        return step

    def _fits(self, piece: _Piece) -> bool:
        """Whether its operands fill at most half their buffer, and its results half of theirs."""
        rooms = (self.task.loads, self.input_bytes), (self.task.stores, self.output_bytes)
        return all(self._moved(streams, piece) <= room // 2 for streams, room in rooms)

    def _largest_piece(self, channels: Share) -> int:
        """Most vectors of these channels that fit at a time."""
        low, high = 1, self.vectors
        while low < high:
            middle = (low + high + 1) // 2
            if self._fits(_Piece((0, middle), channels)):
                low = middle
            else:
                high = middle - 1
        return low

    def _no_piece(self, piece: _Piece) -> str:
        loads, stores = (self._moved(s, piece) for s in (self.task.loads, self.task.stores))
        return (
            f"{self.task.name}: vector work takes {loads} bytes of operands and {stores} of "
            f"results at a time; sram.input_kib={self.input_bytes / 1024:g} and "
            f"sram.output_kib={self.output_bytes / 1024:g} must each hold twice that"
        )

    def _box(self, stream: Stream, piece: _Piece) -> Box:
        (top, bottom), (left, right) = piece.vectors, piece.channels
        rows, columns = stream.vectors, stream.width
        return Box(
            (0, 0, -(-top * rows // self.vectors), -(-left * columns // self.width)),
            (1, 1, -(-bottom * rows // self.vectors), -(-right * columns // self.width)),
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

    def _map(self, piece: _Piece, number: int, loads: list[Load], gathered: tuple[int, ...]) -> int:
        """One pass over one piece, and the stores of its results where it is the last pass."""
        last = self._phase(number) == APPLY
        regions = [
            (stream, box, self.tensors[stream.name].region(box))
            for stream in (self.task.stores if last else ())
            if (box := self._box(stream, piece)).elements
        ]
        read_again = self.resident and (number + 1) % self.task.passes
        taken = 0 if read_again else sum(load.buffer_bytes for load in loads)
        done = self.next_id
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
        return done

    def _operations(self, piece: _Piece, number: int) -> int:
        """The piece's part of what one pass does; parts and passes add up to the task's."""
        total, passes = self.task.operations, self.task.passes * self.task.sweeps
        of_pass = total * (number + 1) // passes - total * number // passes
        (left, right), (top, bottom) = piece.channels, piece.vectors
        of_channels = of_pass * right // self.width - of_pass * left // self.width
        return of_channels * bottom // self.vectors - of_channels * top // self.vectors


def _cut(whole: Share, step: int) -> Iterator[Share]:
    start, stop = whole
    return ((a, min(a + step, stop)) for a in range(start, stop, step))
