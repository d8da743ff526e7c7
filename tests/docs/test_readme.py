"""What README.md says beside its code blocks, which test_pages.py runs."""

import re
from pathlib import Path

import pytest
import typer

from accelsim.cli import main
from accelsim.cli.commands import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\| `accelsim (\w+)", README, re.MULTILINE)


def test_the_table_lists_every_command():
    assert sorted(LISTED) == sorted(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", LISTED)
def test_every_command_of_the_table_has_a_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert command in capsys.readouterr().out
