"""What the values of a program start from, and what they come to."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from accelsim.machine.parts import Part
from accelsim.numerics import fits_int32
from accelsim.program import Shape
from accelsim.quant import Range, Reflections, Requantization, Request, Statistics


@dataclass(frozen=True)
class Operands:
    """What a program runs on: integers in channels-last layout, and how the output range is found.

    `decide` turns the statistics of the step into the requantization; it is called at the first
    barrier where `requantization` is None (a dynamic range), and not at all otherwise. They hold
    the tensor where `request` asks for it. Where parts of the output have ranges of their own,
    `decide_part` is called for each instead; where samples are mixed first, `decide_mixing` says
    how, at the first barrier. `sum_bound` is a magnitude that no exact sum exceeds.
    `request` is what the statistics unit keeps beside the extremes, `scales` the real value of one
    unit of each channel's accumulators for it, and `samples` how many equal runs of images there
    are.
    """

    input: np.ndarray
    input_zero_point: int
    weights: np.ndarray
    weight_zero_points: np.ndarray
    sum_bound: int
    bias: np.ndarray | None = None
    requantization: Requantization | None = None
    decide: Callable[[Statistics], Requantization] | None = None
    request: Request | None = None
    scales: np.ndarray | float = 1.0
    samples: int | None = None
    decide_part: Callable[[Range], Part] | None = None
    decide_mixing: Callable[[Statistics], Reflections] | None = None

    @property
    def sum_type(self) -> type:
        """int32 where no exact sum can leave it, else int64."""
        return np.int32 if fits_int32(self.sum_bound) else np.int64


@dataclass
class Outcome:
    """What the values came to, complete when the run is."""

    output: np.ndarray
    statistics: Statistics | None = None
    requantization: Requantization | None = None
    overflow_count: int = 0
    saturated_count: int = 0
    ranges: np.ndarray | None = None
    """What is stored of each part's range, where parts have their own: scale and zero point."""
    extent: Shape | None = None
    """The extents of these parts."""
    extremes: tuple[float, float] = (0.0, 0.0)
    """The smallest and the largest sum, zero included, where sums are real numbers."""
    reflections: Reflections | None = None
    """How samples were mixed before they were quantized."""

    @property
    def part_reals(self) -> np.ndarray:
        """The real numbers that output and stored ranges stand for, where parts have their own."""
        assert self.ranges is not None and self.extent is not None
        records = self.ranges
        for axis, (step, size) in enumerate(zip(self.extent, self.output.shape, strict=True)):
            records = np.repeat(records, step, axis).take(range(size), axis)
        scales = records["scale"].astype(np.float64)
        reals = np.asarray(scales * (self.output - records["zero_point"]))
        if self.reflections is None:
            return reals
        return self.reflections.undo(reals.reshape(len(self.ranges), -1)).reshape(reals.shape)

    second_output: np.ndarray | None = field(default=None, repr=False)
    """The outputs once more in other bits, where the program stores them twice."""
