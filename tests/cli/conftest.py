import pytest

from accelsim.cli import main

TINY = """\
name: tiny
layers:
  - {name: block.0.conv, kind: conv2d, in_channels: 4, out_channels: 8, kernel: 3, height: 6,
     width: 6, padding: 1}
  - {name: fc, kind: linear, in_features: 16, out_features: 4, bias: true}
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return f"{path}:block"


@pytest.fixture
def accelsim(capsys):
    """Run the command line in this process; gives exit code, stdout and stderr."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def answer(accelsim):
    """What a command that must succeed prints."""

    def run(*arguments):
        code, out, err = accelsim(*arguments)
        assert (code, err) == (0, "")
        return out

    return run


@pytest.fixture
def refusal(accelsim):
    """The one line of a command that must fail."""

    def run(*arguments):
        code, out, err = accelsim(*arguments)
        assert code == 2
        assert out == ""
        assert err.count("\n") == 1 and err.endswith("\n")
        assert err.startswith("accelsim: error: ")
        assert "Traceback" not in err
        return err.removeprefix("accelsim: error: ").rstrip("\n")

    return run
