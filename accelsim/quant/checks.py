"""Checks shared by this room: each error is one line naming field, value and what is allowed."""

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown


def real(field: str, value: Any) -> float:
    """The value as a finite Python float."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool | str) or not math.isfinite(number):
        raise AccelsimError(f"{field} = {shown(value)}: must be a finite number")
    return number


def positive(field: str, value: Any) -> float:
    """A finite number above zero."""
    number = real(field, value)
    if number <= 0:
        raise AccelsimError(f"{field} = {number!r}: must be larger than zero")
    return number


def one_of(field: str, value: Any, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in allowed:
        raise AccelsimError(f"{field} = {shown(value)}: must be one of {', '.join(allowed)}")
    return str(value)


def known(names: Iterable[str], asked: str) -> str:
    """The tail of an 'unknown name' message: the closest match if any, and all that is known."""
    listed = sorted(names)
    close = difflib.get_close_matches(asked, listed, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(listed) or 'none'}"


def finite_array(field: str, values: Any) -> NDArray[np.float64]:
    """The values as float64; every one must be finite."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"dtype {array.dtype}")
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise AccelsimError(f"{field}: must be an array of real numbers, not {error}") from None
    good = np.isfinite(array)
    if not good.all():
        first = tuple(int(i) for i in np.unravel_index(int(np.argmin(good)), array.shape))
        raise AccelsimError(
            f"{field} holds {array.size - int(good.sum())} NaN or infinite values, the first at "
            f"{first} ({float(array[first])}): all must be finite"
        )
    return array


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A copy that nobody can write to."""
    array = np.array(array)
    array.flags.writeable = False
    return array
