"""The gradient to the weights, tile by tile and chunk by chunk, is its exact sums."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.kernels.weight_gradient import (
    depthwise_gradient_tile,
    weight_gradient_tile,
    whole_weight_gradient,
)
from tests.naive.product import naive_out_size, naive_weight_gradient

quick = settings(deadline=None, derandomize=True)
DTYPES = [np.int32, np.int64, np.float64]


@st.composite
def cuts_of(draw, size):
    inner = draw(st.sets(st.integers(1, size - 1), max_size=2)) if size > 1 else set()
    return list(pairwise([0, *sorted(inner), size]))


@st.composite
def cases(draw, depthwise=False):
    """A layer with its data, and the cuts of its weights and of its reduction."""
    small = st.integers(1, 2)
    copies, batch, groups = draw(small), draw(small), draw(st.integers(1, 9 if depthwise else 3))
    ins = 1 if depthwise else draw(st.integers(1, 11))
    outs = 1 if depthwise else draw(st.integers(1, 11))
    kernel, stride, dilation = (
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) for _ in range(3)
    )
    padding = draw(st.tuples(*[st.integers(0, 3)] * 4))
    size = [
        max(1, dilation[i] * (kernel[i] - 1) + 1 - padding[i] - padding[i + 2])
        + draw(st.integers(0, 7))
        for i in range(2)
    ]
    out = [
        naive_out_size(size[i], kernel[i], stride[i], dilation[i], padding[i], padding[i + 2])
        for i in range(2)
    ]
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    nest = {"copies": copies, "groups": groups, "stride": stride, "dilation": dilation}
    return {
        "x": random.integers(-255, 256, (copies * batch, *size, groups * ins)),
        "dy": random.integers(-128, 128, (copies * batch, *out, groups * outs)),
        "shape": (copies * groups * outs, *kernel, ins),
        "nest": nest | {"padding": padding},
        "steps": (*stride, *dilation, *padding[:2]),
        "outs": outs,
        "cuts": [draw(cuts_of(s)) for s in (batch, *out)],
        "tiles": [draw(cuts_of(s)) for s in (groups, outs, ins)],
    }


def expected(case):
    return naive_weight_gradient(case["x"], case["dy"], case["shape"], **case["nest"])


def in_tiles(case, dtype, add):
    """All weights, each tile summed chunk by chunk."""
    copies, groups, outs = case["nest"]["copies"], case["nest"]["groups"], case["outs"]
    batch = len(case["x"]) // copies
    filters, *window, ins = case["shape"]
    x, dy = case["x"].astype(dtype), case["dy"].astype(dtype)
    dw = np.full((copies, groups, outs, *window, ins), -(10**6), dtype)
    for copy, (g0, g1), (n0, n1), (c0, c1) in product(range(copies), *case["tiles"]):
        acc = np.zeros((*window, c1 - c0, (g1 - g0) * (n1 - n0)), dtype)
        for (b0, b1), (h0, h1), (w0, w1) in product(*case["cuts"]):
            box = copy * batch + b0, copy * batch + b1, h0, h1, w0, w1
            add(x, dy, acc, box, (g0, n0, n1 - n0, outs, c0, ins))
        by_group = acc.reshape(*window, c1 - c0, g1 - g0, n1 - n0)
        dw[copy, g0:g1, n0:n1, :, :, c0:c1] = np.moveaxis(by_group, (3, 4), (0, 1))
    return dw.reshape(filters, *window, ins)


@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(case=cases())
def test_tiles_of_a_weight_gradient_are_its_exact_sums_however_it_is_cut(dtype, case):
    def add(x, dy, acc, box, tile):
        weight_gradient_tile(x, dy, acc, *box, *tile, *case["steps"])

    np.testing.assert_array_equal(in_tiles(case, dtype, add), expected(case))


@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(case=cases(depthwise=True))
def test_depthwise_tiles_are_the_exact_sums_however_they_are_cut(dtype, case):
    def add(x, dy, acc, box, tile):
        depthwise_gradient_tile(x, dy, acc, *box, tile[0], *case["steps"])

    np.testing.assert_array_equal(in_tiles(case, dtype, add), expected(case))


@quick
@given(case=cases(), depthwise=st.booleans(), data=st.data())
def test_the_whole_gradient_is_that_of_all_copies(case, depthwise, data):
    case = data.draw(cases(depthwise=True)) if depthwise else case
    x, dy = case["x"].astype(np.int32), case["dy"].astype(np.int32)
    acc = np.zeros((*case["shape"][1:], case["shape"][0]), np.int32)
    whole_weight_gradient(
        x, dy, acc, case["nest"]["copies"], depthwise, case["outs"], case["steps"]
    )
    np.testing.assert_array_equal(acc.transpose(3, 0, 1, 2), expected(case))


def test_more_positions_than_one_chunk_are_all_summed():
    random = np.random.default_rng(1)
    x, dy = random.integers(-9, 9, (2, 13, 11, 5)), random.integers(-9, 9, (2, 13, 11, 9))
    acc = np.zeros((3, 3, 5, 9), np.int32)
    weight_gradient_tile(
        x.astype(np.int32), dy.astype(np.int32), acc, 0, 2, 0, 13, 0, 11, 0, 0, 9, 9, 0, 5,
        1, 1, 1, 1, 1, 1,
    )  # fmt: skip
    twin = naive_weight_gradient(x, dy, (9, 3, 3, 5), padding=(1, 1, 1, 1))
    np.testing.assert_array_equal(acc.transpose(3, 0, 1, 2), twin)
