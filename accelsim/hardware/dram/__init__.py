"""A command-level DRAM described: standards as data, timings, address mappings, traffic."""

from accelsim.hardware.dram.clocks import ClockRatio
from accelsim.hardware.dram.description import (
    CommandDram,
    PagePolicy,
    Refresh,
    Scheduler,
    WriteResponse,
)
from accelsim.hardware.dram.device import Device, device_names
from accelsim.hardware.dram.mapping import Mapping
from accelsim.hardware.dram.trace_file import read_trace
from accelsim.hardware.dram.traffic import Traffic, default_span, pattern

__all__ = [
    "ClockRatio",
    "CommandDram",
    "Device",
    "Mapping",
    "PagePolicy",
    "Refresh",
    "Scheduler",
    "Traffic",
    "WriteResponse",
    "default_span",
    "device_names",
    "pattern",
    "read_trace",
]
