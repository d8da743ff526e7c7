"""The house stands as drawn: floors, who may import what, and a light front door."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("matplotlib", "numba", "simpy")


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_import_keeps_to_the_floors():
    lint = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = run_python(f"import sys; sys.path.insert(0, '.'); {lint}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["accelsim", "accelsim.hardware"])
def test_a_first_import_loads_nothing_heavy(module):
    done = run_python(f"import sys, {module}; print(*(m for m in {HEAVY} if m in sys.modules))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
