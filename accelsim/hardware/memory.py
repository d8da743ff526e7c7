"""Where data waits and how it moves: accumulators, on-chip buffers, DMA engines, DRAM."""

import math
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field

from accelsim.hardware.dram import CommandDram
from accelsim.hardware.part import Part, choice, number, whole
from accelsim.numerics import Overflow

SMALLEST_KIB = 0.001  # one byte
LARGEST_KIB = 1024 * 1024


BUFFERS = {
    "input buffer": "input_kib",
    "weight buffer": "weight_kib",
    "accumulator buffer": "accumulator_kib",
    "output buffer": "output_kib",
}
"""The buffers, and the field of `Sram` that says how large each is."""


class Accumulator(Part):
    """The registers that hold partial sums."""

    bits: int = whole(32, 8, 32, "width of an accumulator in bits, two's complement")
    overflow: Overflow = choice(
        Overflow.SATURATE,
        "what a complete sum that leaves the width becomes: wrap or saturate; counted either way",
    )


class Sram(Part):
    """The on-chip buffers, in KiB of 1024 bytes."""

    input_kib: float = number(
        64, SMALLEST_KIB, LARGEST_KIB, "input buffer in KiB; bounds the input tile"
    )
    weight_kib: float = number(
        64, SMALLEST_KIB, LARGEST_KIB, "weight buffer in KiB; bounds the weight tile"
    )
    accumulator_kib: float = number(
        64, SMALLEST_KIB, LARGEST_KIB, "accumulator memory in KiB; bounds the output tile"
    )
    output_kib: float = number(
        16, SMALLEST_KIB, LARGEST_KIB, "buffer in KiB between the requantizer and the store engine"
    )
    chain_kib: float = number(
        1024,
        SMALLEST_KIB,
        LARGEST_KIB,
        "memory in KiB for whole tensors between two operations; used with fusion: chain",
    )
    chain_bytes_per_cycle: int = whole(
        64, 1, 65536, "bytes per cycle through the port of that memory, both directions together"
    )

    def kib_of(self, buffer: str) -> float:
        """The size of the buffer of this name."""
        return float(getattr(self, BUFFERS[buffer]))

    @property
    def input_bytes(self) -> int:
        """Input buffer in bytes, a fraction of a byte dropped."""
        return int(self.input_kib * 1024)

    @property
    def weight_bytes(self) -> int:
        """Weight buffer in bytes, a fraction of a byte dropped."""
        return int(self.weight_kib * 1024)

    @property
    def accumulator_bytes(self) -> int:
        """Accumulator memory in bytes, a fraction of a byte dropped."""
        return int(self.accumulator_kib * 1024)

    @property
    def output_bytes(self) -> int:
        """Output buffer in bytes, a fraction of a byte dropped."""
        return int(self.output_kib * 1024)

    @property
    def chain_bytes(self) -> int:
        """Memory for whole tensors in bytes, a fraction of a byte dropped."""
        return int(self.chain_kib * 1024)


class Fusion(StrEnum):
    """What operations of a network share, so that a tensor between them need not travel."""

    NONE = "none"
    DRAIN = "drain"
    CHAIN = "chain"


class Arbitration(StrEnum):
    """Who goes first when the load and the store engine both want the DRAM."""

    ROUND_ROBIN = "round-robin"
    LOAD_FIRST = "load-first"
    STORE_FIRST = "store-first"


class Dma(Part):
    """The engines that move regions between DRAM and the buffers."""

    in_flight_bursts: int = whole(
        32, 1, 65536, "bursts one engine may have in flight; bounds the latency it can hide"
    )
    arbitration: Arbitration = choice(
        Arbitration.ROUND_ROBIN,
        "who goes first when both engines want the DRAM: round-robin, load-first or store-first",
    )


class IdealDram(Part):
    """A DRAM of constant bandwidth and latency, for closed forms."""

    model: Literal["ideal"] = Field(
        default="ideal", description="kind of DRAM; ideal is constant bandwidth and latency"
    )
    bandwidth_gb_per_s: float = number(
        12.8, 0.001, 100_000, "bandwidth in GB/s of 10^9 bytes, reads and writes together"
    )
    latency_ns: float = number(
        100, 0, 1_000_000, "time in ns from the request of a burst to its arrival"
    )
    burst_bytes: int = whole(
        64, 1, 65536, "bytes moved per access; a transfer that fills no burst still takes one"
    )

    @property
    def peak_bytes_per_us(self) -> Fraction:
        """Bytes per microsecond at the bandwidth, read as a decimal."""
        return 1000 * decimal(self.bandwidth_gb_per_s)

    def latency_cycles(self, clock_mhz: float) -> int:
        """Latency in cycles of that clock, rounded up."""
        return math.ceil(decimal(self.latency_ns) * decimal(clock_mhz) / 1000)


Dram = Annotated[IdealDram | CommandDram, Field(discriminator="model")]
"""What stands outside the chip; a description says which by its `model`."""

_COMMAND_ONLY = set(CommandDram.model_fields) - set(IdealDram.model_fields)


IDEAL = "ideal"


def implied_model(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add `model: command` to changes of a DRAM that name what only that model has.

    `preset: ideal`, beside the devices on an axis say, is the model of that name.
    """
    if changes.get("preset") == IDEAL and changes.get("model", IDEAL) == IDEAL:
        rest = {name: value for name, value in changes.items() if name != "preset"}
        return {**rest, "model": IDEAL}
    if "model" not in changes and _COMMAND_ONLY & set(changes):
        return {"model": "command", **changes}
    return changes


def decimal(value: float) -> Fraction:
    """Read a float as the decimal number that was written, so 12.8 is 64/5."""
    return Fraction(repr(float(value)))
