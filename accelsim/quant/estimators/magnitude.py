"""Symmetric ranges from magnitudes of the past, and grids whose step is a power of two."""

import math
from types import MappingProxyType

from accelsim.hardware import Statistic
from accelsim.quant.decision import Decision
from accelsim.quant.estimators.estimator import SIZE, SIZES, Estimator, Parameter
from accelsim.quant.estimators.registry import register
from accelsim.quant.grid import Range
from accelsim.quant.observation import Observation, Request


@register("saturation")
class InHindsightSaturation(Estimator):
    """In hindsight by the saturation ratio: c doubles where too many were above it, else may halve.

    A share above `ratio` of the last step's magnitudes beyond c doubles it; a share at or below
    `ratio` beyond c / 2 halves it. c starts as the largest magnitude of the first tensor that is
    not all zeros. (Fournarakis & Nagel 2021 name the statistic; the rule is ours.)
    """

    needs_current = False
    needs = frozenset({Statistic.MAGNITUDE, Statistic.EXCEEDANCES})
    parameters = MappingProxyType({"ratio": Parameter(1e-3, 0.0, 0.5)})
    remembers = MappingProxyType({"clip": SIZE})
    clip: float | None

    def request(self, step: int) -> Request:
        """The counts beyond c and c / 2, once there is a c."""
        return Request(self.needs, self.clip) if self.clip else Request()

    def range_for(self, step: int) -> Range | Decision | None:
        """None before the first observation."""
        return None if self.clip is None else Decision.magnitude(self.clip)

    def range_from(self, observed: Observation) -> Range | Decision:
        """The first tensor's largest magnitude."""
        return Decision.magnitude(observed.max_abs)

    def observe(self, observed: Observation) -> None:
        """Double, halve or keep."""
        if not self.clip:
            self.clip = observed.max_abs
            return
        above, above_half = observed.shares_above
        if above > self.values["ratio"]:
            self.clip *= 2
        elif above_half <= self.values["ratio"]:
            self.clip /= 2


@register("sigma-ema")
class SigmaEma(Estimator):
    """The power of two above k standard deviations, from a mean of the past variances.

    Range 2**ceil(log2(k * sigma)), sigma**2 the exponential mean of the variance with weight
    `momentum` on the old; k = 8 for activation gradients. (Sakr & Shanbhag 2019 take sigma from a
    float run; this is the online form.)
    """

    needs_current = False
    needs = frozenset({Statistic.MOMENTS})
    parameters = MappingProxyType(
        {"k": Parameter(8.0, 0.1, 100.0), "momentum": Parameter(0.9, 0.0, 1.0)}
    )
    remembers = MappingProxyType({"variance": SIZE})
    variance: float | None

    def range_for(self, step: int) -> Range | Decision | None:
        """None before the first observation."""
        return None if self.variance is None else self._decision(self.variance)

    def range_from(self, observed: Observation) -> Range | Decision:
        """By the first tensor's own variance."""
        return self._decision(observed.variance)

    def observe(self, observed: Observation) -> None:
        """Move the mean of the variances."""
        momentum = self.values["momentum"]
        old = observed.variance if self.variance is None else self.variance
        self.variance = (1 - momentum) * observed.variance + momentum * old

    def _decision(self, variance: float) -> Decision:
        reach = self.values["k"] * math.sqrt(variance)
        if reach == 0:
            return Decision.magnitude(0.0)
        return Decision.fixed_step(math.ldexp(1.0, ceil_log2(reach) - self.bits + 1), self.bits)


@register("delayed")
class DelayedScaling(Estimator):
    """The largest magnitude of the last `history` steps, or with latest=1 of the last one only.

    Times 2**margin. A past of zeros alone leaves the range as it was. (NVIDIA Transformer Engine,
    which starts from scale 1; here the first step is dynamic.)
    """

    needs_current = False
    needs = frozenset({Statistic.MAGNITUDE})
    parameters = MappingProxyType(
        {
            "history": Parameter(1024, 1, 65536),
            "margin": Parameter(0, -16, 16),
            "latest": Parameter(0, 0, 1),
        }
    )
    remembers = MappingProxyType({"past": SIZES, "largest": SIZE})
    past: tuple[float, ...]
    largest: float | None

    def range_for(self, step: int) -> Range | Decision | None:
        """None before the first observation."""
        return None if self.largest is None else self._decision(self.largest)

    def range_from(self, observed: Observation) -> Range | Decision:
        """The first tensor's largest magnitude."""
        return self._decision(observed.max_abs)

    def observe(self, observed: Observation) -> None:
        """Let the oldest step go."""
        kept = 1 if self.values["latest"] else int(self.values["history"])
        self.past = (*self.past, observed.max_abs)[-kept:]
        self.largest = max(self.past) or self.largest or 0.0

    def _decision(self, largest: float) -> Decision:
        return Decision.magnitude(math.ldexp(largest, int(self.values["margin"])))


@register("power-of-two")
class PowerOfTwo(Estimator):
    """A power-of-two range of the tensor itself: the nearest, or with covering=1 the next above.

    The nearest, 2**round(log2(max|x|)), is that of WAGE and WAGEUBN; the next above is NITI's,
    whose shift keeps the top bits - 1 bits of the largest magnitude.
    """

    needs_current = True
    needs = frozenset({Statistic.MAGNITUDE})
    parameters = MappingProxyType({"covering": Parameter(0, 0, 1)})

    def range_from(self, observed: Observation) -> Range | Decision:
        """By the largest magnitude."""
        if observed.max_abs == 0:
            return Decision.magnitude(0.0)
        if self.values["covering"]:
            exponent = math.frexp(observed.max_abs)[1]
        else:
            exponent = round_log2(observed.max_abs)
        return Decision.fixed_step(math.ldexp(1.0, exponent - self.bits + 1), self.bits)

    def observe(self, observed: Observation) -> None:
        """The past does not matter."""


def ceil_log2(number: float) -> int:
    """The smallest e with number <= 2**e, exactly; number > 0."""
    fraction, exponent = math.frexp(number)
    return exponent - 1 if fraction == 0.5 else exponent


def round_log2(number: float) -> int:
    """log2 to the nearest integer, exactly but for the last bit of sqrt(1/2); number > 0."""
    fraction, exponent = math.frexp(number)
    return exponent - 1 if fraction < math.sqrt(0.5) else exponent
