"""Every estimator against its slow twin, and what holds for all of them."""

import functools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.quant import Observation, Range, Request, Statistic, estimator_names, make_estimator
from accelsim.quant.estimators.householder import grouped
from accelsim.quant.estimators.searching import best_clip, turn
from tests.naive import quant as naive

TWINS = {
    "fixed": lambda tensors, bits: [(-1.0, 1.0)] * len(tensors),
    "fixed:minimum=0,maximum=6": lambda tensors, bits: [(0.0, 6.0)] * len(tensors),
    "fixed-point:fraction=3": lambda tensors, bits: (
        [(-(2.0 ** (bits - 4)), 2.0 ** (bits - 4) - 0.125)] * len(tensors)
    ),
    "current": naive.current,
    "running": naive.running_tensors,
    "in-hindsight": naive.hindsight_tensors,
    "saturation:ratio=0.05": lambda tensors, bits: naive.saturation(tensors, bits, 0.05),
    "saturation": lambda tensors, bits: naive.saturation(tensors, bits, 1e-3),
    "dsgc:period=3,iterations=12": lambda tensors, bits: naive.dsgc(tensors, bits, 3, 12),
    "dsgc:period=2,iterations=9,scan=6": lambda tensors, bits: naive.dsgc(tensors, bits, 2, 9, 6),
    "sigma-ema": lambda tensors, bits: naive.sigma(tensors, bits, 8, 0.9),
    "sigma-ema:k=3.5,momentum=0.5": lambda tensors, bits: naive.sigma(tensors, bits, 3.5, 0.5),
    "bit-adaptive": lambda tensors, bits: naive.bit_adaptive(tensors, bits, 100),
    "bit-adaptive:longest=2": lambda tensors, bits: naive.bit_adaptive(tensors, bits, 2),
    "chunked": lambda tensors, bits: naive.chunked(tensors, bits, 16),
    "chunked:chunks=5": lambda tensors, bits: naive.chunked(tensors, bits, 5),
    "per-sample": naive.per_sample,
    "per-sample:symmetric=1": naive.per_sample,
    "power-of-two": naive.nearest_power,
    "power-of-two:covering=1": naive.covering_power,
    "delayed": lambda tensors, bits: naive.delayed(tensors, bits, 1024, 0),
    "delayed:history=3,margin=1": lambda tensors, bits: naive.delayed(tensors, bits, 3, 1),
    "delayed:latest=1": lambda tensors, bits: naive.delayed(tensors, bits, 1, 0),
}
EVERY = [*TWINS, "block-householder"]


def tensor(seed, exponent, kind):
    """Three samples of four rows of five numbers, about 10**exponent large."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(3, 4, 5)) * 10.0**exponent
    if kind == "zero":
        return np.zeros_like(values)
    if kind == "positive":
        return np.abs(values)
    if kind == "spike":
        values[seed % 3, seed % 4, seed % 5] *= 100
    if kind == "uneven":
        values *= 10.0 ** -generator.integers(0, 4, size=(3, 1, 1))
    return values


kinds = st.sampled_from(["normal", "normal", "normal", "zero", "positive", "spike", "uneven"])
seeds = st.integers(0, 2**32)


@st.composite
def sequences(draw, most=12):
    """Steps that drift about one size, from far below float32's to large, with an odd one in."""
    size = draw(st.sampled_from([-34, -30, -27, -6, -3, 0, 0, 0, 4]))
    drifts = draw(st.lists(st.sampled_from([-1, -0.3, 0, 0.1, 1]), min_size=1, max_size=most))
    return [tensor(draw(seeds), size + drift, draw(kinds)) for drift in drifts]


def follow(estimator, tensors, start=0):
    """How each tensor is quantized, by the protocol in the module's docstring."""
    decisions = []
    for step, values in enumerate(tensors, start):
        request = estimator.request(step)
        decision = estimator.decision_for(step)
        observed = Observation.of(values, request)
        if decision is None:
            decision = estimator.decision_from(observed)
        else:
            assert decision.passes == 0
        estimator.observe(observed)
        decisions.append(decision)
    return decisions


@pytest.mark.parametrize("specification", TWINS)
@settings(max_examples=25)
@given(tensors=sequences(), bits=st.integers(1, 16))
def test_an_estimator_equals_its_naive_twin(specification, tensors, bits):
    if specification.startswith("dsgc"):
        bits = min(bits, 8)  # beyond, rounding of the cosine decides between clips
    used = follow(make_estimator(specification, bits), tensors)
    expected = TWINS[specification]([values.tolist() for values in tensors], bits)
    for got, wanted in zip(used, expected, strict=True):
        wanted = wanted if isinstance(wanted, dict) else {"range": wanted}
        if "range" in wanted:
            assert_same_range(got.limits, wanted["range"])
        assert got.bits == wanted.get("bits")
        assert (got.samples is not None) == ("samples" in wanted)
        for one, other in zip(got.samples or (), wanted.get("samples", ()), strict=True):
            assert_same_range(one, other)


