"""How one tensor is quantized: what an estimator decides, and what comes of it on real numbers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError, whole
from accelsim.numerics import IntegerRange
from accelsim.quant.checks import finite_array
from accelsim.quant.grid import SCALE_FLOOR, Grid, Range

SMALLEST_STEP = 2.0 ** math.ceil(math.log2(SCALE_FLOOR))
"""The smallest power of two that is not below the floor of scales."""


@dataclass(frozen=True)
class Reflections:
    """Groups of samples, each scaled and mixed by one Householder reflection.

    Of each group the first row is the large one; the others are scaled by the group's ratio, and
    the reflection that turns the first unit vector into (1, ..., 1) / sqrt(n) spreads the first row
    over all. A reflection is its own inverse.
    """

    groups: tuple[tuple[int, ...], ...]
    ratios: tuple[float, ...]

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale, then reflect; samples on axis 0."""
        mixed = values.copy()
        for group, ratio in zip(self.groups, self.ratios, strict=True):
            rows = list(group)
            mixed[rows[1:]] *= ratio
            mixed[rows] = _reflected(mixed[rows])
        return mixed

    def undo(self, mixed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reflect, then scale back."""
        values = mixed.copy()
        for group, ratio in zip(self.groups, self.ratios, strict=True):
            rows = list(group)
            values[rows] = _reflected(values[rows])
            values[rows[1:]] /= ratio
        return values


@dataclass(frozen=True)
class Quantized:
    """A tensor on its grid or grids: the integers that are stored, the reals they stand for."""

    integers: NDArray[np.int32]
    reals: NDArray[np.float64]


@dataclass(frozen=True)
class Decision:
    """How one tensor is quantized. A range alone leaves the rest to the scheme."""

    limits: Range
    bits: int | None = None
    """The bit width where the method picks it; None is the scheme's."""
    symmetric: bool = False
    """The method lays its grid symmetrically, whatever the scheme says."""
    step: float | None = None
    """The distance of neighbouring grid points where the method fixes it; zero point 0, signed."""
    samples: tuple[Range, ...] | None = None
    """A range for each sample; `limits` holds them all."""
    reflections: Reflections | None = None
    """The samples are mixed before they are quantized; `samples` are ranges of the mixed ones."""
    passes: int = 0
    """Times that the finished tensor is read back in this step, the read that quantizes it
    included: 0 where the range was known before the tensor."""

    @classmethod
    def magnitude(cls, largest: float, passes: int = 0) -> "Decision":
        """The symmetric grid from -largest to largest."""
        return cls(Range(-largest, largest), symmetric=True, passes=passes)

    @classmethod
    def mixed(cls, samples: "tuple[Range, ...]", reflections: Reflections) -> "Decision":
        """A range for each mixed sample; one pass to find them, one to quantize."""
        whole = Range(min(r.minimum for r in samples), max(r.maximum for r in samples))
        return cls(whole, samples=samples, reflections=reflections, passes=2)

    @classmethod
    def fixed_step(cls, step: float, bits: int, own_bits: bool = False) -> "Decision":
        """The grid of the multiples of a step that `bits` signed bits reach.

        The step is raised to SMALLEST_STEP. `own_bits`: the method picked this width.
        """
        step, integers = max(step, SMALLEST_STEP), IntegerRange(bits, True)
        limits = Range(step * integers.minimum, step * integers.maximum)
        return cls(limits, bits if own_bits else None, True, step)

    def grid(self, bits: int = 8, symmetric: bool = False) -> Grid:
        """The one grid of the whole tensor, in a scheme of these bits and this symmetry."""
        return self._grid(self.limits, bits, symmetric)

    def grids(self, count: int, bits: int = 8, symmetric: bool = False) -> tuple[Grid, ...]:
        """The grid of each of `count` samples."""
        ranges = (self.limits,) * count if self.samples is None else self.samples
        if len(ranges) != count:
            raise AccelsimError(f"samples = {count}: must be {len(ranges)}, one for each range")
        return tuple(self._grid(limits, bits, symmetric) for limits in ranges)

    def quantize(self, values: ArrayLike, bits: int = 8, symmetric: bool = False) -> Quantized:
        """What becomes of real numbers, samples on axis 0; rounded to nearest, ties to even."""
        array = finite_array("values", values)
        mixed = self.reflections.apply(array) if self.reflections else array
        if self.samples is None:
            grid = self.grid(bits, symmetric)
            integers = grid.quantize(mixed)
            reals = grid.dequantize(integers)
        else:
            grids = self.grids(len(mixed), bits, symmetric)
            integers = np.stack([g.quantize(row) for g, row in zip(grids, mixed, strict=True)])
            reals = np.stack([g.dequantize(q) for g, q in zip(grids, integers, strict=True)])
        return Quantized(integers, self.reflections.undo(reals) if self.reflections else reals)

    def _grid(self, limits: Range, bits: Any, symmetric: bool) -> Grid:
        bits = whole("bits", bits if self.bits is None else self.bits, 1, 16)
        if self.step is not None:
            return Grid(IntegerRange(bits, True), self.step, 0)
        if self.symmetric or symmetric:
            return Grid.symmetric(limits, bits)
        return Grid.affine(limits, bits)


def _reflected(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(I - 2 v v' / v'v) rows, with v = (1, ..., 1) / sqrt(n) - (1, 0, ..., 0)."""
    if len(rows) == 1:
        return rows
    v = np.full(len(rows), 1 / math.sqrt(len(rows)))
    v[0] -= 1
    # Sums along axis 0, not by BLAS, whose sums may depend on the number of threads.
    along = np.sum(v.reshape(-1, *[1] * (rows.ndim - 1)) * rows, axis=0)
    return rows - np.multiply.outer(2 / np.sum(v * v) * v, along)
