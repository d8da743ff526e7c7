"""What nothing else is better than in every respect."""

from collections.abc import Sequence


def pareto_front(costs: Sequence[Sequence[float]]) -> tuple[bool, ...]:
    """Whether each point is on the front, all objectives to be minimised; negate the others.

    A point is not where another is at most as large in every objective and smaller in one. Equal
    points are on it together.
    """
    points = [tuple(point) for point in costs]
    return tuple(not any(_dominates(other, point) for other in points) for point in points)


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
