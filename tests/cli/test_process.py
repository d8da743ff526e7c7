"""The command line as a process of its own: what it loads, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = "import sys; from accelsim.cli import main; sys.exit(main())"


def start(*arguments, code=RUN, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        **options,
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["hardware", "edge"], ["networks"], ["schemes"], ["dram"], ["dram", "--show"]],
)
def test_what_simulates_nothing_loads_nothing_heavy(arguments):
    code = (
        "import sys; from accelsim.cli import main; code = main();"
        "heavy = [m for m in ('matplotlib', 'numba', 'simpy') if m in sys.modules];"
        "sys.exit(code or ' '.join(heavy) or 0)"
    )
    done = start(*arguments, code=code, stdout=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")


def test_python_m_accelsim_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "accelsim", "hardware", "nowhere"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("accelsim: error: ") and done.stderr.count("\n") == 1


def test_a_full_stdout_is_one_line_and_no_more():
    with Path("/dev/full").open("w") as full:
        done = start("hardware", "edge", stdout=full)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "No space left" in done.stderr


def test_a_reader_that_leaves_is_no_error():
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "networks", "mobilenetv2", "--json"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")


def test_a_name_that_the_terminal_cannot_spell_is_escaped(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("name: Gerät\n")
    code = f"import sys; sys.stdout.reconfigure(encoding='ascii')\n{RUN}"
    done = start("hardware", str(path), code=code, stdout=subprocess.PIPE)
    assert done.returncode == 0 and "Ger\\xe4t" in done.stdout
