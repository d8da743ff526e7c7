"""Activations: a function of each element by itself."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, isfinite, pi, sqrt
from typing import Any, ClassVar, Self

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import flag
from accelsim.network.vector.operation import (
    Array,
    Shape,
    VectorOperation,
    VectorWork,
    doubles,
    elementwise,
)


@dataclass(frozen=True)
class Activation(VectorOperation):
    """y = f(x) for each element; f rises, or falls to one minimum and rises from there.

    A subclass gives f, its derivative, and the lane operations that each of them takes.
    """

    @property
    @abstractmethod
    def forward_operations(self) -> int:
        """Lane operations of f for each element."""

    @property
    @abstractmethod
    def backward_operations(self) -> int:
        """The same of f' and of its product with the gradient."""

    @abstractmethod
    def value(self, x: Array) -> Array:
        """f(x) in float64."""

    @abstractmethod
    def slope(self, x: Array) -> Array:
        """f'(x) in float64."""

    @property
    def lowest_at(self) -> float | None:
        """Where f has its minimum; None where it rises everywhere."""
        return None

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Between which ends the results lie, from those of the operand."""
        ends = [low, high]
        if self.lowest_at is not None and low < self.lowest_at < high:
            ends.append(self.lowest_at)
        values = self.value(np.array(ends, np.float64))
        return float(values.min()), float(values.max())

    @property
    def sample_shape(self) -> Shape:
        """As the operand."""
        return self.shapes[0]

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """`forward_operations` for each element."""
        elements = self._elements(batch)
        return elementwise((elements,), elements, self.forward_operations * elements)

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and the operand; `backward_operations` for each element."""
        elements = self._elements(batch)
        return elementwise((elements, elements), elements, self.backward_operations * elements)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """f(x)."""
        return self.value(doubles(arrays)[0])

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """Grad * f'(x); what is cut off is 0, not -0, whatever the sign of the gradient."""
        return (grad * self.slope(doubles(arrays)[0]) + 0.0,)

    def _number(self, field: str, positive: bool = False) -> None:
        """Check that a field is a finite number, and store it as a float."""
        value = getattr(self, field)
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not isfinite(value) or (positive and value <= 0):
            wanted = "a finite number above 0" if positive else "a finite number"
            raise AccelsimError(f"{field} = {shown(value)}: must be {wanted}")
        object.__setattr__(self, field, float(value))


@dataclass(frozen=True)
class Relu(Activation):
    """max(x, 0): one comparison forward; backward a comparison, which selects."""

    kind: ClassVar[str] = "relu"
    forward_operations: ClassVar[int] = 1
    backward_operations: ClassVar[int] = 1

    def value(self, x: Array) -> Array:
        """max(x, 0)."""
        return np.maximum(x, 0.0)

    def slope(self, x: Array) -> Array:
        """1 where x > 0."""
        return np.where(x > 0, 1.0, 0.0)


@dataclass(frozen=True)
class Relu6(Activation):
    """min(max(x, 0), 6): two comparisons, forward and backward."""

    kind: ClassVar[str] = "relu6"
    forward_operations: ClassVar[int] = 2
    backward_operations: ClassVar[int] = 2

    def value(self, x: Array) -> Array:
        """min(max(x, 0), 6)."""
        return np.clip(x, 0.0, 6.0)

    def slope(self, x: Array) -> Array:
        """1 where 0 < x < 6."""
        return np.where((x > 0) & (x < 6), 1.0, 0.0)


@dataclass(frozen=True)
class Clip(Activation):
    """x between `low` and `high`, of which one may be left out: a comparison for each."""

    kind: ClassVar[str] = "clip"
    low: Any = None
    high: Any = None

    def _settle(self) -> None:
        given = [field for field in ("low", "high") if getattr(self, field) is not None]
        if not given:
            raise AccelsimError("low and high are missing: clip needs one of them, or both")
        for field in given:
            self._number(field)
        if len(given) == 2 and self.low >= self.high:
            raise AccelsimError(f"low = {self.low:g}: must be below high = {self.high:g}")

    @property
    def forward_operations(self) -> int:
        """A comparison for each limit."""
        return (self.low is not None) + (self.high is not None)

    @property
    def backward_operations(self) -> int:
        """The same, which selects."""
        return self.forward_operations

    def value(self, x: Array) -> Array:
        """min(max(x, low), high)."""
        return np.asarray(np.clip(x, self.low, self.high))

    def slope(self, x: Array) -> Array:
        """1 between the limits."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return np.where((x > low) & (x < high), 1.0, 0.0)


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """x where it is above 0, `leak` * x elsewhere (Maas et al. 2013)."""

    kind: ClassVar[str] = "leaky_relu"
    forward_operations: ClassVar[int] = 2
    backward_operations: ClassVar[int] = 2
    leak: Any = 0.01

    def _settle(self) -> None:
        self._number("leak", positive=True)

    def value(self, x: Array) -> Array:
        """A comparison and a multiplication."""
        return np.where(x > 0, x, self.leak * x)

    def slope(self, x: Array) -> Array:
        """A comparison, and a multiplication of the gradient."""
        return np.where(x > 0, 1.0, self.leak)


@dataclass(frozen=True)
class Elu(Activation):
    """x where it is above 0, `alpha` * (exp(x) - 1) elsewhere (Clevert et al. 2016).

    Forward a comparison, a look-up of the exponential, a subtraction, a multiplication. Backward a
    comparison, a look-up, and the products with alpha and with the gradient.
    """

    kind: ClassVar[str] = "elu"
    forward_operations: ClassVar[int] = 4
    backward_operations: ClassVar[int] = 4
    alpha: Any = 1.0

    def _settle(self) -> None:
        self._number("alpha", positive=True)

    def value(self, x: Array) -> Array:
        """Alpha * (exp(x) - 1), or x."""
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0.0)))

    def slope(self, x: Array) -> Array:
        """Alpha * exp(x), or 1."""
        return np.where(x > 0, 1.0, self.alpha * np.exp(np.minimum(x, 0.0)))


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent: a look-up.

    Backward 1 - tanh(x)^2: a look-up, a square, a subtraction, and the product with the gradient.
    """

    kind: ClassVar[str] = "tanh"
    forward_operations: ClassVar[int] = 1
    backward_operations: ClassVar[int] = 4

    def value(self, x: Array) -> Array:
        """tanh(x)."""
        return np.asarray(np.tanh(x))

    def slope(self, x: Array) -> Array:
        """1 - tanh(x)^2."""
        return np.asarray(1.0 - np.tanh(x) ** 2)


