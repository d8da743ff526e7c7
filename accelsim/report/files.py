"""Files that are whole or not there: checked before the work, written beside, moved into place."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from accelsim.errors import AccelsimError


def check_writable(path: str | Path, field: str = "output") -> None:
    """Raise unless a file can be made at `path`; to be asked before any long work."""
    target = _target(path, field)
    if _is_special(target):
        return
    beside = _beside(target)
    try:
        beside.touch(exist_ok=False)
        beside.unlink()
    except OSError as error:
        raise _refusal(path, field, error) from None


def write_file(path: str | Path, content: bytes, field: str = "output") -> None:
    """Write all of `content` or leave what was there; a device or a pipe is written to directly."""
    with writing(path, field) as file:
        file.write(content)


@contextmanager
def writing(path: str | Path, field: str = "output") -> Iterator[BinaryIO]:
    """The same bit by bit: the file is there when the block has ended without an error."""
    target = _target(path, field)
    try:
        if _is_special(target):
            with target.open("wb") as file:
                yield file
        else:
            with _replacing(target) as file:
                yield file
    except OSError as error:
        raise _refusal(path, field, error) from None


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    beside = _beside(target)
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            beside.chmod(target.stat().st_mode & 0o7777)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _target(path: str | Path, field: str) -> Path:
    """The file that `path` means, links followed; raises where there can be none."""
    try:
        target = Path(os.path.realpath(path))
        problem = _problem(target)
    except OSError as error:
        raise _refusal(path, field, error) from None
    except ValueError:  # a NUL in the name
        problem = "must be the name of a file"
    if problem:
        raise AccelsimError(f"{field}={_shown(path)}: {problem}")
    return target


def _problem(target: Path) -> str:
    if target.is_dir():
        return "is a folder, must be a file"
    if not target.parent.is_dir():
        return f"there is no folder {_shown(target.parent)}; make it first"
    if target.exists() and not os.access(target, os.W_OK):
        return "is there and may not be overwritten"
    return ""


def _is_special(target: Path) -> bool:
    """A device or a pipe: there is nothing to move into its place."""
    return target.exists() and not target.is_file()


def _beside(target: Path) -> Path:
    return target.with_name(f".accelsim-{secrets.token_hex(8)}.tmp")


def _refusal(path: str | Path, field: str, error: OSError) -> AccelsimError:
    reason = error.strerror or type(error).__name__
    return AccelsimError(f"{field}={_shown(path)}: cannot be written: {reason}")


def _shown(path: str | Path) -> str:
    text = str(path)
    return text if text and text.isprintable() else repr(text)
