"""The frozen description of a machine, shaped like the machine, and the presets that ship."""

from accelsim.hardware.array import (
    Array,
    ArrayTiming,
    BlockRescale,
    Dataflow,
    FoldShape,
    ShiftOut,
    TilesFor,
)
from accelsim.hardware.blocks import BlockProduct, block_timing, fold_rounds, rescaled_sums
from accelsim.hardware.description import Hardware
from accelsim.hardware.drain import Compares, Reduction, Requantizer, StatUnit
from accelsim.hardware.dram import CommandDram
from accelsim.hardware.energy import (
    DEFAULT_TABLE,
    EnergyTable,
    Figure,
    energy_table_names,
    load_energy_table,
    load_energy_tables,
)
from accelsim.hardware.fields import field_names
from accelsim.hardware.loading import load_dram, load_hardware, preset_names
from accelsim.hardware.memory import (
    BUFFERS,
    Accumulator,
    Arbitration,
    Dma,
    Dram,
    Fusion,
    IdealDram,
    Sram,
)
from accelsim.hardware.statistics import SEARCHING, SUM_BITS, Arithmetic, Statistic
from accelsim.hardware.vector import VectorUnit

__all__ = [
    "BUFFERS",
    "DEFAULT_TABLE",
    "SEARCHING",
    "SUM_BITS",
    "Accumulator",
    "Arbitration",
    "Arithmetic",
    "Array",
    "ArrayTiming",
    "BlockProduct",
    "BlockRescale",
    "CommandDram",
    "Compares",
    "Dataflow",
    "Dma",
    "Dram",
    "EnergyTable",
    "Figure",
    "FoldShape",
    "Fusion",
    "Hardware",
    "IdealDram",
    "Reduction",
    "Requantizer",
    "ShiftOut",
    "Sram",
    "StatUnit",
    "Statistic",
    "TilesFor",
    "VectorUnit",
    "block_timing",
    "energy_table_names",
    "field_names",
    "fold_rounds",
    "load_dram",
    "load_energy_table",
    "load_energy_tables",
    "load_hardware",
    "preset_names",
    "rescaled_sums",
]
