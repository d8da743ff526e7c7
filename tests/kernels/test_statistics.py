import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.kernels.statistics import observe_channels

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
