"""The statistics that a unit at the accumulator output may keep, and the arithmetic each takes.

One place for three readers: what an estimator asks for, what the lanes do in a cycle, and what they
are made of.
"""

from enum import StrEnum
from typing import NamedTuple


class Statistic(StrEnum):
    """What may be asked of the statistics unit."""

    EXTREMES = "extremes"
    """The minimum and the maximum."""
    MAGNITUDE = "magnitude"
    """The largest magnitude; the extremes tell it as well."""
    SUM = "sum"
    """The sum, of which a mean comes; the moments hold it as well."""
    MOMENTS = "moments"
    """The sum and the sum of squares."""
    EXCEEDANCES = "exceedances"
    """How many magnitudes are above a threshold, and above its half."""
    ABSOLUTE_SUM = "absolute-sum"
    """The sum of the magnitudes, and in a search that of a trial's."""
    PRODUCTS = "products"
    """In a search: the sums of x q and of q q, x an accumulator and q what a trial makes of it."""
    CHANNELS = "channels"
    """Each channel by itself: what integers need whose channels have scales of their own."""
    SAMPLES = "samples"
    """The range of each sample."""
    CHUNKS = "chunks"
    """The range of each of a number of equal chunks of the tensor."""
    TILES = "tiles"
    """The range of each region or block, as it is drained."""
    TENSOR = "tensor"
    """The tensor itself: no statistics unit holds that, it is read back from memory."""


SEARCHING = frozenset({Statistic.ABSOLUTE_SUM, Statistic.PRODUCTS, Statistic.TENSOR})
"""What is asked only in a step that looks for its range in the finished tensor."""


SUM_BITS = 64
"""Of the registers for sums, and of the adders before them."""


class Arithmetic(NamedTuple):
    """What one statistic takes of a lane, for one accumulator a cycle."""

    comparators: int = 0
    multipliers: int = 0
    """Of two accumulators."""
    adders: int = 0
    """Of `SUM_BITS`, as sums of products outgrow the accumulators' width."""


THRESHOLDS = Arithmetic(comparators=2)
"""Magnitudes against c and against c / 2."""
SUM = Arithmetic(adders=1)
SQUARE = Arithmetic(multipliers=1, adders=1)
"""A product, added up."""
