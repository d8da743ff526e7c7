"""Range estimators: which range a tensor is quantized with, and when that range is known.

One step of a tensor goes like this, whatever the estimator:

    limits = estimator.range_for(step)                # None: the tensor must be seen first
    observed = ...                                    # run it; what the statistics unit saw
    if limits is None:
        limits = estimator.range_from(observed)       # then quantize with this
    estimator.observe(observed)

A new one is a subclass under `@register("name")` that says what it keeps and how it moves on.
`eta`, here `momentum`, is always the weight of the OLD value.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from accelsim.errors import AccelsimError
from accelsim.quant.checks import known, real, shown, whole
from accelsim.quant.grid import Range


@dataclass(frozen=True)
class Parameter:
    """A number that a user may set by name, its default and its allowed interval, both ends in."""

    default: float
    minimum: float
    maximum: float

    def check(self, field: str, value: Any) -> float:
        """The value as a number of the interval; a whole number where the default is an int."""
        if isinstance(self.default, int):
            return whole(field, value, int(self.minimum), int(self.maximum))
        number = real(field, value)
        if not self.minimum <= number <= self.maximum:
            raise AccelsimError(
                f"{field} = {number!r}: must be from {self.minimum} to {self.maximum}"
            )
        return number


class Estimator(ABC):
    """Picks the range of one tensor, step by step. One instance follows one tensor."""

    name: ClassVar[str]
    needs_current: ClassVar[bool]
    """Whether the range depends on the very tensor it is for, in every step."""
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType({})

    def __init__(self, **values: Any) -> None:
        for field in values:
            if field not in self.parameters:
                raise AccelsimError(
                    f"estimator {self.name!r} has no parameter {shown(field)}; "
                    f"{known(self.parameters, field)}"
                )
        self.values: dict[str, float] = {
            field: parameter.check(f"estimator {self.name!r}: {field}", values[field])
            if field in values
            else parameter.default
            for field, parameter in self.parameters.items()
        }

    @property
    def specification(self) -> str:
        """The text that makes this estimator again, parameters at their default left out."""
        given = [
            f"{field}={value!r}"
            for field, value in self.values.items()
            if value != self.parameters[field].default
        ]
        return f"{self.name}:{','.join(given)}" if given else self.name

    @abstractmethod
    def range_for(self, step: int) -> Range | None:
        """The range for the tensor of this step before it exists; None if it must be seen first."""

    def range_from(self, observed: Range) -> Range:
        """The range once the tensor has been seen, where `range_for` gave None."""
        return observed

    @abstractmethod
    def observe(self, observed: Range) -> None:
        """Take in what was seen of this step's tensor; once per step, after its range was asked."""

    def state(self) -> dict[str, Any]:
        """All that the past left behind, as plain JSON data."""
        return {"estimator": self.specification, **self._memory()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of an estimator with the same specification."""
        if not isinstance(state, Mapping) or state.get("estimator") != self.specification:
            found = state.get("estimator") if isinstance(state, Mapping) else state
            raise AccelsimError(
                f"state of estimator {shown(found)}: must be that of {self.specification!r}"
            )
        self._remember(state)

    def _memory(self) -> dict[str, Any]:
        """The fields of `state`; nothing, unless the estimator keeps something."""
        return {}

    def _remember(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - a default
        """Take the fields of `_memory` back."""


_REGISTRY: dict[str, type[Estimator]] = {}


def register(name: str) -> Callable[[type[Estimator]], type[Estimator]]:
    """Make an estimator known by name; for decorating its class. A name is taken once."""

    def enter(estimator: type[Estimator]) -> type[Estimator]:
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
    return tuple(sorted(_REGISTRY))


def make_estimator(specification: str) -> Estimator:
    """A fresh estimator from `name` or `name:parameter=value,parameter=value`."""
    if not isinstance(specification, str):
        raise AccelsimError(f"estimator = {shown(specification)}: must be a string")
    name, colon, rest = specification.partition(":")
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
    return _REGISTRY[name](**values)


def _number(text: str) -> Any:
    """The text as an int or a float, or as it is: the parameter's own check refuses it then."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


@register("current")
class CurrentMinMax(Estimator):
    """q_t = mm(G_t): the minimum and maximum of the tensor itself, so it must be seen first."""

    needs_current = True

    def range_for(self, step: int) -> Range | None:
        """Never known before the tensor."""
        return None

    def observe(self, observed: Range) -> None:
        """The past does not matter."""


@register("in-hindsight")
class InHindsightMinMax(Estimator):
    """q_t = (1 - momentum) * mm(G_(t-1)) + momentum * q_(t-1), q_0 = mm(G_0): the past only.

    Step 0 is one dynamic step that starts the recurrence; step 1 reuses q_0, as the rule gives.
    (Fournarakis & Nagel 2021, momentum 0.9.) Calibration: observe other tensors first, and there is
    no dynamic step.
    """

    needs_current = False
    parameters = MappingProxyType({"momentum": Parameter(0.9, 0.0, 1.0)})

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._range: Range | None = None

    def range_for(self, step: int) -> Range | None:
        """None before the first observation."""
        return self._range

    def observe(self, observed: Range) -> None:
        """Move the range for the next step."""
        if self._range is None:
            self._range = observed
        else:
            self._range = blended(self._range, observed, self.values["momentum"])

    def _memory(self) -> dict[str, Any]:
        return {"range": range_to_json(self._range)}

    def _remember(self, state: Mapping[str, Any]) -> None:
        self._range = range_from_json("state: range", state.get("range"))


def blended(old: Range, new: Range, momentum: float) -> Range:
    """(1 - momentum) * new + momentum * old, end by end; momentum is the weight of the old."""
    return Range(
        (1 - momentum) * new.minimum + momentum * old.minimum,
        (1 - momentum) * new.maximum + momentum * old.maximum,
    )


def range_to_json(limits: Range | None) -> list[float] | None:
    """A range as JSON data; floats survive JSON exactly."""
    return None if limits is None else [limits.minimum, limits.maximum]


def range_from_json(field: str, data: Any) -> Range | None:
    """A range back from `range_to_json`."""
    if data is None:
        return None
    if not isinstance(data, list | tuple) or len(data) != 2:
        raise AccelsimError(f"{field} = {shown(data)}: must be [minimum, maximum] or null")
    return Range(data[0], data[1])
