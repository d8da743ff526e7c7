import io
import json
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, load_inputs, load_steps, synthetic_steps

CONV = Conv2d("conv", 3, 4, 3, 9, 9, padding=1)
LAYERS = [CONV, Linear("fc", 6, 5, bias=True, rows=2), MatMul("qk", 3, 4, 5, copies=2)]


def same(first, second):
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(first, second, strict=True)
        for name in ("input", "weights")
    )


@pytest.fixture
def store(tmp_path):
    def to_file(**arrays):
        path = tmp_path / "steps.npz"
        np.savez(path, **arrays)
        return path

    return to_file


@pytest.fixture
def safe(tmp_path):
    """Writes a .safetensors file; skips where the package is not installed."""
    save_file = pytest.importorskip("safetensors.numpy").save_file

    def to_file(**arrays):
        path = tmp_path / "steps.safetensors"
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)
        return path

    return to_file


@pytest.mark.parametrize("stacked", [("input",), ("input", "weights"), ("bias",), ()])
def test_stored_steps_come_back_stacked_or_numbered(store, safe, stacked):
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
    assert same(load_steps(safe(**arrays)), steps)


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
    with pytest.raises(AccelsimError, match=r"unknown array 'readme.txt'"):
        load_steps(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**10)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("input.npy", header.getvalue())
        archive.writestr("weights.npy", header.getvalue())
    with pytest.raises(AccelsimError, match="'input' cannot be read: damaged or truncated"):
        load_steps(path)


@pytest.fixture
def bomb(tmp_path):
    """Writes arrays of zeros, packed a thousandfold: 32 MB each, unless told otherwise."""

    def to_file(*names, shape=(2, 2**21), dtype="f8"):
        path = tmp_path / "bomb.npz"
        np.savez_compressed(path, **dict.fromkeys(names, np.zeros(shape, dtype)))
        assert path.stat().st_size < 500_000
        return path

    return to_file


