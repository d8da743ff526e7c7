"""Patterns and traces driven into a DRAM: what is counted, and what is refused."""

import dataclasses

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware.dram import CommandDram, Traffic, pattern
from accelsim.result import DramResult
from tests.dram import reference

DDR4, LPDDR5 = "ddr4-2400", "lpddr5-6400"


def drive(dram=DDR4, traffic="seq", overrides=(), **options):
    return accelsim.drive_dram(dram, traffic, overrides, **{"requests": 2000} | options)


@pytest.mark.parametrize(
    ("config", "trace", "text", "requests"),
    [
        ("R_DDR4_RoBaRaCoCh", "e_stride_4096", "stride:4096", 16384),
        ("R_DDR4_MOP", "e_stride_8192", "stride:8192", 16384),
        ("R_LPDDR5_MOP", "a_seqrd_1M", "seq", 16384),
        ("R_DDR4_MOP", "f_rand_64M", "random", 32768),
    ],
)
def test_pattern_gives_the_measured_row(config, trace, text, requests):
    (row,) = [r for r in reference.rows() if (r["config"], r["trace"]) == (config, trace)]
    result = drive(reference.CONFIGURATIONS[config], text, requests=requests)
    assert result.total_clocks == int(row["cycles"])
    assert result.activates == int(row["n_act"])
    assert result.bytes == int(row["bytes"])
    assert result.refreshes == int(row["n_ref"])
    assert result.read_latency_mean_clocks == pytest.approx(
        float(row["avg_read_latency_cycles"]), rel=1e-4
    )


def test_half_written_random_gives_the_measured_row():
    row = next(r for r in reference.rows() if r["trace"] == "f_randrw_64M")
    result = drive(reference.CONFIGURATIONS[row["config"]], "mix:0.5", requests=32768, seed=3)
    assert result.total_clocks == int(row["cycles"])
    assert result == dataclasses.replace(
        drive(
            reference.CONFIGURATIONS[row["config"]],
            "random",
            requests=32768,
            seed=3,
            write_share=0.5,
        ),
        requesters=result.requesters,
    )


@pytest.mark.parametrize("preset", [DDR4, LPDDR5, "hbm2-2000"])
@pytest.mark.parametrize("traffic", ["seq", "stride:192", ["mix:0.3", "seq"]])
def test_the_parts_add_up(preset, traffic):
    result = drive(preset, traffic, ["channels=4"])
    columns = result.column_reads + result.column_writes
    lines = result.bytes // result.line_bytes
    assert columns + result.reads_forwarded + result.writes_coalesced == lines
    assert result.requests == 2000 * len(result.requesters)
    assert result.bytes == 64 * result.requests == result.bytes_read + result.bytes_written
    for name in ("column_reads", "column_writes", "row_hits", "activates", "precharges"):
        assert getattr(result, name) == sum(getattr(channel, name) for channel in result.channels)
    assert result.refreshes == sum(channel.refreshes for channel in result.channels)
    assert columns == result.row_hits + result.activates
    assert sum(channel.bus_bytes for channel in result.channels) == columns * result.line_bytes
    for name in ("requests", "bytes", "bytes_read", "bytes_written"):
        assert getattr(result, name) == sum(getattr(port, name) for port in result.requesters)
    assert sum(result.latency_histogram_reads) * result.line_bytes == result.bytes_read
    assert result.latency_histogram_reads[-1] > 0
    assert result.read_latency_max_clocks == max(
        port.read_latency_max_clocks for port in result.requesters
    )
    bins = len(result.latency_histogram_reads)
    assert bins - 1 == result.read_latency_max_clocks // result.latency_bin_clocks


def test_bandwidth_and_times_follow_from_bytes_and_clocks():
    result = drive(LPDDR5, "mix:0.4")
    assert result.time_ns == result.total_clocks * 1.25
    assert result.bandwidth_gb_per_s == pytest.approx(result.bytes / result.time_ns)
    assert result.fraction_of_peak == pytest.approx(
        result.bandwidth_gb_per_s / result.peak_gb_per_s
    )
    assert result.read_latency_mean_ns == pytest.approx(1.25 * result.read_latency_mean_clocks)
    assert result.read_latency_max_ns == 1.25 * result.read_latency_max_clocks
    (port,) = result.requesters
    assert port.bandwidth_gb_per_s == pytest.approx(result.bandwidth_gb_per_s)


def test_result_goes_to_json_and_comes_back_and_is_the_same_again():
    result = drive(traffic=["mix:0.3", "random"], overrides=["channels=2"])
    assert DramResult.from_json(result.to_json()) == result
    assert (
        drive(traffic=["mix:0.3", "random"], overrides=["channels=2"]).to_json() == result.to_json()
    )


