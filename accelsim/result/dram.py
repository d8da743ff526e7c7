"""What a DRAM did with the requests that were driven straight into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelsim.result.record import Record


@dataclass(frozen=True, slots=True)
class DramChannel(Record):
    """One channel: its commands, its bus, its reads."""

    bus_bytes: int
    """Bytes on its data bus: those of its column commands."""
    bus_busy_share: float
    column_reads: int
    column_writes: int
    row_hits: int
    """Column commands that needed no activate of their own."""
    row_hit_rate: float
    activates: int
    precharges: int
    refreshes: int
    read_latency_mean_clocks: float
    read_latency_max_clocks: int


@dataclass(frozen=True, slots=True)
class DramRequester(Record):
    """One port: what it asked for and how long its reads took."""

    traffic: str
    """The pattern or the trace that it followed."""
    requests: int
    bytes: int
    bytes_read: int
    bytes_written: int
    bandwidth_gb_per_s: float
    """Its bytes over the whole time, also where others still worked when it was done."""
    read_latency_mean_clocks: float
    read_latency_max_clocks: int
    read_latency_mean_ns: float
    read_latency_max_ns: float


@dataclass(frozen=True)
class DramResult(Record):
    """Requests driven into a DRAM: bytes, bandwidth, rows, refreshes and latencies.

    Bytes are whole lines, as asked for; a read that is forwarded from the write queue and a write
    that is absorbed there count, but never reach the bus. GB are 10^9 bytes.
    """

    schema = "accelsim.dram/1"

    preset: str
    standard: str
    configuration: Mapping[str, Any]
    """The description as it was given: the fields of a machine's `dram`."""
    organisation: Mapping[str, Any]
    timing_clocks: Mapping[str, Any]
    """Every timing of the device with what was changed, in clocks; `clock_ps` in ps."""
    capacity_bytes: int
    line_bytes: int
    """Bytes of one transaction; a request of 64 bytes is one or several."""
    clock_ps: int
    in_flight_requests: int
    """Requests of 64 bytes that each port may have in flight."""
    lines_per_clock: int
    """Transactions that each port may offer in a clock."""
    arbitration: str
    seed: int
    requests: int
    total_clocks: int
    """From clock 0, all banks closed, to the end of the last data beat."""
    time_ns: float
    bytes: int
    bytes_read: int
    bytes_written: int
    bandwidth_gb_per_s: float
    peak_gb_per_s: float
    fraction_of_peak: float
    port_fraction_of_peak: float
    """The most that the ports together may offer, over the peak; below 1 they are a bound."""
    bus_busy_share: float
    """Share of the clocks in which data moves, the mean of all channels."""
    column_reads: int
    column_writes: int
    row_hits: int
    row_hit_rate: float
    activates: int
    precharges: int
    refreshes: int
    reads_forwarded: int
    writes_coalesced: int
    read_latency_mean_clocks: float
    read_latency_max_clocks: int
    read_latency_mean_ns: float
    read_latency_max_ns: float
    channels: tuple[DramChannel, ...]
    requesters: tuple[DramRequester, ...]
    latency_bin_clocks: int
    latency_bins: int
    """Bins there are; the last holds every read that took longer than the others cover."""
    latency_histogram_reads: tuple[int, ...]
    """Reads by latency, a bin after the other from 0; empty bins at the end are left out."""
