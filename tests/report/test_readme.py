"""What README.md says runs, and prints what README.md shows."""

import re
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.hardware import load_hardware

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHOWN = re.findall(r"<!-- accelsim (.*?) -->\n```\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_each_python_example_runs_as_it_is(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_the_numbers_in_comments_are_what_is_printed(capsys):
    exec(compile(PYTHON[0], "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out.splitlines()
    claimed = re.findall(r"print\(.*\)  # (.*)", PYTHON[0])
    assert claimed == printed[: len(claimed)]


def test_there_is_something_to_hold_against():
    assert len(PYTHON) == 2
    assert [command for command, _ in SHOWN] == [
        "compare resnet18.layer1",
        "dram --preset ddr4-2400 --pattern stride:4096",
        "table5",
    ]


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_each_shown_answer_is_what_the_command_prints(command, shown, capsys):
    assert main(command.split()) == 0
    assert capsys.readouterr().out == shown, f"paste the output of accelsim {command} into README"


def test_the_hardware_example_is_a_machine(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my.yaml").write_text(text)
    machine = load_hardware(tmp_path / "my.yaml")
    assert (machine.name, machine.array.columns) == ("my", 64)


def test_every_command_of_the_table_has_a_help(capsys):
    commands = re.findall(r"^\| `accelsim (\w+)", README, re.MULTILINE)
    assert len(commands) == 8
    for command in commands:
        assert main([command, "--help"]) == 0
        assert command in capsys.readouterr().out


def test_every_file_that_readme_names_is_there():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path
