"""The description of a whole machine."""

from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from accelsim.hardware.array import Array
from accelsim.hardware.drain import Requantizer, StatUnit
from accelsim.hardware.memory import Accumulator, Dma, Dram, Fusion, IdealDram, Sram, decimal
from accelsim.hardware.part import Part, choice, number
from accelsim.hardware.text import write_yaml
from accelsim.hardware.vector import VectorUnit


def _printable(name: str) -> str:
    if not name.isprintable() or name.strip() != name:
        raise ValueError("not printable")
    return name


def _part(default: Part, description: str) -> Any:
    return Field(default=default, description=description)


class Hardware(Part):
    """A machine, shaped like the machine. Change it by copy: `load_hardware(hardware, overrides)`.

    Unspecified fields take their stated defaults, which describe the preset `edge`.
    """

    name: Annotated[str, AfterValidator(_printable)] = Field(
        default="custom",
        min_length=1,
        max_length=100,
        strict=True,
        description="what reports call the machine; no effect on any number",
    )
    clock_mhz: float = number(
        800, 0.001, 100_000, "clock in MHz; turns cycles into time and DRAM rates into cycles"
    )
    fusion: Fusion = choice(
        Fusion.DRAIN,
        "networks: every operation loads and stores its tensors (none); activations are applied "
        "by the operation before them (drain); beside that, tensors that fit sram.chain_kib stay "
        "on chip until they were read last (chain)",
    )
    array: Array = _part(Array(), "the MAC array")
    accumulator: Accumulator = _part(Accumulator(), "the registers that hold partial sums")
    sram: Sram = _part(Sram(), "the on-chip buffers, in KiB of 1024 bytes")
    stat_unit: StatUnit = _part(StatUnit(), "the online statistics at the accumulator output")
    requantizer: Requantizer = _part(Requantizer(), "the way from accumulator to output width")
    vector_unit: VectorUnit = _part(VectorUnit(), "element-wise work beside the products")
    dma: Dma = _part(Dma(), "the engines between DRAM and the buffers")
    dram: Dram = _part(IdealDram(), "the memory outside the chip")

    @classmethod
    def preset(cls, name: str) -> "Hardware":
        """Give the machine that ships under this name; `preset_names()` lists them."""
        from accelsim.hardware.loading import preset  # loading builds on this module

        return preset(name)

    def to_yaml(self) -> str:
        """Write the machine as YAML that loads back to an equal one, each field explained."""
        return write_yaml(self)

    @property
    def stat_lanes(self) -> int:
        """Accumulators the statistics unit observes per cycle: no more than leave the array."""
        return min(self.stat_unit.lanes or self.array.columns, self.array.columns)

    @property
    def requantizer_lanes(self) -> int:
        """Accumulators the requantizer takes per cycle: no more than leave the array."""
        return min(self.requantizer.lanes or self.array.columns, self.array.columns)

    @property
    def vector_lanes(self) -> int:
        """Operations of the vector unit per cycle."""
        return self.vector_unit.lanes or self.array.columns

    @property
    def stat_settle_cycles(self) -> int:
        """Cycles from the last accumulator of a tensor to its statistic."""
        return self.stat_unit.settle_cycles(self.array.columns)

    @property
    def peak_macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle with every cell busy."""
        return self.array.rows * self.array.columns

    @property
    def bandwidth_bytes_per_cycle(self) -> Fraction:
        """Peak DRAM bytes per clock cycle, exactly."""
        return self.dram.peak_bytes_per_us / decimal(self.clock_mhz)

    def cycles_to_us(self, cycles: float) -> float:
        """Time in microseconds that this many clock cycles take."""
        return cycles / self.clock_mhz
