"""Results that were saved as JSON, read back by what they say they are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.result import (
    Comparison,
    DramResult,
    MlpStatement,
    NetworkComparison,
    NetworkResult,
    Points,
    Record,
    Result,
    Table5,
)
from accelsim.result.record import COMMAND


@dataclass(frozen=True)
class Saved:
    """One document: the record it holds, the command that made it, the file it came from."""

    record: Record
    command: tuple[str, ...]
    """The words of the command line; empty where Python made it."""
    path: Path


KINDS: tuple[type[Record], ...] = (
    Result, Comparison, NetworkResult, NetworkComparison, DramResult, MlpStatement, Table5,
    Points,
)  # fmt: skip
"""What a saved document may be, told apart by its `schema`."""


def with_command(document: Mapping[str, Any], command: Sequence[str]) -> dict[str, Any]:
    """The document of a record, which says behind its schema what made it."""
    return {"schema": document["schema"], COMMAND: list(command), **document}


def load(path: str | Path) -> Saved:
    """Read a saved result; a file that is none is refused in one line."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise AccelsimError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # neither JSON nor text, or a name that no file can have
        raise AccelsimError(f"{path}: must be a JSON document of accelsim: {error}") from None
    if not isinstance(document, dict):
        raise AccelsimError(f"{path}: must be a JSON object, is a {type(document).__name__}")
    kinds = {kind.schema: kind for kind in KINDS}
    schema = document.get("schema")
    if not isinstance(schema, str) or schema not in kinds:
        raise AccelsimError(f"{path}: schema={schema!r}: must be one of {', '.join(kinds)}")
    command = document.get(COMMAND, [])
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        raise AccelsimError(f"{path}: {COMMAND}={command!r}: must be a list of words")
    return Saved(_record(path, kinds[schema], document), tuple(command), Path(path))


def _record(path: str | Path, kind: type[Record], document: Mapping[str, Any]) -> Record:
    """The record; whatever is wrong inside of it is the file's fault."""
    try:
        record = kind.from_dict(document)
    except AccelsimError as error:
        raise AccelsimError(f"{path}: {error}") from None
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise AccelsimError(f"{path}: must be as accelsim writes it: {error}") from None
    if isinstance(record, Comparison) and not record.results:
        raise AccelsimError(f"{path}: results=[]: must hold at least one result")
    return record


Drawable = list[Result | Comparison] | Points | NetworkResult | NetworkComparison


def drawable(saved: Sequence[Saved]) -> Drawable:
    """What these documents give to a plot: runs, or one network, or the points of one study."""
    if len(saved) == 1:
        record = saved[0].record
        if isinstance(record, Points | NetworkResult | NetworkComparison):
            return record
    return runs(saved)


def only(saved: Saved, schemes: Sequence[str]) -> Saved:
    """The document with these schemes alone."""
    record = saved.record
    if isinstance(record, Result):
        record = Comparison((record,))
    elif isinstance(record, NetworkResult):
        record = NetworkComparison((record,))
    if isinstance(record, Comparison | NetworkComparison | Points):
        return replace(saved, record=record.only(*schemes))
    raise AccelsimError(f"{saved.path}: schema={record.schema!r}: has no schemes")


def runs(saved: Sequence[Saved]) -> list[Result | Comparison]:
    """What can be drawn of these documents: runs, alone or side by side."""
    found: list[Result | Comparison] = []
    for item in saved:
        if not isinstance(item.record, Result | Comparison):
            raise AccelsimError(
                f"{item.path}: schema={item.record.schema!r}: must be one of "
                f"{Result.schema}, {Comparison.schema} to be drawn"
            )
        found.append(item.record)
    return found
