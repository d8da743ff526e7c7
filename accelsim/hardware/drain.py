"""What stands between the array and the output buffer: statistics unit and requantizer."""

from enum import StrEnum

from accelsim.errors import AccelsimError
from accelsim.hardware.part import Part, choice, show, whole
from accelsim.numerics import RequantizationMode


class Reduction(StrEnum):
    """How the per-column registers of the statistics unit become one value."""

    COMBINATIONAL = "combinational"
    PIPELINED = "pipelined"
    SERIAL = "serial"


class StatUnit(Part):
    """Sees each finished accumulator once, before quantization."""

    lanes: int | None = whole(
        None, 1, 4096, "accumulators observed per cycle; null is one per column of the array"
    )
    reduction: Reduction = choice(
        Reduction.COMBINATIONAL,
        "how the columns are reduced at a tensor's end: combinational (no cycle), pipelined "
        "(log2 of the columns, rounded up) or serial (columns - 1 cycles)",
    )

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
