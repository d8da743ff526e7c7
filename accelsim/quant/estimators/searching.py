"""Methods that read the tensor itself, on update steps, and keep what they found in between."""

import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from accelsim.hardware import Statistic
from accelsim.numerics import IntegerRange
from accelsim.quant.decision import SMALLEST_STEP, Decision
from accelsim.quant.estimators.estimator import COUNT, NUMBER, SIZE, Estimator, Parameter
from accelsim.quant.estimators.magnitude import ceil_log2
from accelsim.quant.estimators.registry import register
from accelsim.quant.grid import Range
from accelsim.quant.observation import Observation, Request

GOLDEN = (math.sqrt(5) - 1) / 2
LOWEST_SHARE = 0.01
"""The search begins at this share of the largest magnitude."""

LOWEST_SHIFT = ceil_log2(SMALLEST_STEP)
"""The step is never below the floor of scales."""


class Updating(Estimator):
    """Looks at the tensor on update steps; `due` counts the steps to the next one.

    In between the range is known, and the program is one pass.
    """

    needs_current = False
    due: int

    def request(self, step: int) -> Request:
        """The tensor on update steps, nothing in between."""
        return Request() if self.due else Request(self.needs)

    def observe(self, observed: Observation) -> None:
        """One step nearer to the next update."""
        self.due = max(0, self.due - 1)


@register("dsgc")
class DirectionSensitiveClipping(Updating):
    """The symmetric clip c that least turns the tensor, searched every `period` steps.

    A golden-section search for the smallest 1 - cos(G, Q_c(G)) in [0.01 a, a], a = max|G|; the best
    clip it looked at. It evaluates iterations + 2 clips, and each reads the tensor. After a tensor
    of zeros alone it looks again in the next step. (Zhu et al. 2019.)

    A golden section finds one minimum, which need not be the lowest: with a lone outlier there are
    two. `scan` clips between the ends, each by one factor larger than the one before and evaluated
    first, lead it to the lower (ours).
    """

    needs = frozenset({Statistic.MAGNITUDE, Statistic.PRODUCTS, Statistic.TENSOR})
    parameters = MappingProxyType(
        {
            "period": Parameter(100, 1, 1_000_000),
            "iterations": Parameter(20, 0, 60),
            "scan": Parameter(0, 0, 1000),
        }
    )
    remembers = MappingProxyType({"clip": SIZE, "due": COUNT})
    clip: float | None

    @property
    def planned_passes(self) -> int:
        """One for each evaluation, one to quantize."""
        return int(self.values["scan"]) + int(self.values["iterations"]) + 3

    @property
    def period(self) -> int:
        """As it is set."""
        return int(self.values["period"])

    def range_for(self, step: int) -> Range | Decision | None:
        """None on update steps."""
        return Decision.magnitude(self.clip) if self.due and self.clip is not None else None

    def range_from(self, observed: Observation) -> Range | Decision:
        """Search."""
        iterations, scan = int(self.values["iterations"]), int(self.values["scan"])
        self.clip, evaluations = best_clip(observed.values, self.bits, iterations, scan)
        self.due = int(self.values["period"]) if self.clip else 1
        return Decision.magnitude(self.clip, passes=evaluations + 1)


def best_clip(
    values: NDArray[np.float64], bits: int, iterations: int, scan: int = 0
) -> tuple[float, int]:
    """The best clip of the scan and of the golden section; how many clips they evaluated."""
    largest = float(np.abs(values).max())
    if largest == 0:
        return 0.0, 0
    flat = values.ravel() / largest
    seen: list[tuple[float, float]] = []

    def tried(clip: float) -> float:
        seen.append((turn(flat, clip, bits), clip))
        return seen[-1][0]

    golden_section(tried, *bracket(tried, scan), iterations)
    return min(seen)[1] * largest, len(seen)


def bracket(tried: Callable[[float], float], scan: int) -> tuple[float, float]:
    """The neighbours of the best of `scan` clips between LOWEST_SHARE and 1, or these two."""
    low, *between, high = (float(clip) for clip in np.geomspace(LOWEST_SHARE, 1.0, scan + 2))
    if not between:
        return low, high
    turns = [tried(clip) for clip in between]
    best = turns.index(min(turns))
    clips = [low, *between, high]
    return clips[best], clips[best + 2]


