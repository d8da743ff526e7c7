"""Checks shared by this room: each error is one line naming field, value and what is allowed."""

import difflib
from collections.abc import Iterable
from typing import Any

from accelsim.errors import AccelsimError, shown, whole

MAXIMUM_DIMENSION = 2**20
"""The largest channel count, image side, kernel side, batch or number of copies."""

MAXIMUM_ELEMENTS = 2**31 - 1
"""The largest number of elements in one tensor."""


def dimension(field: str, value: Any) -> int:
    """A whole number from 1 to MAXIMUM_DIMENSION."""
    return whole(field, value, 1, MAXIMUM_DIMENSION)


def padding_amount(field: str, value: Any) -> int:
    """A whole number from 0 to MAXIMUM_DIMENSION."""
    return whole(field, value, 0, MAXIMUM_DIMENSION)


def identifier(field: str, value: Any) -> str:
    """A name: a printable string of 1 to 200 characters without blanks."""
    good = isinstance(value, str) and 1 <= len(value) <= 200
    if not good or not value.isprintable() or any(letter.isspace() for letter in value):
        raise AccelsimError(
            f"{field} = {shown(value)}: must be a string of 1 to 200 printable characters "
            "without blanks"
        )
    return str(value)


def flag(field: str, value: Any) -> bool:
    """A bool and nothing else."""
    if not isinstance(value, bool):
        raise AccelsimError(f"{field} = {shown(value)}: must be true or false")
    return value


def known(names: Iterable[str], asked: str, limit: int = 8) -> str:
    """The tail of an 'unknown name' message: the closest match if any, and what is known."""
    listed = list(names)
    close = difflib.get_close_matches(asked, listed, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    more = f", ... ({len(listed)} in all)" if len(listed) > limit else ""
    return f"{hint}known: {', '.join(listed[:limit]) or 'none'}{more}"
