"""Frozen commands: all that the machine sees of a layer.

A Program is a list of commands in issue order. Each command runs on one unit (a DMA engine, the
MAC array, the drain, the vector unit); a unit takes its own commands in order, and a command waits
until those named in its `after` are complete. Static and dynamic quantization differ in their
programs only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from itertools import product as cartesian
from typing import NamedTuple

from accelsim.errors import AccelsimError
from accelsim.hardware import BUFFERS, BlockProduct, Statistic
from accelsim.program.listing import Commands as Commands

Shape = tuple[int, int, int, int]

INPUT, WEIGHTS, BIAS, ACCUMULATORS, OUTPUT = "input", "weights", "bias", "accumulators", "output"
INPUT_SCALES, WEIGHT_SCALES = "input scales", "weight scales"
"""The scale bytes of operands in blocks that share a power of two."""
RANGES = "ranges"
"""The scales and zero points of an output whose parts have a range each."""
SECOND_OUTPUT = "second output"
"""The same outputs once more, in other bits."""

INPUT_BUFFER, WEIGHT_BUFFER, ACCUMULATOR_BUFFER, OUTPUT_BUFFER = BUFFERS

FORWARD, GRAD_INPUT, GRAD_WEIGHT = "forward", "grad-input", "grad-weight"
"""The three products of a layer: its output, the gradient to its input and to its weights."""

PRODUCT, SEARCH, RECOMPUTE, REQUANTIZE = "product", "search", "recompute", "requantize"
MIX = "mix"
"""Phases: the pass that makes the accumulators; passes over them that look for their range; the
product again when the range is known; the pass over accumulators that were kept or stored. Mix: the
pass that mixes samples and finds the ranges of what comes out."""

GATHER, APPLY = "gather", "apply"
"""Phases of vector work: a pass that only gathers statistics; the pass that gives the results."""

LOADED = -1
"""The `tile` of a drain that reads accumulators which were loaded, not just computed."""


class Box(NamedTuple):
    """A half-open box of a four-dimensional tensor."""

    starts: Shape
    stops: Shape

    @property
    def shape(self) -> Shape:
        """Extent along each axis."""
        a, b = self.starts, self.stops
        return (b[0] - a[0], b[1] - a[1], b[2] - a[2], b[3] - a[3])

    @property
    def elements(self) -> int:
        """Number of elements inside."""
        s = self.shape
        return s[0] * s[1] * s[2] * s[3]

    def moved(self, positions: int) -> "Box":
        """The box so far along the first axis."""
        a, b = self.starts, self.stops
        return Box((a[0] + positions, *a[1:]), (b[0] + positions, *b[1:]))

    def cut(self, extent: Shape) -> "Iterator[Box]":
        """The pieces along the multiples of `extent`, in order."""
        edges = [
            [start, *range((start // step + 1) * step, stop, step), stop]
            for start, stop, step in zip(self.starts, self.stops, extent, strict=True)
        ]
        for piece in cartesian(*(pairwise(marks) for marks in edges)):
            (a, b), (c, d), (e, f), (g, h) = piece
            yield Box((a, c, e, g), (b, d, f, h))

    def shrunk(self, extent: Shape) -> "Box":
        """The box of those parts of `extent` that this one meets, counted in parts."""
        lows = tuple(start // step for start, step in zip(self.starts, extent, strict=True))
        highs = tuple(-(-stop // step) for stop, step in zip(self.stops, extent, strict=True))
        return Box((lows[0], lows[1], lows[2], lows[3]), (highs[0], highs[1], highs[2], highs[3]))

    def meets(self, other: "Box") -> bool:
        """Whether the two have an element in common."""
        (a0, a1, a2, a3), (b0, b1, b2, b3) = self
        (c0, c1, c2, c3), (d0, d1, d2, d3) = other
        return (
            a0 < b0 > c0 < d0 > a0
            and a1 < b1 > c1 < d1 > a1
            and a2 < b2 > c2 < d2 > a2
            and a3 < b3 > c3 < d3 > a3
        )

    def common(self, other: "Box") -> "Box":
        """What lies in both; a box without elements where nothing does."""
        low = [max(a, b) for a, b in zip(self.starts, other.starts, strict=True)]
        high = [min(a, b) for a, b in zip(self.stops, other.stops, strict=True)]
        a, b, c, d = (max(at, stop) for at, stop in zip(low, high, strict=True))
        return Box((low[0], low[1], low[2], low[3]), (a, b, c, d))

    @property
    def slices(self) -> tuple[slice, slice, slice, slice]:
        """The NumPy index that selects this box."""
        a, b = self.starts, self.stops
        return (slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2]), slice(a[3], b[3]))


class Blocking(NamedTuple):
    """How a tensor is cut into blocks that share a scale: `size` elements along `axis`.

    They are counted anew every `span` elements, as with each group whose channels fill no blocks.
    Scales lie in a tensor of their own, one for each block. Where blocks run along the channels,
    all positions of the first block come first, then those of the next: a chunk of the reduction,
    which reads few of the blocks, finds them in long runs.
    """

    size: int
    axis: int
    span: int
    real_scales: bool = False
    """Scales are real numbers, not powers of two."""

    def place(self, element: int) -> int:
        """The number, along the axis, of the block that holds this element."""
        return element // self.span * -(-self.span // self.size) + element % self.span // self.size

    def scales(self, shape: Shape) -> Shape:
        """The shape of all scales of a tensor."""
        return self.of(Box((0, 0, 0, 0), shape)).stops

    def of(self, box: Box) -> Box:
        """Where the scales of what lies in a box are."""
        starts, stops = list(box.starts), list(box.stops)
        starts[self.axis] = self.place(starts[self.axis])
        stops[self.axis] = self.place(stops[self.axis] - 1) + 1
        if self.axis == 3:
            starts, stops = starts[3:] + starts[:3], stops[3:] + stops[:3]
        (a, b, c, d), (e, f, g, h) = starts, stops
        return Box((a, b, c, d), (e, f, g, h))


class Region(NamedTuple):
    """Bytes in DRAM: `counts` runs of `run_bytes` contiguous bytes, outermost stride first."""

    address: int
    run_bytes: int
    counts: tuple[int, int, int]
    strides_bytes: tuple[int, int, int]

    @property
    def total_bytes(self) -> int:
        """Bytes moved when the region is transferred once."""
        return self.run_bytes * self.counts[0] * self.counts[1] * self.counts[2]


@dataclass(frozen=True)
class Tensor:
    """A tensor's place in DRAM: C-contiguous, `bits` per element.

    The trailing `packed_axes` axes are packed without gaps and padded to a whole byte: the channel
    vector of an activation (1), the whole filter of a weight tensor (3).
    """

    name: str
    shape: Shape
    bits: int
    address: int
    packed_axes: int = 1
    real: bool = False
    """float32 instead of integers."""

    @cached_property
    def _strides_bits(self) -> Shape:
        strides = [0, 0, 0, 0]
        step_bits = self.bits
        for axis in (3, 2, 1, 0):
            if axis == 3 - self.packed_axes:
                step_bits = -(-step_bits // 8) * 8
            strides[axis] = step_bits
            step_bits *= self.shape[axis]
        return (strides[0], strides[1], strides[2], strides[3])

    @property
    def total_bytes(self) -> int:
        """Bytes the whole tensor takes in DRAM."""
        return -(-self.shape[0] * self._strides_bits[0] // 8)

    def region(self, box: Box) -> Region:
        """Where `box` lies; axes that continue one another become one longer run.

        The box must start between whole bytes, and so must each of its runs.
        """
        strides = self._strides_bits
        a, b, c, d = box.starts
        offset_bits = a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3]
        run_bytes, counts, strides_bytes, beside_bits = _runs(self.bits, strides, box.shape)
        if (offset_bits | beside_bits) % 8:
            raise AccelsimError(f"{self.name}: {box} does not start between whole bytes")
        return Region(self.address + offset_bits // 8, run_bytes, counts, strides_bytes)


Triple = tuple[int, int, int]


@lru_cache(maxsize=65536)
def _runs(bits: int, strides: Shape, shape: Shape) -> tuple[int, Triple, Triple, int]:
    """The runs of a box of this shape: bytes, counts, strides.

    And bits beyond whole bytes in any of the strides: 0 where every run starts between bytes.
    """
    run_bits, axis = bits * shape[3], 2
    while axis >= 0 and (shape[axis] == 1 or _whole_bits(run_bits, strides[axis])):
        if shape[axis] > 1:
            run_bits = strides[axis] * shape[axis]
        axis -= 1
    counts, steps = [1, 1, 1], [0, 0, 0]
    for outer in range(axis + 1):
        counts[2 - axis + outer] = shape[outer]
        steps[2 - axis + outer] = strides[outer]
    return (
        -(-run_bits // 8),
        (counts[0], counts[1], counts[2]),
        (steps[0] // 8, steps[1] // 8, steps[2] // 8),
        (steps[0] | steps[1] | steps[2]) % 8,
    )


def _whole_bits(run_bits: int, stride_bits: int) -> bool:
    """Whether a run reaches to where the next one begins, padding to a whole byte included."""
    return stride_bits in (run_bits, -(-run_bits // 8) * 8)


@dataclass(frozen=True, slots=True)
class Window:
    """How output positions read the input: what a product kernel needs beside the arrays."""

    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    pad_top: int
    pad_left: int
    in_channels: int
    """Input channels per group."""
    out_channels: int
    """Output channels per group."""
    depthwise: bool
    input_dilation_h: int = 1
    input_dilation_w: int = 1
    copies: int = 1
    """Products with weights of their own: channel n of copy c is column `c * channels + n`."""

    @property
    def steps(self) -> tuple[int, ...]:
        """Strides, dilations, paddings and input dilations, as the product kernels take them."""
        return (
            self.stride_h, self.stride_w, self.dilation_h, self.dilation_w,
            self.pad_top, self.pad_left, self.input_dilation_h, self.input_dilation_w,
        )  # fmt: skip


class Load(NamedTuple):
    """Bring `box` of `tensor` from DRAM into `buffer`, once there is room for `buffer_bytes`."""

    id: int
    after: tuple[int, ...]
    phase: str
    tensor: str
    box: Box
    region: Region
    buffer: str
    buffer_bytes: int


class Compute(NamedTuple):
    """Multiply one tile: add the products of channels [channel_start, channel_stop) of each group.

    `tile` names the accumulators it adds to; `first` takes room for them and starts them from the
    bias, `last` completes them. `m`, `k` and `n` are one group's product as the array sees it. A
    gradient to the weights sums `over` a box of the output's gradient. `stationary` is the load of
    the operand that the array holds, or -1 where there is none. `releases` are the bytes of
    operands that no later compute reads.
    """

    id: int
    after: tuple[int, ...]
    phase: str
    tile: int
    box: Box
    copy: int
    group_start: int
    groups: int
    n_start: int
    n_count: int
    channel_start: int
    channel_stop: int
    first: bool
    last: bool
    m: int
    k: int
    n: int
    stationary: int
    accumulator_bytes: int
    releases: tuple[tuple[str, int], ...]
    over: Box | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of this command, padding and inserted zeros included."""
        return self.m * self.k * self.n * self.groups

    def in_blocks(self, blocking: Blocking) -> BlockProduct:
        """The product with its reduction in blocks: of channels, or of what it sums `over`.

        There real scales are those of samples, whole images with all their positions.
        """
        if self.over is not None and blocking.real_scales:
            block = blocking.size * (self.k // self.over.shape[0])
            return BlockProduct(self.m, 1, self.k, self.n, block, self.groups, True)
        along = self.channel_stop - self.channel_start
        if self.over is not None:
            along = self.over.shape[blocking.axis]
        return BlockProduct(
            self.m, self.k // along, along, self.n, blocking.size, self.groups,
            blocking.real_scales,
        )  # fmt: skip


class Drain(NamedTuple):
    """Read finished accumulators of `tile` past the statistics unit and the requantizer.

    With `observe` the statistics unit sees them. They leave for `tensor`: requantized for the
    output, as they are for accumulators; with None they do not leave, and are kept or dropped. In a
    search they are requantized by way of trial, for the statistics unit to compare. A `local` drain
    passes them twice: it observes them, finds their own range, and requantizes them with it.
    `output_bytes` are taken in the output buffer; `accumulator_bytes` of the accumulator buffer
    are free afterwards.
    """

    id: int
    after: tuple[int, ...]
    phase: str
    tile: int
    box: Box
    tensor: str | None
    observe: bool
    keep: bool
    output_bytes: int
    accumulator_bytes: int
    local: bool = False

    @property
    def requantize(self) -> bool:
        """Whether the requantizer works on them."""
        return self.tensor in (OUTPUT, SECOND_OUTPUT) or self.phase == SEARCH


class Store(NamedTuple):
    """Write what command `source` left in the output buffer to `box` of `tensor`; free it."""

    id: int
    after: tuple[int, ...]
    phase: str
    tensor: str
    box: Box
    region: Region
    source: int
    output_bytes: int


class Map(NamedTuple):
    """Do `operations`, counted over all elements, on operands that lie in the buffers.

    What comes out takes `output_bytes` of the output buffer: none where a pass only gathers
    statistics. `releases` are the bytes of operands that no later command reads.
    """

    id: int
    after: tuple[int, ...]
    phase: str
    operations: int
    output_bytes: int
    releases: tuple[tuple[str, int], ...]


class Mix(NamedTuple):
    """Mix the samples of `box` in groups, on the vector unit, in place in the accumulator buffer.

    The box holds all samples. The accumulators were `loaded`, or lie where the computes left them.
    Which samples make a group is known at the first barrier; `operations` suffice for any.
    """

    id: int
    after: tuple[int, ...]
    phase: str
    box: Box
    operations: int
    loaded: bool


class Barrier(NamedTuple):
    """A pass over the output is complete: reduce its statistics; its range may now be known.

    Where samples have a range each, it is a pass over sample `part`, or over all of them where they
    are mixed; the ranges it finds take `output_bytes` of the output buffer.
    """

    id: int
    after: tuple[int, ...]
    phase: str
    part: int | None = None
    output_bytes: int = 0


Command = Load | Compute | Drain | Map | Mix | Store | Barrier


@dataclass(frozen=True)
class Program:
    """Commands in issue order, the tensors they name, and the kernel window of the product.

    There is no window where nothing is multiplied.
    """

    name: str
    realisation: str
    tensors: Mapping[str, Tensor]
    outcome: str
    """The tensor in which the result lies in DRAM: the output, or accumulators."""
    window: Window | None
    commands: Commands
    direction: str = FORWARD
    extent: Shape | None = None
    """The (images, rows, columns, channels) of the parts of the output that have a range each."""
    on_chip: frozenset[str] = frozenset()
    """Tensors that lie in the on-chip memory instead of the DRAM."""
    blocking: Mapping[str, Blocking] = field(default_factory=dict)
    """How both operands, and the output if it is no float32, are cut where blocks share scales; or
    the input alone, where regions of it have a range each and a sum runs over several."""
    edge_bits: Mapping[str, int] = field(default_factory=dict)
    """Operands of accumulators are requantized to so many bits at the edge of the array."""
    statistics: frozenset[Statistic] = frozenset()
    """What is asked of the statistics unit, beside what it keeps of every tensor."""
    notes: Mapping[str, object] = field(default_factory=dict)
    """What lowering chose (tile, loop order), for the report; the machine does not read it."""

    def of(self, kind: type) -> Iterator:
        """The commands of one kind, in issue order."""
        return self.commands.of(kind)

    @property
    def word_axes(self) -> int:
        """Trailing axes of the output whose elements lie over the columns of the array."""
        return self.tensors[OUTPUT].packed_axes if OUTPUT in self.tensors else 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole program."""
        return sum(command.macs for command in self.of(Compute))
