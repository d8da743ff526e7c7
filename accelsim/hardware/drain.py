"""What stands between the array and the output buffer: statistics unit and requantizer."""

from collections.abc import Collection
from enum import StrEnum

from accelsim.errors import AccelsimError
from accelsim.hardware.part import Part, choice, flag, show, whole
from accelsim.hardware.statistics import SQUARE, SUM, THRESHOLDS, Arithmetic, Statistic
from accelsim.numerics import RequantizationMode

_FIELDS = {
    Statistic.SUM: ("sum",),
    Statistic.MOMENTS: ("sum", "squares"),
    Statistic.EXCEEDANCES: ("counts",),
    Statistic.ABSOLUTE_SUM: ("sum",),
    Statistic.PRODUCTS: ("products",),
    Statistic.CHANNELS: ("per_channel",),
    Statistic.SAMPLES: ("per_sample",),
    Statistic.CHUNKS: ("per_sample",),
    Statistic.TILES: ("per_tile",),
}
"""What a statistic takes of a unit beside its comparators."""

_OF_PARTS = (Statistic.SAMPLES, Statistic.CHUNKS)
"""Ranges of parts that are kept beside that of the tensor."""


class Reduction(StrEnum):
    """How the per-column registers of the statistics unit become one value."""

    COMBINATIONAL = "combinational"
    PIPELINED = "pipelined"
    SERIAL = "serial"


class Compares(StrEnum):
    """What the comparators of a lane keep of every tensor that passes, asked or not."""

    EXTREMES = "extremes"
    MAGNITUDE = "magnitude"
    NONE = "none"


