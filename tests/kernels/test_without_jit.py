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
    "test_timing.py::test_a_small_program_runs_as_in_the_reference[resident-edge]",
    "test_weight_gradient.py",
    "test_dram_transfers.py::test_region_touches_exactly_the_lines_of_its_bytes",
    "test_dram_transfers.py::test_absorbed_write_is_issued_and_complete_in_the_same_clock",
    *(
        f"test_dram_naive.py::test_several_transfers_of_each_engine_are_those_of_the_slow_twin[{id}]"
        for id in (
            "ddr4 two channels-round-robin",
            "ddr4 closed page two ranks-store-first",
            "ddr4 row hit cap-load-first",
            "ddr4 small queues-round-robin",
            "lpddr5 per bank-load-first",
            "hbm2 per bank-store-first",
        )
    ),
    "test_dram_naive.py::test_cutting_one_advance_into_many_changes_nothing[lpddr5 tight ACT2]",
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
