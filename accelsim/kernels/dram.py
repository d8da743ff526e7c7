"""A DRAM as the machine uses it: made from a description, given transfers, advanced, read out.

    dram = create(CommandDram(preset="ddr4-2400"), in_flight=[32, 32])
    transfer = submit(dram, 0, base=0, run_bytes=4096, write=False)
    clock = advance(dram, 0, horizon)       # to the first news, or to the horizon
    news(dram)                              # [(transfer, False)]: issued, the next may be submitted

Clocks are DRAM clocks of `description.clocks["clock_ps"]`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware.dram import CommandDram, PagePolicy, Refresh, WriteResponse
from accelsim.hardware.dram.traffic import LINE_BYTES
from accelsim.kernels import dram_layout as at
from accelsim.kernels import dram_ports as ports
from accelsim.kernels.dram_layout import Dram

TRACE_IN_FLIGHT = 64
"""Requests of 64 bytes the port of a trace keeps in flight, as the reference does."""
PATIENCE_CLOCKS = 10_000_000
"""Clocks without any data after which what is outstanding counts as lost; refreshes never end."""
HISTOGRAM_BINS = 256
HISTOGRAM_WIDTH = 16
"""Clocks of one bin of the latency histogram."""

_REFRESHES = {
    Refresh.NONE: at.NO_REFRESH,
    Refresh.ALL_BANK: at.ALL_BANK,
    Refresh.PER_BANK: at.PER_BANK,
}
_ARBITRATIONS = {
    "round-robin": at.ROUND_ROBIN,
    "load-first": at.LOAD_FIRST,
    "store-first": at.STORE_FIRST,
}


def create(
    description: CommandDram,
    in_flight: Sequence[int] | None = None,
    *,
    arbitration: str = "round-robin",
    lines_per_clock: int = 1,
    trace: np.ndarray | None = None,
    log_entries: int = 0,
) -> Dram:
    """Make a DRAM at clock 0, all banks closed, with one requester per entry of `in_flight`.

    Without `in_flight` there is one, the port of a trace, with 64 requests of 64 bytes in flight. A
    requester keeps at most so many lines in flight, of all its transfers together, and offers at
    most `lines_per_clock` a clock.
    `trace` holds the lines of requesters that follow a list (`Traffic.lines`).
    """
    if arbitration not in _ARBITRATIONS:
        raise AccelsimError(
            f"arbitration={arbitration!r}: must be one of {', '.join(_ARBITRATIONS)}"
        )
    if in_flight is None:
        in_flight = [TRACE_IN_FLIGHT * max(1, LINE_BYTES // description.line_bytes)]
    if not in_flight or min(in_flight) < 1 or lines_per_clock < 1:
        raise AccelsimError(f"{list(in_flight)=} and {lines_per_clock=}: must be >= 1")
    rules = _rules(description, _ARBITRATIONS[arbitration])
    shape = description.shape
    channels, requesters = description.channels, len(in_flight)
    slots = description.read_queue + description.write_queue + shape.banks + 1
    longest = max(description.read_queue, description.write_queue, shape.banks)
    transfers = most_transfers(description, in_flight)
    dram = Dram(
        rules=rules,
        decode=description.address_mapping.tables(at.BANK_SHIFT, at.ROW_SHIFT),
        channel=_zeros(channels, at.CHANNEL),
        bank=_zeros(channels, at.BANK, shape.banks),
        rank=_zeros(channels, at.RANK, shape.ranks),
        order=_zeros(channels, 3, longest),
        slot=_zeros(channels, slots, at.SLOT),
        written=_zeros(channels, 256),
        free=np.tile(np.arange(slots, dtype=np.int64)[::-1], (channels, 1)),
        returns=_zeros(channels, sum(in_flight) + 1, 2),
        requester=_zeros(requesters, at.REQUESTER),
        transfer=_zeros(transfers, at.TRANSFER),
        ending=_zeros(transfers),
        news=_zeros(2 * transfers, 2),
        port=_zeros(at.PORT),
        trace=np.zeros(0, np.int64) if trace is None else np.ascontiguousarray(trace, np.int64),
        histogram=_zeros(channels, HISTOGRAM_BINS),
        log=_zeros(log_entries, 5),
    )
    dram.bank[:, at.OPEN_ROW] = at.CLOSED
    dram.bank[:, at.CAPPED] = -1
    dram.channel[:, at.WAKE] = at.FAR
    dram.channel[:, at.N_FREE] = slots
    dram.channel[:, [at.CAS_SLOT, at.ACT2_SLOT]] = -1
    dram.channel[:, at.NEXT_REFRESH] = rules[at.REF_EVERY]
    dram.requester[:, at.LIMIT] = in_flight
    dram.requester[:, at.RATE] = lines_per_clock
    dram.port[at.SOONEST_END] = at.FAR
    return dram


def most_transfers(description: CommandDram, in_flight: Sequence[int]) -> int:
    """Transfers that can be outstanding at once, whatever is asked.

    Each engine offers one. Of every other a line is in flight, or its last written data is on its
    way: no longer than WRITE_END, with BURST clocks between two writes of a channel. A line that is
    absorbed or forwarded holds its transfer no longer than its place in flight, or one clock.
    """
    distances = description.distances
    writing = -(-distances["WRITE_END"] // distances["BURST"])
    return len(in_flight) + sum(in_flight) + description.channels * writing


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.int64)


def _rules(description: CommandDram, arbitration: int) -> np.ndarray:
    """Every rule in its column."""
    shape, clocks = description.shape, description.clocks
    every = {
        Refresh.NONE: at.FAR,
        Refresh.ALL_BANK: clocks["REFI"],
        Refresh.PER_BANK: clocks["REFI_BANK"],
    }
    values = {
        "CHANNELS": description.channels,
        "RANKS": shape.ranks,
        "BANKS_PER_RANK": shape.banks_per_rank,
        "BANKS_PER_GROUP": shape.banks_per_group,
        "READ_QUEUE": description.read_queue,
        "WRITE_QUEUE": description.write_queue,
        "HIGH": description.write_high_count,
        "LOW": description.write_low_count,
        "LINE_SHIFT": description.line_bytes.bit_length() - 1,
        "CAPACITY_LINES": description.capacity_bytes // description.line_bytes,
        "REFRESH": _REFRESHES[description.refresh],
        "CLOSED_PAGE": int(description.page_policy == PagePolicy.CLOSED),
        "ROW_HIT_CAP": description.row_hit_cap or 0,
        "ARBITRATION": arbitration,
        "WRITTEN": int(description.write_response == WriteResponse.WRITTEN),
        "TWO_BUSES": int(description.device.two_buses),
        "HISTOGRAM_WIDTH": HISTOGRAM_WIDTH,
        "REF_EVERY": every[description.refresh],
    } | description.distances
    rules = np.full(at.RULES, -1, dtype=np.int64)
    for name, value in values.items():
        rules[getattr(at, name)] = value
    assert (rules >= 0).all()
    return rules


def submit(
    dram: Dram,
    requester: int,
    *,
    base: int,
    run_bytes: int,
    write: bool,
    counts: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> int:
    """Give a requester its next transfer: runs of bytes in up to three nested strides.

    The first count is the innermost. It starts with the offers of the clock last returned. Its
    requester must have no other left to offer; those issued may be under way. What comes back is
    the number that its news will bear.
    """
    if len(counts) != len(strides) or len(counts) > 3:
        raise AccelsimError(f"{counts=} and {strides=}: must be of one length, at most 3")
    if run_bytes < 1 or min(counts, default=1) < 1:
        raise AccelsimError(f"{run_bytes=} and {counts=}: must be >= 1")
    first, last = base, base + run_bytes - 1
    for count, stride in zip(counts, strides, strict=True):
        if stride < 0:
            first += (count - 1) * stride
        else:
            last += (count - 1) * stride
    check_addresses(dram, first, last)
    axes = [*counts, 1, 1, 1][:3], [*strides, 0, 0, 0][:3]
    transfer = ports.start_region(dram, requester, int(write), base, run_bytes, *axes[0], *axes[1])
    return _given(dram, requester, transfer)


def submit_trace(dram: Dram, requester: int, first: int = 0, stop: int | None = None) -> int:
    """Let a requester follow entries first..stop of the trace, in order, as one transfer."""
    stop = len(dram.trace) if stop is None else stop
    if not 0 <= first < stop <= len(dram.trace):
        raise AccelsimError(
            f"{first=}, {stop=}: must be a part of the trace of {len(dram.trace)} lines"
        )
    lines = dram.trace[first:stop] >> 1
    shift = int(dram.rules[at.LINE_SHIFT])
    check_addresses(dram, int(lines.min()) << shift, int(lines.max()) << shift)
    transfer = _given(dram, requester, ports.free_transfer(dram, requester))
    row = dram.requester[requester]
    row[at.FROM_TRACE] = 1
    row[at.TRACE_NEXT] = first
    row[at.TRACE_STOP] = stop
    ports.start(dram, requester, transfer)
    return transfer


def _given(dram: Dram, requester: int, transfer: int) -> int:
    """The place that the kernel gave the requester's next transfer; refuse one without a place."""
    if transfer == ports.HAS_ANOTHER:
        raise AccelsimError(f"{requester=}: must have offered all of its transfer before the next")
    if transfer == ports.NONE_FREE:
        raise AccelsimError(
            f"{requester=}: all {len(dram.transfer)} transfers are outstanding or complete and not"
            " told; news must be read"
        )
    return int(transfer)


