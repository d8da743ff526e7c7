"""One loop nest for every layer: convolution, depthwise, linear and batched matrix product."""

import dataclasses
from dataclasses import dataclass

from accelsim.errors import AccelsimError, whole
from accelsim.network.checks import MAXIMUM_ELEMENTS, dimension, padding_amount


@dataclass(frozen=True)
class Nest:
    """The loops of one layer; `in_channels` and `out_channels` count per group.

    All arrays are channels-last. `copies` counts independent products with weights of their own (a
    batched matrix product); `batch` counts images that share the weights.
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

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check = padding_amount if field.name.startswith("pad_") else dimension
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
        padded = getattr(self, f"in_{axis}") + padding
        if reach > padded:
            raise AccelsimError(
                f"kernel_{axis} = {getattr(self, f'kernel_{axis}')}: the kernel spans {reach} "
                f"with its dilation, but the padded image only {padded}"
            )

    @property
    def kernel_reach_h(self) -> int:
        """Rows of the padded image that one output element touches, dilation included."""
        return (self.kernel_height - 1) * self.dilation_h + 1

    @property
    def kernel_reach_w(self) -> int:
        """Columns of the padded image that one output element touches, dilation included."""
        return (self.kernel_width - 1) * self.dilation_w + 1

    @property
    def out_height(self) -> int:
        """floor((padded height - reach) / stride) + 1."""
        padded = self.in_height + self.pad_top + self.pad_bottom
        return (padded - self.kernel_reach_h) // self.stride_h + 1

    @property
    def out_width(self) -> int:
        """floor((padded width - reach) / stride) + 1."""
        padded = self.in_width + self.pad_left + self.pad_right
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
        """Multiply-accumulates, those with padding included."""
        return self.output_elements * self.reduction

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


def packed_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Bytes of an array whose innermost vectors are packed bit by bit and padded to whole bytes."""
    return _product(shape[:-1]) * ((shape[-1] * bits + 7) // 8)


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
