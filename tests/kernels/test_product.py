from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.kernels.product import convolve_tile, depthwise_tile, finish_accumulators
from tests.naive.numerics import naive_finish
from tests.naive.product import naive_convolution, naive_out_size, on_chip

quick = settings(deadline=None, derandomize=True)
DTYPES = [np.int32, np.int64, np.float64]


@dataclass(frozen=True)
class Case:
    """A layer with its data, and the cuts that partition its output and its reduction."""

    x: np.ndarray
    w: np.ndarray
    nest: dict
    out_channels: int
    out_shape: tuple
    cuts: dict

    def expected(self):
        return naive_convolution(self.x, self.w, **self.nest)

    def spatial(self):
        top, left = self.nest["padding"][:2]
        return (*self.nest["stride"], *self.nest["dilation"], top, left, *self.nest["apart"])


@st.composite
def cuts_of(draw, size):
    """Ranges (start, stop) that partition `range(size)`."""
    inner = draw(st.sets(st.integers(1, size - 1), max_size=3)) if size > 1 else set()
    edges = [0, *sorted(inner), size]
    return list(pairwise(edges))


@st.composite
def cases(draw, depthwise=False):
    small = st.integers(1, 2)
    copies, batch, groups = draw(small), draw(small), draw(st.integers(1, 9 if depthwise else 3))
    in_channels = 1 if depthwise else draw(st.integers(1, 19))
    out_channels = 1 if depthwise else draw(st.integers(1, 11))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride, dilation = draw(st.tuples(small, st.integers(1, 3))), draw(st.tuples(small, small))
    apart = draw(st.just((1, 1)) | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.tuples(*[st.integers(-1, 3)] * 4))
    least = [
        max(1, dilation[i] * (kernel[i] - 1) + 1 - padding[i] - padding[i + 2]) for i in range(2)
    ]
    size = [-(-(least[i] - 1) // apart[i]) + draw(small) for i in range(2)]
    out_size = [
        naive_out_size(
            (size[i] - 1) * apart[i] + 1, kernel[i], stride[i], dilation[i],
            padding[i], padding[i + 2],
        )
        for i in range(2)
    ]  # fmt: skip
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    nest = {"copies": copies, "groups": groups, "stride": stride, "dilation": dilation}
    nest["apart"] = apart
    return Case(
        x=random.integers(-255, 256, (copies * batch, *size, groups * in_channels)),
        w=random.integers(-128, 128, (copies * groups * out_channels, *kernel, in_channels)),
        nest=nest | {"padding": padding},
        out_channels=out_channels,
        out_shape=(copies * batch, *out_size, groups * out_channels),
        cuts={
            "images": draw(cuts_of(batch)),
            "rows": draw(cuts_of(out_size[0])),
            "columns": draw(cuts_of(out_size[1])),
            "groups": draw(cuts_of(groups)),
            "n": draw(cuts_of(out_channels)),
            "channels": draw(cuts_of(in_channels)),
        },
    )


def tiles(case):
    """Each tile's copy and ranges; images count through the copies."""
    copies = case.nest["copies"]
    batch = case.x.shape[0] // copies
    for copy in range(copies):
        for b0, b1 in case.cuts["images"]:
            for rows in case.cuts["rows"]:
                for columns in case.cuts["columns"]:
                    yield copy, (copy * batch + b0, copy * batch + b1), rows, columns


def convolve_in_tiles(case, dtype):
    x, w = case.x.astype(dtype), on_chip(case.w, dtype)
    out = np.full(case.out_shape, -(10**6), dtype)
    groups, n = case.nest["groups"], case.out_channels
    by_group = out.reshape(*out.shape[:3], groups, n)
    for copy, (b0, b1), (h0, h1), (w0, w1) in tiles(case):
        for g0, g1 in case.cuts["groups"]:
            for n0, n1 in case.cuts["n"]:
                acc = np.zeros((b1 - b0, h1 - h0, w1 - w0, (g1 - g0) * (n1 - n0)), dtype)
                for c0, c1 in case.cuts["channels"]:
                    convolve_tile(
                        x, w, acc, b0, h0, w0, g0, n0, n1 - n0, n, copy * groups * n, c0, c1,
                        *case.spatial(),
                    )  # fmt: skip
                by_group[b0:b1, h0:h1, w0:w1, g0:g1, n0:n1] = acc.reshape(
                    *acc.shape[:3], g1 - g0, n1 - n0
                )
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(case=cases())
def test_tiles_of_a_layer_are_its_exact_sums_however_it_is_cut(dtype, case):
    np.testing.assert_array_equal(convolve_in_tiles(case, dtype), case.expected())


@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(case=cases(depthwise=True))
def test_depthwise_tiles_are_the_exact_sums_however_they_are_cut(dtype, case):
    x, w = case.x.astype(dtype), on_chip(case.w, dtype)
    out = np.full(case.out_shape, -(10**6), dtype)
    for copy, (b0, b1), (h0, h1), (w0, w1) in tiles(case):
        for g0, g1 in case.cuts["groups"]:
            acc = np.zeros((b1 - b0, h1 - h0, w1 - w0, g1 - g0), dtype)
            depthwise_tile(
                x, w, acc, b0, h0, w0, g0, copy * case.nest["groups"], *case.spatial()
            )  # fmt: skip
            out[b0:b1, h0:h1, w0:w1, g0:g1] = acc
    np.testing.assert_array_equal(out, case.expected())


def test_more_positions_than_one_chunk_are_all_computed():
    random = np.random.default_rng(1)
    x, w = random.integers(-9, 9, (1, 13, 11, 9)), random.integers(-9, 9, (8, 3, 3, 9))
    acc = np.zeros((1, 13, 11, 8), np.int32)
    convolve_tile(
        x.astype(np.int32), on_chip(w, np.int32), acc, 0, 0, 0, 0, 0, 8, 8, 0, 0, 9,
        1, 1, 1, 1, 1, 1, 1, 1,
    )  # fmt: skip
    np.testing.assert_array_equal(acc, naive_convolution(x, w, padding=(1, 1, 1, 1)))


def test_a_product_adds_to_what_the_accumulators_hold():
    bias = np.arange(10, dtype=np.int32)
    x, w = np.full((1, 1, 1, 2), 3, np.int32), np.ones((1, 1, 2, 10), np.int32)
    acc = bias.reshape(1, 1, 1, 10).copy()
    convolve_tile(x, w, acc, 0, 0, 0, 0, 0, 10, 10, 0, 0, 2, 1, 1, 1, 1, 0, 0, 1, 1)
    np.testing.assert_array_equal(acc.ravel(), bias + 6)


@pytest.mark.parametrize("n", [1, 16])
def test_int32_reaches_its_last_value_without_overflow(n):
    x = np.array([-(2**15), 2**15 - 1], np.int32).reshape(1, 1, 1, 2)
    w = np.repeat(np.array([-(2**15), 2**15], np.int32), n).reshape(1, 1, 2, n)
    acc = np.full((1, 1, 1, n), 2**15 - 1, np.int32)
    convolve_tile(x, w, acc, 0, 0, 0, 0, 0, n, n, 0, 0, 2, 1, 1, 1, 1, 0, 0, 1, 1)
    assert (acc == 2**31 - 1).all()


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@quick
@given(data=st.data(), bits=st.integers(1, 40))
def test_finished_accumulators_and_their_overflows_equal_the_twin(overflow, dtype, data, bits):
    reach = 2**31 - 1 if dtype is np.int32 else 2**62 - 1
    near = [edge + d for edge in (-(2 ** (bits - 1)), 0, 2 ** (bits - 1)) for d in (-1, 0, 1)]
    values = st.integers(-reach, reach) | st.sampled_from([v for v in near if abs(v) <= reach])
    acc = np.array(data.draw(st.lists(values, min_size=1, max_size=20)), dtype).reshape(1, 1, 1, -1)
    expected, count = naive_finish(acc, bits, overflow)
    assert finish_accumulators(acc, bits, overflow == "saturate") == count
    np.testing.assert_array_equal(acc, expected)
