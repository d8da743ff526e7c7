"""The tables of a DRAM show the figures of its record."""

import dataclasses
import itertools

import pytest

from accelsim.cli.output import plain
from accelsim.report.dram import HISTOGRAM_ROWS, dram_text, latency_rows
from accelsim.result import DramChannel, DramRequester, DramResult

CHANNEL = DramChannel(6_400_000, 0.41, 70_001, 30_002, 60_003, 0.6, 40_004, 39_005, 6, 87.65, 4321)
PORT = DramRequester(
    "mix:0.3", 50_000, 6_400_000, 4_480_064, 1_919_936, 7.125, 87.65, 4321, 73.01, 3599.4
)
RESULT = DramResult(
    preset="ddr4-2400", standard="DDR4",
    configuration={
        "mapping": "MOP4CLXOR", "page_policy": "open", "refresh": "all-bank",
        "scheduler": "fr-fcfs", "row_hit_cap": 4, "read_queue": 32, "write_queue": 32,
    },
    organisation={
        "bus_bits": 64, "burst_length": 8, "ranks": 2, "bank_groups": 4, "banks_per_group": 4,
        "rows": 65536, "columns": 1024,
    },
    timing_clocks={"clock_ps": 833}, capacity_bytes=1 << 34, line_bytes=64, clock_ps=833,
    in_flight_requests=64, lines_per_clock=1, arbitration="round-robin", seed=1, requests=100_000,
    total_clocks=1_234_567, time_ns=1_028_394.3, bytes=12_800_000, bytes_read=8_960_128,
    bytes_written=3_839_872, bandwidth_gb_per_s=12.3456, peak_gb_per_s=19.2077,
    fraction_of_peak=0.6427, port_fraction_of_peak=2.0, bus_busy_share=0.417, column_reads=140_002,
    column_writes=60_004, row_hits=120_006, row_hit_rate=0.6123, activates=80_008,
    precharges=78_010, refreshes=12, reads_forwarded=321, writes_coalesced=123,
    read_latency_mean_clocks=87.65, read_latency_max_clocks=4321, read_latency_mean_ns=73.01,
    read_latency_max_ns=3599.4, channels=(CHANNEL, CHANNEL), requesters=(PORT, PORT),
    latency_bin_clocks=16, latency_bins=256, latency_histogram_reads=(0, 0, 500, 800, 200, 5, 0, 1),
)  # fmt: skip


def text_of(result):
    text = plain(dram_text(result))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    return text


def line_of(text, name):
    (line,) = [line for line in text.splitlines() if line.strip().startswith(name)]
    return line.strip().removeprefix(name).split()


def test_every_figure_of_the_record_is_in_the_table():
    text = text_of(RESULT)
    assert line_of(text, "achieved") == ["12.346", "64.3%"]
    assert line_of(text, "peak") == ["19.208", "100.0%"]
    assert line_of(text, "data bus busy") == ["41.7%"]
    assert line_of(text, "read  ") == ["8,960,128", "70.0%"]
    assert line_of(text, "written") == ["3,839,872", "30.0%"]
    bytes_line, time_line = [line for line in text.splitlines() if line.startswith("  total")]
    assert bytes_line.split()[1:] == ["12,800,000", "100.0%"]
    assert time_line.split()[1:] == ["1,234,567", "1,028,394.3"]
    assert line_of(text, "read latency, average") == ["87.7", "73.0"]
    assert line_of(text, "read latency, maximum") == ["4,321", "3,599.4"]
    assert line_of(text, "column commands") == ["200,006", "100.0%"]
    assert line_of(text, "row hits") == ["120,006", "61.2%"]
    assert line_of(text, "activates  ") == ["80,008"]
    assert line_of(text, "precharges") == ["78,010"]
    assert line_of(text, "refreshes") == ["12"]
    assert line_of(text, "reads forwarded") == ["321"]
    assert line_of(text, "writes coalesced") == ["123"]


def test_configuration_stands_above():
    flat = " ".join(text_of(RESULT).split())
    assert (
        "ddr4-2400 (DDR4), 2 channels of 64 bits, 2 ranks of 4x4 banks, 16 GiB, clock 833 ps"
        in flat
    )
    assert "Mapping MOP4CLXOR, open pages, refresh all-bank, fr-fcfs, at most 4 hits" in flat
    assert "100,000 requests of 64 bytes, mix:0.3, mix:0.3; 64 in flight on each port" in flat


def test_channels_and_ports_have_a_line_each_where_there_are_several():
    text = text_of(RESULT)
    assert "1  6,400,000  41.0%  60.0%     40,004   39,005        6     87.7    4,321" in text
    assert "1  mix:0.3  4,480,064  1,919,936  7.125     87.7    4,321" in " ".join(text.split("\n"))
    alone = text_of(dataclasses.replace(RESULT, channels=(CHANNEL,), requesters=(PORT,)))
    assert "port" not in alone and "clocks: the latency" not in alone


def test_port_that_bounds_the_bandwidth_is_named():
    assert "--lines-per-clock" not in text_of(RESULT)
    slow = dataclasses.replace(RESULT, port_fraction_of_peak=0.125, lines_per_clock=1)
    assert "The 2 ports offer 12.5% of the peak at most; --lines-per-clock 8 would" in text_of(slow)


def test_without_reads_there_is_no_latency():
    text = text_of(dataclasses.replace(RESULT, latency_histogram_reads=()))
    assert "read latency" not in text
    assert "No reads, so no latencies." in text


def test_histogram_has_a_row_per_bin_and_one_for_the_rest():
    assert latency_rows(RESULT) == [(32, 48, 500), (48, 64, 800), (64, 80, 200), (80, None, 6)]
    text = text_of(RESULT)
    assert "48 to 63    800  53.1%  " + "█" * 36 in text
    assert ">= 80      6   0.4%  ▎" in text


@pytest.mark.parametrize(
    "bins",
    [
        (7,),
        (0,) * 255 + (9,),
        (1,) * 256,
        (1,) + (0,) * 254 + (1,),
        (5,) * 40 + (0,) * 100 + (3,),
        tuple(range(256)),
        (10**6,) * 200,
    ],
)
def test_histogram_loses_no_read(bins):
    result = dataclasses.replace(RESULT, latency_histogram_reads=bins)
    rows = latency_rows(result)
    assert sum(reads for _, _, reads in rows) == sum(bins)
    assert len(rows) <= HISTOGRAM_ROWS + 1
    for (_, stop, _), (start, _, _) in itertools.pairwise(rows):
        assert stop == start
    for start, stop, reads in rows:
        last = None if stop is None else stop // 16
        assert reads == sum(bins[start // 16 : last])
    text_of(result)
