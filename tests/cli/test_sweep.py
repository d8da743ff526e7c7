"""`accelsim sweep` and `accelsim results`."""

import json

import pytest

from accelsim.cli import main
from accelsim.study import Store

STUDY = """\
name: tiny
layer: {kind: linear, in_features: 48, out_features: 32}
axes:
  array.rows: [4, 8]
  scheme: [in-hindsight, current]
  sram.weight_kib: [0.001, 16]
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(STUDY)
    return "tiny.yaml"


def run(capsys, *arguments, code=0):
    assert main(list(arguments)) == code
    return capsys.readouterr()


def test_a_sweep_says_what_it_did_and_where_the_results_are(study, tmp_path, capsys):
    text = run(capsys, "sweep", study, "-j", "1").out
    assert "tiny: 8 points, 8 different simulations; 8 run now, 0 were there" in text
    assert "4 points cannot be run:" in text and "4 x sram.weight_kib=0.001" in text
    assert "Results: accelsim results tiny.db" in text
    assert (tmp_path / "tiny.db").exists()
    again = run(capsys, "sweep", study, "-j", "1").out
    assert "0 run now, 8 were there" in again


def test_a_dry_run_prints_points_and_time_and_makes_no_store(study, tmp_path, capsys):
    text = run(capsys, "sweep", study, "--dry-run", "-j", "2").out
    assert "8 points, 8 different simulations, 8 of them still to be run" in text
    assert "on 2 processes" in text
    assert not (tmp_path / "tiny.db").exists()
    document = json.loads(run(capsys, "sweep", study, "--dry-run", "--json").out)
    assert (document["points"], document["missing"]) == (8, 8)


def test_a_quiet_sweep_prints_no_bar(study, capsys):
    captured = run(capsys, "sweep", study, "-j", "1", "--json", "--store", "other.db")
    assert captured.err == ""
    document = json.loads(captured.out)
    assert (document["computed"], document["store"]) == (8, "other.db")


def test_results_go_to_the_terminal_or_a_file(study, tmp_path, capsys):
    run(capsys, "sweep", study, "-j", "1")
    head, *lines = run(capsys, "results", "tiny.db").out.splitlines()
    assert head.startswith("point,") and len(lines) == 8
    document = json.loads(run(capsys, "results", "tiny.db", "--format", "json").out)
    assert document["command"] == ["accelsim", "results", "tiny.db", "--format", "json"]
    assert len(document["points"]) == 8
    run(capsys, "results", "tiny.db", "--format", "parquet", "-o", "t.parquet")
    assert (tmp_path / "t.parquet").read_bytes()[:4] == b"PAR1"
    energy = run(capsys, "results", "tiny.db", "--energy", "horowitz-45nm").out
    assert "energy_pj.horowitz-45nm" in energy.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "no.yaml"], "no.yaml: no such file"),
        (["sweep", "tiny.yaml", "-j", "0"], "jobs = 0: must be a whole number from 1"),
        (["sweep", "tiny.yaml", "-j", "2", "--dask", "local:2"], "--jobs 2: must be left out"),
        (["results", "no.db"], "no.db: no such store; accelsim sweep STUDY.yaml makes one"),
        (["results", "bare.db"], "bare.db: holds no points yet; accelsim sweep STUDY.yaml runs"),
        (["results", "no.db", "--format", "xml"], "--format xml: must be one of csv, parquet"),
        (["results", "no.db", "--format", "parquet"], "--format parquet: needs -o FILE"),
    ],
)
def test_mistakes_are_one_line(study, capsys, arguments, message):
    Store("bare.db").close()
    error = run(capsys, *arguments, code=2).err
    assert message in error and error.count("\n") == 1


def test_an_interrupt_ends_with_its_own_code(study, capsys, monkeypatch):
    def interrupted(tasks):
        raise KeyboardInterrupt

    monkeypatch.setattr("accelsim.study.executors.work", interrupted)
    text = run(capsys, "sweep", study, "-j", "1", code=130).out
    assert "Interrupted. What was computed is kept" in text


def test_without_a_study_those_that_ship_are_listed(capsys):
    text = run(capsys, "sweep").out
    assert "bandwidth" in text and "How many lanes" in text
    document = json.loads(run(capsys, "sweep", "--json").out)
    assert {study["name"] for study in document["studies"]} >= {"lanes", "overflow"}


def test_a_search_prints_its_front_and_draws_it(study, tmp_path, capsys):
    text = run(capsys, "explore", study, "-j", "1", "--trials", "9", "--plot", "p.png").out
    assert "tiny: 8 of 8 designs tried, 4 feasible" in text and "energy and area by" in text
    assert (tmp_path / "p.png").stat().st_size > 1000
    arguments = ["-j", "1", "--trials", "9", "--objectives", "latency,area", "--json"]
    limited = run(capsys, "explore", study, *arguments, "--constraint", "known_area_um2 <= 1").out
    document = json.loads(limited)
    assert document["computed"] == 0 and not any(t["front"] for t in document["trials"])
    assert document["without_area"] == ["vector unit"]


@pytest.mark.parametrize(
    ("table", "gap"),
    [
        ("accelergy-45nm", "vector unit (no figure)"),
        ("horowitz-45nm", "input buffer, weight buffer"),
    ],
)
def test_an_area_says_what_is_not_in_it_wherever_it_is_printed(study, capsys, table, gap):
    arguments = ["explore", study, "-j", "1", "--trials", "9", "--energy", table]
    for more in (["--objectives", "latency,area"], ["--constraint", "known_area_um2 <= 9e9"]):
        text = " ".join(run(capsys, *arguments, *more).out.split())
        assert f"Areas are without {gap}" in text and "registers, wires and control." in text
    assert "Areas are" not in run(capsys, *arguments).out
    run(capsys, "sweep", study, "-j", "1")
    rows = run(capsys, "results", "tiny.db", "--energy", table, "--format", "json").out
    assert gap.split(" (")[0] in json.loads(rows)["points"][-1][f"without_area.{table}"]


def test_results_draw_the_plot_of_the_study(study, tmp_path, capsys):
    plot = "plot: {kind: lines, x: array.rows, y: total_cycles, series: scheme,"
    (tmp_path / "tiny.yaml").write_text(STUDY + plot + " only: {sram.weight_kib: 16}}\n")
    run(capsys, "sweep", study, "-j", "1")
    assert run(capsys, "results", "tiny.db", "--plot", "p.svg").out == ""
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")


def test_results_put_the_front_of_a_sweep_first_and_draw_it(study, tmp_path, capsys):
    run(capsys, "sweep", study, "-j", "1")
    arguments = ["results", "tiny.db", "--pareto", "latency,area"]
    head, first, *others = run(capsys, *arguments).out.splitlines()
    assert head.startswith("point,array.rows,scheme,sram.weight_kib,status,reason,front,latency_us")
    assert ",True," in first and len(others) == 7 and ",False," in others[-1]
    limited = [*arguments, "--constraint", "array.rows <= 4", "--format", "json"]
    document = json.loads(run(capsys, *limited).out)
    front = [point for point in document["points"] if point["front"]]
    assert {point["array.rows"] for point in front} == {4}
    assert run(capsys, *arguments, "--plot", "front.png").out == ""
    assert (tmp_path / "front.png").stat().st_size > 1000
    run(capsys, *limited, "-o", "front.json")
    run(capsys, "report", "front.json", "-o", "front.html")
    assert "area of what has a figure (mm2)" in (tmp_path / "front.html").read_text()


def test_results_show_what_a_search_has_tried(study, capsys):
    run(capsys, "explore", study, "-j", "1", "--trials", "9")
    error = run(capsys, "results", "tiny.db", code=2).err
    assert "study tiny was searched, not swept; --pareto latency,energy gives" in error
    rows = run(capsys, "results", "tiny.db", "--pareto", "latency").out.splitlines()
    assert len(rows) == 9 and ",True," in rows[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--constraint", "array.rows <= 4"], "--constraint=['array.rows <= 4']: must be left out"),
        (["--pareto", "speed"], "objectives: 'speed' must be one of latency, energy, traffic"),
        (["--pareto", "area", "--constraint", "x < 1"], "constraint='x < 1': no figure x; there"),
        (
            ["--pareto", "area", "--energy", "horowitz-45nm", "--energy", "accelergy-22nm"],
            "--energy accelergy-22nm: must be given once with --pareto",
        ),
        (["--plot", "x.png"], "plot: the study's file describes none"),
    ],
)
def test_mistakes_about_fronts_and_plots_are_one_line(study, capsys, arguments, message):
    run(capsys, "sweep", study, "-j", "1")
    error = run(capsys, "results", "tiny.db", *arguments, code=2).err
    assert message in error and error.count("\n") == 1