def capacity_bytes(dram: Dram) -> int:
    """Bytes of all channels together."""
    return int(dram.rules[at.CAPACITY_LINES]) << int(dram.rules[at.LINE_SHIFT])


def check_addresses(dram: Dram, first: int, last: int) -> None:
    """Refuse bytes that the DRAM does not have."""
    capacity = capacity_bytes(dram)
    if first < 0 or last >= capacity:
        address = first if first < 0 else last
        raise AccelsimError(f"address={address:#x}: must be >= 0 and < {capacity:#x}, the capacity")


def advance(dram: Dram, now: int, horizon: int = at.FAR) -> int:
    """Run from clock `now`, the clock last returned, to the first news or to `horizon`.

    It stops before the offers of the clock it returns. News is a transfer that the channels have
    wholly taken (issued; told at the clock after its last offer) or that is complete.
    """
    if now != dram.port[at.CLOCK]:
        raise AssertionError(f"{now=}: must be {int(dram.port[at.CLOCK])}, the clock last returned")
    clock = int(ports.advance(dram, now, horizon))
    dram.port[at.CLOCK] = clock
    return clock


def news(dram: Dram) -> list[tuple[int, bool]]:
    """(transfer, complete) for all that has happened and has not been told, in its order.

    Every transfer is told issued, then complete; after that its number may be given anew.
    """
    count = int(dram.port[at.N_NEWS])
    if not count:
        return []
    told = [(transfer, done != 0) for transfer, done in dram.news[:count].tolist()]
    dram.port[at.N_NEWS] = 0
    for transfer, complete in told:
        if complete:
            dram.transfer[transfer, at.T_STATE] = at.FREE
    return told


