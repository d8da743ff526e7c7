"""The steps of a layer from a file of tensors, which may hold anything."""

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.tensors import TENSOR_NAMES, Array, StepTensors

MAXIMUM_FILE_BYTES = 8 * 2**30
"""The largest size of a tensor file once unpacked."""


def load_steps(path: str | Path) -> list[StepTensors]:
    """The steps in an `.npz` or a `.safetensors` file, in the user's layouts.

    Either `input`, `weights` and, if any, `bias`, each with a leading axis of steps; or one array
    per step, `input.0`, `input.1`, ..., `weights.0`, ... Each tensor may choose, all must have the
    same number of steps. Pickled arrays are never unpacked. Shapes are not held against a layer
    here: see `StepTensors.check`.
    """
    path = Path(path)
    arrays = _read_safetensors(path) if path.suffix == ".safetensors" else _read_npz(path)
    tensors = {tensor: _steps_of(path, tensor, arrays) for tensor in TENSOR_NAMES}
    if arrays:
        raise AccelsimError(
            f"{path}: unknown array {shown(min(arrays))}: must be input, weights or bias, "
            "or these with .0, .1, ... for the steps"
        )
    inputs, weights, biases = (tensors[tensor] for tensor in TENSOR_NAMES)
    if inputs is None or weights is None:
        missing = "input" if inputs is None else "weights"
        raise AccelsimError(f"{path}: the array {missing!r} is missing")
    for tensor, values in tensors.items():
        if values is not None and len(values) != len(inputs):
            raise AccelsimError(
                f"{path}: {tensor} has {len(values)} steps, but input has {len(inputs)}"
            )
    try:
        return [
            StepTensors(inputs[step], weights[step], None if biases is None else biases[step])
            for step in range(len(inputs))
        ]
    except AccelsimError as error:
        raise AccelsimError(f"{path}: {error}") from None


def load_inputs(
    path: str | Path, names: Iterable[str], optional: Iterable[str] = ()
) -> list[dict[str, Array]]:
    """The steps of a network's inputs in such a file: the arrays (batch, ...) of these names.

    Each has a leading axis of steps, or is `NAME.0`, `NAME.1`, ... The `optional` ones are taken
    where they are there: what outputs are trained towards.
    """
    path, names = Path(path), list(names)
    arrays = _read_safetensors(path) if path.suffix == ".safetensors" else _read_npz(path)
    steps = {name: _steps_of(path, name, arrays) for name in names}
    more = {name: _steps_of(path, name, arrays) for name in optional}
    known = ", ".join([*names, *more])
    if arrays:
        raise AccelsimError(f"{path}: unknown array {shown(min(arrays))}: must be inputs, {known}")
    found: dict[str, Sequence[Array]] = {}
    for name, given in steps.items():
        if given is None:
            raise AccelsimError(f"{path}: the array {name!r} is missing; inputs are {known}")
        found[name] = given
    found |= {name: given for name, given in more.items() if given is not None}
    counts = {name: len(given) for name, given in found.items()}
    if len(set(counts.values())) != 1:
        raise AccelsimError(f"{path}: numbers of steps differ: {counts}")
    return [dict(zip(found, each, strict=True)) for each in zip(*found.values(), strict=True)]


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        if not zipfile.is_zipfile(path):
            if not path.is_file():
                raise AccelsimError(f"{path}: no such file")
            raise AccelsimError(f"{path}: not an .npz file, or a truncated one")
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAXIMUM_FILE_BYTES:
            raise AccelsimError(
                f"{path}: {size} bytes when unpacked; at most {MAXIMUM_FILE_BYTES} are allowed"
            )
        with np.load(path, allow_pickle=False) as archive:
            return {name: _member(path, archive, name) for name in archive.files}
    except AccelsimError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise AccelsimError(f"{path}: cannot be read: {reason}") from None


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError:
        raise AccelsimError(
            f"{path}: needs safetensors: pip install 'accelsim[safetensors]'"
        ) from None
    if not path.is_file():
        raise AccelsimError(f"{path}: no such file")
    try:
        size = path.stat().st_size
        if size > MAXIMUM_FILE_BYTES:
            raise AccelsimError(f"{path}: {size} bytes; at most {MAXIMUM_FILE_BYTES} are allowed")
        return dict(load_file(path))
    except OSError as error:
        raise AccelsimError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise AccelsimError(
            f"{path}: not a .safetensors file of real numbers, or a damaged one: {reason}"
        ) from None


def _member(path: Path, archive: Any, name: str) -> Array:
    try:
        value = archive[name]
    except (
        ValueError, EOFError, OSError, KeyError, SyntaxError, RuntimeError,
        MemoryError, OverflowError, TypeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        if "Object arrays" in str(error):
            reason = "it holds pickled Python objects; save plain numbers"
        else:
            reason = f"damaged or truncated: {' '.join(str(error).split())}"
        raise AccelsimError(f"{path}: array {shown(name)} cannot be read: {reason}") from None
    if not isinstance(value, np.ndarray):
        raise AccelsimError(
            f"{path}: {shown(name)} is not an array; known: {', '.join(TENSOR_NAMES)}"
        )
    return value


def _steps_of(path: Path, tensor: str, arrays: dict[str, Array]) -> Sequence[Array] | None:
    """Take a tensor's steps out of the arrays of a file."""
    numbered = sorted(
        int(name.removeprefix(f"{tensor}."))
        for name in arrays
        if name.startswith(f"{tensor}.") and _is_number(name.removeprefix(f"{tensor}."))
    )
    if tensor in arrays:
        if numbered:
            raise AccelsimError(
                f"{path}: both {tensor!r} and '{tensor}.{numbered[0]}' are given; keep one"
            )
        stacked = arrays.pop(tensor)
        if stacked.ndim == 0 or len(stacked) == 0:
            raise AccelsimError(
                f"{path}: {tensor} has shape {stacked.shape}: must have a leading axis of steps"
            )
        return list(stacked)
    if not numbered:
        return None
    for expected, found in enumerate(numbered):
        if expected != found:
            raise AccelsimError(f"{path}: the array '{tensor}.{expected}' is missing")
    return [arrays.pop(f"{tensor}.{step}") for step in numbered]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and str(int(text)) == text
