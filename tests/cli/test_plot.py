"""`accelsim plot`: what was saved is drawn; and what a shell completes."""

import json
import os
import re

import pytest

from accelsim.cli import complete, main
from accelsim.report.plot import KINDS


@pytest.fixture
def kept(answer, tiny, tmp_path):
    path = tmp_path / "compare.json"
    assert answer("compare", tiny, "--json", "-o", path) == ""
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_from_a_file(answer, kept, tmp_path, kind):
    picture = tmp_path / "x.png"
    assert answer("plot", kind, kept, "-o", picture) == ""
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_several_files_make_one_plot(answer, kept, tiny, tmp_path):
    other = tmp_path / "fc.json"
    answer("simulate", tiny.replace(":block", ":fc"), "--json", "-o", other)
    picture = tmp_path / "x.svg"
    assert answer("plot", "traffic", kept, other, "-o", picture) == ""
    assert picture.read_text().count("<!-- fc -->") == 1


def test_axes_of_a_kind_are_chosen(answer, kept, tmp_path):
    picture = tmp_path / "x.svg"
    answer("plot", "pareto", kept, "-o", picture, "--x", "cosine", "--y", "sqnr_db")
    assert "<!-- cosine to float -->" in picture.read_text()


def test_schemes_are_chosen(answer, refusal, tiny, tmp_path):
    kept, picture = tmp_path / "all.json", tmp_path / "x.svg"
    answer("compare", tiny, "--scheme", "all", "--timing-only", "--json", "-o", kept)
    total = len(json.loads(kept.read_text())["results"])

    def names(*options):
        answer("plot", "bandwidth", kept, "-o", picture, *options)
        return re.findall(r"<!-- (\S+/\S+.*?) -->", picture.read_text())

    assert len(names()) <= 7 < total == len(names("--scheme", "all"))
    assert names("--scheme", "current/lazy") == ["current/lazy"]
    assert names("--scheme", "delayed", "--scheme", "dsgc")[:2] == ["delayed/static", "dsgc/spill"]
    assert "scheme=no: must be one of" in refusal(
        "plot", "traffic", kept, "-o", picture, "--scheme", "no"
    )


def test_what_cannot_be_drawn_is_refused(refusal, kept, tmp_path):
    picture = tmp_path / "x.png"
    assert refusal("plot", "pie", kept, "-o", picture).startswith("kind='pie': must be one of")
    assert "must end in one of" in refusal("plot", "traffic", kept, "-o", tmp_path / "x.gif")
    assert refusal("plot", "traffic", kept, "-o", picture, "--x", "batch") == (
        "--x=batch: must be left out, traffic has none"
    )
    (tmp_path / "broken.json").write_text("{")
    assert "broken.json: must be a JSON" in refusal(
        "plot", "traffic", tmp_path / "broken.json", "-o", picture
    )
    assert not picture.exists()


def test_a_saved_document_says_which_command_made_it(answer, kept, tiny, tmp_path):
    assert json.loads(kept.read_text())["command"] == ["accelsim", "compare", tiny]
    text = answer("simulate", tiny, "--seed", 2, "--json", "--plot", tmp_path / "x.png")
    assert json.loads(text)["command"] == ["accelsim", "simulate", tiny, "--seed", "2"]


def test_names_are_completed_as_far_as_they_are_typed():
    assert "resnet18." in complete.layers("res")
    assert "resnet18.layer1.0.conv1" in complete.layers("resnet18.layer1")
    assert complete.layers("nowhere.x") == []
    assert complete.machines("e") == ["edge"]
    assert "mobilenetv2" in complete.networks("mob")
    assert complete.devices("ddr4-24") == ["ddr4-2400"]
    assert complete.schemes("in-h") == ["in-hindsight"]
    assert complete.schemes("current/s") == ["current/spill", "current/spill16"]
    assert complete.schemes("in-hindsight/st") == ["in-hindsight/static"]
    assert complete.schemes("current/a") == ["current/all"]
    assert complete.schemes("al") == ["all"] and complete.schemes("no-such/") == []
    assert complete.layers("mlp") == ["mlp", "mlp."]
    assert complete.studies("lan") == ["lanes"]
    assert complete.energies("horo") == ["horowitz-45nm"]
    assert complete.operations("grad-i") == ["grad-input"]
    assert complete.contents("g") == ["gradient"]
    assert complete.formats("s") == ["svg"] and complete.tables("p") == ["parquet"]
    assert complete.kinds("t") == ["traffic", "timeline"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("accelsim compare resnet18.layer4.1.", "resnet18.layer4.1.conv2"),
        ("accelsim compare x --hardware m", "mcu"),
        ("accelsim simulate x --scheme curr", "current"),
        ("accelsim plot roof", "roofline"),
        ("accelsim dram --preset hbm", "hbm2"),
        ("accelsim sweep lan", "lanes"),
        ("accelsim compare x --energy horo", "horowitz-45nm"),
    ],
)
def test_the_shell_is_told(monkeypatch, capsys, words, expected):
    monkeypatch.setenv("_ACCELSIM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert main([]) == 0
    assert expected in capsys.readouterr().out
    assert os.environ["_ACCELSIM_COMPLETE"]


def test_completion_can_be_shown_and_installed(answer):
    assert "--install-completion" in answer("--help")
