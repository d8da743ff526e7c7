"""How a made-up sequence moves from step to step, as text: `walk:0.05`, `spike:at=50,factor=10`.

Parts are named `kind:number` or `kind:name=number,name=number`; several together multiply.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from accelsim.errors import AccelsimError, shown, whole

LAST_STEP = 2**20


def _number(minimum: float, maximum: float, default: float) -> Any:
    """A field for a number of this interval, both ends in."""
    return field(default=default, metadata={"bounds": (minimum, maximum)})


def _checked(field_name: str, value: Any, minimum: float, maximum: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and minimum <= value <= maximum):
        raise AccelsimError(
            f"{field_name} = {shown(value)}: must be a number from {minimum:g} to {maximum:g}"
        )
    return float(value)


@dataclass(frozen=True)
class Part:
    """One way to move. A number without a name is its `main` parameter."""

    kind: ClassVar[str]
    main: ClassVar[str]

    def __post_init__(self) -> None:
        for parameter in dataclasses.fields(self):
            name, value = f"drift {self.kind}: {parameter.name}", getattr(self, parameter.name)
            if parameter.type is int:
                checked: float = whole(name, value, 0, LAST_STEP)
            else:
                checked = _checked(name, value, *parameter.metadata["bounds"])
            object.__setattr__(self, parameter.name, checked)

    @property
    def label(self) -> str:
        """The text that makes it again, parameters at their default left out."""
        given = {
            parameter.name: getattr(self, parameter.name)
            for parameter in dataclasses.fields(self)
            if getattr(self, parameter.name) != parameter.default or parameter.name == self.main
        }
        if list(given) == [self.main]:
            return f"{self.kind}:{_short(given[self.main])}"
        return f"{self.kind}:{','.join(f'{k}={_short(v)}' for k, v in given.items())}"

    def scale(self, step: int) -> float:
        """What the tensor of a step is multiplied by."""
        return 1.0


@dataclass(frozen=True)
class Walk(Part):
    """The scale takes a random step: times exp(amount * N), N standard normal, at each step.

    The weights move with it, as in training.
    """

    kind: ClassVar[str] = "walk"
    main: ClassVar[str] = "amount"
    amount: float = _number(0.0, 1.0, 0.05)


@dataclass(frozen=True)
class Disturbance(Part):
    """Something that happens at one step."""

    at: int


@dataclass(frozen=True)
class Spike(Disturbance):
    """One step of outliers: its tensor times `factor`, the next as if nothing had been."""

    kind: ClassVar[str] = "spike"
    main: ClassVar[str] = "factor"
    factor: float = _number(1e-6, 1e6, 10.0)

    def scale(self, step: int) -> float:
        """The factor at the step."""
        return self.factor if step == self.at else 1.0


@dataclass(frozen=True)
class Shift(Disturbance):
    """Another distribution from a step on: times `factor`, draws moved by `mean` deviations."""

    kind: ClassVar[str] = "shift"
    main: ClassVar[str] = "factor"
    factor: float = _number(1e-6, 1e6, 4.0)
    mean: float = _number(-100.0, 100.0, 0.0)

    def scale(self, step: int) -> float:
        """The factor from the step on."""
        return self.factor if step >= self.at else 1.0


@dataclass(frozen=True)
class Shrink(Part):
    """The scale decays, as a gradient's does in training: times `factor` at each step."""

    kind: ClassVar[str] = "shrink"
    main: ClassVar[str] = "factor"
    factor: float = _number(1e-6, 1.0, 0.97)

    def scale(self, step: int) -> float:
        """Factor ** step."""
        return float(self.factor**step)


KINDS: dict[str, type[Part]] = {part.kind: part for part in (Walk, Spike, Shift, Shrink)}
ONCE = (Walk, Shrink)
"""What can be said once only: two of them would be one of another size."""

Found = TypeVar("Found", bound=Part)


@dataclass(frozen=True)
class Drift:
    """All ways in which a sequence moves. None: every step has the same distribution."""

    parts: tuple[Part, ...] = (Walk(),)

    def __post_init__(self) -> None:
        for kind in ONCE:
            if len(self.of(kind)) > 1:
                raise AccelsimError(f"drift = {self.label}: {kind.kind} must be given only once")

    @classmethod
    def parse(cls, given: "Drift | float | str | Iterable[str]") -> "Drift":
        """A Drift, the amount of a walk, one part as text, or several."""
        if isinstance(given, Drift):
            return given
        if isinstance(given, str) or not isinstance(given, Iterable):
            given = [given]  # type: ignore[list-item]
        return cls(tuple(_part(one) for one in given))

    @property
    def label(self) -> str:
        """The parts as `parse` reads them, a blank between two."""
        return " ".join(part.label for part in self.parts) or "none"

    @property
    def amount(self) -> float:
        """That of the walk; 0 without one."""
        return sum(part.amount for part in self.of(Walk))

    @property
    def disturbances(self) -> tuple[int, ...]:
        """The steps at which something happens at once: spikes and shifts."""
        return tuple(sorted({part.at for part in self.of(Disturbance)}))

    def of(self, kind: type[Found]) -> tuple[Found, ...]:
        """The parts of a kind."""
        return tuple(part for part in self.parts if isinstance(part, kind))

    def scale(self, step: int) -> float:
        """What all parts but the walk make of a step's scale."""
        return math.prod(part.scale(step) for part in self.parts)

    def mean(self, step: int) -> float:
        """How many standard deviations the draws of a step are moved by."""
        return math.fsum(part.mean for part in self.of(Shift) if step >= part.at)

    def before(self, step: int) -> "Drift":
        """What of it acts before a step: without the disturbances from there on."""
        return Drift(
            tuple(p for p in self.parts if not (isinstance(p, Disturbance) and p.at >= step))
        )

    def check(self, steps: int) -> None:
        """Raise for a part that a sequence of so many steps would never come to."""
        for part in self.of(Disturbance):
            if part.at >= steps:
                raise AccelsimError(
                    f"drift = {part.label}: at must be below the number of steps, {steps}"
                )


def _part(given: object) -> Part:
    if not isinstance(given, str):
        return Walk(given)  # type: ignore[arg-type]
    name, colon, rest = given.strip().partition(":")
    if not colon and _is_number(name):
        return Walk(float(name))
    if name not in KINDS:
        raise AccelsimError(
            f"drift = {shown(given)}: must be a number or one of "
            f"{', '.join(f'{kind}:...' for kind in KINDS)}"
        )
    kind = KINDS[name]
    values = _values(given, kind, rest) if colon else {}
    if issubclass(kind, Disturbance) and "at" not in values:
        raise AccelsimError(f"drift = {shown(given)}: must say at which step, {name}:at=...")
    return kind(**values)


def _values(given: str, kind: type[Part], rest: str) -> dict[str, Any]:
    if _is_number(rest):
        return {kind.main: float(rest)}
    known = {parameter.name: parameter.type for parameter in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for piece in rest.split(","):
        name, _, text = (side.strip() for side in piece.partition("="))
        if name not in known or name in values or not _is_number(text):
            raise AccelsimError(
                f"drift = {shown(given)}: {shown(piece)} must be name=number, each name once; "
                f"{kind.kind} has {', '.join(known)}"
            )
        number = float(text)
        values[name] = int(number) if known[name] is int and number.is_integer() else number
    return values


def _short(number: float) -> str:
    """The number in as few characters as bring it back."""
    brief = f"{number:g}"
    return brief if float(brief) == number else repr(number)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
