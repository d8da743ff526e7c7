"""What a product costs whose reduction comes in blocks that share a scale.

At each position of the kernel the channels are cut into blocks; a reduction has
B = positions * ceil(channels / block) of them. Inside a block the sums are integers. Between blocks
they differ by a power of two, so each has to be shifted and added to a running float32 sum, or by a
real scale, so each has to be multiplied and added. Where that happens is a matter of the machine
(`array.block_rescale`):

    in-array      weight- and input-stationary: behind every `block` rows each column has a shifter
                  (or a float32 multiplier) and a float32 adder, so a fold holds floor(R / block)
                  blocks, one below the other, and takes as many cycles more to pass through. An
                  array of fewer rows folds a block ceil(block / R) times and rescales behind the
                  last of its folds.
                  output-stationary: each cell has them, one cycle more on the way through.
    vector-unit   the array adds integers only, so a fold holds one block at most, and its partial
                  sums pass the vector unit, one operation of a lane each, two with a real scale.
                  They do while the next vectors stream; where a word takes more than a cycle,
                  ceil(operations width / lanes), the array waits. Output-stationary sums are
                  shifted out after every block.

A short block (fewer channels than `block`) leaves rows of its segment empty, or, output-stationary
with the vector unit, is streamed like the first of its position. The closed forms are our own.
"""

from dataclasses import dataclass
from typing import Any

from accelsim.hardware.array import Array, ArrayTiming, BlockRescale, Dataflow


@dataclass(frozen=True, slots=True)
class BlockProduct:
    """A product of m x k and k x n with k = positions * channels, in blocks of channels."""

    m: int
    positions: int
    channels: int
    n: int
    block: int
    groups: int = 1
    """Products of these sizes, one after another."""
    real_scales: bool = False
    """Scales are real numbers, not powers of two."""

    @property
    def lane_operations(self) -> int:
        """Of the vector unit for each partial sum: shift and add at once, or multiply, then add."""
        return 2 if self.real_scales else 1

    @property
    def blocks(self) -> int:
        """Blocks of one sum."""
        return self.positions * -(-self.channels // self.block)


def fold_rounds(array: Array, positions: Any, channels: Any, block: int) -> Any:
    """How often every sum leaves the array in pieces; of many products at once, too.

    Of a stationary operand it is the number of folds over the rows.
    """
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        if array.block_rescale is BlockRescale.IN_ARRAY:
            return 0 * channels + 1
        return positions * -(-channels // block)
    if array.block_rescale is BlockRescale.IN_ARRAY and array.rows >= block:
        return -(-(positions * -(-channels // block)) // (array.rows // block))
    whole, rest = channels // block, channels % block
    return positions * (whole * -(-block // array.rows) + -(-rest // array.rows))


def block_timing(array: Array, product: BlockProduct, lanes: int) -> ArrayTiming:
    """Cycles of a product in blocks, with a vector unit of so many lanes.

    Groups whose blocks are short are packed as `Array.packed_groups` does it, on the diagonal of
    the rows that a block has: a column then adds up the products of its own group alone.
    """
    m, n = product.m, product.n
    packed = _packed_groups(array, product)
    rounds = fold_rounds(array, product.positions, product.channels, product.block)
    in_array = array.block_rescale is BlockRescale.IN_ARRAY
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        over_columns = n
        folds = -(-m // array.rows) * -(-n // array.columns) * rounds
        folds *= -(-product.groups // packed)
        depth = min(product.block, product.channels)
        depth = product.positions * product.channels if in_array else depth
        adders = 1
    else:
        weights_stay = array.dataflow is Dataflow.WEIGHT_STATIONARY
        over_columns, depth = (n, m) if weights_stay else (m, n)
        folds = rounds * -(-over_columns // array.columns) * -(-product.groups // packed)
        adders = max(1, array.rows // product.block)
    if in_array:
        return array.folded(folds, depth, latency_cycles=adders)
    width = min(array.columns, over_columns * packed)
    return array.folded(folds, depth, word_cycles=-(-width * product.lane_operations // lanes))


def _packed_groups(array: Array, product: BlockProduct) -> int:
    """How many groups share one fold."""
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        return array.packed_groups(product.m, product.channels, product.n, product.groups)
    over = product.n if array.dataflow is Dataflow.WEIGHT_STATIONARY else product.m
    rows = min(product.block, array.rows)
    room = min(rows // min(product.channels, product.block), array.columns // over)
    return max(1, min(array.depthwise_packing, product.groups, room))


def rescaled_sums(array: Array, product: BlockProduct) -> int:
    """Partial sums that are shifted and added to a float32 sum.

    In the array every block of every sum; in the vector unit all that leaves the array.
    """
    in_array = array.block_rescale is BlockRescale.IN_ARRAY
    rounds = fold_rounds(array, product.positions, product.channels, product.block)
    sums = product.m * product.n * product.groups
    return sums * (product.blocks if in_array else int(rounds))
