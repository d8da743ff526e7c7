"""Some schemes out of many."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from accelsim.errors import AccelsimError

Item = TypeVar("Item")


def of_schemes(
    items: Sequence[Item], scheme: Callable[[Item], str], names: Sequence[str]
) -> tuple[Item, ...]:
    """The items of these schemes, in the order of the names; each name must be of one at least.

    A name is a scheme's label, or the estimator alone: then it is of all its realisations.
    """
    found: dict[int, Item] = {}
    for name in names:
        mine = [n for n, item in enumerate(items) if name in (scheme(item), _bare(scheme(item)))]
        if not mine:
            known = ", ".join(dict.fromkeys(scheme(item) for item in items))
            raise AccelsimError(f"scheme={name}: must be one of {known}")
        found |= {n: items[n] for n in mine}
    return tuple(found.values())


def _bare(label: str) -> str:
    """The estimator of a label, without its parameters and its realisation."""
    return label.partition("/")[0].partition(":")[0]
