"""Where a tensor of the network lies: its vectors, its width, and what is stored beside it."""

from dataclasses import dataclass
from math import prod

from accelsim.lowering.operation import Ranges
from accelsim.lowering.vector import Stream
from accelsim.program import Shape as Layout
from accelsim.quant import Scheme

Shape = tuple[int, ...]
"""Of one sample."""

SCALE_BITS = 8
"""Of a block that shares a power of two."""


@dataclass(frozen=True)
class Scales:
    """What lies beside a tensor whose parts have a scale each: so many vectors of such scales."""

    vectors: int
    width: int
    bits: int
    region: Layout | None = None
    """(images, rows, columns, channels) of a part with a range; None: a block, or a sample."""
    layout: Layout | None = None
    """Of the tensor that is cut into regions."""
    samples: int | None = None
    """Of blocks: the samples, or blocks of samples, whose scales come one after another."""

    @classmethod
    def of(cls, scheme: Scheme, shape: Shape, batch: int) -> "Scales | None":
        """Those of a tensor of this shape of a sample; None where all of it has one range."""
        if scheme.block is not None:
            vectors = batch * prod(shape) // _width(shape)
            blocks = -(-_width(shape) // scheme.block)
            return cls(vectors, blocks, SCALE_BITS, samples=batch)
        layout = laid_out(shape, batch)
        ranges = Ranges.of(scheme, layout, batch)
        if ranges is None:
            return None
        if not ranges.local:
            return cls(batch, 1, ranges.bits)
        counts = [-(-size // step) for size, step in zip(layout, ranges.extent, strict=True)]
        return cls(prod(counts[:3]), counts[3], ranges.bits, ranges.extent, layout)

    def ranges(self, operand: Layout, batch: int) -> Ranges:
        """Of an operand of a product, which has this shape in DRAM.

        In a flattened image, as regions come one after another, each is an equal share.
        """
        if self.region is None:
            return Ranges((operand[0] // batch, *operand[1:]), self.bits)
        if operand == self.layout:
            return Ranges(self.region, self.bits, local=True)
        share = -(-operand[3] // (self.vectors * self.width // batch))
        return Ranges((1, 1, 1, share), self.bits, local=True, run=self.region[3])

    def stream(self, role: str) -> Stream:
        """As vector work moves them."""
        return Stream(role, self.vectors, self.width, self.bits, self.samples)


@dataclass(frozen=True)
class Data:
    """A tensor of the network for a whole batch: vectors of channels, at its width."""

    name: str
    vectors: int
    width: int
    bits: int
    edge_bits: int | None = None
    """Of accumulators: the width to which whoever multiplies them requantizes them."""
    scales: Scales | None = None
    samples: int | None = None
    """Whose vectors come one after another; None: it belongs to no sample."""

    @classmethod
    def of(cls, name: str, shape: Shape, batch: int, bits: int) -> "Data":
        """Images are (channels, height, width); other tensors have their vectors last."""
        width = _width(shape)
        return cls(name, batch * prod(shape) // width, width, bits, samples=batch)

    def stream(self, role: str) -> Stream:
        """The tensor as vector work moves it."""
        return Stream(role, self.vectors, self.width, self.bits, self.samples)


def laid_out(shape: Shape, batch: int) -> Layout:
    """(images, rows, columns, channels) of a tensor whose samples have this shape.

    Every row of what is no image is an image of 1x1, as linear layers have it.
    """
    if len(shape) == 3:
        channels, height, width = shape
        return batch, height, width, channels
    return batch * prod(shape[:-1]), 1, 1, shape[-1]


def scales_of(tensor: str) -> str:
    """The name of what lies beside a tensor in parts."""
    return f"{tensor}.scales"


def _width(shape: Shape) -> int:
    return shape[0] if len(shape) == 3 else shape[-1]
