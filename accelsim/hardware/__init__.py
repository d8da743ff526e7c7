"""The frozen description of a machine, shaped like the machine, and the presets that ship."""

from accelsim.hardware.array import Array, ArrayTiming, Dataflow, FoldShape, ShiftOut
from accelsim.hardware.description import Hardware
from accelsim.hardware.drain import Reduction, Requantizer, StatUnit
from accelsim.hardware.dram import CommandDram
from accelsim.hardware.loading import load_dram, load_hardware, preset_names
from accelsim.hardware.memory import Accumulator, Arbitration, Dma, Dram, Fusion, IdealDram, Sram
from accelsim.hardware.vector import VectorUnit

__all__ = [
    "Accumulator",
    "Arbitration",
    "Array",
    "ArrayTiming",
    "CommandDram",
    "Dataflow",
    "Dma",
    "Dram",
    "FoldShape",
    "Fusion",
    "Hardware",
    "IdealDram",
    "Reduction",
    "Requantizer",
    "ShiftOut",
    "Sram",
    "StatUnit",
    "VectorUnit",
    "load_dram",
    "load_hardware",
    "preset_names",
]