@dataclass(frozen=True)
class _Gate(Activation):
    """h(x) from 0 to 1, or with `gates` the operand times it, x * h(x): a multiplication more."""

    gates: bool = False

    def _settle(self) -> None:
        flag("gates", self.gates)

    def gating(self) -> Self:
        """The operand times it."""
        return replace(self, gates=True)

    @abstractmethod
    def openness(self, x: Array) -> Array:
        """h(x)."""

    @abstractmethod
    def opening(self, x: Array) -> Array:
        """h'(x)."""

    def value(self, x: Array) -> Array:
        """h(x), or x * h(x)."""
        return x * self.openness(x) if self.gates else self.openness(x)

    def slope(self, x: Array) -> Array:
        """h'(x), or h(x) + x * h'(x)."""
        return self.openness(x) + x * self.opening(x) if self.gates else self.opening(x)


@dataclass(frozen=True)
class Sigmoid(_Gate):
    """1 / (1 + exp(-x)); with `gates` SiLU (Elfwing et al. 2018), also called swish.

    Forward a look-up. Backward s * (1 - s): a look-up, a subtraction, a multiplication, and the
    product with the gradient; with `gates` s * (1 + x * (1 - s)), two more.
    """

    kind: ClassVar[str] = "sigmoid"

    @property
    def forward_operations(self) -> int:
        """A look-up, and the product with the operand."""
        return 2 if self.gates else 1

    @property
    def backward_operations(self) -> int:
        """As above."""
        return 6 if self.gates else 4

    @property
    def lowest_at(self) -> float | None:
        """Of SiLU: where x * (1 - s) = -1."""
        return -1.278464542761074 if self.gates else None

    def openness(self, x: Array) -> Array:
        """By the half angle of tanh, which overflows nowhere."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))

    def opening(self, x: Array) -> Array:
        """S * (1 - s)."""
        s = self.openness(x)
        return np.asarray(s * (1.0 - s))


@dataclass(frozen=True)
class HardSigmoid(_Gate):
    """min(max(`factor` * x + `shift`, 0), 1); with `gates` hard swish (Howard et al. 2019).

    Forward a multiplication, an addition and two comparisons. Backward two comparisons, which
    select, and the product of the gradient with the factor; with `gates` the gate again, x *
    factor where it is neither open nor shut, their sum, and the product with the gradient.
    """

    kind: ClassVar[str] = "hard_sigmoid"
    factor: Any = 1 / 6
    shift: Any = 0.5

    def _settle(self) -> None:
        super()._settle()
        self._number("factor", positive=True)
        self._number("shift")

    @property
    def forward_operations(self) -> int:
        """Four, and the product with the operand."""
        return 5 if self.gates else 4

    @property
    def backward_operations(self) -> int:
        """As above."""
        return 7 if self.gates else 3

    @property
    def lowest_at(self) -> float | None:
        """Of hard swish: the vertex of x * (factor * x + shift), or where the gate is just open."""
        if not self.gates or self.shift <= 0:
            return None
        return min(-self.shift / 2, 1 - self.shift) / self.factor

    def openness(self, x: Array) -> Array:
        """The straight line, cut off."""
        return np.clip(self.factor * x + self.shift, 0.0, 1.0)

    def opening(self, x: Array) -> Array:
        """The factor where the line is not cut off."""
        line = self.factor * x + self.shift
        return np.where((line > 0) & (line < 1), self.factor, 0.0)


@dataclass(frozen=True)
class Gelu(Activation):
    """x * Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016), exact, not by tanh.

    Forward a look-up of Phi and a multiplication. Backward Phi(x) + x * phi(x): two look-ups, a
    multiplication, an addition, and the product with the gradient.
    """

    kind: ClassVar[str] = "gelu"
    forward_operations: ClassVar[int] = 2
    backward_operations: ClassVar[int] = 5

    def value(self, x: Array) -> Array:
        """X * Phi(x)."""
        return x * _normal_distribution(x)

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Its minimum is -0.16997, at -0.7518; results stay below 0 there, else below x."""
        return max(-0.17, low), max(high, 0.0)

    def slope(self, x: Array) -> Array:
        """Phi(x) + x * phi(x)."""
        density = np.exp(-0.5 * x * x) / sqrt(2 * pi)
        return np.asarray(_normal_distribution(x) + x * density)


_ERF = np.vectorize(erf, otypes=[np.float64])


def _normal_distribution(x: Array) -> Array:
    return np.asarray(0.5 * (1 + _ERF(x / sqrt(2))))
