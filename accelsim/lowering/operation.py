"""What is lowered: one product with its bit widths, and where its tensors lie in DRAM."""

from dataclasses import dataclass, field, replace
from typing import Any

from accelsim import program
from accelsim.errors import AccelsimError
from accelsim.network import Nest
from accelsim.program import FORWARD, GRAD_INPUT, GRAD_WEIGHT, Blocking, Box, Shape, Tensor
from accelsim.quant import Range, Scheme

DIRECTIONS = (FORWARD, GRAD_INPUT, GRAD_WEIGHT)

ADDRESS_ALIGNMENT_BYTES = 4096
"""Tensors start on a page of this size, so that no two share a burst or a DRAM line."""

BIAS_BITS = 32


@dataclass(frozen=True)
class Ranges:
    """The ranges of an output whose parts have one each, stored beside it."""

    extent: Shape
    """(images, rows, columns, channels) of a part: whole images of one sample, or a region."""
    bits: int
    """Of one stored range, whole bytes: its scale, and its zero point where it has one."""
    local: bool = False
    """A part's range is found where it is drained; otherwise at the barrier of its sample."""
    mixed: bool = False
    """Samples are mixed in groups before they are quantized, so all have one barrier."""
    run: int | None = None
    """Channels side by side that share one, where a part is no box: of a flattened image."""

    @classmethod
    def of(cls, scheme: Scheme, shape: Shape, samples: int) -> "Ranges | None":
        """Those of an output of this shape, of so many samples; None where it has one range."""
        estimator = scheme.new_estimator()
        extent = estimator.extent(shape, samples)
        if extent is None:
            return None
        decision = estimator.part_decision(Range(0.0, 0.0))
        return cls(extent, scheme.range_bits(decision), estimator.local, estimator.mixes)

    def covers_images(self, shape: Shape) -> bool:
        """Whether the parts of a tensor of this shape are whole images."""
        return all(part >= size for part, size in zip(self.extent[1:], shape[1:], strict=True))


