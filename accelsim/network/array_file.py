"""Arrays in an `.npz` or a `.safetensors` file, which may hold anything.

Names and headers are read first, which takes no room; an array only when it is asked for.
"""

import io
import struct
import tokenize
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import MAXIMUM_ELEMENTS

Array = NDArray[Any]

MAXIMUM_BYTES = 8 * 2**30
"""The most that is read from one file, as arrays in memory."""

MAXIMUM_AXES = 16

_HEADER_BYTES = 10_012
"""Of a member of an `.npz` file: what NumPy takes for a header at most, and what stands before."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""How a header is read, by the version before it; version 3 is for names in other alphabets."""

_DAMAGE = (
    ValueError, EOFError, OSError, KeyError, SyntaxError, RuntimeError, MemoryError, OverflowError,
    TypeError, NotImplementedError, struct.error, tokenize.TokenError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip
"""What a damaged archive makes of zipfile and of NumPy."""

_SAFETENSORS_DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4",
    "U64": "u8", "I64": "i8", "F16": "f2", "F32": "f4", "F64": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What an array will be once it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Its room in memory."""
        return prod(self.shape) * self.dtype.itemsize


class ArrayFile(ABC):
    """The arrays of a file that is open, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The names of all arrays."""

    def header(self, name: str) -> Header:
        """Shape and type of an array of real numbers; nothing of the array itself is read."""
        header = self._header(name)
        if header.dtype.kind not in "fiub":
            raise AccelsimError(
                f"{self.path}: {shown(name)} has dtype {header.dtype}: must be real numbers"
            )
        shape = header.shape
        if len(shape) > MAXIMUM_AXES or any(not 0 <= n <= MAXIMUM_ELEMENTS for n in shape):
            raise AccelsimError(
                f"{self.path}: {shown(name)} has shape {shown(shape)}: must have at most "
                f"{MAXIMUM_AXES} axes, each of at most {MAXIMUM_ELEMENTS}"
            )
        return header

    def read(self, names: Iterable[str]) -> dict[str, Array]:
        """These arrays, unless they are larger together than MAXIMUM_BYTES."""
        names = list(names)
        size = sum(self.header(name).bytes for name in names)
        if size > MAXIMUM_BYTES:
            raise AccelsimError(
                f"{self.path}: its arrays take {size} bytes; at most {MAXIMUM_BYTES} are allowed"
            )
        return {name: self._read(name) for name in names}

    @abstractmethod
    def _header(self, name: str) -> Header: ...

    @abstractmethod
    def _read(self, name: str) -> Array: ...


@contextmanager
def open_arrays(path: Path) -> Iterator[ArrayFile]:
    """The arrays of a `.safetensors` file, or of an `.npz` one under any other name."""
    if path.suffix == ".safetensors":
        yield _Safetensors(path)
        return
    _check_is_file(path)
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise AccelsimError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _DAMAGE:
        raise AccelsimError(f"{path}: not an .npz file, or a truncated one") from None
    with archive:
        yield _Npz(path, archive)


class _Npz(ArrayFile):
    """A zip archive of `.npy` files."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        super().__init__(path)
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name in self._members:
                raise AccelsimError(f"{path}: the array {shown(name)} is given twice")
            self._members[name] = member

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def _header(self, name: str) -> Header:
        member = self._members[name]
        with self._reading(name):
            with self._archive.open(member) as file:
                start = io.BytesIO(file.read(_HEADER_BYTES))
            shape, _, dtype = _HEADERS[np.lib.format.read_magic(start)](start)
        header = Header(shape, dtype)
        if dtype.hasobject:
            raise AccelsimError(
                f"{self.path}: array {shown(name)} cannot be read: it holds pickled Python "
                "objects; save plain numbers"
            )
        if member.file_size != start.tell() + header.bytes:
            raise AccelsimError(
                f"{self.path}: array {shown(name)} cannot be read: damaged or truncated: its "
                f"header says {header.bytes} bytes, there are {member.file_size - start.tell()}"
            )
        return header

    def _read(self, name: str) -> Array:
        with self._reading(name), self._archive.open(self._members[name]) as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            reason = " ".join(str(error).split())
            raise AccelsimError(
                f"{self.path}: array {shown(name)} cannot be read: damaged or truncated: {reason}"
            ) from None


class _Safetensors(ArrayFile):
    """A file whose header is checked against its length, by the package of the same name."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            from safetensors import safe_open
        except ImportError:
            raise AccelsimError(
                f"{path}: needs safetensors: pip install 'accelsim[safetensors]'"
            ) from None
        _check_is_file(path)
        with self._reading():
            self._file = safe_open(path, framework="numpy")

    @property
    def names(self) -> list[str]:
        return list(self._file.keys())

    def _header(self, name: str) -> Header:
        with self._reading():
            part = self._file.get_slice(name)
            shape, kind = tuple(part.get_shape()), str(part.get_dtype())
        if kind not in _SAFETENSORS_DTYPES:
            raise AccelsimError(
                f"{self.path}: {shown(name)} has dtype {kind}: must be one of "
                f"{', '.join(_SAFETENSORS_DTYPES)}"
            )
        return Header(shape, np.dtype(_SAFETENSORS_DTYPES[kind]))

    def _read(self, name: str) -> Array:
        with self._reading():
            return np.asarray(self._file.get_tensor(name))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        from safetensors import SafetensorError

        try:
            yield
        except (SafetensorError, *_DAMAGE) as error:
            reason = " ".join(str(error).split())
            raise AccelsimError(
                f"{self.path}: not a .safetensors file of real numbers, or a damaged one: {reason}"
            ) from None


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        raise AccelsimError(f"{path}: no such file")
