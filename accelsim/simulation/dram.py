"""A DRAM by itself: patterns or traces driven straight into it, without a machine around."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import load_dram
from accelsim.hardware.dram import CommandDram, Traffic, default_span, pattern, read_trace
from accelsim.hardware.dram.traffic import LINE_BYTES
from accelsim.hardware.part import show
from accelsim.kernels import dram as kernel
from accelsim.result import DramChannel, DramRequester, DramResult
from accelsim.simulation.progress import Progress, untold

DEFAULT_REQUESTS = 65_536
MOST_IN_FLIGHT = 65_536
MOST_LINES_PER_CLOCK = 1024
MOST_PORTS = 64
TOLD_CLOCKS = 20_000
"""Between two looks at how far a run is."""

Source = str | Path | Traffic
"""What one port follows: a pattern by its name, a trace file by its path, or requests at hand."""


def drive_dram(
    dram: CommandDram | str | Path = "ddr4-2400",
    traffic: Source | Sequence[Source] = "seq",
    overrides: Mapping[str, Any] | Sequence[str] = (),
    *,
    requests: int = DEFAULT_REQUESTS,
    span_bytes: int | None = None,
    seed: int = 1,
    write_share: float = 0,
    in_flight: int = kernel.TRACE_IN_FLIGHT,
    lines_per_clock: int = 1,
    arbitration: str = "round-robin",
    progress: Progress = untold,
) -> DramResult:
    """Drive patterns or traces into a DRAM, each through a port of its own, and count.

    A text is a pattern (`seq`, `stride:4096`, `random`, `mix:0.3`), a `Path` a trace file. The
    patterns keep to spans of their own, one after another; `requests`, `seed` and `write_share`
    are theirs. `dram` is a preset, a device's YAML file or a description, `overrides` change it.
    A port offers its requests of 64 bytes in order, `lines_per_clock` transactions a clock, waits
    where a queue is full, and keeps at most `in_flight` requests in flight.
    """
    if not isinstance(dram, CommandDram):
        dram = load_dram(dram, overrides)
    elif overrides:
        raise AccelsimError(f"overrides={show(overrides)}: must be left out beside a description")
    sources = [traffic] if isinstance(traffic, str | Path | Traffic) else list(traffic)
    _check("ports", len(sources), MOST_PORTS)
    _check("in_flight", in_flight, MOST_IN_FLIGHT)
    _check("lines_per_clock", lines_per_clock, MOST_LINES_PER_CLOCK)
    ports = [
        _requests(source, position, len(sources), dram, requests, span_bytes, seed, write_share)
        for position, source in enumerate(sources)
    ]
    lines = [port.lines(dram.line_bytes, dram.capacity_bytes) for port in ports]
    counted = _run(dram, lines, in_flight, lines_per_clock, arbitration, progress)
    port_bytes = len(ports) * lines_per_clock * dram.line_bytes
    names = [_name(source) for source in sources]
    return DramResult(
        preset=dram.preset,
        standard=dram.device.standard,
        configuration=dram.model_dump(mode="json"),
        organisation=dram.shape._asdict(),
        timing_clocks=dict(dram.clocks),
        capacity_bytes=dram.capacity_bytes,
        line_bytes=dram.line_bytes,
        clock_ps=dram.clocks["clock_ps"],
        in_flight_requests=in_flight,
        lines_per_clock=lines_per_clock,
        arbitration=arbitration,
        seed=seed,
        requests=sum(len(port) for port in ports),
        port_fraction_of_peak=port_bytes / dram.peak_bytes_per_clock,
        **_figures(counted, dram, names, [len(port) for port in ports]),
    )


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise AccelsimError(f"{name}={value}: must be >= 1 and <= {most}")


def _name(source: Source) -> str:
    return "requests" if isinstance(source, Traffic) else str(source)


def _requests(
    source: Source,
    position: int,
    ports: int,
    dram: CommandDram,
    requests: int,
    span_bytes: int | None,
    seed: int,
    write_share: float,
) -> Traffic:
    """What one port asks for."""
    if isinstance(source, Traffic):
        return source
    if isinstance(source, Path):
        return read_trace(source, dram.capacity_bytes)
    room = dram.capacity_bytes // ports // LINE_BYTES * LINE_BYTES
    span = default_span(source, room) if span_bytes is None else span_bytes
    if span > room:
        share = "" if ports == 1 else f" over {ports} ports"
        raise AccelsimError(f"span_bytes={span}: must be <= {room}, the capacity{share}")
    base = position * (span + -span % LINE_BYTES)
    return pattern(source, requests, span, seed + position, write_share, base)


def _run(
    dram: CommandDram,
    lines: list[np.ndarray],
    in_flight: int,
    rate: int,
    arbitration: str,
    progress: Progress,
) -> dict[str, Any]:
    """Everything counted, once all requests are done; none may be lost."""
    whole = lines[0] if len(lines) == 1 else np.concatenate(lines)
    limit = in_flight * max(1, LINE_BYTES // dram.line_bytes)
    machine = kernel.create(
        dram,
        [limit] * len(lines),
        arbitration=arbitration,
        lines_per_clock=rate,
        trace=whole,
    )
    stops = np.cumsum([len(part) for part in lines]).tolist()
    for port, (stop, part) in enumerate(zip(stops, lines, strict=True)):
        kernel.submit_trace(machine, port, stop - len(part), stop)
    clock = _along(machine, dram.line_bytes, len(whole), progress)
    counted = kernel.statistics(machine, dram, kernel.drain(machine, clock))
    done = counted["column_reads"] + counted["column_writes"]
    done += counted["reads_forwarded"] + counted["writes_coalesced"]
    if done != len(whole) or counted["bytes"] != len(whole) * dram.line_bytes:
        raise AssertionError(f"{done} transactions done of {len(whole)}: the rest was lost")
    return counted


def _along(machine: Any, line_bytes: int, count: int, progress: Progress) -> int:
    """Run to the first news, telling how many lines have moved; the clock that it came to."""
    clock, before, moved = 0, -1, 0
    while before < moved:
        progress(moved // line_bytes, count)
        horizon = clock + TOLD_CLOCKS
        clock = kernel.advance(machine, clock, horizon)
        if clock < horizon:
            break
        before, moved = moved, kernel.bus_bytes(machine)
    return clock


def _figures(
    counted: dict[str, Any], dram: CommandDram, names: list[str], requests: list[int]
) -> dict[str, Any]:
    """What was counted, by the names of the record."""
    period, line = dram.clocks["clock_ps"], dram.line_bytes
    histogram = counted["latency_histogram"]
    used = max((i + 1 for i, reads in enumerate(histogram) if reads), default=0)
    same = (
        "time_ns bytes bytes_read bytes_written bandwidth_gb_per_s peak_gb_per_s fraction_of_peak"
        " bus_busy_share column_reads column_writes row_hits row_hit_rate activates precharges"
        " refreshes reads_forwarded writes_coalesced"
    )
    return {
        **{name: counted[name] for name in same.split()},
        "total_clocks": counted["clocks"],
        **_latency(counted, period),
        "channels": tuple(_channel(row, line) for row in counted["channels"]),
        "requesters": tuple(
            _requester(row, name, count, counted["time_ns"], period)
            for row, name, count in zip(counted["requesters"], names, requests, strict=True)
        ),
        "latency_bin_clocks": counted["latency_bin_clocks"],
        "latency_bins": len(histogram),
        "latency_histogram_reads": tuple(histogram[:used]),
    }


def _latency(counted: dict[str, Any], period_ps: int) -> dict[str, Any]:
    mean, longest = counted["read_latency_mean"], counted["read_latency_max"]
    return {
        "read_latency_mean_clocks": mean,
        "read_latency_max_clocks": longest,
        "read_latency_mean_ns": mean * period_ps / 1000,
        "read_latency_max_ns": longest * period_ps / 1000,
    }


def _channel(row: dict[str, Any], line_bytes: int) -> DramChannel:
    rest = dict(row)
    mean, longest = rest.pop("read_latency_mean"), rest.pop("read_latency_max")
    return DramChannel(
        bus_bytes=(row["column_reads"] + row["column_writes"]) * line_bytes,
        read_latency_mean_clocks=mean,
        read_latency_max_clocks=longest,
        **rest,
    )


def _requester(
    row: dict[str, Any], name: str, requests: int, time_ns: float, period_ps: int
) -> DramRequester:
    moved = row["bytes_read"] + row["bytes_written"]
    return DramRequester(
        traffic=name,
        requests=requests,
        bytes=moved,
        bytes_read=row["bytes_read"],
        bytes_written=row["bytes_written"],
        bandwidth_gb_per_s=moved / time_ns if time_ns else 0.0,
        **_latency(row, period_ps),
    )
