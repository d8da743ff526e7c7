import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.kernels.statistics import (
    count_above,
    observe_channels,
    observe_groups,
    observe_moments,
)

INT64 = np.iinfo(np.int64)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@settings(deadline=None, derandomize=True)
@given(
    shape=st.tuples(*[st.integers(1, 3)] * 3, st.integers(1, 20)),
    cut=st.integers(0, 20),
    seed=st.integers(0, 2**32),
)
def test_extremes_of_tiles_are_the_extremes_of_the_tensor(dtype, shape, cut, seed):
    limits = np.iinfo(dtype)
    acc = np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype, endpoint=True)
    minima, maxima = np.full(shape[3], INT64.max), np.full(shape[3], INT64.min)
    cut = min(cut, shape[3])
    for start, stop in ((0, cut), (cut, shape[3])):
        for image in range(shape[0]):
            tile = np.ascontiguousarray(acc[image : image + 1, :, :, start:stop])
            observe_channels(tile, start, minima, maxima)
    np.testing.assert_array_equal(minima, acc.min(axis=(0, 1, 2)))
    np.testing.assert_array_equal(maxima, acc.max(axis=(0, 1, 2)))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@settings(deadline=None, derandomize=True)
@given(
    shape=st.tuples(*[st.integers(1, 4)] * 4),
    cuts=st.tuples(*[st.integers(0, 4)] * 4),
    groups=st.integers(1, 64),
    seed=st.integers(0, 2**32),
)
def test_tiles_add_up_to_the_tensor_in_any_order(dtype, shape, cuts, groups, seed):
    limits = np.iinfo(np.int32)
    generator = np.random.default_rng(seed)
    acc = generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    channels, positions = shape[3], shape[0] * shape[1] * shape[2]
    groups = min(groups, positions)
    thresholds = generator.integers(0, 2**31, (2, channels))
    sums, squares = np.zeros(channels, np.int64), np.zeros((2, channels), np.int64)
    counts = np.zeros((2, channels), np.int64)
    minima, maxima = np.full((groups, channels), INT64.max), np.full((groups, channels), INT64.min)
    for box in tiles(shape, cuts, generator):
        tile = np.ascontiguousarray(acc[tuple(slice(*ends) for ends in box)])
        (image, row, column, channel) = (start for start, _ in box)
        observe_moments(tile, channel, sums, squares)
        count_above(tile, channel, thresholds, counts)
        place = (image, row, column, channel, positions, shape[1:3])
        observe_groups(tile, *place, minima, maxima)
    rows = acc.reshape(-1, channels).astype(object)
    assert sums.tolist() == rows.sum(axis=0).tolist()
    assert [a + (b << 32) for a, b in zip(*squares.tolist(), strict=True)] == [
        *(rows * rows).sum(axis=0)
    ]
    assert counts.tolist() == [(abs(rows) > limit).sum(axis=0).tolist() for limit in thresholds]
    for group, part in enumerate(np.array_split(rows, groups)):
        assert minima[group].tolist() == part.min(axis=0).tolist()
        assert maxima[group].tolist() == part.max(axis=0).tolist()


def tiles(shape, cuts, generator):
    """The boxes of a tensor cut once along each axis, shuffled."""
    ends = [[(0, min(c, n)), (min(c, n), n)] for n, c in zip(shape, cuts, strict=True)]
    ends = [[(a, b) for a, b in axis if a < b] for axis in ends]
    boxes = [(a, b, c, d) for a in ends[0] for b in ends[1] for c in ends[2] for d in ends[3]]
    return [boxes[i] for i in generator.permutation(len(boxes))]
