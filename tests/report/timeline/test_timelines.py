"""Timelines in Chrome's format and as VCD: what the viewers ask for, and no memory for length."""

import io
import json
import tracemalloc
from contextlib import ExitStack
from decimal import Decimal
from itertools import pairwise

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.report.timeline import recording
from accelsim.report.timeline.chrome import ChromeTrace
from accelsim.report.timeline.vcd import VcdTrace
from accelsim.simulation import record

LAYER = "resnet18.layer4.0.downsample.0"


def tell(recorder, rounds=3):
    """A unit that works, waits and works; a bank; a buffer. Cycles of 800 MHz are 1.25 ns."""
    recorder.begin("one <run>", 800, ["array", "channel 0 bank 0"], {"input buffer": 4096})
    for start in range(0, 100 * rounds, 100):
        recorder.state("array", start, "busy", 'tile "0"')
        recorder.state("array", start + 40, "starved", "command 7")
        recorder.state("channel 0 bank 0", start + 8, "open", "row 5")
        recorder.level("input buffer", start, 1024)
        recorder.state("channel 0 bank 0", start + 88, "closed")
        recorder.level("input buffer", start + 50, 0)
        recorder.settled(start)
    recorder.end(100 * rounds)
    recorder.close()


def chrome(rounds=3):
    file = io.BytesIO()
    tell(ChromeTrace(file), rounds)
    return json.loads(file.getvalue())


def test_events_have_what_the_format_asks_of_them():
    document = chrome()
    assert document["displayTimeUnit"] == "ns"
    for event in document["traceEvents"]:
        assert event["ph"] in "XCM" and isinstance(event["pid"], int)
        assert isinstance(event["name"], str) and isinstance(event["args"], dict)
        if event["ph"] != "M":
            assert event["ts"] >= 0
        if event["ph"] == "X":
            assert event["dur"] > 0 and isinstance(event["tid"], int)
        if event["ph"] == "C":
            assert all(isinstance(value, int) for value in event["args"].values())
    names = [e["args"]["name"] for e in document["traceEvents"] if e["name"] == "process_name"]
    assert names == ["one <run>"]


def test_states_are_slices_at_their_times():
    events = chrome(rounds=1)["traceEvents"]
    slices = [
        (e["tid"], e["name"], e["cat"], e["ts"], e["dur"], e["args"]["cycles"])
        for e in events
        if e["ph"] == "X"
    ]
    assert slices == [
        (1001, 'tile "0"', "busy", 0, 0.05, 40),
        (1002, "row 5", "open", 0.01, 0.1, 80),
        (1001, "command 7", "starved", 0.05, 0.075, 60),
    ]
    counters = [(e["name"], e["ts"], e["args"]["bytes"]) for e in events if e["ph"] == "C"]
    assert counters == [
        ("input buffer", 0, 0),
        ("input buffer", 0, 1024),
        ("input buffer", 0.062, 0),
    ]


@pytest.mark.parametrize("clock_mhz", [700, 800, 1300])
def test_slices_of_a_real_run_do_not_overlap_in_the_whole_nanoseconds_that_viewers_keep(
    clock_mhz, tmp_path
):
    path = tmp_path / "run.json"
    machine = load_hardware("edge", {"clock_mhz": clock_mhz})
    with recording(path) as recorder:
        runs = record(LAYER, machine, ["in-hindsight", "current"], recorder)
    events = json.loads(path.read_text(), parse_float=Decimal)["traceEvents"]
    tracks = {}
    for event in events:
        if event["ph"] == "X":
            tracks.setdefault((event["pid"], event["tid"]), []).append(event)
    assert set(tracks) == {(run, unit) for run in (1, 2) for unit in range(1001, 1007)}
    for slices in tracks.values():
        assert all((1000 * event[field]) % 1 == 0 for event in slices for field in ("ts", "dur"))
        slices.sort(key=lambda event: event["args"]["cycle"])
        for before, after in pairwise(slices):
            assert before["ts"] + before["dur"] <= after["ts"]
    ends = {pid: max(float(e["ts"] + e["dur"]) for e in es) for (pid, _), es in tracks.items()}
    assert ends == {
        n: pytest.approx(r.total_cycles / clock_mhz, abs=0.001) for n, r in enumerate(runs, 1)
    }


