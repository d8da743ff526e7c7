"""The one exception that a user's mistake raises: it names field, value and what is allowed.

It stands outside the floors, so that every room can raise it; the checks that several rooms make
before they do are here too.
"""

import operator
from typing import Any


class AccelsimError(ValueError):
    """A mistake in what was asked for. The message is one line and complete by itself."""


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
