"""How the DRAM kernels are compiled: many small functions over one tuple of arrays, at full speed.

They allocate nothing, so reference counting is left out (`_nrt=False`: with it, nine tenths of the
time went into atomic counters of the arrays), and helpers are inlined into the entries that Python
calls.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

from accelsim.kernels.jit import cache_folder

Function = TypeVar("Function", bound=Callable)

_CONFIG: Any = numba.config
_OPTIONS: dict[str, Any] = {"nogil": True, "_nrt": False}


def helper(function: Function) -> Function:
    """Compile as a part of whatever entry calls it."""
    return numba.njit(**_OPTIONS, forceinline=True)(function)


def entry(function: Function) -> Function:
    """Compile on first call and keep the result in the folder of `accelsim.kernels.jit`."""
    folder = cache_folder()
    if folder is None or _CONFIG.DISABLE_JIT:
        return numba.njit(**_OPTIONS)(function)
    others = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(folder)
    try:
        return numba.njit(**_OPTIONS, cache=True)(function)
    finally:
        _CONFIG.CACHE_DIR = others
