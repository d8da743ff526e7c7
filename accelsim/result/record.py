"""Frozen dataclasses that go to JSON and come back equal."""

import dataclasses
import json
import math
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

from accelsim.errors import AccelsimError

COMMAND = "command"
"""The key under which a saved document says which command made it."""


class Record:
    """A frozen dataclass that goes to JSON and comes back equal.

    JSON has no infinity: a non-finite number is written as the string "inf", "-inf" or "nan".
    """

    schema = ""
    derived: ClassVar[tuple[str, ...]] = ()
    """Names that a document may have beside the fields, because they follow from them."""
    later: ClassVar[Mapping[str, Any]] = {}
    """Fields that older documents lack, and what they have for them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, keys in field order."""
        document: dict[str, Any] = {"schema": self.schema} if self.schema else {}
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            if item.metadata.get("json", True):
                document[item.name] = _plain(getattr(self, item.name))
        return document

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON document with stable keys."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The record that `to_dict` described; which command made it is not part of it."""
        if cls.schema and document.get("schema") != cls.schema:
            raise AccelsimError(f"schema={document.get('schema')!r}: must be {cls.schema!r}")
        document = {**cls.later, **document}
        hints = _hints(cls)  # type: ignore[arg-type]
        known = hints.keys()
        unknown = set(document) - known - {"schema", COMMAND, *cls.derived}
        if unknown or known - set(document):
            field_name = sorted(unknown or known - set(document))[0]
            raise AccelsimError(
                f"{field_name}: {'unknown to' if unknown else 'missing in'} "
                f"a {cls.__name__}; its fields are {', '.join(sorted(known))}"
            )
        return cls(**{name: _typed(hints[name], document[name]) for name in known})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The record that `to_json` wrote."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise AccelsimError(f"not a JSON document: {error}") from None
        if not isinstance(document, dict):
            raise AccelsimError(f"JSON {type(document).__name__}: must be an object")
        return cls.from_dict(document)


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of the fields that a document has."""
    hints = get_type_hints(kind)
    fields = (f for f in dataclasses.fields(kind) if f.metadata.get("json", True))
    return {field.name: hints[field.name] for field in fields}


def need_pandas() -> Any:
    """pandas, or one line that says how to get it."""
    try:
        import pandas as pd
    except ImportError:
        raise AccelsimError("to_frame needs pandas: pip install 'accelsim[pandas]'") from None
    return pd


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _typed(hint: Any, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return None if value is None else _typed(arguments[0], value)
    if origin is tuple:
        inner = arguments[0]
        return tuple(_typed(inner, item) for item in value)
    if hint is float:
        return float(value)
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_dict(value)
    return value
