"""The protocol: which range a tensor is quantized with, and when that range is known.

One step of a tensor goes like this, whatever the estimator:

    request = estimator.request(step)                 # what the statistics unit is to keep
    decision = estimator.decision_for(step)           # None: the tensor must be seen first
    observed = ...                                    # run it; what was seen, an Observation
    if decision is None:
        decision = estimator.decision_from(observed)  # then quantize with this
    estimator.observe(observed)

A new one is a subclass under `@register("name")` that says what it remembers and how it moves on:
`range_for`, `range_from` and `observe`. It returns a Range, or a Decision where it has more to say.
A momentum is always the weight of the OLD value.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

from accelsim.errors import AccelsimError, shown, whole
from accelsim.hardware import Statistic
from accelsim.quant.checks import known, real
from accelsim.quant.decision import Decision, Reflections
from accelsim.quant.grid import Range
from accelsim.quant.observation import Observation, Request

Shape = tuple[int, int, int, int]


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


@dataclass(frozen=True)
class Memory:
    """A kind of thing an estimator may remember: where it starts, and how it goes to JSON."""

    start: Any
    encode: Callable[[Any], Any]
    decode: Callable[[str, Any], Any]


def _number(field: str, data: Any) -> float | None:
    return None if data is None else real(field, data)


def _size(field: str, data: Any) -> float | None:
    number = _number(field, data)
    if number is not None and number < 0:
        raise AccelsimError(f"{field} = {number!r}: must not be below zero")
    return number


def _count(field: str, data: Any) -> int:
    return whole(field, data, 0, 2**63 - 1)


def _sizes(field: str, data: Any) -> tuple[float, ...]:
    if not isinstance(data, list | tuple):
        raise AccelsimError(f"{field} = {shown(data)}: must be a list of numbers")
    found = [_size(field, number) for number in data]
    if None in found:
        raise AccelsimError(f"{field} = {shown(data)}: must be a list of numbers")
    return tuple(number for number in found if number is not None)


def _range(field: str, data: Any) -> Range | None:
    if data is None:
        return None
    if not isinstance(data, list | tuple) or len(data) != 2:
        raise AccelsimError(f"{field} = {shown(data)}: must be [minimum, maximum] or null")
    return Range(data[0], data[1])


RANGE = Memory(None, lambda r: None if r is None else [r.minimum, r.maximum], _range)
"""A Range, or None."""
NUMBER = Memory(None, lambda number: number, _number)
"""A float, or None."""
SIZE = Memory(None, lambda number: number, _size)
"""A float that is not negative, or None."""
SIZES = Memory((), list, _sizes)
"""A tuple of floats that are not negative."""
COUNT = Memory(0, lambda number: number, _count)
"""A whole number from zero."""


class Estimator(ABC):
    """Picks the range of one tensor, step by step. One instance follows one tensor."""

    name: ClassVar[str]
    needs_current: ClassVar[bool]
    """Whether the range depends on the very tensor it is for, in every step."""
    needs: frozenset[Statistic] = frozenset({Statistic.EXTREMES})
    """What it may ever look at: what the statistics unit must be able to keep."""
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType({})
    widens: ClassVar[bool] = False
    """Whether it may decide a width for the tensor's grid."""
    local: ClassVar[bool] = False
    """Whether its ranges are those of regions, each found on chip as the region is drained."""
    block: ClassVar[int | None] = None
    """Channels that share a power of two, where the layer's operands are in such blocks as well."""
    from_file: ClassVar[bool] = False
    """Whether the grids come with the network's file; the estimator is for tensors without one."""
    mixes: ClassVar[bool] = False
    """Whether samples are mixed before they are quantized: see `reflections_from`."""
    remembers: ClassVar[Mapping[str, Memory]] = MappingProxyType({})
    """The attributes that are its state. Each begins at its kind's start."""

    def __init__(self, bits: int = 8, /, **values: Any) -> None:
        for field in values:
            if field not in self.parameters:
                raise AccelsimError(
                    f"estimator {self.name!r} has no parameter {shown(field)}; "
                    f"{known(self.parameters, field)}"
                )
        self.bits = whole("bits", bits, 1, 16)
        """The bit width of the tensor's grid, for the methods that look at it."""
        self.values: dict[str, float] = {
            field: parameter.check(f"estimator {self.name!r}: {field}", values[field])
            if field in values
            else parameter.default
            for field, parameter in self.parameters.items()
        }
        for field, memory in self.remembers.items():
            setattr(self, field, memory.start)

    @property
    def specification(self) -> str:
        """The text that makes this estimator again, parameters at their default left out."""
        given = [
            f"{field}={value!r}"
            for field, value in self.values.items()
            if value != self.parameters[field].default
        ]
        return f"{self.name}:{','.join(given)}" if given else self.name

    # What a caller uses.

    @property
    def planned_passes(self) -> int:
        """Read passes of a step whose range is not known before it, as told without values.

        What a step took is in its Decision.
        """
        return 1

    @property
    def of_extremes(self) -> bool:
        """Whether its range follows from the tensor's minimum and maximum alone."""
        return self.needs <= {Statistic.EXTREMES, Statistic.MAGNITUDE}

    @property
    def period(self) -> int | None:
        """Steps from one look at the tensor to the next, of a method that looks now and then.

        As far as it is known: what is planned before the first look. None: each step is like any
        other, but for a first one without a past.
        """
        return None

    def extent(self, shape: Shape, samples: int) -> Shape | None:
        """Extents of the parts that have a range each, of an output (images, rows, columns, n).

        `samples` are equal runs of images. None: the tensor has one range.
        """
        return None

    def part_decision(self, limits: Range) -> Decision:
        """How a part is quantized that has these extremes."""
        return Decision(limits)

    def reflections_from(self, observed: Observation) -> Reflections:
        """How samples are mixed, from what was seen of them; asked only where the method `mixes`.

        Each mixed sample then has a range of its own, and `part_decision` says how it is quantized.
        """
        raise NotImplementedError

    def decision_for(self, step: int) -> Decision | None:
        """How the tensor of this step is quantized; None if it must be seen first."""
        found = self.range_for(step)
        return Decision(found) if isinstance(found, Range) else found

    def decision_from(self, observed: Observation) -> Decision:
        """The same once the tensor was seen, where `decision_for` gave None; once per step."""
        found = self.range_from(observed)
        decision = Decision(found) if isinstance(found, Range) else found
        return replace(decision, passes=max(1, decision.passes))

    def calibrate(self, observations: Iterable[Observation]) -> None:
        """Take in batches before the first step, each as if it were one.

        They may come from a generator that runs each batch with the `request` of that moment.
        """
        for number, observed in enumerate(observations):
            if self.decision_for(number) is None:
                self.decision_from(observed)
            self.observe(observed)

    def state(self) -> dict[str, Any]:
        """All that the past left behind, as plain JSON data; to be taken between two steps."""
        kept = {name: m.encode(getattr(self, name)) for name, m in self.remembers.items()}
        return {"estimator": self.specification, **kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of an estimator with the same specification."""
        if not isinstance(state, Mapping) or state.get("estimator") != self.specification:
            found = state.get("estimator") if isinstance(state, Mapping) else state
            raise AccelsimError(
                f"state of estimator {shown(found)}: must be that of {self.specification!r}"
            )
        for name in self.remembers:
            if name not in state:
                raise AccelsimError(f"state of estimator {self.name!r}: {name} is missing")
        decoded = {n: m.decode(f"state: {n}", state[n]) for n, m in self.remembers.items()}
        for name, value in decoded.items():
            setattr(self, name, value)

    # What an estimator says.

    def request(self, step: int) -> Request:
        """What the statistics unit is to keep in this step."""
        return Request(self.needs)

    def range_for(self, step: int) -> Range | Decision | None:
        """The range for the tensor of this step before it exists; None if it must be seen first.

        Changes nothing: it may be asked any number of times.
        """
        return None

    def range_from(self, observed: Observation) -> Range | Decision:
        """The range once the tensor has been seen. It may remember what it found."""
        return observed.range

    @abstractmethod
    def observe(self, observed: Observation) -> None:
        """Take in what was seen of this step's tensor; once per step, after its range is known."""
