import io
import sys

import pytest

from accelsim.cli.output import working


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals_and_says_what_is_left(monkeypatch, terminal):
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with working("simulating") as tell:
        tell(3, 8)
    shown = stream.getvalue()
    assert ("simulating" in shown and "3/8" in shown) == terminal
    assert bool(shown) == terminal


def test_very_many_pieces_are_told_as_their_share(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with working("simulating") as tell:
        tell(250_000, 1_000_000)
    assert "25%" in stream.getvalue() and "250000" not in stream.getvalue()
