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


def test_vcd_has_a_scope_for_each_scheme(answer, tiny, tmp_path):
    path = tmp_path / "run.vcd"
    answer("compare", tiny, "--trace", path)
    text = path.read_text()
    for scheme in ("in_hindsight_static", "current_spill"):
        assert f"$scope module block_0_conv_{scheme}_on_edge $end" in text


@pytest.mark.parametrize("options", [["-o", "x.json"], ["--plot", "x.json"]])
def test_files_must_differ(refusal, tiny, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    message = refusal("simulate", tiny, "--trace", "x.json", *options)
    assert "must be another file" in message or "must end in one of" in message
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.yaml"]
