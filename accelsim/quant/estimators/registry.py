"""Estimators by name: our own, those a user registers, those of installed packages."""

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from accelsim.errors import AccelsimError, shown
from accelsim.quant.checks import known
from accelsim.quant.estimators.estimator import Estimator

ENTRY_POINTS = "accelsim.estimators"
"""The entry point group: name = "package.module:Class"."""

Kind = TypeVar("Kind", bound=type[Estimator])

_REGISTRY: dict[str, type[Estimator]] = {}
_entered: set[EntryPoint] = set()


def register(name: str) -> Callable[[Kind], Kind]:
    """Make an estimator known by name; for decorating its class. A name is taken once."""

    def enter(estimator: Kind) -> Kind:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
            raise AccelsimError(f"estimator name {shown(name)}: must be lower-case, like-this")
        if name in _REGISTRY:
            raise AccelsimError(f"estimator name {name!r}: is taken by {_REGISTRY[name].__name__}")
        estimator.name = name
        _REGISTRY[name] = estimator
        return estimator

    return enter


def estimator_names() -> tuple[str, ...]:
    """The names of all estimators, sorted."""
    _enter_installed()
    return tuple(sorted(_REGISTRY))


def make_estimator(specification: str, bits: int = 8) -> Estimator:
    """A fresh estimator from `name` or `name:parameter=value,parameter=value`.

    `bits` is the width of the grid that its tensor will be quantized to.
    """
    if not isinstance(specification, str):
        raise AccelsimError(f"estimator = {shown(specification)}: must be a string")
    name, colon, rest = specification.partition(":")
    if name not in _REGISTRY:
        _enter_installed()
    if name not in _REGISTRY:
        raise AccelsimError(f"no estimator {shown(name)}; {known(_REGISTRY, name)}")
    values: dict[str, Any] = {}
    for part in rest.split(",") if colon else []:
        field, equals, text = (piece.strip() for piece in part.partition("="))
        if not field or not equals or not text:
            raise AccelsimError(
                f"estimator {shown(specification)}: {shown(part)} must be parameter=value"
            )
        if field in values:
            raise AccelsimError(f"estimator {shown(specification)}: {field} is given twice")
        values[field] = _number(text)
    return _REGISTRY[name](bits, **values)


def _enter_installed() -> None:
    """Register what installed packages offer; a broken one is named, not passed over."""
    for point in entry_points(group=ENTRY_POINTS):
        if point in _entered:
            continue
        try:
            found = point.load()
        except Exception as error:  # whatever the package raises, its name must be in the message
            raise AccelsimError(
                f"estimator {point.name!r} of {point.value}: {type(error).__name__}: "
                f"{' '.join(str(error).split())}"
            ) from error
        if not (isinstance(found, type) and issubclass(found, Estimator)):
            raise AccelsimError(
                f"estimator {point.name!r} of {point.value}: must be a subclass of Estimator"
            )
        if _REGISTRY.get(point.name) is not found:  # its module may have used @register
            register(point.name)(found)
        _entered.add(point)


def _number(text: str) -> Any:
    """The text as an int or a float, or as it is: the parameter's own check refuses it then."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
