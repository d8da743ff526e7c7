import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, Synthetic, synthetic_steps

CONV = Conv2d("conv", 3, 4, 3, 9, 9, padding=1)
LAYERS = [CONV, Linear("fc", 6, 5, bias=True, rows=2), MatMul("qk", 3, 4, 5, copies=2)]


def same(first, second):
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(first, second, strict=True)
        for name in ("input", "weights")
    )


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
@pytest.mark.parametrize("batch", [1, 3])
def test_synthetic_tensors_fit_their_layer(layer, batch):
    for step in synthetic_steps(layer, batch):
        assert step.check(layer) == batch
        assert layer.to_nest_input(step.input).shape == layer.nest(batch).input_shape
        assert layer.to_nest_weights(step.weights).shape == layer.nest(batch).weight_shape
        assert (step.bias is not None) == layer.has_bias


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
def test_the_seed_decides_and_more_steps_only_append(layer):
    four = synthetic_steps(layer, steps=4, seed=5)
    assert same(four, synthetic_steps(layer, steps=4, seed=5))
    assert same(four[:2], synthetic_steps(layer, steps=2, seed=5))
    assert not same(four, synthetic_steps(layer, steps=4, seed=6))
    assert not np.array_equal(four[0].input, four[1].input)


def test_synthetic_distributions_are_as_stated():
    layer = Conv2d("c", 64, 64, 3, 32, 32)
    steps = synthetic_steps(layer, batch=4, steps=3, drift=0.1, seed=1)
    first = steps[0]
    assert first.input.min() == 0
    assert np.mean(first.input > 0) == pytest.approx(0.5, abs=0.01)
    assert np.mean(first.input**2) == pytest.approx(0.5, rel=0.02)
    assert np.std(first.weights) == pytest.approx(np.sqrt(2 / 576), rel=0.02)
    motion = np.std(steps[1].weights - first.weights) / np.std(first.weights)
    assert motion == pytest.approx(0.01, rel=0.02)
    scales = [np.sqrt(2 * np.mean(step.input**2)) for step in steps]
    assert 0 < max(abs(np.log(scales[t + 1] / scales[t])) for t in range(2)) < 0.5


def test_without_drift_the_scale_and_the_weights_stay():
    first, second = synthetic_steps(CONV, drift=0.0)
    assert np.array_equal(first.weights, second.weights)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch": 0}, "batch = 0"),
        ({"steps": 0}, "steps = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"drift": -0.1}, "drift walk: amount = -0.1: must be a number from 0 to 1"),
        ({"drift": float("nan")}, "drift walk: amount = nan"),
        ({"batch": 2**20, "steps": 1}, None),
    ],
)
def test_impossible_requests_are_refused(fields, message):
    layer = Conv2d("c", 64, 64, 3, 512, 512) if message is None else CONV
    with pytest.raises(AccelsimError, match=message or "input_elements = .*at most"):
        synthetic_steps(layer, **fields)


WIDE = Conv2d("wide", 16, 4, 1, 40, 40)


def scales(drift, steps=6, **arguments):
    """The root mean square of each step's input, over that of step 0."""
    found = synthetic_steps(WIDE, steps=steps, drift=drift, **arguments)
    sizes = [np.sqrt(np.mean(step.input**2)) for step in found]
    return np.array(sizes) / sizes[0]


def test_a_spike_is_one_step_and_leaves_no_trace():
    calm, spiked = (synthetic_steps(WIDE, steps=6, drift=d) for d in ([], "spike:at=3,factor=10"))
    for step, (one, other) in enumerate(zip(calm, spiked, strict=True)):
        factor = 10 if step == 3 else 1
        np.testing.assert_allclose(other.input, factor * one.input)
        np.testing.assert_array_equal(other.weights, one.weights)


def test_a_shift_stays_and_moves_the_mean_where_it_says_so():
    np.testing.assert_allclose(scales("shift:at=2,factor=4"), [1, 1, 4, 4, 4, 4], rtol=0.05)
    calm, moved = (
        synthetic_steps(WIDE, steps=4, drift=d) for d in ([], "shift:at=2,factor=1,mean=1.5")
    )
    for step, (one, other) in enumerate(zip(calm, moved, strict=True)):
        if step < 2:
            np.testing.assert_array_equal(other.input, one.input)
        else:
            positive = one.input > 0
            np.testing.assert_allclose(other.input[positive], one.input[positive] + 1.5)
            assert np.mean(other.input > 0) == pytest.approx(0.933, abs=0.01)


def test_a_shrinking_sequence_shrinks_by_its_factor_at_every_step():
    np.testing.assert_allclose(scales("shrink:0.5"), 0.5 ** np.arange(6), rtol=0.05)


def test_parts_of_a_drift_multiply():
    together = scales(["shrink:0.5", "spike:at=1,factor=10", "shift:at=3,factor=8"])
    np.testing.assert_allclose(together, [1, 5, 0.25, 1, 0.5, 0.25], rtol=0.05)
    walk = scales("walk:0.3", seed=4)
    both = scales(["0.3", "spike:at=2"], seed=4)
    np.testing.assert_allclose(both / walk, [1, 1, 10, 1, 1, 1])


@pytest.mark.parametrize(
    "layer", [WIDE, Linear("rows", 64, 8, rows=400), MatMul("product", 400, 64, 8)]
)
def test_a_gradient_is_signed_small_and_heavy_tailed_from_position_to_position(layer):
    (step,) = synthetic_steps(layer, batch=4, steps=1, kind="gradient", seed=2)
    (activation,) = synthetic_steps(layer, batch=4, steps=1, seed=2)
    x = step.input
    assert step.check(layer) == 4
    assert abs(x.mean()) < 0.2 * x.std()
    assert np.mean(x**4) / np.mean(x**2) ** 2 > 15, "a normal distribution has 3"
    channels_last = np.moveaxis(x, 1, -1) if layer is WIDE else x
    sizes = np.sqrt(np.mean(channels_last**2, axis=-1)).ravel()
    assert np.median(sizes) == pytest.approx(1e-3, rel=0.1)
    assert np.std(np.log(sizes)) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(step.weights, activation.weights)


def test_steps_may_start_later_in_the_same_sequence():
    for layer in LAYERS:
        sequence = Synthetic(layer, 2, seed=3, drift=["0.2", "spike:at=4"], kind="gradient")
        assert same(list(sequence.steps(6))[3:], list(sequence.steps(3, first=3)))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
def test_calibration_batches_are_further_draws_of_step_zero(layer):
    sequence = Synthetic(layer, 2, seed=3, drift="shift:at=0,mean=5")
    (first,) = sequence.steps(1)
    batches = list(sequence.calibration(3))
    for one in batches:
        assert one.check(layer) == 2
        np.testing.assert_array_equal(one.weights, first.weights)
        assert not np.array_equal(one.input, first.input)
    assert not np.array_equal(batches[0].input, batches[1].input)
    assert np.abs(batches[0].input).mean() < 0.5 * np.abs(first.input).mean()


def test_steps_are_made_when_they_are_asked_for():
    steps = Synthetic(WIDE).steps(2**20)
    assert next(steps).check(WIDE) == 1


def test_other_kinds_of_tensors_are_refused():
    with pytest.raises(AccelsimError, match="kind = 'weight': must be one of activation, grad"):
        Synthetic(CONV, kind="weight")
