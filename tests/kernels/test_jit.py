import shutil
from pathlib import Path

import numba
import numpy as np
import pytest

from accelsim.kernels import jit as jit_module
from accelsim.kernels.jit import cache_folder, cache_key, jit
from accelsim.kernels.product import convolve_tile, depthwise_tile, finish_accumulators
from accelsim.kernels.requantize import requantize_tile
from accelsim.kernels.statistics import (
    count_above,
    observe_channels,
    observe_groups,
    observe_moments,
)

SOURCES = Path(jit_module.__file__).parent

needs_compiler = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="nothing is compiled with NUMBA_DISABLE_JIT"
)


def test_an_edit_in_a_helper_changes_the_cache_key(tmp_path):
    copy = shutil.copytree(SOURCES, tmp_path / "kernels")
    before = cache_key(copy)
    assert before == cache_key(SOURCES)
    helper = copy / "counter_random.py"
    helper.write_text(helper.read_text() + "\n# edited\n")
    assert cache_key(copy) != before


def test_the_bounds_check_has_its_own_cache(monkeypatch):
    before = cache_key(SOURCES)
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 0 if numba.config.BOUNDSCHECK else 1)
    assert cache_key(SOURCES) != before


@needs_compiler
def test_compiled_code_is_kept_where_the_caller_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    cache_folder.cache_clear()
    try:
        assert jit(_double)(4) == 8
        assert cache_folder().is_relative_to(tmp_path)
        assert list(tmp_path.rglob("*_double*.nbc"))
    finally:
        cache_folder.cache_clear()


def test_numba_is_left_as_it_was_for_others():
    before = numba.config.CACHE_DIR
    jit(_double)
    assert before == numba.config.CACHE_DIR


def test_without_a_writable_folder_kernels_still_run(tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(blocker))
    cache_folder.cache_clear()
    try:
        assert cache_folder() is None
        assert jit(_double)(4) == 8
    finally:
        cache_folder.cache_clear()


@needs_compiler
def test_each_kernel_has_one_signature_per_element_type():
    for dtype in (np.int32, np.int64, np.float64):
        x, w, acc = (np.zeros((1, 1, 1, 1), dtype) for _ in range(3))
        convolve_tile(x, w, acc, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1)
        depthwise_tile(x, w, acc, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1)
        if dtype is not np.float64:
            one, out = np.zeros(1, np.int64), np.zeros((1, 1, 1, 1), np.int32)
            finish_accumulators(acc, 32, True)
            observe_channels(acc, 0, one, one.copy())
            two = np.zeros((2, 1), np.int64)
            observe_moments(acc, 0, one, two)
            count_above(acc, 0, two, two.copy())
            observe_groups(acc, 0, 0, 0, 0, 1, (1, 1), two[:1], two[:1].copy())
            requantize_tile(acc, out, one, one, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1)
    assert len(convolve_tile.signatures) == len(depthwise_tile.signatures) == 3
    for kernel in (
        observe_channels, observe_moments, count_above, observe_groups, requantize_tile
    ):  # fmt: skip
        assert len(kernel.signatures) == 2
    types = {tuple(str(a.dtype) for a in s[:3]) for s in convolve_tile.signatures}
    assert types == {(t, t, t) for t in ("int32", "int64", "float64")}


def _double(value):
    return value + value
