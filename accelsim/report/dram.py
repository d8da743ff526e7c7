"""What a DRAM did, as tables and a histogram that fit 80 columns; and the presets there are."""

from collections.abc import Sequence
from typing import Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.hardware.dram import CommandDram
from accelsim.report.format import NOTHING, brief_percent, percent
from accelsim.result import DramResult

HISTOGRAM_ROWS = 16
"""Rows of the histogram but for the last one, of all that took longer."""
BULK_SHARE = 0.99
"""Share of the reads that the rows of equal width cover at least."""
BAR_COLUMNS = 36
GIB = 1 << 30

_EIGHTHS = " ▏▎▍▌▋▊▉"


def dram_text(result: DramResult) -> RenderableType:
    """The configuration, the figures, channels and ports where there are several, the latencies."""
    parts: list[RenderableType] = [
        Text(_title(result), style="bold"),
        *(Text(line) for line in (*_configuration(result), *_traffic(result))),
        "",
        _figures(result),
        "",
    ]
    if len(result.channels) > 1:
        parts += [_channels(result), ""]
    if len(result.requesters) > 1:
        parts += [_requesters(result), ""]
    if len(result.channels) > 1 or len(result.requesters) > 1:
        parts += [Text("clocks: the latency of reads."), ""]
    parts += [_histogram(result)]
    if result.port_fraction_of_peak < 1:
        needed = -(-result.lines_per_clock // result.port_fraction_of_peak)
        parts += [
            "",
            Text(
                f"{_ports(result)} {percent(result.port_fraction_of_peak)} of the peak at most; "
                f"--lines-per-clock {needed:.0f} would offer all of it."
            ),
        ]
    return Group(*parts)


def _ports(result: DramResult) -> str:
    count = len(result.requesters)
    return "The port offers" if count == 1 else f"The {count} ports offer"


def _title(result: DramResult) -> str:
    count = len(result.channels)
    shape = result.organisation
    ranks = f"{shape['ranks']} ranks of " if shape["ranks"] > 1 else ""
    return (
        f"{result.preset} ({result.standard}), {count} {_plural('channel', count)} of "
        f"{shape['bus_bits']} bits, {ranks}{_banks(shape)}, {_size(result.capacity_bytes)}, "
        f"clock {result.clock_ps} ps"
    )


def _banks(shape: Any) -> str:
    groups, banks = shape["bank_groups"], shape["banks_per_group"]
    return f"{groups}x{banks} banks" if groups > 1 else f"{banks} {_plural('bank', banks)}"


def _size(count: int) -> str:
    for unit, size in (("GiB", GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:g} {unit}"
    return f"{count} bytes"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _configuration(result: DramResult) -> list[str]:
    given = result.configuration
    cap = given["row_hit_cap"]
    capped = "" if cap is None else f", at most {cap} hits of a row before an older conflict"
    return [
        f"Mapping {given['mapping']}, {given['page_policy']} pages, refresh {given['refresh']}, "
        f"{given['scheduler']}{capped}, queues of {given['read_queue']} reads and "
        f"{given['write_queue']} writes"
    ]


def _traffic(result: DramResult) -> list[str]:
    names = ", ".join(port.traffic for port in result.requesters)
    each = "" if len(result.requesters) == 1 else f" on each port, {result.arbitration}"
    return [
        f"{result.requests:,} {_plural('request', result.requests)} of 64 bytes, {names}; "
        f"{result.in_flight_requests:,} in flight{each}"
    ]


def _table(*columns: str, left: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        side: Literal["left", "right"] = "left" if column in left else "right"
        table.add_column(column, justify=side, overflow="fold")
    return table


def _figures(result: DramResult) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=26)
    table.add_column(justify="right", min_width=14)
    table.add_column(justify="right", min_width=12)

    def section(*cells: str) -> None:
        if table.row_count:
            table.add_row()
        table.add_row(*(Text(cell, style="bold") for cell in cells))

    def row(name: str, *cells: str) -> None:
        table.add_row(f"  {name}", *cells)

    columns = result.column_reads + result.column_writes
    section("Bandwidth", "GB/s", "of peak")
    row("achieved", f"{result.bandwidth_gb_per_s:,.3f}", percent(result.fraction_of_peak))
    row("peak", f"{result.peak_gb_per_s:,.3f}", percent(1.0))
    row("data bus busy", "", percent(result.bus_busy_share))
    section("Bytes", "bytes", "share")
    for name, count in (("read", result.bytes_read), ("written", result.bytes_written)):
        row(name, f"{count:,}", percent(count / result.bytes))
    row("total", f"{result.bytes:,}", percent(1.0))
    section("Time", "clocks", "ns")
    row("total", f"{result.total_clocks:,}", f"{result.time_ns:,.1f}")
    if _reads(result):
        mean, longest = result.read_latency_mean_clocks, result.read_latency_max_clocks
        row("read latency, average", f"{mean:,.1f}", f"{result.read_latency_mean_ns:,.1f}")
        row("read latency, maximum", f"{longest:,}", f"{result.read_latency_max_ns:,.1f}")
    section("Commands", "count", "of columns")
    row("column commands", f"{columns:,}", percent(1.0) if columns else NOTHING)
    row("  row hits", f"{result.row_hits:,}", percent(result.row_hit_rate))
    row("activates", f"{result.activates:,}")
    row("precharges", f"{result.precharges:,}")
    row("refreshes", f"{result.refreshes:,}")
    section("Served from the write queue", "lines")
    row("reads forwarded", f"{result.reads_forwarded:,}")
    row("writes coalesced", f"{result.writes_coalesced:,}")
    return table


def _reads(result: DramResult) -> int:
    return sum(result.latency_histogram_reads)


def _channels(result: DramResult) -> Table:
    table = _table(
        "\nch", "bytes on\nthe bus", "bus\nbusy", "row\nhits", "\nactivates", "pre-\ncharges",
        "re-\nfreshes", "clocks,\naverage", "clocks,\nmaximum",
    )  # fmt: skip
    for number, channel in enumerate(result.channels):
        table.add_row(
            str(number),
            f"{channel.bus_bytes:,}",
            brief_percent(channel.bus_busy_share),
            brief_percent(channel.row_hit_rate),
            f"{channel.activates:,}",
            f"{channel.precharges:,}",
            f"{channel.refreshes:,}",
            f"{channel.read_latency_mean_clocks:,.1f}",
            f"{channel.read_latency_max_clocks:,}",
        )
    return table


def _requesters(result: DramResult) -> Table:
    table = _table(
        "port", "traffic", "bytes\nread", "bytes\nwritten", "\nGB/s", "clocks,\naverage",
        "clocks,\nmaximum", left=("traffic",),
    )  # fmt: skip
    for number, port in enumerate(result.requesters):
        table.add_row(
            str(number),
            Text(port.traffic),
            f"{port.bytes_read:,}",
            f"{port.bytes_written:,}",
            f"{port.bandwidth_gb_per_s:,.3f}",
            f"{port.read_latency_mean_clocks:,.1f}",
            f"{port.read_latency_max_clocks:,}",
        )
    return table


def latency_rows(result: DramResult) -> list[tuple[int, int | None, int]]:
    """First clock, the clock after the last (None: no end) and reads of each row drawn.

    Rows are equally wide, as narrow as lets them cover all but the longest hundredth of the reads;
    one more holds the rest.
    """
    bins = result.latency_histogram_reads
    total, seen, bulk = sum(bins), 0, 0
    while bulk < min(len(bins), result.latency_bins - 1) and seen < BULK_SHARE * total:
        seen += bins[bulk]
        bulk += 1
    first = next((i for i, reads in enumerate(bins) if reads), 0)
    wide = 1
    while -(-bulk // wide) - first // wide > HISTOGRAM_ROWS:
        wide *= 2
    clocks = result.latency_bin_clocks
    rows: list[tuple[int, int | None, int]] = []
    start = first // wide * wide
    while start < bulk:
        stop = min(start + wide, result.latency_bins - 1)
        rows.append((start * clocks, stop * clocks, sum(bins[start:stop])))
        start = stop
    rest = sum(bins[start:])
    return [*rows, (start * clocks, None, rest)] if rest else rows


def _histogram(result: DramResult) -> RenderableType:
    if not _reads(result):
        return Text("No reads, so no latencies.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(Text("Read latency, clocks", style="bold"), justify="right", min_width=20)
    table.add_column("reads", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", no_wrap=True, overflow="crop")
    rows = latency_rows(result)
    most = max(reads for _, _, reads in rows)
    for start, stop, reads in rows:
        label = f">= {start:,}" if stop is None else f"{start:,} to {stop - 1:,}"
        bar = Text(_bar(reads / most), style="cyan")
        table.add_row(label, f"{reads:,}", brief_percent(reads / _reads(result)), bar)
    return table


def _bar(share: float) -> str:
    """A bar in eighths of a column; what is not nothing shows."""
    eighths = round(share * BAR_COLUMNS * 8)
    if share > 0:
        eighths = max(eighths, 1)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def presets_text(presets: Sequence[CommandDram]) -> RenderableType:
    """One line per preset, and how to drive one."""
    table = _table(
        "preset", "standard", "clock\nps", "bus\nbits", "line\nbytes", "\nbanks", "\nholds",
        "peak\nGB/s", left=("preset", "standard"),
    )  # fmt: skip
    for column in table.columns[2:]:
        column.min_width = 7
    for dram in presets:
        shape = dram.shape
        table.add_row(
            dram.preset,
            dram.device.standard,
            str(dram.clocks["clock_ps"]),
            str(shape.bus_bits),
            str(shape.line_bytes),
            _banks(shape._asdict()).removesuffix(" banks"),
            _size(shape.capacity_bytes),
            f"{dram.peak_gb_per_s:.1f}",
        )
    return Group(
        table,
        "",
        Text("Figures of one channel (HBM2: pseudo-channel). GB is 10^9 bytes, GiB 2^30."),
        Text("accelsim dram --preset NAME --pattern stride:4096 drives one."),
        Text("accelsim dram --preset NAME --show prints it as YAML, to start your own from."),
    )


def presets_document(presets: Sequence[CommandDram]) -> dict[str, Any]:
    """The presets as plain data, figures of one channel."""
    return {
        "schema": "accelsim.dram-list/1",
        "presets": [
            {
                "name": dram.preset,
                "standard": dram.device.standard,
                "clock_ps": dram.clocks["clock_ps"],
                "line_bytes": dram.line_bytes,
                "capacity_bytes": dram.capacity_bytes,
                "peak_gb_per_s": dram.peak_gb_per_s,
                "organisation": dram.shape._asdict(),
            }
            for dram in presets
        ],
    }


def device_document(dram: CommandDram) -> dict[str, Any]:
    """A device as plain data: the fields of its YAML file."""
    device = dram.device
    return {
        "schema": "accelsim.dram-device/1",
        "standard": device.standard,
        "two_buses": device.two_buses,
        "organisation": device.organisation._asdict(),
        "timing": dict(device.timing),
    }
