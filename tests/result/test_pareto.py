from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from accelsim.result import pareto_front

small = st.integers(0, 3).map(float)
points = st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[small] * n), max_size=12))


def brute_force(costs):
    """A point is on the front unless some other is nowhere worse and somewhere better."""
    front = []
    for point in costs:
        beaten = False
        for other in costs:
            worse = sum(1 for mine, theirs in zip(point, other, strict=True) if theirs > mine)
            better = sum(1 for mine, theirs in zip(point, other, strict=True) if theirs < mine)
            beaten = beaten or (worse == 0 and better > 0)
        front.append(not beaten)
    return tuple(front)


@given(points)
def test_the_front_is_that_of_brute_force(costs):
    assert pareto_front(costs) == brute_force(costs)


@given(points)
def test_some_point_is_on_every_front_and_beats_or_equals_what_is_not(costs):
    front = [point for point, on in zip(costs, pareto_front(costs), strict=True) if on]
    assert bool(front) == bool(costs)
    for point in costs:
        assert any(all(a <= b for a, b in zip(f, point, strict=True)) for f in front)


def test_equal_points_are_on_the_front_together():
    assert pareto_front([(1, 2), (1, 2), (2, 1), (2, 2)]) == (True, True, True, False)
    grid = list(product(range(3), repeat=2))
    assert [p for p, on in zip(grid, pareto_front(grid), strict=True) if on] == [(0, 0)]
    assert pareto_front([]) == ()