def assert_same_range(got, wanted):
    assert (got.minimum, got.maximum) == pytest.approx(wanted, rel=1e-9, abs=1e-100)


@settings(max_examples=40)
@given(values=st.builds(tensor, seeds, st.integers(-30, 5), kinds))
def test_block_householder_mixes_as_the_formula_says_and_undoes_it(values):
    (decision,) = follow(make_estimator("block-householder"), [values])
    reflections = decision.reflections
    assert sorted(i for group in reflections.groups for i in group) == [0, 1, 2]
    mixed = reflections.apply(values)
    for group, ratio in zip(reflections.groups, reflections.ratios, strict=True):
        rows = [values[i].ravel().tolist() for i in group]
        np.testing.assert_allclose(
            mixed[list(group)].reshape(len(group), -1),
            naive.reflected(rows, ratio),
            rtol=1e-9,
            atol=1e-12 * np.abs(mixed).max(),
        )
    np.testing.assert_allclose(
        reflections.undo(mixed), values, rtol=0, atol=1e-12 * np.abs(values).max()
    )
    for limits, row in zip(decision.samples, mixed, strict=True):
        assert limits == Range.of(row)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, samples=st.integers(1, 6), spread=st.floats(0.1, 4))
def test_block_householder_groups_as_its_naive_twin(seed, samples, spread):
    """The twin finds the scales of a group by a walk; they are those of the closed form."""
    magnitudes = np.exp(spread * np.random.default_rng(seed).normal(size=samples)).tolist()
    found, groups = grouped(magnitudes), naive.householder_groups(magnitudes)
    scales = [naive.householder_scales(magnitudes, group) for group in found.groups]
    least = sum(naive.householder_scales(magnitudes, group)[0] for group in groups)
    assert sum(bound for bound, _ in scales) == pytest.approx(least, rel=1e-6)
    assert found.ratios == pytest.approx([ratio for _, ratio in scales], rel=0.05)


def test_block_householder_groups_one_large_sample_with_small_ones():
    assert grouped([1.0, 1.0, 1.0]).groups == ((0,), (1,), (2,))
    found = grouped([1e-3, 100.0, 2e-3, 1e-3, 90.0, 3e-3])
    assert sorted(group[0] for group in found.groups) == [1, 4]
    assert sorted(len(group) for group in found.groups) == [3, 3]
    assert grouped([0.0, 0.0]).ratios == (1.0, 1.0)


