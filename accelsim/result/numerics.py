"""What happened to the values of one step's output."""

from dataclasses import dataclass

from accelsim.result.record import Record


@dataclass(frozen=True, slots=True)
class ValueRange(Record):
    """A range of real numbers."""

    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class ValueHistogram(Record):
    """How the outputs lay before and after quantization, in bins of equal width."""

    lowest: float
    """Where the first bin begins."""
    bin_width: float
    before: tuple[int, ...]
    """Outputs of the float reference in each bin."""
    after: tuple[int, ...]
    """Outputs of the machine in each bin."""
    below: int
    """Outputs of the float reference below all bins."""
    above: int
    grid: ValueRange
    """The lowest and the highest real that the output's integers stand for."""


@dataclass(frozen=True, slots=True)
class Numerics(Record):
    """What happened to the values: against the float reference, and inside the machine."""

    sqnr_db: float
    cosine: float
    mean_squared_error: float
    bias: float
    saturated_share: float
    """Share of outputs that the grid clamped."""
    underflow_share: float
    """Share of the outputs other than zero that became zero."""
    levels_used: int
    """How many different integers the output holds; 0 where it leaves in float32."""
    overflow_count: int
    """Accumulators whose exact sum left the accumulator's width."""
    range_used: ValueRange
    """What the output grid was made from."""
    range_observed: ValueRange
    """What the statistics unit saw in this step."""
    range_staleness: float
    """Width of the range used over that observed: above 1 the grid is too coarse, below 1 it
    saturates."""
    output_scale: float | None
    """None where parts of the output have grids of their own, and where it leaves in float32."""
    output_zero_point: int | None
