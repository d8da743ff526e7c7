"""`accelsim dram`: what it prints, and every mistake in one line."""

import json

import pytest

import accelsim as package
from accelsim.hardware import load_dram
from accelsim.result import DramResult
from tests.dram import reference


def test_reference_row_comes_out_of_the_command(answer):
    (row,) = [
        row
        for row in reference.rows()
        if (row["config"], row["trace"]) == ("R_DDR4_RoBaRaCoCh", "e_stride_4096")
    ]
    command = "dram --preset ddr4-2400 --set mapping=RoBaRaCoCh --pattern stride:4096"
    document = json.loads(answer(*command.split(), "--requests", row["requests"], "--json"))
    assert document["schema"] == "accelsim.dram/1"
    assert document["total_clocks"] == int(row["cycles"])
    assert document["activates"] == int(row["n_act"])
    assert document["refreshes"] == int(row["n_ref"])
    text = answer(*command.split(), "--requests", row["requests"])
    assert f"{int(row['cycles']):,}" in text and f"{int(row['n_act']):,}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_reference_trace_file_comes_out_of_the_command(answer, tmp_path):
    (row,) = [
        row
        for row in reference.rows()
        if (row["config"], row["trace"]) == ("R_LPDDR5_MOP", "c_rw_4096_al")
    ]
    traffic = reference.trace(row["trace"])
    path = tmp_path / "trace.csv"
    pairs = zip(traffic.addresses.tolist(), traffic.writes.tolist(), strict=True)
    path.write_text("".join(f"{a:#x},{'write' if w else 'read'}\n" for a, w in pairs))
    document = json.loads(answer("dram", "-p", "lpddr5-6400", "--trace", path, "--json"))
    assert document["total_clocks"] == int(row["cycles"])
    assert document["activates"] == int(row["n_act"])


def test_json_is_the_result_that_python_gives_and_stays_so(answer):
    command = (
        "dram -p hbm2-2000 --set channels=2 timing.RCD=20 page_policy=closed row_hit_cap=4 "
        "--pattern mix:0.3 --pattern seq --requests 500 --span 1MiB --seed 7 --in-flight 16 "
        "--lines-per-clock 2 --arbitration load-first --json"
    )
    document = answer(*command.split())
    expected = package.drive_dram(
        "hbm2-2000",
        ["mix:0.3", "seq"],
        {"channels": 2, "timing.RCD": 20, "page_policy": "closed", "row_hit_cap": 4},
        requests=500,
        span_bytes=1 << 20,
        seed=7,
        in_flight=16,
        lines_per_clock=2,
        arbitration="load-first",
    )
    assert DramResult.from_json(document) == expected
    assert document == answer(*command.split())
    assert expected.timing_clocks["RCD"] == 20
    assert expected.configuration["row_hit_cap"] == 4


def test_write_share_makes_a_pattern_write(answer):
    document = json.loads(answer("dram", "--requests", 100, "--write-share", 1, "--json"))
    assert (document["bytes_read"], document["bytes_written"]) == (0, 6400)
    text = answer("dram", "--requests", 100, "--write-share", 1)
    assert "No reads, so no latencies." in text


@pytest.mark.parametrize("arguments", [["dram"], ["dram", "--presets"]])
def test_presets_have_a_line_each(answer, arguments):
    text = answer(*arguments)
    assert [line.split()[0] for line in text.splitlines()[3:14]] == [
        preset["name"] for preset in json.loads(answer(*arguments, "--json"))["presets"]
    ]
    assert max(map(len, text.splitlines())) <= 80


def test_shown_device_is_driven_from_its_file(answer, tmp_path):
    path = tmp_path / "mine.yaml"
    assert answer("dram", "--show", "-p", "lpddr5-6400", "-o", path) == ""
    assert load_dram(path).device == load_dram("lpddr5-6400").device
    own, shipped = (
        json.loads(answer("dram", "-p", preset, "--requests", 300, "--json"))
        for preset in (path, "lpddr5-6400")
    )
    assert own.pop("preset") == str(path) and shipped.pop("preset") == "lpddr5-6400"
    del own["configuration"], shipped["configuration"], own["command"], shipped["command"]
    assert own == shipped
    changed = answer("dram", "--show", "--set", "timing.RCD=20", "organisation.ranks=2")
    path.write_text(changed)
    assert load_dram(path).clocks["RCD"] == 20 and load_dram(path).shape.ranks == 2
    document = json.loads(answer("dram", "--show", "--json"))
    assert document["schema"] == "accelsim.dram-device/1"
    assert document["timing"]["RCD"] == 16


