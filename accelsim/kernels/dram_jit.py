"""How the DRAM kernels are compiled: many small functions over one tuple of arrays, at full speed.

They allocate nothing, so reference counting is left out (`_nrt=False`: with it, nine tenths of the
time went into atomic counters of the arrays), and helpers are inlined into the entries that Python
calls. Both options are numba's own business; a numba that refuses them compiles the same kernels
without, to the same results, several times slower.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

from accelsim.kernels.jit import cache_folder

Function = TypeVar("Function", bound=Callable)

_CONFIG: Any = numba.config
_PUBLIC: dict[str, Any] = {"nogil": True}
_ENTRY: dict[str, Any] = {"nogil": True, "_nrt": False}
_HELPER: dict[str, Any] = {"nogil": True, "_nrt": False, "forceinline": True}


def _nothing() -> None:
    """Something to compile."""


def accepted(options: dict[str, Any]) -> bool:
    """Whether this numba compiles with these options; it looks at them no sooner."""
    if _CONFIG.DISABLE_JIT:
        return True
    try:
        numba.njit(**options)(_nothing).compile(())
    except Exception:  # whatever an unknown numba raises
        return False
    return True


if not accepted(_HELPER):
    _ENTRY = _HELPER = _PUBLIC


def helper(function: Function) -> Function:
    """Compile as a part of whatever entry calls it."""
    return numba.njit(**_HELPER)(function)


def entry(function: Function) -> Function:
    """Compile on first call and keep the result in the folder of `accelsim.kernels.jit`."""
    folder = cache_folder()
    if folder is None or _CONFIG.DISABLE_JIT:
        return numba.njit(**_ENTRY)(function)
    others = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(folder)
    try:
        return numba.njit(**_ENTRY, cache=True)(function)
    finally:
        _CONFIG.CACHE_DIR = others