class StatUnit(Part):
    """Sees each finished accumulator once, before quantization.

    The default has all that any estimator here asks for, each statistic with arithmetic of its
    own, so that none costs a cycle. A scheme that needs what is left out is refused.
    """

    lanes: int | None = whole(
        None, 1, 4096, "accumulators observed per cycle; null is one per column of the array"
    )
    reduction: Reduction = choice(
        Reduction.COMBINATIONAL,
        "how the columns are reduced at a tensor's end: combinational (no cycle), pipelined "
        "(log2 of the columns, rounded up) or serial (columns - 1 cycles)",
    )
    stages: int = whole(
        0, 0, 64, "pipeline stages: cycles from the last accumulator to its registers, which pass "
        "before the columns are reduced",
    )  # fmt: skip
    at_once: int | None = whole(
        None, 1, 16, "statistics that a lane keeps of an accumulator in one cycle; with more of "
        "them the accumulator stays for ceil(statistics / at_once) cycles, null is all in one",
    )  # fmt: skip
    compares: Compares = choice(
        Compares.EXTREMES,
        "what is kept of every tensor: minimum and maximum (extremes, 2 comparators a lane), the "
        "largest magnitude alone (magnitude, 1 comparator), or nothing (none)",
    )
    counts: bool = flag(
        True, "counts magnitudes above c and above c / 2, for saturation ratios: 2 comparators"
    )
    sum: bool = flag(True, "adds up accumulators, or their magnitudes: an adder of 64 bits")
    squares: bool = flag(True, "adds up squares: a multiplier and an adder of 64 bits")
    products: bool = flag(
        True, "adds up x q and q q while a search tries q for x: 2 multipliers, 2 adders of 64 bits"
    )
    per_channel: bool = flag(
        True, "registers of each channel apart, which scales per output channel need; false is one "
        "set for all",
    )  # fmt: skip
    per_sample: bool = flag(
        True, "beside the tensor's range that of each sample or chunk: comparators once more"
    )
    per_tile: bool = flag(
        True, "ranges of regions and blocks, begun anew with each while the tensor is drained"
    )

    def lacking(self, needs: Collection[Statistic]) -> tuple[str, ...]:
        """What must change for a unit with all of these, each as `statistic: field=value, ...`."""
        found = []
        for statistic in Statistic:  # in their order, whatever that of the collection
            if statistic in needs:
                found += [f"{statistic}: {why}" for why in self._lacks(statistic)]
        return tuple(found)

    def _lacks(self, statistic: Statistic) -> list[str]:
        compares = {
            Statistic.EXTREMES: (Compares.EXTREMES,),
            Statistic.MAGNITUDE: (Compares.EXTREMES, Compares.MAGNITUDE),
        }.get(statistic)
        if compares and self.compares not in compares:
            return [f"stat_unit.compares={self.compares} must be {' or '.join(compares)}"]
        fields = _FIELDS.get(statistic, ())
        return [
            f"stat_unit.{name}=false must be true" for name in fields if not getattr(self, name)
        ]

    def observed(self, asked: Collection[Statistic]) -> tuple[Arithmetic, ...]:
        """What a lane does with a finished accumulator, statistic by statistic."""
        kept = self._compared(1 + sum(part in asked for part in _OF_PARTS))
        if Statistic.EXCEEDANCES in asked:
            kept.append(THRESHOLDS)
        if Statistic.SUM in asked or Statistic.MOMENTS in asked:
            kept.append(SUM)
        if Statistic.MOMENTS in asked:
            kept.append(SQUARE)
        if Statistic.ABSOLUTE_SUM in asked:
            kept.append(SUM)
        return tuple(kept)

    def tried(self, asked: Collection[Statistic]) -> tuple[Arithmetic, ...]:
        """The same in a search, where it is held against a trial.

        A search that asks for neither of the two that are made for it observes once more.
        """
        kept = [SQUARE, SQUARE] if Statistic.PRODUCTS in asked else []
        kept += [SUM] if Statistic.ABSOLUTE_SUM in asked else []
        return tuple(kept) or self.observed(asked)

    @property
    def possible(self) -> tuple[Arithmetic, ...]:
        """All that the unit can keep; a lane has the arithmetic of `at_once` of them."""
        kept = self._compared(1 + self.per_sample)
        kept += [THRESHOLDS] if self.counts else []
        kept += [SUM] if self.sum else []
        kept += [SQUARE] if self.squares else []
        kept += [SQUARE, SQUARE] if self.products else []
        return tuple(kept)

    def _compared(self, times: int) -> list[Arithmetic]:
        """The comparators' work, for the tensor and again for its parts."""
        comparators = {Compares.EXTREMES: 2, Compares.MAGNITUDE: 1, Compares.NONE: 0}
        one = Arithmetic(comparators=comparators[self.compares])
        return [one] * times if one.comparators else []

    def passes(self, kept: int) -> int:
        """Cycles that a lane takes for an accumulator of which it keeps so many statistics."""
        return -(-kept // (self.at_once or max(kept, 1)))

    def settle_cycles(self, columns: int) -> int:
        """Cycles from the last accumulator to one statistic over `columns` registers."""
        return self.stages + self.reduction_cycles(columns)

    def reduction_cycles(self, columns: int) -> int:
        """Cycles from the last accumulator to one statistic over `columns` registers.

        A tree of two-input comparators has ceil(log2 columns) levels: one cycle each when
        pipelined, none when combinational. A serial walk compares columns - 1 times.
        """
        if columns < 1:
            raise AccelsimError(f"columns={show(columns)}: must be >= 1")
        if self.reduction is Reduction.COMBINATIONAL:
            return 0
        return (columns - 1).bit_length() if self.reduction is Reduction.PIPELINED else columns - 1


class Requantizer(Part):
    """Scales and rounds an accumulator to the output width."""

    lanes: int | None = whole(
        None, 1, 4096, "accumulators requantized per cycle; null is one per column of the array"
    )
    stages: int = whole(2, 0, 64, "pipeline stages: cycles from an accumulator to its output")
    mode: RequantizationMode = choice(
        RequantizationMode.NEAREST_EVEN,
        "how an accumulator becomes an output: multiplier and shift rounded nearest-even, half-up, "
        "half-away, stochastic, single (half-up by TFLite's name) or tflite-double (twice, as "
        "TFLite's reference kernels), or f32-rne (a float32 product, as ONNX Runtime)",
    )
