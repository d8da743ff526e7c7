"""The kernel tests again, in processes of their own: uncompiled, and with every index checked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = [
    "test_ideal_memory.py",
    "test_product.py",
    "test_requantize.py",
    "test_statistics.py",
]


@pytest.mark.parametrize("switch", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_kernels_pass_the_same_tests_with(switch):
    """Few, small examples; the cache key sees the bounds check, so neither spoils the cache."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    command += ["--hypothesis-profile=few-examples", *(str(HERE / name) for name in TESTS)]
    done = subprocess.run(
        command,
        cwd=HERE.parents[1],
        env=os.environ | {switch: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
