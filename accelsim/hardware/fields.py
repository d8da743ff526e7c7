"""The fields of a machine by their dotted names, as overrides and studies write them."""

from collections.abc import Iterator
from functools import cache
from typing import get_args

from accelsim.hardware.description import Hardware
from accelsim.hardware.part import Part


@cache
def field_names() -> tuple[str, ...]:
    """Every field that holds a single value, those of all DRAM models included."""
    return tuple(dict.fromkeys(_names(Hardware, "")))


def _names(part: type[Part], prefix: str) -> Iterator[str]:
    for name, field in part.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
        for inner in parts:
            yield from _names(inner, f"{prefix}{name}.")
        if not parts:
            yield prefix + name