@dataclass(frozen=True)
class Operation:
    """One accelerator operation: a loop nest and the bits of each tensor it moves.

    A gradient to the input has the nest `Nest.input_gradient` and reads the output's gradient as
    its input; its weights lie in DRAM as the forward pass left them. A gradient to the weights has
    the forward nest: its operands are the input and, in the place of the weights, the output's
    gradient, and its output lies in DRAM as the weights do.

    With a `block`, so many elements share a power of two, in both operands and in the output. An
    operand's blocks lie along its reduction (`input_blocking`, `weight_blocking`), the output's
    along its channels. Their scale bytes are loaded with the operands, and stored as `ranges`; an
    output in float32 has none.

    `output_float`: scaled accumulators leave in float32, which needs no range. With
    `second_output_bits` every output is stored twice, the second time on a grid of so many bits.
    """

    nest: Nest
    name: str = field(default="", compare=False)
    input_bits: int = 8
    weight_bits: int = 8
    output_bits: int = 8
    bias: bool = False
    direction: str = FORWARD
    output_float: bool = False
    second_output_bits: int | None = None
    ranges: Ranges | None = None
    block: int | None = None
    input_ranges: Ranges | None = None
    """Of an input whose parts have a range each, which are loaded with it."""
    weight_ranges: Ranges | None = None
    """The same of the operand in the place of the weights; its parts are samples."""
    edge_bits: int | None = None
    """An input that lies as accumulators is requantized to so many bits at the array's edge."""
    weight_edge_bits: int | None = None
    """The same of the operand in the place of the weights, where that is no weights."""
    repeats: int = 1
    """How often it is done in a row with the same weights, each time on another sample."""

    @property
    def edges(self) -> dict[str, int]:
        """Widths to which operands of accumulators are requantized at the array's edge."""
        widths = {program.INPUT: self.edge_bits, program.WEIGHTS: self.weight_edge_bits}
        return {name: bits for name, bits in widths.items() if bits is not None}

    @property
    def samples(self) -> int:
        """Runs of whole images that have a range and a barrier each."""
        if self.ranges is None or self.ranges.local or self.ranges.mixed:
            return 1
        return self.output_shape[0] // self.ranges.extent[0]

    @property
    def mixed_samples(self) -> int:
        """Runs of whole images that are mixed before they are quantized; 0 where none are."""
        if self.ranges is None or not self.ranges.mixed:
            return 0
        return self.nest.output_shape[0] // self.ranges.extent[0]

    @property
    def region(self) -> Shape | None:
        """The parts whose range is found where they are drained."""
        local = self.ranges is not None and self.ranges.local and self.block is None
        return self.ranges.extent if local and self.ranges else None

    @property
    def reduction_axis(self) -> int:
        """Of the input, along which its blocks lie: the channels, but in a gradient to the weights.

        There the sums run over positions. The window moves over rows and columns, so both operands
        have the same 32 samples side by side; a product of single columns has its rows.
        """
        if self.direction != GRAD_WEIGHT:
            return 3
        nest = self.nest
        area = nest.kernel_height * nest.kernel_width
        plain = nest.stride_h * area == 1 and nest.in_height == nest.out_height
        return 1 if plain and nest.batch * nest.in_width == 1 else 0

    def input_blocking(self, block: int) -> Blocking:
        """How the input is cut. Groups share blocks where they fill them; others begin anew."""
        nest, axis = self.nest, self.reduction_axis
        if axis == 3:
            shared = nest.groups > 1 and block % nest.in_channels == 0
            return Blocking(block, 3, nest.in_channels * (nest.groups if shared else 1))
        return Blocking(block, axis, nest.batch if axis == 0 else nest.in_height)

    def weight_blocking(self, block: int) -> Blocking:
        """How the operand in the place of the weights is cut; each group by itself."""
        nest, axis = self.nest, self.reduction_axis
        if self.direction == GRAD_WEIGHT:
            return Blocking(block, axis, nest.batch if axis == 0 else nest.out_height)
        return Blocking(block, 3 if self.direction == FORWARD else 0, nest.in_channels)

    @property
    def reduction_block(self) -> int | None:
        """Channels of the input that share a scale, where a sum runs over several such blocks.

        A window looks at several positions, which may lie in regions of different ranges.
        """
        if self.input_ranges is None or self.input_ranges.covers_images(self.nest.input_shape):
            return self.block
        nest, channels = self.nest, self.input_ranges.run or self.input_ranges.extent[3]
        one = nest.kernel_height * nest.kernel_width == 1 and nest.in_channels <= channels
        return None if one and (nest.groups == 1 or channels % nest.in_channels == 0) else channels

    def ranges_of(self, tensor: str) -> Ranges | None:
        """Of an operand whose parts have a range each."""
        return {program.INPUT: self.input_ranges, program.WEIGHTS: self.weight_ranges}.get(tensor)

    @property
    def summed_images(self) -> int | None:
        """Images of a sample, where a sum runs over several samples whose ranges differ."""
        ranges = self.input_ranges or self.weight_ranges
        if self.direction != GRAD_WEIGHT or ranges is None:
            return None
        return ranges.extent[0] if ranges.extent[0] < self.nest.batch else None

    @property
    def blocking(self) -> dict[str, Blocking]:
        """Of each tensor, where blocks of a reduction share scales."""
        block = self.block
        if block is None:
            size, channels = self.reduction_block, self.nest.in_channels
            if self.summed_images:
                return {program.INPUT: Blocking(self.summed_images, 0, self.nest.batch, True)}
            return {} if size is None else {program.INPUT: Blocking(size, 3, channels, True)}
        found = {
            program.INPUT: self.input_blocking(block),
            program.WEIGHTS: self.weight_blocking(block),
        }
        if not self.output_float:
            found[program.OUTPUT] = Blocking(block, 3, self.output_shape[3])
        return found

    def output_scale_bytes(self, channels: Any) -> Any:
        """Of so many channels of the output, from the start of a block; of many at once, too."""
        if self.block is None or self.output_float:
            return 0 * channels
        return -(-channels // self.block)

    def input_scale_bytes(self, groups: Any, channels: Any) -> Any:
        """Of a position of the input: so many channels of so many groups, from a block's start."""
        if self.block is None:
            return 0 * groups * channels
        if self.input_blocking(self.block).span > self.nest.in_channels:
            return -(-groups * channels // self.block)
        return groups * -(-channels // self.block)

    def weight_scale_bytes(self, groups: Any, out_channels: Any, in_channels: Any) -> Any:
        """Of the weights of groups: from so many channels of the reduction to so many outputs."""
        if self.block is None:
            return 0 * groups * out_channels * in_channels
        area = self.nest.kernel_height * self.nest.kernel_width
        return area * groups * out_channels * -(-in_channels // self.block)

    def keeps_operand_blocks(self, groups: int) -> bool:
        """Whether tiles of so many groups cut no block of the input's channels."""
        nest, block = self.nest, self.block
        if block is None or groups == nest.groups:
            return True
        shared = self.input_blocking(block).span > nest.in_channels
        return not shared or groups * nest.in_channels % block == 0

    def of_sample(self) -> "Operation":
        """The operation on one sample alone."""
        nest, samples = self.nest, self.samples
        if samples == 1:
            return self
        axis = "copies" if nest.copies > 1 else "batch"
        own = replace(nest, **{axis: getattr(nest, axis) // samples})
        repeats = samples if axis == "batch" else 1
        return replace(self, nest=own, ranges=None, repeats=repeats)

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise AccelsimError(
                f"direction={self.direction!r}: must be one of {', '.join(DIRECTIONS)}"
            )
        if self.ranges is not None:
            self._check_ranges(self.ranges)
        if self.block is not None and (self.ranges is None) != self.output_float:
            raise AccelsimError(
                f"ranges={self.ranges}: must be given for {self.name}, whose output is in blocks "
                f"of {self.block}, and None where it is in float32"
            )
        if self.input_ranges or self.weight_ranges:
            self._check_operand_ranges()
        if self.bias and self.direction != FORWARD:
            raise AccelsimError(f"bias=True: must be False in a {self.direction} operation")
        if self.output_float and (self.output_bits, self.second_output_bits) != (32, None):
            raise AccelsimError(
                f"output_bits={self.output_bits}: must be 32, and second_output_bits None, where "
                "the output leaves in float32"
            )

    def stored_bits(self, accumulator_bits: int) -> tuple[int, ...]:
        """Widths at which outputs or their accumulators may be stored."""
        second = () if self.second_output_bits is None else (self.second_output_bits,)
        return (self.output_bits, accumulator_bits, *second)

    @property
    def output_shape(self) -> Shape:
        """Of the output and its accumulators in DRAM."""
        nest = self.nest
        return nest.weight_shape if self.direction == GRAD_WEIGHT else nest.output_shape

    def _check_ranges(self, ranges: Ranges) -> None:
        nest, extent = self.nest, ranges.extent
        alone = self.second_output_bits is None and not self.output_float
        sums_samples = self.direction == GRAD_WEIGHT and self.nest.copies == 1
        if (sums_samples and self.block is None) or not alone:
            raise AccelsimError(
                f"ranges={ranges}: must be None where a {GRAD_WEIGHT} operation sums over samples, "
                "for an output in float32, and where the output is stored twice"
            )
        if min(extent) < 1 or ranges.bits % 8:
            raise AccelsimError(
                f"ranges: extent={extent} must be at least 1 along every axis, "
                f"bits={ranges.bits} whole bytes"
            )
        images, copied = self.output_shape[0], nest.copies if nest.copies > 1 else nest.batch
        if not ranges.local and (images % extent[0] or copied % (images // extent[0])):
            raise AccelsimError(
                f"ranges.extent={extent}: must divide the {images} images into equal samples"
            )
        if ranges.local and nest.copies > 1 and nest.batch % extent[0]:
            raise AccelsimError(
                f"ranges.extent={extent}: must divide the {nest.batch} images of a copy"
            )

    def _check_operand_ranges(self) -> None:
        """Regions are read by forward convolutions; samples by every product of integers."""
        if self.block is not None:
            raise AccelsimError(
                f"input_ranges={self.input_ranges}, weight_ranges={self.weight_ranges}: must be "
                f"None for {self.name}, whose operands are in blocks of {self.block}"
            )
        ranges, weights = self.input_ranges, self.weight_ranges
        if weights is not None and not weights.covers_images(self.weight_shape):
            raise AccelsimError(
                f"weight_ranges={weights}: must be samples for {self.name}, not regions"
            )
        regions = ranges is not None and not ranges.covers_images(self.nest.input_shape)
        if regions and (self.direction != FORWARD or self.nest.copies > 1):
            raise AccelsimError(
                f"input_ranges={ranges}: must be samples for {self.name}, which is no forward "
                "convolution; only such read regions"
            )

    @property
    def weight_shape(self) -> Shape:
        """Of the operand in the place of the weights, in DRAM.

        Weights are (filters, kernel height, kernel width, channels), as the forward pass has them.
        """
        nest = self.nest
        if self.direction == GRAD_WEIGHT:
            return nest.output_shape
        if self.direction == FORWARD:
            return nest.weight_shape
        filters = nest.copies * nest.groups * nest.in_channels
        return filters, nest.kernel_height, nest.kernel_width, nest.out_channels


def place(operation: Operation, stored_bits: int | None) -> dict[str, Tensor]:
    """Tensors one after the other from address 0; accumulators where they are stored, so wide.

    Scale bytes of blocks have a tensor of their own, laid out as `Blocking` says.
    """
    weight_axes, output_axes = (1, 3) if operation.direction == GRAD_WEIGHT else (3, 1)
    output_shape = operation.output_shape
    shapes = [
        (program.INPUT, operation.nest.input_shape, operation.input_bits, 1),
        (program.WEIGHTS, operation.weight_shape, operation.weight_bits, weight_axes),
        (program.OUTPUT, output_shape, operation.output_bits, output_axes),
    ]
    blocking = operation.blocking
    if operation.input_ranges is not None:
        of_input = Box((0, 0, 0, 0), operation.nest.input_shape)
        scales = of_input.shrunk(operation.input_ranges.extent).stops
        shapes.append((program.INPUT_SCALES, scales, operation.input_ranges.bits, 1))
    if operation.weight_ranges is not None:
        of_weights = Box((0, 0, 0, 0), operation.weight_shape)
        scales = of_weights.shrunk(operation.weight_ranges.extent).stops
        shapes.append((program.WEIGHT_SCALES, scales, operation.weight_ranges.bits, 1))
    if operation.block is not None:
        scales = blocking[program.INPUT].scales(operation.nest.input_shape)
        shapes.append((program.INPUT_SCALES, scales, 8, 1))
        scales = blocking[program.WEIGHTS].scales(operation.weight_shape)
        shapes.append((program.WEIGHT_SCALES, scales, 8, 1))
    if operation.second_output_bits is not None:
        bits = operation.second_output_bits
        shapes.append((program.SECOND_OUTPUT, output_shape, bits, output_axes))
    if operation.bias:
        shapes.append((program.BIAS, (1, 1, 1, operation.weight_shape[0]), BIAS_BITS, 1))
    if stored_bits is not None:
        shapes.append((program.ACCUMULATORS, output_shape, stored_bits, output_axes))
    if operation.ranges is not None:
        parts = zip(output_shape, operation.ranges.extent, strict=True)
        a, b, c, d = (-(-size // step) for size, step in parts)
        counts = (a, b, c, d) if operation.block is None else (d, a, b, c)
        shapes.append((program.RANGES, counts, operation.ranges.bits, 1))
    tensors: dict[str, Tensor] = {}
    address = 0
    for name, shape, bits, packed_axes in shapes:
        real = name == program.OUTPUT and operation.output_float
        tensors[name] = Tensor(name, shape, bits, address, packed_axes, real)
        pages = -(-tensors[name].total_bytes // ADDRESS_ALIGNMENT_BYTES)
        address += pages * ADDRESS_ALIGNMENT_BYTES
    return tensors
