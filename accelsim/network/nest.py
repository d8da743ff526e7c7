"""One loop nest for every layer: convolution, depthwise, linear and batched matrix product."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from math import gcd

from accelsim.errors import AccelsimError, whole
from accelsim.network.checks import MAXIMUM_DIMENSION, MAXIMUM_ELEMENTS, dimension

MAXIMUM_CUT = 4 * MAXIMUM_DIMENSION
"""The most padding of a nest, and the most it may leave out: enough for every gradient."""


@dataclass(frozen=True)
class Nest:
    """The loops of one layer; `in_channels` and `out_channels` count per group.

    All arrays are channels-last. `copies` counts independent products with weights of their own (a
    batched matrix product); `batch` counts images that share the weights. Input dilation puts
    `input_dilation - 1` zeros between the elements of the input, which exist on chip only; negative
    padding leaves rows or columns of that dilated input out.
    """

    copies: int
    batch: int
    groups: int
    in_channels: int
    out_channels: int
    in_height: int
    in_width: int
    kernel_height: int = 1
    kernel_width: int = 1
    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1
    pad_top: int = 0
    pad_left: int = 0
    pad_bottom: int = 0
    pad_right: int = 0
    input_dilation_h: int = 1
    input_dilation_w: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check = _padding_or_cut if field.name.startswith("pad_") else dimension
            object.__setattr__(self, field.name, check(field.name, getattr(self, field.name)))
        self._check_kernel("height", self.kernel_reach_h, self.pad_top + self.pad_bottom)
        self._check_kernel("width", self.kernel_reach_w, self.pad_left + self.pad_right)
        for tensor in ("input", "weight", "output"):
            elements = getattr(self, f"{tensor}_elements")
            if elements > MAXIMUM_ELEMENTS:
                raise AccelsimError(
                    f"{tensor}_elements = {elements}: a tensor may hold at most {MAXIMUM_ELEMENTS}"
                )

    def _check_kernel(self, axis: str, reach: int, padding: int) -> None:
        padded = getattr(self, f"dilated_{axis}") + padding
        if reach > padded:
            raise AccelsimError(
                f"kernel_{axis} = {getattr(self, f'kernel_{axis}')}: the kernel spans {reach} "
                f"with its dilation, but the padded image only {padded}"
            )

    @cached_property
    def kernel_reach_h(self) -> int:
        """Rows of the padded image that one output element touches, dilation included."""
        return (self.kernel_height - 1) * self.dilation_h + 1

    @cached_property
    def kernel_reach_w(self) -> int:
        """Columns of the padded image that one output element touches, dilation included."""
        return (self.kernel_width - 1) * self.dilation_w + 1

    @property
    def dilated_height(self) -> int:
        """Rows of the input with the zeros between them."""
        return (self.in_height - 1) * self.input_dilation_h + 1

    @property
    def dilated_width(self) -> int:
        """Columns of the input with the zeros between them."""
        return (self.in_width - 1) * self.input_dilation_w + 1

    @cached_property
    def out_height(self) -> int:
        """floor((padded height - reach) / stride) + 1."""
        padded = self.dilated_height + self.pad_top + self.pad_bottom
        return (padded - self.kernel_reach_h) // self.stride_h + 1

    @cached_property
    def out_width(self) -> int:
        """floor((padded width - reach) / stride) + 1."""
        padded = self.dilated_width + self.pad_left + self.pad_right
        return (padded - self.kernel_reach_w) // self.stride_w + 1

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """(copies*batch, in_height, in_width, groups*in_channels)."""
        images = self.copies * self.batch
        return images, self.in_height, self.in_width, self.groups * self.in_channels

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """As in DRAM: (copies*groups*out_channels, kernel_height, kernel_width, in_channels)."""
        vectors = self.copies * self.groups * self.out_channels
        return vectors, self.kernel_height, self.kernel_width, self.in_channels

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """Accumulators too: (copies*batch, out_height, out_width, groups*out_channels)."""
        images = self.copies * self.batch
        return images, self.out_height, self.out_width, self.groups * self.out_channels

    @property
    def weight_vectors(self) -> int:
        """Output channels with weights and scales of their own: copies*groups*out_channels."""
        return self.copies * self.groups * self.out_channels

    @property
    def reduction(self) -> int:
        """Products summed into one accumulator, per group; padding counts."""
        return self.kernel_height * self.kernel_width * self.in_channels

    @property
    def input_elements(self) -> int:
        """Elements of the input, padding excluded."""
        return _product(self.input_shape)

    @property
    def weight_elements(self) -> int:
        """Elements of the weights."""
        return _product(self.weight_shape)

    @property
    def output_elements(self) -> int:
        """Elements of the output, and of the accumulators."""
        return _product(self.output_shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates that a dense array walks: those with inserted zeros included."""
        return self.output_elements * self.reduction

    @property
    def useful_macs(self) -> int:
        """Multiply-accumulates with an element of the input: no padding, no inserted zero.

        The three products of a layer (forward and both gradients) have the same number of them.
        """
        rows = _useful_taps(
            self.in_height, self.out_height, self.kernel_height, self.stride_h, self.dilation_h,
            self.pad_top, self.input_dilation_h,
        )  # fmt: skip
        columns = _useful_taps(
            self.in_width, self.out_width, self.kernel_width, self.stride_w, self.dilation_w,
            self.pad_left, self.input_dilation_w,
        )  # fmt: skip
        channels = self.groups * self.in_channels * self.out_channels
        return self.copies * self.batch * channels * rows * columns

    def input_gradient(self) -> "Nest":
        """The nest of the gradient to the input: from the output's gradient, by turned kernels.

        The kernel is turned by half a circle and its channels change places; the stride becomes
        input dilation, the padding `(kernel - 1) * dilation - padding`, and at the bottom and on
        the right whatever makes the outcome exactly as large as the forward input. (Dumoulin and
        Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4.)
        """
        if self.input_dilation_h > 1 or self.input_dilation_w > 1:
            raise AccelsimError("input_dilation: must be 1 in a nest whose gradient is asked for")
        top = self.kernel_reach_h - 1 - self.pad_top
        left = self.kernel_reach_w - 1 - self.pad_left
        last_row = (self.out_height - 1) * self.stride_h - self.pad_top
        last_column = (self.out_width - 1) * self.stride_w - self.pad_left
        return dataclasses.replace(
            self,
            in_channels=self.out_channels,
            out_channels=self.in_channels,
            in_height=self.out_height,
            in_width=self.out_width,
            stride_h=1,
            stride_w=1,
            input_dilation_h=self.stride_h,
            input_dilation_w=self.stride_w,
            pad_top=top,
            pad_left=left,
            pad_bottom=self.in_height - 1 - last_row,
            pad_right=self.in_width - 1 - last_column,
        )

    @property
    def is_depthwise(self) -> bool:
        """One input and one output channel per group, and more than one group."""
        return self.groups > 1 and self.in_channels == 1 and self.out_channels == 1

    def traffic_bytes(
        self,
        weight_bits: int = 8,
        input_bits: int = 8,
        output_bits: int = 8,
        accumulator_bits: int = 32,
    ) -> tuple[int, int]:
        """The closed form of DRAM traffic with buffers that hold the layer: (static, spill) bytes.

        static = weights + input + output, each moved once; spill adds the accumulators twice, as
        they are stored and loaded again. (Fournarakis & Nagel 2021, section 5.2, with the
        accumulators loaded at their own width, as its Table 5 counts them.) Elements are packed
        bit by bit; the channel vector of an activation and the filter of a weight tensor fill
        whole bytes.
        """
        static = (
            packed_bytes(
                (self.weight_vectors, self.reduction), whole("weight_bits", weight_bits, 1, 64)
            )
            + packed_bytes(self.input_shape, whole("input_bits", input_bits, 1, 64))
            + packed_bytes(self.output_shape, whole("output_bits", output_bits, 1, 64))
        )
        accumulators = packed_bytes(
            self.output_shape, whole("accumulator_bits", accumulator_bits, 1, 64)
        )
        return static, static + 2 * accumulators


def _padding_or_cut(field: str, value: object) -> int:
    return whole(field, value, -MAXIMUM_CUT, MAXIMUM_CUT)


def _useful_taps(
    size: int, out_size: int, kernel: int, stride: int, dilation: int, pad: int, step: int
) -> int:
    """Pairs of an output position and a kernel position that meet an element, along one axis.

    Position i meets one at tap t where `i * stride = pad - t * dilation` modulo `step`, inside.
    """
    common = gcd(stride, step)
    period = step // common
    inverse = pow(stride // common, -1, period)
    pairs = 0
    for tap in range(kernel):
        ahead = pad - tap * dilation
        if ahead % common:
            continue
        low = max(0, -(-ahead // stride))
        high = min(out_size - 1, ((size - 1) * step + ahead) // stride)
        residue = ahead // common * inverse % period
        pairs += max(0, (high - residue) // period - (low - 1 - residue) // period)
    return pairs


def packed_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Bytes of an array whose innermost vectors are packed bit by bit and padded to whole bytes."""
    return _product(shape[:-1]) * ((shape[-1] * bits + 7) // 8)


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