def test_output_goes_to_the_file_as_it_would_to_a_pipe(answer, tmp_path):
    for command in (["dram"], ["dram", "--show"], ["dram", "--requests", "100"]):
        for form in ([], ["--json"]):
            path = tmp_path / "answer"
            assert answer(*command, *form, "-o", path) == ""
            assert path.read_text() == answer(*command, *form)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("-p ddr4-2401", ["dram.preset='ddr4-2401'", "ddr4-2400"]),
        ("-p none.yaml", ["none.yaml", "No such file"]),
        ("--set timing.RC=20", ["dram.timing.RC=20", ">= 55", "RAS + RP"]),
        ("--set mapping=row", ["dram.mapping='row'", "bijection"]),
        ("--set chanels=2", ["chanels", "did you mean channels?"]),
        ("--set channels", ["channels", "must look like timing.RCD=20"]),
        ("--set channels=3", ["channels=3", "power of two"]),
        ("--set refresh=per-bank", ["per-bank", "RFC_BANK"]),
        ("--set model=ideal", ["model='ideal'", "command"]),
        ("--pattern zigzag", ["pattern='zigzag'", "stride:BYTES"]),
        ("--pattern stride:0", ["stride:0", ">= 1"]),
        ("--pattern mix:2", ["mix:2", "<= 1"]),
        ("--pattern=", ["pattern=''", "must be one of"]),
        ("--pattern mix --write-share 0.5", ["write_share=0.5", "left out"]),
        ("--pattern random --span 4KiB", ["65536 requests", "<= 64"]),
        ("--requests 0", ["requests=0", ">= 1"]),
        ("--requests many", ["--requests=many", "whole number"]),
        ("--span 9GiB", ["span_bytes=9663676416", "8589934592", "capacity"]),
        ("--span big", ["--span=big", "64MiB"]),
        ("--seed -1", ["seed=-1", ">= 0"]),
        ("--write-share nan", ["write_share=nan", "<= 1"]),
        ("--in-flight 0", ["in_flight=0", "<= 65536"]),
        ("--lines-per-clock 0", ["lines_per_clock=0", ">= 1"]),
        ("--arbitration fifo", ["arbitration='fifo'", "round-robin"]),
        ("--trace none.csv", ["none.csv", "No such file"]),
        ("--trace t.csv --seed 2", ["--seed=2", "left out"]),
        ("--presets --pattern seq", ["--pattern=seq", "left out", "--presets"]),
        ("--show --pattern seq", ["--pattern=seq", "left out", "--show"]),
        ("--show --set channels=2", ["--set channels=2", "organisation and timing"]),
        ("-o /no/such/folder/x.json", ["output=/no/such/folder/x.json", "no folder"]),
        ("ddr4-2400", ["ddr4-2400", "accelsim dram --help"]),
    ],
)
def test_mistake_is_one_line(refusal, arguments, parts):
    message = refusal("dram", *arguments.split())
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("line", "part"),
    [("nonsense", "'nonsense' must be"), ("0x200000000,R", "address=0x200000000: must be <")],
)
def test_mistake_in_a_trace_is_named_by_file_and_line(refusal, tmp_path, line, part):
    path = tmp_path / "t.csv"
    path.write_text(f"address,op\n0,R\n{line}\n")
    message = refusal("dram", "--trace", path)
    assert f"{path}: line 3: " in message and part in message


def test_mistake_in_a_device_file_is_named_by_the_field(refusal, answer, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(answer("dram", "--show").replace("  CL: 16\n", ""))
    assert f"{path}: timing.CL: missing" in refusal("dram", "-p", path)