def read_vcd(content):
    """A dump by the standard's grammar: times in order, values by name."""
    lines = iter(content.decode("ascii").splitlines())
    names, times, values = {}, [], {}
    for line in lines:
        words = line.split()
        if words[:1] == ["$var"]:
            names[words[3]] = words[4]
        if words[:1] == ["$enddefinitions"]:
            break
    for line in lines:
        if line.startswith("#"):
            times.append(int(line[1:]))
        elif line[:1] in "sb" and " " in line:
            value, key = line[1:].split()
            values.setdefault(names[key], []).append((times[-1], value))
    return times, values


def test_vcd_has_every_change_in_order_of_time():
    file = io.BytesIO()
    with ExitStack() as spools:
        tell(VcdTrace(file, spools), rounds=2)
    times, values = read_vcd(file.getvalue())
    assert times == sorted(set(times)) and times[-1] == 200 * 1250
    assert values["array"][:3] == [
        (0, 'busy:_tile_"0"'), (50_000, "starved:_command_7"), (125_000, 'busy:_tile_"0"')
    ]  # fmt: skip
    assert values["channel_0_bank_0"][1:3] == [(10_000, "open:_row_5"), (110_000, "idle")]
    levels = [(time, int(bits, 2)) for time, bits in values["input_buffer_bytes"]]
    assert levels == [(0, 1024), (62_500, 0), (125_000, 1024), (187_500, 0)]


def test_vcd_and_chrome_tell_the_same_of_a_real_run(tmp_path):
    machine = __import__("accelsim").load_hardware("edge", ["dram.preset=ddr4-2400"])
    for name in ("run.json", "run.vcd"):
        with recording(tmp_path / name) as recorder:
            record(LAYER, machine, ["current"], recorder)
    times, values = read_vcd((tmp_path / "run.vcd").read_bytes())
    assert times == sorted(set(times))
    events = json.loads((tmp_path / "run.json").read_text())["traceEvents"]
    (array,) = [e["tid"] for e in events if e["args"].get("name") == "array"]
    done = [(e["name"], e["ts"]) for e in events if e["ph"] == "X" and e["tid"] == array]
    first = [b for a, b in pairwise([("", 0), *done]) if a[0] != b[0] and b[0].startswith("tile")]
    busy = [(v[6:].replace("_", " "), t / 1e6) for t, v in values["array"] if v[:4] == "busy"]
    assert busy == [(name, pytest.approx(start, abs=0.0006)) for name, start in first]
    rows = [e for e in events if e["ph"] == "X" and e["name"].startswith("row ")]
    told = [v for name, vs in values.items() if name.startswith("channel") for _, v in vs]
    assert 0 < sum("row" in value for value in told) <= len(rows)


def test_another_reader_finds_the_cycles_of_the_tables_in_a_vcd(tmp_path):
    """pyvcd's tokenizer, which shares nothing with its writer."""
    reader = pytest.importorskip("vcd.reader")
    with recording(tmp_path / "run.vcd") as recorder:
        (run,) = record(LAYER, "edge", ["current"], recorder)
    kinds, now, names, changes = reader.TokenKind, 0, {}, {}
    with (tmp_path / "run.vcd").open("rb") as file:
        for token in reader.tokenize(file):
            if token.kind is kinds.VAR:
                names[token.data.id_code] = token.data.reference
            elif token.kind is kinds.CHANGE_TIME:
                now = token.data
            elif token.kind in (kinds.CHANGE_STRING, kinds.CHANGE_VECTOR):
                told = changes.setdefault(names[token.data.id_code], [])
                told.append((now, token.data.value))
    assert now == 1250 * run.total_cycles
    for unit in run.units:
        spent = {"busy": 0, "starved": 0, "blocked": 0, "idle": 0, "in_flight": 0}
        for (start, state), (stop, _) in pairwise([*changes[unit.unit], (now, "")]):
            spent[state.partition(":")[0]] += (stop - start) // 1250
        assert spent["blocked"] == unit.blocked_cycles and spent["idle"] == unit.idle_cycles
        working = spent["busy"] + spent["starved"] + spent["in_flight"]
        assert working == unit.busy_cycles + unit.starved_cycles
    held = [level for _, level in changes["input_buffer_bytes"]]
    assert max(held) == 256 * 14 * 14 and held[-1] == 0