def test_trace_file_is_the_requests_in_it(tmp_path):
    traffic = pattern("mix:0.3", 500)
    path = tmp_path / "t.csv"
    directions = ["W" if write else "R" for write in traffic.writes]
    rows = zip(traffic.addresses.tolist(), directions, strict=True)
    path.write_text("address,op\n" + "".join(f"{a:#x},{d}\n" for a, d in rows))
    from_file, at_hand = drive(traffic=path), drive(traffic=traffic)
    assert from_file.requesters[0].traffic == str(path)
    assert from_file == dataclasses.replace(at_hand, requesters=from_file.requesters)
    assert from_file.requests == 500


def test_time_ends_with_the_last_beat_when_writes_are_accepted_early():
    """Column to last beat is WRITE_END; what waits in the queue is not forgotten."""
    late = drive(traffic="seq", write_share=1, requests=20)
    early = drive(traffic="seq", overrides=["write_response=accepted"], write_share=1, requests=20)
    assert early.total_clocks == late.total_clocks
    assert early.column_writes == 20


def test_absorbed_writes_are_counted_and_never_reach_the_bus():
    again = Traffic(np.zeros(8), np.ones(8))
    result = drive(traffic=again)
    assert result.bytes_written == 512
    assert result.writes_coalesced + result.column_writes == 8
    assert result.writes_coalesced > 0
    assert (result.latency_histogram_reads, result.read_latency_mean_clocks) == ((), 0.0)


def test_deeper_ports_wait_less_and_shallow_ones_bound_the_bandwidth():
    clocks = [drive(traffic="random", in_flight=depth).total_clocks for depth in (1, 4, 64)]
    assert clocks[0] > 2 * clocks[1] > 2 * clocks[2]


def test_port_that_is_too_slow_for_the_channels_says_so():
    slow = drive("hbm2-2000", overrides=["channels=16"])
    assert slow.port_fraction_of_peak == 1 / 8
    assert slow.fraction_of_peak <= 1 / 8
    fast = drive("hbm2-2000", overrides=["channels=16"], lines_per_clock=8, in_flight=1024)
    assert fast.fraction_of_peak > 1 / 8


def test_patterns_keep_to_spans_of_their_own():
    result = drive(traffic=["seq", "seq"], span_bytes=1000, requests=40)
    assert result.bytes == 2 * 40 * 64
    one = drive(traffic=Traffic(np.arange(40) % 15 * 64 + 1024, np.zeros(40)))
    assert one.requests == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overrides": ["timing.RC=20"]}, "dram.timing.RC=20: must be >= 55"),
        ({"overrides": ["mapping=row bank"]}, "must be a bijection"),
        ({"dram": "ddr9"}, "dram.preset='ddr9': must be a YAML file or one of"),
        ({"dram": CommandDram(), "overrides": ["channels=2"]}, "must be left out"),
        ({"traffic": "zigzag"}, "pattern='zigzag': must be one of seq"),
        ({"traffic": []}, "ports=0: must be >= 1"),
        ({"requests": 0}, "requests=0: must be >= 1 and <= 100000000"),
        ({"span_bytes": 63}, "span_bytes=63: must be >= 64"),
        ({"span_bytes": 1 << 34}, "span_bytes=17179869184: must be <= 8589934592, the capacity"),
        ({"traffic": ["seq", "seq"], "span_bytes": 1 << 33}, "the capacity over 2 ports"),
        ({"seed": -1}, "seed=-1: must be >= 0"),
        ({"write_share": 1.5}, "write_share=1.5: must be >= 0 and <= 1"),
        ({"traffic": "mix:0.5", "write_share": 0.5}, "mix:SHARE says it"),
        ({"in_flight": 0}, "in_flight=0: must be >= 1 and <= 65536"),
        ({"lines_per_clock": 0}, "lines_per_clock=0: must be >= 1"),
        ({"arbitration": "fifo"}, "arbitration='fifo': must be one of"),
        ({"traffic": Traffic(np.array([1 << 33]), np.zeros(1))}, "address=0x200000000: must be"),
    ],
)
def test_mistake_is_one_line_that_names_it(options, message):
    with pytest.raises(AccelsimError) as caught:
        drive(**options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_lost_request_is_an_error(monkeypatch):
    from accelsim.kernels import dram as kernel

    counted = kernel.statistics

    def one_less(*arguments):
        found = counted(*arguments)
        return found | {"column_reads": found["column_reads"] - 1}

    monkeypatch.setattr(kernel, "statistics", one_less)
    with pytest.raises(AssertionError, match="1999 transactions done of 2000"):
        drive()
