"""Ranges from minima and maxima: fixed, of the tensor itself, running, in hindsight."""

import math
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from accelsim.hardware import Statistic
from accelsim.quant.decision import Decision
from accelsim.quant.estimators.estimator import RANGE, Estimator, Parameter, Shape
from accelsim.quant.estimators.registry import register
from accelsim.quant.grid import Range
from accelsim.quant.observation import Observation, Request


@register("fixed")
class Fixed(Estimator):
    """A constant range, such as [0, 1] for DoReFa's activations: nothing is observed.

    (Zhou et al. 2016.)
    """

    needs_current = False
    needs = frozenset()
    parameters = MappingProxyType(
        {"minimum": Parameter(-1.0, -1e30, 0.0), "maximum": Parameter(1.0, 0.0, 1e30)}
    )

    def range_for(self, step: int) -> Range | Decision | None:
        """Always the same."""
        return Range(self.values["minimum"], self.values["maximum"])

    def observe(self, observed: Observation) -> None:
        """Nothing is remembered."""


@register("fixed-point")
class FixedPoint(Estimator):
    """The constant grid of fixed-point numbers with so many fraction bits.

    [-2**(bits-fraction-1), 2**(bits-fraction-1) - 2**-fraction] (Gupta et al. 2015; WAGE's
    activations are fraction = bits - 1).
    """

    needs_current = False
    needs = frozenset()
    parameters = MappingProxyType({"fraction": Parameter(7, -99, 99)})

    def range_for(self, step: int) -> Range | Decision | None:
        """Always the same."""
        return Decision.fixed_step(2.0 ** -self.values["fraction"], self.bits)

    def observe(self, observed: Observation) -> None:
        """Nothing is remembered."""


@register("current")
class CurrentMinMax(Estimator):
    """q_t = mm(G_t): the minimum and maximum of the tensor itself, so it must be seen first."""

    needs_current = True

    def observe(self, observed: Observation) -> None:
        """The past does not matter."""


@register("running")
class RunningMinMax(Estimator):
    """q_t = (1 - momentum) * mm(G_t) + momentum * q_(t-1), q_0 = mm(G_0): this tensor and the past.

    (Krishnamoorthi 2018.)
    """

    needs_current = True
    parameters = MappingProxyType({"momentum": Parameter(0.9, 0.0, 1.0)})
    remembers = MappingProxyType({"range": RANGE})
    range: Range | None

    def range_from(self, observed: Observation) -> Range | Decision:
        """The new mean is for this very tensor."""
        self.range = blended(self.range, observed.range, self.values["momentum"])
        return self.range

    def observe(self, observed: Observation) -> None:
        """It is already in the mean."""


@register("in-hindsight")
class InHindsightMinMax(Estimator):
    """q_t = (1 - momentum) * mm(G_(t-1)) + momentum * q_(t-1), q_0 = mm(G_0): the past only.

    Step 0 is one dynamic step that starts the recurrence; step 1 reuses q_0, as the rule gives.
    (Fournarakis & Nagel 2021, momentum 0.9.) Calibrated, it has no dynamic step.
    """

    needs_current = False
    parameters = MappingProxyType({"momentum": Parameter(0.9, 0.0, 1.0)})
    remembers = MappingProxyType({"range": RANGE})
    range: Range | None

    def range_for(self, step: int) -> Range | Decision | None:
        """None before the first observation."""
        return self.range

    def observe(self, observed: Observation) -> None:
        """Move the range for the next step."""
        self.range = blended(self.range, observed.range, self.values["momentum"])


@register("from-file")
class FromFile(InHindsightMinMax):
    """The grid that a quantized model's file gives for the tensor; without one, in hindsight."""

    from_file = True


@register("chunked")
class ChunkedMinMax(Estimator):
    """The mean of the minima and of the maxima of equal chunks of the tensor: outliers count less.

    (Banner et al. 2018.)
    """

    needs_current = True
    needs = frozenset({Statistic.EXTREMES, Statistic.CHUNKS})
    parameters = MappingProxyType({"chunks": Parameter(16, 1, 65536)})

    def request(self, step: int) -> Request:
        """The range of each chunk."""
        return Request(self.needs, chunks=int(self.values["chunks"]))

    def range_from(self, observed: Observation) -> Range | Decision:
        """Both means over the chunks. Chunk ranges hold zero, so the means do."""
        chunks = observed.chunk_ranges
        count = len(chunks)
        return Range(
            math.fsum(chunk.minimum / count for chunk in chunks),
            math.fsum(chunk.maximum / count for chunk in chunks),
        )

    def observe(self, observed: Observation) -> None:
        """The past does not matter."""


class _OfParts(Estimator):
    """A range for each part: between its extremes, or with symmetric=1 to both sides of zero."""

    def __init__(self, bits: int = 8, /, **values: Any) -> None:
        super().__init__(bits, **values)
        if self.values["symmetric"]:
            self.needs = self.needs - {Statistic.EXTREMES} | {Statistic.MAGNITUDE}

    def part_decision(self, limits: Range) -> Decision:
        """Between its extremes, or to both sides of zero."""
        return Decision(limits, symmetric=bool(self.values["symmetric"]))

    def observe(self, observed: Observation) -> None:
        """The past does not matter."""


@register("per-sample")
class PerSample(_OfParts):
    """Each sample's own minimum and maximum, or with symmetric=1 its largest magnitude.

    (Chen et al. 2020, PSQ; DoReFa's gradients are the symmetric one.)
    """

    needs_current = True
    needs = frozenset({Statistic.EXTREMES, Statistic.SAMPLES})
    parameters = MappingProxyType({"symmetric": Parameter(0, 0, 1)})

    def range_from(self, observed: Observation) -> Range | Decision:
        """One range per sample."""
        return replace(self.part_decision(observed.range), samples=observed.sample_ranges)

    def extent(self, shape: Shape, samples: int) -> Shape | None:
        """The images of a sample."""
        return (shape[0] // samples, *shape[1:])


@register("per-tile")
class PerTile(_OfParts):
    """Each region of the output its own minimum and maximum, found while the region is on chip.

    A region is `images` x `rows` x `columns` positions of `channels` channels, smaller at the
    edges. It needs a layer's output; of a tensor by itself it is the range of all regions.
    (Cambricon-Q, Zhao et al. 2021, quantizes block by block so.)
    """

    needs_current = True
    needs = frozenset({Statistic.EXTREMES, Statistic.TILES})
    local = True
    parameters = MappingProxyType(
        {
            "rows": Parameter(8, 1, 65536),
            "columns": Parameter(8, 1, 65536),
            "channels": Parameter(32, 1, 65536),
            "images": Parameter(1, 1, 65536),
            "symmetric": Parameter(0, 0, 1),
        }
    )

    def extent(self, shape: Shape, samples: int) -> Shape | None:
        """The region."""
        images, rows, columns, channels = (
            int(self.values[name]) for name in ("images", "rows", "columns", "channels")
        )
        return images, rows, columns, channels

    def range_from(self, observed: Observation) -> Range | Decision:
        """The range of all regions."""
        return self.part_decision(observed.range)


def blended(old: Range | None, new: Range, momentum: float) -> Range:
    """(1 - momentum) * new + momentum * old, end by end; momentum is the weight of the old.

    The new one where there is no old one.
    """
    if old is None:
        return new
    return Range(
        (1 - momentum) * new.minimum + momentum * old.minimum,
        (1 - momentum) * new.maximum + momentum * old.maximum,
    )