def refused_without_reading(load, *arguments):
    """The message of a refusal that took less than a megabyte of memory."""
    tracemalloc.start()
    with pytest.raises(AccelsimError) as refusal:
        load(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_packed_array_of_another_name_is_refused_before_it_is_unpacked(bomb):
    path = bomb("whatever")
    assert "unknown array 'whatever'" in refused_without_reading(load_steps, path)
    assert "unknown array 'whatever'" in refused_without_reading(load_inputs, path, {"x": (3,)})


def test_wrong_shapes_and_numbers_of_steps_are_refused_before_arrays_are_unpacked(bomb):
    path = bomb("input", "weights")
    assert "input has shape (2097152,), expected" in refused_without_reading(load_steps, path, CONV)
    path = bomb("x", "y.0")
    assert "numbers of steps differ: {'x': 2, 'y': 1}" in refused_without_reading(
        load_inputs, path, {"x": ()}, {"y": (2**21,)}
    )
    assert "the steps of 'x' have shape (2097152,): must be (batch, 3)" in refused_without_reading(
        load_inputs, path, {"x": (3,)}, {"y": ()}
    )
    assert "the steps of 'y' have shape (2, 2097152): must be (batch)" in refused_without_reading(
        load_inputs, path, {"x": ()}, {"y": ()}
    )
    path = bomb("input", "weights", shape=(2**21, 2), dtype="f4")
    assert "a leading axis of steps, 1 to 1048576" in refused_without_reading(load_steps, path)
    path = bomb("input", "weights", dtype="c16")
    assert "'input' has dtype complex128: must be real" in refused_without_reading(load_steps, path)


def test_headers_say_whether_the_arrays_of_a_file_are_too_large(bomb, safe, monkeypatch):
    limit = 2 * 2**21 * 8
    path = bomb("input", "weights")
    monkeypatch.setattr("accelsim.network.array_file.MAXIMUM_BYTES", 2 * limit - 1)
    message = refused_without_reading(load_steps, path)
    assert f"its arrays take {2 * limit} bytes; at most {2 * limit - 1} are allowed" in message
    monkeypatch.setattr("accelsim.network.array_file.MAXIMUM_BYTES", 95)
    with pytest.raises(AccelsimError, match="its arrays take 96 bytes; at most 95 are allowed"):
        load_steps(safe(input=ONE, weights=ONE))


def test_a_header_that_claims_another_length_is_refused_before_it_is_believed(tmp_path):
    path = tmp_path / "x.npz"
    for start in (
        b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little"),
        b"\x93NUMPY\x03\x00" + (10).to_bytes(4, "little"),
        b"\x93NUMPY\x01\x00\x05\x00{'a':",
    ):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("input", "weights"):
                archive.writestr(f"{name}.npy", start + b" " * 2**24)
        message = refused_without_reading(load_steps, path)
        assert "array 'input' cannot be read: damaged or truncated" in message


def test_a_name_that_is_given_twice_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("input.npy", b"")
        archive.writestr("input", b"")
    with pytest.raises(AccelsimError, match="the array 'input' is given twice"):
        load_steps(path)


def test_steps_are_held_against_the_layer_one_by_one(store):
    steps = synthetic_steps(LAYERS[1], steps=3)
    arrays = {"weights": np.stack([step.weights for step in steps])}
    arrays |= {f"input.{at}": step.input for at, step in enumerate(steps)}
    with pytest.raises(AccelsimError, match=r"steps\.npz: layer 'fc': bias is missing"):
        load_steps(store(**arrays), LAYERS[1])
    arrays["bias"] = np.stack([step.bias for step in steps])
    assert same(load_steps(store(**arrays), LAYERS[1]), steps)
    arrays["input.2"] = arrays["input.2"][:, :5]
    with pytest.raises(AccelsimError, match=r"steps\.npz: layer 'fc': input has shape \(2, 5\)"):
        load_steps(store(**arrays), LAYERS[1])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"input": ONE}, "the array 'weights' is missing"),
        ({"input": ONE, "weights": np.ones((3, 3))}, "weights has 3 steps, but input has 2"),
        ({"input": ONE, "weights": ONE, "wieghts": ONE}, "unknown array 'wieghts'"),
        ({"input.0": ONE, "input.2": ONE, "weights": ONE}, r"the array 'input.1' is missing"),
        ({"input": ONE * np.inf, "weights": ONE}, "input holds 3 NaN or infinite"),
        ({"input": np.float64(3), "weights": ONE}, "must have a leading axis of steps"),
    ],
)
def test_wrong_safetensors_are_refused_as_other_files_are(safe, arrays, message):
    path = safe(**arrays)
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_steps(path)
    assert str(path) in str(refusal.value)


def test_safetensors_cut_or_damaged_anywhere_are_refused_or_read_the_same(safe):
    path = safe(input=ONE, weights=ONE)
    whole = path.read_bytes()
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        with pytest.raises(AccelsimError, match="damaged one"):
            load_steps(path)
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            load_steps(path)
        except AccelsimError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F64", "shape": [2**40, 2**40], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [1, 1], "data_offsets": [0, 2**62]},
        {"dtype": "NONE", "shape": [1], "data_offsets": [0, 8]},
    ],
)
def test_absurd_headers_of_safetensors_are_refused(safe, entry):
    path = safe(input=ONE, weights=ONE)
    header = json.dumps({"input": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(AccelsimError, match=r"steps\.safetensors: not a \.safetensors file"):
        load_steps(path)
    path.write_bytes((2**63).to_bytes(8, "little") + header)
    with pytest.raises(AccelsimError, match=r"steps\.safetensors: not a \.safetensors file"):
        load_steps(path)


def test_safetensors_that_are_not_there_are_refused(safe, tmp_path):
    with pytest.raises(AccelsimError, match="no such file"):
        load_steps(tmp_path / "none.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(AccelsimError, match="no such file"):
        load_steps(tmp_path / "folder.safetensors")


def test_without_the_package_one_line_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    path = tmp_path / "steps.safetensors"
    path.write_bytes(b"")
    with pytest.raises(AccelsimError, match=r"pip install 'accelsim\[safetensors\]'"):
        load_steps(path)
