"""A numba that no longer knows the options of the DRAM kernels still compiles them."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from accelsim.kernels.dram_jit import accepted

ROOT = Path(__file__).parents[2]

needs_compiler = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="nothing is compiled with NUMBA_DISABLE_JIT"
)

REFUSING = """
import sys
from numba.core.cpu import CPUTargetOptions

for option in sys.argv[1:]:
    for known in CPUTargetOptions.__mro__:
        if option in vars(known):
            delattr(known, option)

from accelsim.kernels.dram_jit import entry, helper

@helper
def twice(array, i):
    array[i] *= 2

@entry
def twice_all(array):
    for i in range(array.shape[0]):
        twice(array, i)

import numpy
array = numpy.arange(4)
twice_all(array)
print(*array, *sorted(twice.targetoptions))
"""


@needs_compiler
def test_options_are_tried_on_this_numba():
    assert accepted({"nogil": True})
    assert not accepted({"nogil": True, "no_such_option": True})


@needs_compiler
@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ([], ["_nrt", "forceinline"]),
        (["_nrt"], ["forceinline"]),
        (["forceinline"], ["_nrt"]),
        (["_nrt", "forceinline"], []),
    ],
)
def test_numba_that_refuses_an_option_compiles_without_it(refused, left, tmp_path):
    script = tmp_path / "refusing.py"
    script.write_text(REFUSING)
    done = subprocess.run(
        [sys.executable, str(script), *refused],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[:4] == ["0", "2", "4", "6"]
    assert [option for option in words[4:] if option in ("_nrt", "forceinline")] == left
