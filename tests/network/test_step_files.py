import io
import json
import sys
import zipfile

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, load_steps, synthetic_steps

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
