"""The one way kernels are compiled, and where what was compiled is kept.

Numba's own cache looks at the file of a function only: it misses an edit in a helper imported from
another file, a new numba, a switched bounds check. So the folder is keyed by all of these.
"""

import functools
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable)

# Numba's annotations do not know its settings, nor that a dispatcher is called like its function.
config: Any = numba.config
njit: Any = numba.njit


def jit(function: Function) -> Function:
    """Compile on first call, once per argument types, without the GIL and without fast maths.

    With NUMBA_DISABLE_JIT set this is the function itself. Where no folder is writable, each
    process compiles anew.
    """
    if config.DISABLE_JIT or cache_folder() is None:
        return njit(nogil=True)(function)
    others = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        return njit(cache=True, nogil=True)(function)
    finally:
        config.CACHE_DIR = others


@functools.cache
def cache_folder() -> Path | None:
    """The writable folder for what these sources compile to, or None where there is none."""
    root = _cache_root()
    if root is None:
        return None
    folder = root / f"kernels-{cache_key(Path(__file__).parent)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    return folder


def cache_key(sources: Path) -> str:
    """A hash of all that compiled code depends on: every source in the folder, and the tools."""
    digest = hashlib.sha256()
    tools = (sys.version, platform.machine(), numba.__version__, np.__version__)
    digest.update(repr((*tools, config.BOUNDSCHECK)).encode())
    for path in sorted(sources.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _cache_root() -> Path | None:
    """NUMBA_CACHE_DIR where it is set, else the user's cache folder on this platform."""
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / "accelsim"
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "accelsim"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "accelsim" / "Cache"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "accelsim"
