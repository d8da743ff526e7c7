"""Checks shared by this room: each error is one line naming field, value and what is allowed."""

import difflib
import operator
from collections.abc import Iterable
from typing import Any

from accelsim.errors import AccelsimError

MAXIMUM_DIMENSION = 2**20
"""The largest channel count, image side, kernel side, batch or number of copies."""

MAXIMUM_ELEMENTS = 2**31 - 1
"""The largest number of elements in one tensor."""


def shown(value: object, limit: int = 60) -> str:
    """The value as one short printable line; never raises, whatever the value."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # an integer of more than 4300 digits has no repr
        text = f"<{type(value).__name__} too large to print>"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def whole(field: str, value: Any, minimum: int, maximum: int) -> int:
    """The value as a Python int; it must be a whole number from minimum to maximum, no bool."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not minimum <= number <= maximum:
        raise AccelsimError(
            f"{field} = {shown(value)}: must be a whole number from {minimum} to {maximum}"
        )
    return number


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
