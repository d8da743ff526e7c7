import io
import zipfile

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, StepTensors, load_steps, synthetic_steps

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
        ({"drift": -0.1}, "drift = -0.1: must be a number from 0 to 1"),
        ({"drift": float("nan")}, "drift = nan"),
        ({"batch": 2**20, "steps": 1}, None),
    ],
)
def test_impossible_requests_are_refused(fields, message):
    layer = Conv2d("c", 64, 64, 3, 512, 512) if message is None else CONV
    with pytest.raises(AccelsimError, match=message or "input_elements = .*at most"):
        synthetic_steps(layer, **fields)


def test_nan_and_infinity_are_refused_with_count_and_first_index():
    bad = np.ones((2, 3))
    bad[0, 2] = np.nan
    bad[1, 1] = -np.inf
    with pytest.raises(AccelsimError, match=r"weights holds 2 NaN or infinite .* \(0, 2\) \(nan\)"):
        StepTensors(np.ones(3), bad)


@pytest.mark.parametrize("value", [None, "text", [1j], [[1], [1, 2]], [object()]])
def test_what_is_no_array_of_real_numbers_is_refused(value):
    with pytest.raises(AccelsimError, match="input"):
        StepTensors(value, np.ones(3))


def test_tensors_are_floats_and_read_only():
    step = StepTensors(np.ones(3, np.float32), np.ones(3, np.int8))
    assert (step.input.dtype, step.weights.dtype) == (np.float32, np.float64)
    with pytest.raises(ValueError, match="read-only"):
        step.input[0] = 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": np.ones((1, 7))}, r"step 1: layer 'fc': input has shape \(1, 7\)"),
        ({"weights": np.ones((6, 5))}, r"weights has shape \(6, 5\), expected \(5, 6\)"),
        ({"bias": np.ones(6)}, r"bias has shape \(6,\), expected \(5,\)"),
        ({"bias": None}, "bias is missing"),
    ],
)
def test_shapes_are_held_against_the_layer(changes, message):
    good = {"input": np.ones((2, 6)), "weights": np.ones((5, 6)), "bias": np.ones(5)}
    layer = LAYERS[1]
    assert StepTensors(**good).check(layer) == 1
    with pytest.raises(AccelsimError, match=message):
        StepTensors(**(good | changes)).check(layer, "step 1")


def test_a_bias_that_the_layer_lacks_is_refused():
    step = StepTensors(np.ones((1, 3, 9, 9)), np.ones((4, 3, 3, 3)), np.ones(4))
    with pytest.raises(AccelsimError, match="bias is given, but the layer has none"):
        step.check(CONV)


@pytest.fixture
def store(tmp_path):
    def to_file(**arrays):
        path = tmp_path / "steps.npz"
        np.savez(path, **arrays)
        return path

    return to_file


@pytest.mark.parametrize("stacked", [("input",), ("input", "weights"), ("bias",), ()])
def test_stored_steps_come_back_stacked_or_numbered(store, stacked):
    steps = synthetic_steps(LAYERS[1], steps=11)
    arrays = {}
    for name in ("input", "weights", "bias"):
        values = [getattr(step, name) for step in steps]
        if name in stacked:
            arrays[name] = np.stack(values)
        else:
            arrays |= {f"{name}.{t}": value for t, value in enumerate(values)}
    assert same(load_steps(store(**arrays)), steps)
    assert same(load_steps(str(store(**arrays))), steps)


ONE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"input": ONE}, "the array 'weights' is missing"),
        ({"weights": ONE}, "the array 'input' is missing"),
        ({"input": ONE, "weights": np.ones((3, 3))}, "weights has 3 steps, but input has 2"),
        ({"input": ONE, "weights": ONE, "wieghts": ONE}, "unknown array 'wieghts'"),
        ({"input.0": ONE, "input.2": ONE, "weights": ONE}, r"the array 'input.1' is missing"),
        ({"input": ONE, "input.0": ONE, "weights": ONE}, "both 'input' and 'input.0' are given"),
        ({"input.00": ONE, "weights": ONE}, "unknown array 'input.00'"),
        ({"input": np.float64(3), "weights": ONE}, "must have a leading axis of steps"),
        ({"input": np.ones((0, 3)), "weights": ONE}, "must have a leading axis of steps"),
        ({"input": ONE * np.nan, "weights": ONE}, "input holds 3 NaN"),
        ({"input": np.array([{}, {}]), "weights": ONE}, "pickled Python objects"),
        ({"input": np.array(["a", "b"]), "weights": ONE}, "must be real numbers"),
    ],
)
def test_wrong_files_of_steps_are_refused_in_one_line(store, arrays, message):
    path = store(**arrays)
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_steps(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_cut_or_damaged_anywhere_is_refused_or_reads_the_same(store, tmp_path):
    steps = synthetic_steps(MatMul("m", 2, 2, 2))
    arrays = {name: np.stack([getattr(s, name) for s in steps]) for name in ("input", "weights")}
    whole = store(**arrays).read_bytes()
    path = tmp_path / "cut.npz"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(AccelsimError):
            load_steps(path)
    for position in range(0, len(whole), 3):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            load_steps(path)
        except AccelsimError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"\x93NUMPY\x01\x00"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(AccelsimError, match=r"not an \.npz file, or a truncated one"):
        load_steps(path)


def test_missing_files_foreign_members_and_absurd_headers_are_refused(tmp_path):
    with pytest.raises(AccelsimError, match="no such file"):
        load_steps(tmp_path / "none.npz")
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(AccelsimError, match=r"'readme.txt' is not an array"):
        load_steps(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**10)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("input.npy", header.getvalue())
    with pytest.raises(AccelsimError, match="'input' cannot be read: damaged or truncated"):
        load_steps(path)