def finish(dram: Dram, now: int) -> int:
    """Run until every transfer is complete, and tell none; the clock at which the last was."""
    clock = now
    news(dram)
    while outstanding(dram):
        before = bus_bytes(dram)
        clock = advance(dram, clock, clock + PATIENCE_CLOCKS)
        if not news(dram) and bus_bytes(dram) == before:
            raise AccelsimError(
                f"dram: {len(outstanding(dram))} transfers are outstanding at clock {clock}, and no"
                f" data has moved for {PATIENCE_CLOCKS} clocks"
            )
    return clock


def outstanding(dram: Dram) -> list[int]:
    """Transfers that have been submitted and whose completion has not been told."""
    return [int(t) for t in np.flatnonzero(dram.transfer[:, at.T_STATE] != at.FREE)]


def drain(dram: Dram, now: int) -> int:
    """Finish, then run until no request waits and all data has moved; the clock at which it has."""
    clock = finish(dram, now)
    while ports.waiting(dram):
        clock = advance(dram, clock, clock + 1)
    return advance(dram, clock, last_data_clock(dram))


def locate(dram: Dram, line: int) -> tuple[int, int, int]:
    """Channel, bank within it and row of a line, as the kernels find them."""
    channel, bank, row = ports.unpack(ports.place_of(dram, line))
    return int(channel), int(bank), int(row)


def last_data_clock(dram: Dram) -> int:
    """The clock at which the last data beat so far ends."""
    return int(dram.channel[:, at.BUS_END].max())


def bus_clocks(dram: Dram) -> tuple[int, int]:
    """Clocks in which reads and in which writes were on the data bus, averaged over channels."""
    commands = dram.channel[:, [at.READ_COMMANDS, at.WRITE_COMMANDS]].sum(axis=0)
    reads, writes = commands * dram.rules[at.BURST] // len(dram.channel)
    return int(reads), int(writes)


def moved_bytes(dram: Dram) -> tuple[int, int]:
    """Bytes read and bytes written on the data buses, line by line."""
    reads, writes = dram.channel[:, [at.READ_COMMANDS, at.WRITE_COMMANDS]].sum(axis=0).tolist()
    shift = int(dram.rules[at.LINE_SHIFT])
    return reads << shift, writes << shift


def bus_bytes(dram: Dram) -> int:
    """The two together."""
    return sum(moved_bytes(dram))


