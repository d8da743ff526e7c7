"""What nothing else is better than in every respect."""

from collections.abc import Sequence


def pareto_front(costs: Sequence[Sequence[float]]) -> tuple[bool, ...]:
    """Whether each point is on the front, all objectives to be minimised; negate the others.

    A point is not where another is at most as large in every objective and smaller in one. Equal
    points are on it together.
    """
    points = [tuple(point) for point in costs]
    front: list[tuple[float, ...]] = []
    for point in sorted(set(points)):
        # Whatever beats it comes before it in this order, and so does what beats that in turn.
        if not any(_at_most(other, point) for other in front):
            front.append(point)
    kept = set(front)
    return tuple(point in kept for point in points)


def _at_most(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
