"""A command-level DRAM described: standards as data, timings, address mappings, traffic."""

from accelsim.hardware.dram.clocks import ClockRatio
from accelsim.hardware.dram.description import (
    CommandDram,
    PagePolicy,
    Refresh,
    Scheduler,
    WriteResponse,
)
from accelsim.hardware.dram.device import device_names
from accelsim.hardware.dram.mapping import Mapping
from accelsim.hardware.dram.traffic import Traffic, pattern, read_trace

__all__ = [
    "ClockRatio",
    "CommandDram",
    "Mapping",
    "PagePolicy",
    "Refresh",
    "Scheduler",
    "Traffic",
    "WriteResponse",
    "device_names",
    "pattern",
    "read_trace",
]