def statistics(dram: Dram, description: CommandDram, clocks: int | None = None) -> dict[str, Any]:
    """Everything counted, over `clocks` (without it, to the last data beat)."""
    clocks = last_data_clock(dram) if clocks is None else clocks
    total = dram.channel.sum(axis=0)
    columns = int(total[at.READ_COMMANDS] + total[at.WRITE_COMMANDS])
    reads = int(total[at.READ_COMMANDS] + total[at.FORWARDED])
    period = description.clocks["clock_ps"]
    line = description.line_bytes
    asked = int(dram.requester[:, [at.LINES_READ, at.LINES_WRITTEN]].sum())
    busy = dram.channel[:, [at.READ_COMMANDS, at.WRITE_COMMANDS]].sum(axis=1) * dram.rules[at.BURST]
    return {
        "clocks": clocks,
        "time_ns": clocks * period / 1000,
        "bytes": asked * line,
        "bytes_read": int(dram.requester[:, at.LINES_READ].sum()) * line,
        "bytes_written": int(dram.requester[:, at.LINES_WRITTEN].sum()) * line,
        "bandwidth_gb_per_s": 1000 * asked * line / (clocks * period) if clocks else 0.0,
        "peak_gb_per_s": description.peak_gb_per_s,
        "fraction_of_peak": asked * line / (clocks * description.peak_bytes_per_clock)
        if clocks
        else 0.0,
        "bus_busy_share": float(busy.mean() / clocks) if clocks else 0.0,
        "channel_bus_busy_share": [float(b / clocks) if clocks else 0.0 for b in busy],
        "activates": int(total[at.ACTIVATES]),
        "precharges": int(total[at.PRECHARGES]),
        "column_reads": int(total[at.READ_COMMANDS]),
        "column_writes": int(total[at.WRITE_COMMANDS]),
        "refreshes": int(total[at.REFRESHES]),
        "row_hits": columns - int(total[at.ACTIVATES]),
        "row_hit_rate": (columns - int(total[at.ACTIVATES])) / columns if columns else 0.0,
        "reads_forwarded": int(total[at.FORWARDED]),
        "writes_coalesced": int(total[at.COALESCED]),
        "read_latency_mean": int(total[at.LATENCY_SUM]) / reads if reads else 0.0,
        "read_latency_max": int(dram.channel[:, at.LATENCY_MAX].max()),
        "latency_histogram": dram.histogram.sum(axis=0).tolist(),
        "latency_bin_clocks": HISTOGRAM_WIDTH,
        "requesters": [_requester(row, line) for row in dram.requester],
        "channels": [_channel(row, int(dram.rules[at.BURST]), clocks) for row in dram.channel],
    }


def _requester(row: np.ndarray, line_bytes: int) -> dict[str, Any]:
    reads = int(row[at.LINES_READ])
    return {
        "transfers": int(row[at.TRANSFERS]),
        "bytes_read": reads * line_bytes,
        "bytes_written": int(row[at.LINES_WRITTEN]) * line_bytes,
        "read_latency_mean": int(row[at.R_LATENCY_SUM]) / reads if reads else 0.0,
        "read_latency_max": int(row[at.R_LATENCY_MAX]),
    }


def _channel(row: np.ndarray, burst_clocks: int, clocks: int) -> dict[str, Any]:
    columns = int(row[at.READ_COMMANDS] + row[at.WRITE_COMMANDS])
    reads = int(row[at.READ_COMMANDS] + row[at.FORWARDED])
    return {
        "column_reads": int(row[at.READ_COMMANDS]),
        "column_writes": int(row[at.WRITE_COMMANDS]),
        "activates": int(row[at.ACTIVATES]),
        "precharges": int(row[at.PRECHARGES]),
        "refreshes": int(row[at.REFRESHES]),
        "row_hits": columns - int(row[at.ACTIVATES]),
        "row_hit_rate": (columns - int(row[at.ACTIVATES])) / columns if columns else 0.0,
        "bus_busy_share": columns * burst_clocks / clocks if clocks else 0.0,
        "read_latency_mean": int(row[at.LATENCY_SUM]) / reads if reads else 0.0,
        "read_latency_max": int(row[at.LATENCY_MAX]),
    }


def take_log(dram: Dram) -> list[tuple[int, str, int, int, int]]:
    """The log as `command_log` has it, and an empty one from here on; it must have had room."""
    logged = int(dram.channel[0, at.LOGGED])
    if logged > len(dram.log):
        raise AssertionError(f"{logged} commands since the log was taken, it holds {len(dram.log)}")
    taken = command_log(dram)
    dram.channel[0, at.LOGGED] = 0
    return taken


def command_log(dram: Dram) -> list[tuple[int, str, int, int, int]]:
    """Clock, command, channel, bank and row of every command the log holds."""
    held = min(int(dram.channel[0, at.LOGGED]), len(dram.log))
    return [
        (int(clock), at.COMMAND_NAMES[command], int(channel), int(bank), int(row))
        for clock, command, channel, bank, row in dram.log[:held]
    ]