@pytest.mark.parametrize("kind", [lambda file, spools: ChromeTrace(file), VcdTrace])
def test_length_needs_no_memory(kind):
    def peak_bytes(rounds):
        class Nowhere(io.RawIOBase):
            def writable(self):
                return True

            def write(self, data):
                return len(data)

        tracemalloc.start()
        try:
            with ExitStack() as spools:
                tell(kind(io.BufferedWriter(Nowhere()), spools), rounds)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(10)  # what is imported on first use is not counted
    assert peak_bytes(4_000) < 1.5 * peak_bytes(400) < 300_000


def test_a_run_that_breaks_off_leaves_no_file_and_the_old_one_stays(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), recording(path) as recorder:
        recorder.begin("x", 1, ["array"], {})
        raise RuntimeError
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("run.json", "old")]


def scopes_of(path):
    """The time of every change of every variable, by scope; the file is read line by line."""
    scope, owner, changes, now, times = [], {}, {}, 0, []
    for line in path.read_text().splitlines():
        words = line.split()
        if line.startswith("$scope"):
            scope.append(words[2])
        elif line.startswith("$upscope"):
            scope.pop()
        elif line.startswith("$var"):
            owner[words[3]] = (scope[-1], words[4])
        elif line.startswith("#"):
            now = int(line[1:])
            times.append(now)
        elif line[:1] in "sb" and len(words) == 2:
            changes.setdefault(owner[words[1]], []).append((now, words[0][1:]))
    assert times == sorted(set(times))
    return changes


def test_a_vcd_has_a_scope_for_each_run_and_all_begin_at_once(tmp_path):
    schemes = ["in-hindsight", "current", "current"]
    heard = []
    with recording(tmp_path / "all.vcd") as recorder:
        runs = record(LAYER, "edge", schemes, recorder, settled=heard.append)
    together = scopes_of(tmp_path / "all.vcd")
    scopes = list(dict.fromkeys(scope for scope, _ in together))
    assert scopes == [
        "layer4_0_downsample_0_in_hindsight_static_on_edge",
        "layer4_0_downsample_0_current_spill_on_edge",
        "layer4_0_downsample_0_current_spill_on_edge_2",
    ]
    for number, scheme in enumerate(schemes):
        with recording(tmp_path / "one.vcd") as recorder:
            record(LAYER, "edge", [scheme], recorder)
        alone = scopes_of(tmp_path / "one.vcd")
        for (_, name), changes in alone.items():
            assert together[scopes[number], name] == changes
    assert heard == sorted(heard) and heard[-1] <= sum(run.total_cycles for run in runs)
    assert heard[-1] > sum(run.total_cycles for run in runs[:2])


def test_other_formats_are_refused(tmp_path):
    with (
        pytest.raises(AccelsimError, match=r"must end in one of \.json, \.vcd"),
        recording("x.fst"),
    ):
        pass


def test_without_pyvcd_the_error_names_the_extra(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "vcd", None)
    with (
        pytest.raises(AccelsimError, match=r"pip install 'accelsim\[vcd\]'"),
        recording(tmp_path / "x.vcd"),
    ):
        pass