def test_block_householder_beats_one_range_per_sample_where_one_sample_is_large():
    """By stochastic rounding: to nearest, the copies of the large sample are rounded alike."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(16, 200)) * 1e-4
    values[5] *= 1e4
    noise = {}
    for name in ("current", "per-sample", "block-householder"):
        (decision,) = follow(make_estimator(name, 4), [values])
        mixing = decision.reflections
        mixed = mixing.apply(values) if mixing else values
        scales = np.array([grid.scale for grid in decision.grids(16, 4)]).reshape(-1, 1)
        rounded = np.floor(mixed / scales + generator.uniform(size=mixed.shape)) * scales
        back = mixing.undo(rounded) if mixing else rounded
        noise[name] = np.sum((back - values) ** 2)
    assert 8 * noise["block-householder"] < noise["per-sample"] < noise["current"]


@pytest.mark.parametrize("specification", EVERY)
@settings(max_examples=10)
@given(tensors=sequences(), cut=st.integers(0, 12))
def test_a_restored_estimator_goes_on_as_if_never_stopped(specification, tensors, cut):
    whole = follow(make_estimator(specification), tensors)
    first = make_estimator(specification)
    before = follow(first, tensors[:cut])
    text = json.dumps(first.state(), allow_nan=False)
    second = make_estimator(specification)
    second.restore(json.loads(text))
    assert json.dumps(second.state()) == text
    after = follow(second, tensors[cut:], cut)
    assert before + after == whole


@pytest.mark.parametrize("specification", EVERY)
@settings(max_examples=10)
@given(tensors=sequences(most=4), bits=st.integers(1, 16), symmetric=st.booleans())
def test_zero_is_on_every_grid(specification, tensors, bits, symmetric):
    for decision, values in zip(
        follow(make_estimator(specification, bits), tensors), tensors, strict=True
    ):
        assert not decision.quantize(np.zeros_like(values), bits, symmetric).reals.any()
        for grid in decision.grids(3, bits, symmetric):
            assert grid.quantize(0.0) == grid.zero_point
            assert grid.dequantize(grid.zero_point) == 0.0
        for limits in (decision.limits, *(decision.samples or ())):
            assert limits.minimum <= 0 <= limits.maximum


ABSOLUTE = ("fixed", "fixed-point")  # ranges that do not follow the tensor


@pytest.mark.parametrize("specification", [s for s in EVERY if not s.startswith(ABSOLUTE)])
@pytest.mark.parametrize("exponent", [-20, -90])
def test_tiny_tensors_keep_their_levels(specification, exponent):
    """At 2**-90, about 1e-27, the same integers as at 1: the floor of scales is out of sight."""
    values = np.random.default_rng(0).normal(size=(3, 40, 50))
    integers, tiny = (
        follow(make_estimator(specification), [size * values] * 3)[-1].quantize(size * values)
        for size in (1.0, 2.0**exponent)
    )
    assert np.array_equal(integers.integers, tiny.integers)
    assert np.array_equal(integers.reals * 2.0**exponent, tiny.reals)
    assert len(np.unique(tiny.integers)) > 60


@pytest.mark.parametrize("specification", EVERY)
def test_zeros_alone_have_a_defined_scale_and_do_not_hold_an_estimator_back(specification):
    values = tensor(0, 0, "normal")
    estimator = make_estimator(specification)
    for decision in follow(estimator, [np.zeros_like(values)] * 3):
        quantized = decision.quantize(np.zeros_like(values))
        assert not quantized.reals.any()
        assert all(grid.scale > 0 for grid in decision.grids(3))
    after = follow(estimator, [values] * 60)[-1]
    assert after.limits.magnitude > np.abs(values).max() / 4


@settings(max_examples=40)
@given(tensors=sequences(), momentum=st.floats(0, 1))
def test_in_hindsight_is_running_min_max_one_step_late(tensors, momentum):
    hindsight, running = (
        [d.limits for d in follow(make_estimator(f"{name}:momentum={momentum!r}"), tensors)]
        for name in ("in-hindsight", "running")
    )
    assert hindsight[1:] == running[:-1]
    assert hindsight[0] == running[0] == Range.of(tensors[0])


TENSORS = {
    "normal": lambda draw: draw.normal(size=5000),
    "laplace": lambda draw: draw.laplace(size=5000),
    "uniform": lambda draw: draw.uniform(-1, 1, 5000),
    "t2": lambda draw: draw.standard_t(2, 5000),
    "t3": lambda draw: draw.standard_t(3, 5000),
    "lognormal": lambda draw: draw.lognormal(size=5000) * draw.choice([-1, 1], 5000),
    "relu": lambda draw: np.maximum(draw.normal(size=5000), 0),
}
OUTLIER = {"outlier": lambda draw: np.append(draw.normal(size=19_999), 100.0)}


@functools.cache
def brute_force(name, bits):
    """The tensor, largest magnitude 1, with 500 clips and how much each turns it."""
    values = (TENSORS | OUTLIER)[name](np.random.default_rng(1))
    values /= np.abs(values).max()
    clips = np.union1d(np.linspace(0.01, 1, 250), np.geomspace(0.01, 1, 250))
    return values, clips, np.array([turn(values, clip, bits) for clip in clips])


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize(
    ("name", "scan"), [*((name, 0) for name in TENSORS), *((name, 8) for name in TENSORS | OUTLIER)]
)
def test_the_clip_of_dsgc_is_within_1_percent_of_a_brute_force_search(name, bits, scan):
    """Or of a clip as good as its best, up to the 1 % by which neighbours differ at 8 bits."""
    values, clips, turns = brute_force(name, bits)
    clip, evaluations = best_clip(1e-6 * values, bits, 20, scan)
    assert evaluations == scan + 22
    assert turn(values, 1e6 * clip, bits) <= 1.02 * turns.min()
    good = clips[turns <= 1.01 * turns.min()]
    assert np.abs(1e6 * clip / good - 1).min() <= 0.01


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_without_a_scan_dsgc_may_stay_in_the_higher_of_the_minima_of_a_lone_outlier(bits):
    """As a golden section does: it keeps the outlier and loses the rest."""
    values, _, turns = brute_force("outlier", bits)
    assert turn(values, best_clip(values, bits, 20)[0], bits) > 1.5 * turns.min()


def test_dsgc_reads_the_tensor_on_update_steps_only_and_says_how_often():
    estimator = make_estimator("dsgc:period=4")
    tensors = [tensor(seed, 0, "normal") for seed in range(9)]
    asked = []
    for step, values in enumerate(tensors):
        asked.append(Statistic.TENSOR in estimator.request(step))
        follow(estimator, [values], step)
    assert asked == [True, False, False, False] * 2 + [True]
    passes = [d.passes for d in follow(make_estimator("dsgc:period=4"), tensors)]
    assert passes == [23, 0, 0, 0] * 2 + [23]
    assert estimator.planned_passes == 23
    assert make_estimator("dsgc:iterations=5").planned_passes == 8
    assert make_estimator("dsgc:iterations=5,scan=7").planned_passes == 15


def test_dsgc_looks_again_after_a_tensor_of_zeros():
    used = follow(make_estimator("dsgc"), [np.zeros((1, 2, 3)), np.ones((1, 2, 3))])
    assert [d.passes for d in used] == [1, 23]


def test_bit_adaptation_widens_where_the_mean_magnitude_is_lost():
    generator = np.random.default_rng(0)
    even = generator.normal(size=(2, 100, 10))
    spiked = even * 1e-3
    spiked[0, 0, 0] = 1.0
    for values, bits, passes in ((even, 8, 1), (spiked, 16, 2)):
        estimator = make_estimator("bit-adaptive")
        first, *later = follow(estimator, [values] * 3)
        assert (first.bits, first.passes) == (bits, passes)
        assert all(d.bits == bits and d.passes == 0 for d in later)
        grid = first.grid(4)
        assert grid.integers.bits == bits
        assert math.frexp(grid.scale)[0] == 0.5
    (capped,) = follow(make_estimator("bit-adaptive:most=12"), [spiked])
    assert capped.bits == 12


@pytest.mark.parametrize("specification", EVERY)
def test_passes_are_those_of_the_reference_table(specification):
    values = [tensor(seed, 0, "normal") for seed in range(5)]
    estimator = make_estimator(specification)
    used = follow(estimator, values)
    if specification.startswith(ABSOLUTE):
        assert [d.passes for d in used] == [0] * 5
    elif estimator.needs_current:
        assert [d.passes for d in used] == [estimator.planned_passes] * 5
    else:
        assert used[0].passes >= estimator.planned_passes
        if Statistic.TENSOR not in estimator.needs:
            assert [d.passes for d in used] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("specification", EVERY)
@settings(max_examples=5)
@given(tensors=sequences(most=4))
def test_calibration_takes_the_place_of_the_first_steps(specification, tensors):
    calibrated, stepped = make_estimator(specification), make_estimator(specification)
    calibrated.calibrate(Observation.of(values, calibrated.request(0)) for values in tensors)
    follow(stepped, tensors)
    assert calibrated.state() == stepped.state()
    if not calibrated.needs_current and Statistic.TENSOR not in calibrated.needs:
        assert calibrated.decision_for(0) is not None


@settings(max_examples=30)
@given(tensors=sequences())
def test_asking_for_the_range_changes_nothing(tensors):
    for specification in EVERY:
        estimator = make_estimator(specification)
        follow(estimator, tensors)
        before = estimator.state()
        assert estimator.decision_for(7) == estimator.decision_for(7)
        estimator.request(7)
        assert estimator.state() == before


def test_every_method_of_the_literature_has_a_name():
    assert set(estimator_names()) >= {
        "bit-adaptive", "block-householder", "chunked", "current", "delayed", "dsgc", "fixed",
        "fixed-point", "in-hindsight", "per-sample", "power-of-two", "running", "saturation",
        "sigma-ema",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("specification", "lacking"),
    [
        ("sigma-ema", "moments"),
        ("chunked", "chunks"),
        ("per-sample", "samples"),
        ("dsgc", "tensor"),
        ("bit-adaptive", "tensor"),
    ],
)
def test_an_observation_without_what_was_asked_is_refused(specification, lacking):
    with pytest.raises(AccelsimError, match=f"holds no {lacking}: the step must be run with"):
        make_estimator(specification).decision_from(Observation(Range(-1, 1), 10))
    saturation = make_estimator("saturation")
    saturation.observe(Observation(Range(-1, 1), 10))
    needs = frozenset({Statistic.MAGNITUDE, Statistic.EXCEEDANCES})
    assert saturation.request(1) == Request(needs, 1.0)
    with pytest.raises(AccelsimError, match="holds no exceedances"):
        saturation.observe(Observation(Range(-1, 1), 10))
