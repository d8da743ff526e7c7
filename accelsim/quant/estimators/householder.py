"""Block Householder: large samples lend their range to small ones before they are quantized."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.hardware import Statistic
from accelsim.quant.decision import Decision, Reflections
from accelsim.quant.estimators.estimator import Estimator, Shape
from accelsim.quant.estimators.registry import register
from accelsim.quant.grid import Range
from accelsim.quant.observation import Observation

LARGEST_RATIO = 2.0**8
"""How much a small sample is scaled up at most: samples of zeros alone would be without bound."""


@register("block-householder")
class BlockHouseholder(Estimator):
    """Each large sample is mixed with several small ones by a reflection, then each has a range.

    The tensor is read once for the ranges of the mixed samples, and once to quantize. What it gains
    needs stochastic rounding: to nearest, the mixed copies of a large sample are rounded alike.
    (Chen et al. 2020, BHQ; how groups and scales are chosen is ours, by a bound on the variance.)
    """

    needs_current = True
    needs = frozenset({Statistic.EXTREMES, Statistic.SAMPLES, Statistic.TENSOR})
    mixes = True

    @property
    def planned_passes(self) -> int:
        """One to mix and look, one to mix and quantize."""
        return 2

    def range_from(self, observed: Observation) -> Range | Decision:
        """Group by the samples' ranges, mix, and look at the ranges again."""
        reflections = self.reflections_from(observed)
        mixed = reflections.apply(observed.values)
        ranges = tuple(Range.of(row) for row in mixed)
        return Decision.mixed(ranges, reflections)

    def reflections_from(self, observed: Observation) -> Reflections:
        """Groups by the ranges of the samples."""
        return grouped([limits.magnitude for limits in observed.sample_ranges])

    def extent(self, shape: Shape, samples: int) -> Shape | None:
        """The images of a sample."""
        return (shape[0] // samples, *shape[1:])

    def observe(self, observed: Observation) -> None:
        """The past does not matter."""


def grouped(magnitudes: Sequence[float]) -> Reflections:
    """Groups of one large sample and several small ones, of least bound on the variance.

    For each number of groups the largest samples lead, and the others follow in order of size, so
    many to a leader as its share of the leaders' sum. A group of n with the largest magnitudes a
    and b of leader and followers is bounded by (a**(2/3) n**(-1/3) + b**(2/3) n**(1/3))**3, at the
    scale ratio (a / b)**(1/3) n**(1/6) between them: what minimises the sum of the inverse squares
    of the scales while the mixed rows keep within one range. Ratios are float32, as the vector unit
    has them.
    """
    order = np.argsort(-np.asarray(magnitudes), kind="stable")
    sizes = np.asarray(magnitudes, dtype=np.float64)[order]
    largest = sizes[0]
    if largest == 0:
        return Reflections(tuple((int(i),) for i in order), (1.0,) * len(order))
    sizes = sizes / largest
    best = min(range(1, len(sizes) + 1), key=lambda leaders: (_bound(sizes, leaders), -leaders))
    groups, ratios = [], []
    for leader, start, stop in _cuts(sizes, best):
        groups.append((int(order[leader]), *(int(i) for i in order[start:stop])))
        follower = sizes[start] if stop > start else sizes[leader]
        ratio = (sizes[leader] / max(follower, 1e-100)) ** (1 / 3) * (1 + stop - start) ** (1 / 6)
        ratios.append(float(np.float32(min(ratio, LARGEST_RATIO))) if stop > start else 1.0)
    return Reflections(tuple(groups), tuple(ratios))


def _cuts(sizes: NDArray[np.float64], leaders: int) -> list[tuple[int, int, int]]:
    """(leader, first follower, past the last follower) of each group."""
    shares = np.cumsum(sizes[:leaders]) / sizes[:leaders].sum()
    stops = leaders + np.rint(shares * (len(sizes) - leaders)).astype(int)
    starts = np.concatenate([[leaders], stops[:-1]])
    return [(i, int(a), int(b)) for i, (a, b) in enumerate(zip(starts, stops, strict=True))]


def _bound(sizes: NDArray[np.float64], leaders: int) -> float:
    total = 0.0
    for leader, start, stop in _cuts(sizes, leaders):
        n, a = 1 + stop - start, sizes[leader]
        b = sizes[start] if stop > start else 0.0
        total += float((a ** (2 / 3) * n ** (-1 / 3) + b ** (2 / 3) * n ** (1 / 3)) ** 3)
    return total
