import json

import pytest


def test_trace_is_written_beside_the_tables(answer, tiny, tmp_path):
    path = tmp_path / "run.json"
    assert "DRAM traffic" in answer("compare", tiny, "--trace", path)
    events = json.loads(path.read_text())["traceEvents"]
    names = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert names == [
        "block.0.conv in-hindsight/static on edge",
        "block.0.conv current/spill on edge",
    ]


def test_vcd_of_one_scheme(answer, refusal, tiny, tmp_path):
    path = tmp_path / "run.vcd"
    answer("simulate", tiny, "--trace", path)
    assert path.read_text().startswith("$")
    assert "must end in .json for 2 schemes" in refusal("compare", tiny, "--trace", path)


@pytest.mark.parametrize("options", [["-o", "x.json"], ["--plot", "x.json"]])
def test_files_must_differ(refusal, tiny, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    message = refusal("simulate", tiny, "--trace", "x.json", *options)
    assert "must be another file" in message or "must end in one of" in message
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.yaml"]
