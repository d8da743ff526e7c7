"""The statistics unit's registers: exact, whatever the tiles; and the real numbers they give."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.quant import Observation, Range, Registers, Request, Statistic, Statistics
from tests.naive import quant as naive

ALL = frozenset(Statistic) - {Statistic.TENSOR}
INT32 = np.iinfo(np.int32)


@st.composite
def outputs(draw):
    """Accumulators of (copies*batch, height, width, channels), how they were tiled, and a seed."""
    copies, batch = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    height, width, channels = draw(st.tuples(*[st.integers(1, 4)] * 3))
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    shape = (copies * batch, height, width, channels)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = generator.integers(INT32.min, INT32.max, shape, dtype, endpoint=True)
    if draw(st.booleans()):
        values >>= 26
    return copies, batch, values, generator


def boxes(shape, batch, generator):
    """Boxes that cover an output once, in any order; none spans two copies."""
    cuts = []
    for axis, size in enumerate(shape):
        every = set(range(0, size, batch)) if axis == 0 else {0}
        every |= set(generator.integers(0, size, 2).tolist())
        edges = [*sorted(every), size]
        cuts.append(list(pairwise(edges)))
    found = [(a, b, c, d) for a in cuts[0] for b in cuts[1] for c in cuts[2] for d in cuts[3]]
    generator.shuffle(found)
    return found


@given(outputs(), st.integers(1, 9), st.floats(1e-3, 1e12))
def test_registers_equal_their_naive_twin_whatever_the_tiles(output, chunks, threshold):
    copies, batch, values, generator = output
    channels = copies * values.shape[3]
    scales = generator.uniform(0.1, 10, channels)
    samples = generator.choice([n for n in range(1, len(values) + 1) if len(values) % n == 0])
    request = Request(ALL, threshold=threshold, chunks=chunks)
    registers = Registers(values.shape, copies, request, scales, int(samples))
    for box in boxes(values.shape, batch, generator):
        block = np.ascontiguousarray(values[tuple(slice(*ends) for ends in box)])
        registers.observe(block, tuple(start for start, _ in box))
    found = registers.read()
    limits = [[math.floor(t / s) for s in scales] for t in (threshold, threshold / 2)]
    wanted = naive.registers(values.tolist(), copies, limits, samples, chunks)
    every = range(channels)
    assert found.count == values.size
    assert [*zip(found.minima, found.maxima, strict=True)] == [wanted["all"][0, n] for n in every]
    assert found.sums == tuple(wanted["sums"][n] for n in every)
    assert found.squares == tuple(wanted["squares"][n] for n in every)
    assert [found.above, found.above_half] == wanted["counts"]
    for groups, kept in ((found.samples, wanted["samples"]), (found.chunks, wanted["chunks"])):
        seen = {
            (g, n): (groups.minima[g, n], groups.maxima[g, n])
            for g, n in np.ndindex(groups.minima.shape)
            if groups.minima[g, n] <= groups.maxima[g, n]
        }
        assert seen == kept
    plain = Statistics.of(values, copies)
    assert np.array_equal(plain.minima, found.minima)
    assert np.array_equal(plain.maxima, found.maxima)


@given(outputs(), st.integers(1, 9))
def test_integers_become_what_the_real_tensor_shows(output, chunks):
    copies, _, values, generator = output
    weight_scales = 2.0 ** generator.integers(-3, 4, copies * values.shape[3])
    by_image = np.repeat(weight_scales.reshape(copies, 1, 1, -1), len(values) // copies, axis=0)
    real = values * (0.25 * by_image.reshape(len(values), 1, 1, -1))
    threshold = float(np.abs(real).max()) / 3 or 1.0
    request = Request(ALL, threshold=threshold, chunks=chunks)
    registers = Registers(values.shape, copies, request, 0.25 * weight_scales)
    for image, block in enumerate(values):
        registers.observe(np.ascontiguousarray(block[None]), (image, 0, 0, 0))
    seen = registers.read().to_observation(0.25, weight_scales)
    expected = Observation.of(real, request)
    assert (seen.range, seen.count) == (expected.range, expected.count)
    assert (seen.above, seen.above_half) == (expected.above, expected.above_half)
    assert (seen.samples, seen.chunks) == (expected.samples, expected.chunks)
    assert seen.sum == pytest.approx(expected.sum, rel=1e-12, abs=1e-12 * np.abs(real).sum())
    assert seen.sum_of_squares == pytest.approx(expected.sum_of_squares, rel=1e-12)


def test_the_squares_of_the_largest_accumulators_add_up_exactly():
    block = np.full((1, 64, 64, 1), INT32.min, np.int32)
    registers = Registers((40, 64, 64, 1), request=Request(frozenset({Statistic.MOMENTS})))
    for image in range(40):
        registers.observe(block, (image, 0, 0, 0))
    count = 40 * 64 * 64
    assert registers.read().squares == (count * 2**62,)
    assert registers.read().sums == (-count * 2**31,)


def test_a_sum_alone_is_kept_without_squares():
    values, request = np.arange(6).reshape(2, 1, 1, 3), Request(frozenset({Statistic.SUM}))
    registers = Registers(values.shape, request=request)
    registers.observe(values, (0, 0, 0, 0))
    seen = registers.read()
    assert (seen.sums, seen.squares) == ((3, 5, 7), None)
    for observed in (seen.to_observation(0.5, [1.0]), Observation.of(values / 2, request)):
        assert (observed.sum, observed.sum_of_squares) == (7.5, None)


def test_a_threshold_is_compared_as_an_integer():
    """Above c is above floor(c / scale): at scale 0.3, c = 1 lies between 3 and 4."""
    request = Request(frozenset({Statistic.EXCEEDANCES}), 1.0)
    registers = Registers((1, 1, 4, 1), request=request, scales=0.3)
    registers.observe(np.array([1, -2, 3, -4], np.int32).reshape(1, 1, 4, 1), (0, 0, 0, 0))
    assert (registers.read().above, registers.read().above_half) == (1, 3)
    tiny = Registers((1, 1, 1, 1), request=request, scales=1e-300)
    tiny.observe(np.full((1, 1, 1, 1), INT32.max, np.int32), (0, 0, 0, 0))
    assert tiny.read().above == 0


def test_nobody_pays_for_what_nobody_asked():
    registers = Registers((2, 1, 1, 3))
    registers.observe(np.arange(6, dtype=np.int64).reshape(2, 1, 1, 3), (0, 0, 0, 0))
    seen = registers.read()
    assert (seen.sums, seen.squares, seen.above, seen.samples, seen.chunks) == (None,) * 5
    observed = seen.to_observation(1.0, [1.0])
    assert observed == Observation(Range(0, 5), 6)
    with pytest.raises(AccelsimError, match="samples = 3: must be a whole number from 1 to 2"):
        Registers((2, 1, 1, 3), samples=3)