def golden_section(
    tried: Callable[[float], float], low: float, high: float, iterations: int
) -> None:
    """Try two clips between `low` and `high`, and one more in each iteration."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = tried(left), tried(right)
    for _ in range(iterations):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = tried(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = tried(right)


def turn(values: NDArray[np.float64], clip: float, bits: int) -> float:
    """1 - cos(G, Q_c(G)) on the symmetric grid of this clip; 1 where all becomes zero."""
    integers = IntegerRange(bits, True)
    steps = values * (max(integers.maximum, 1) / clip)
    quantized = np.clip(np.rint(steps), integers.minimum, integers.maximum)
    # Not by BLAS, whose sums may depend on the number of threads.
    norm = math.sqrt(float(np.sum(values * values)) * float(np.sum(quantized * quantized)))
    return 1 - float(np.sum(values * quantized)) / norm if norm else 1.0


@register("bit-adaptive")
class BitWidthAdaptation(Updating):
    """A power-of-two step by the largest magnitude, and as many bits as the mean magnitude needs.

    shift = ceil(log2(max|x| / (2**(n-1) - 1))), diff = log2(|mean|x| - mean|Q(x)|| / mean|x| + 1).
    From the scheme's width on, n grows by 8 while diff > threshold, up to `most`. The next update
    comes after round(0.1 / d - 2) steps, from 1 to `longest`, d = max(0.04 |shift - ema|, 100
    diff**2); ema is that of the shifts, 0.04 the weight of the new one. (Zhang et al. 2020, who go
    to 24 bits; grids end at 16 here. `longest` is an epoch.)
    """

    widens = True
    needs = frozenset({Statistic.MAGNITUDE, Statistic.ABSOLUTE_SUM, Statistic.TENSOR})
    parameters = MappingProxyType(
        {
            "threshold": Parameter(0.03, 0.0, 1.0),
            "most": Parameter(16, 1, 16),
            "longest": Parameter(100, 1, 1_000_000),
        }
    )
    remembers = MappingProxyType(
        {"width": COUNT, "shift": NUMBER, "ema": NUMBER, "due": COUNT, "interval": COUNT}
    )
    width: int
    interval: int
    shift: float | None
    ema: float | None

    @property
    def period(self) -> int:
        """What the last update set; `longest` before the first."""
        return self.interval or int(self.values["longest"])

    def range_for(self, step: int) -> Range | Decision | None:
        """None on update steps."""
        return self._decision() if self.due else None

    def range_from(self, observed: Observation) -> Range | Decision:
        """Widen until the mean magnitude is kept, then see when to look again."""
        largest = observed.max_abs
        self.width, self.due, self.interval = self.bits, 1, 1
        if largest == 0:
            self.shift = None
            return self._decision(passes=1)
        magnitudes = np.abs(observed.values)
        tries = 1
        while True:
            highest = max(2 ** (self.width - 1) - 1, 1)
            shift = max(ceil_log2(largest / highest), LOWEST_SHIFT)
            diff = mean_change(magnitudes / math.ldexp(1.0, shift), highest)
            if diff <= self.values["threshold"] or self.width >= self.values["most"]:
                break
            self.width = min(self.width + 8, int(self.values["most"]))
            tries += 1
        self.shift = float(shift)
        self.due = self.interval = self._interval(self.shift, diff)
        return self._decision(tries)

    def _interval(self, shift: float, diff: float) -> int:
        """Steps to the next update; moves the mean of the shifts."""
        ema = shift if self.ema is None else self.ema
        change = max(0.04 * abs(shift - ema), 100 * diff * diff)
        self.ema = ema + 0.04 * (shift - ema)
        longest = int(self.values["longest"])
        return longest if change == 0 else int(min(max(round(0.1 / change - 2), 1), longest))

    def _decision(self, passes: int = 0) -> Decision:
        if self.shift is None:
            return Decision(Range(0.0, 0.0), self.width, symmetric=True, passes=passes)
        found = Decision.fixed_step(math.ldexp(1.0, int(self.shift)), self.width, own_bits=True)
        return Decision(found.limits, found.bits, True, found.step, passes=passes)


def mean_change(steps: NDArray[np.float64], highest: int) -> float:
    """log2(|mean|x| - mean|Q(x)|| / mean|x| + 1), the magnitudes counted in steps of the grid."""
    mean = float(steps.mean())
    quantized = np.minimum(np.rint(steps), highest)
    return math.log2(abs(mean - float(quantized.mean())) / mean + 1)
