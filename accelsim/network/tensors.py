"""The real-valued tensors of a layer, step by step: checked, made up, or read from a file."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown, whole
from accelsim.network.layers import Layer, MatMul

Array = NDArray[Any]

MAXIMUM_FILE_BYTES = 8 * 2**30
"""The largest size of a tensor file once unpacked."""

_TENSORS = ("input", "weights", "bias")
_INPUTS, _WEIGHTS, _SCALE, _BIAS, _WEIGHT_SCALE = range(5)


@dataclass(frozen=True, eq=False)
class StepTensors:
    """The tensors of one layer at one step, in the user's layout: float arrays, finite, read-only.

    float32 and float64 are kept, other real numbers become float64. `check` holds the shapes
    against a layer.
    """

    input: Array
    weights: Array
    bias: Array | None = None

    def __post_init__(self) -> None:
        for tensor in _TENSORS:
            value = getattr(self, tensor)
            if value is not None or tensor != "bias":
                object.__setattr__(self, tensor, _finite(tensor, value))

    def check(self, layer: Layer, where: str = "") -> int:
        """Hold all shapes against the layer; returns the batch that the input holds."""
        prefix = f"{where}: " if where else ""
        try:
            batch = layer.batch_of(self.input)
            _check_shape(layer, "weights", self.weights, layer.weight_shape(batch))
            if self.bias is None and layer.has_bias:
                raise AccelsimError(f"layer {layer.name!r}: bias is missing; the layer has one")
            if self.bias is not None:
                if not layer.has_bias:
                    raise AccelsimError(
                        f"layer {layer.name!r}: bias is given, but the layer has none (bias: false)"
                    )
                _check_shape(layer, "bias", self.bias, layer.bias_shape())
        except AccelsimError as error:
            raise AccelsimError(f"{prefix}{error}") from None
        return batch


def synthetic_steps(
    layer: Layer, batch: int = 1, steps: int = 2, seed: int = 0, drift: float = 0.05
) -> list[StepTensors]:
    """Made-up tensors whose ranges drift from step to step as in training.

    With N standard normal draws, all independent, K the layer's reduction, t counted from 0:

    - input of step t: `s_t * max(0, N)`, drawn afresh (an activation after a ReLU), with
      `s_0 = 1` and `s_t = s_(t-1) * exp(drift * N)`, one draw per step;
    - weights: `W_0 = sqrt(2/K) * N` (He), `W_t = W_(t-1) + 0.1 * drift * sqrt(2/K) * N`;
    - bias, where the layer has one: `0.1 * N`, the same in every step;
    - in a matrix product both operands are activations drawn afresh and signed, `s_t * N` with a
      drift of its own each, as queries and keys are.

    All float64. The draws come from NumPy's Philox keyed by (seed, step, tensor): the same
    arguments give the same tensors, and more steps only append.
    """
    batch = whole("batch", batch, 1, 2**20)
    steps = whole("steps", steps, 1, 2**20)
    seed = whole("seed", seed, 0, 2**63 - 1)
    if isinstance(drift, bool) or not isinstance(drift, int | float) or not 0 <= drift <= 1:
        raise AccelsimError(f"drift = {shown(drift)}: must be a number from 0 to 1")
    nest = layer.nest(batch)
    is_product = isinstance(layer, MatMul)
    spread = float(np.sqrt(2 / nest.reduction))
    bias = 0.1 * _normal(seed, 0, _BIAS, layer.bias_shape()) if layer.has_bias else None
    weights = np.zeros(layer.weight_shape(batch))
    scale = weight_scale = 1.0
    result = []
    for step in range(steps):
        if step > 0:
            scale *= float(np.exp(drift * _normal(seed, step, _SCALE, ())))
            weight_scale *= float(np.exp(drift * _normal(seed, step, _WEIGHT_SCALE, ())))
        draw = _normal(seed, step, _INPUTS, layer.input_shape(batch))
        motion = _normal(seed, step, _WEIGHTS, layer.weight_shape(batch))
        if is_product:
            result.append(StepTensors(scale * draw, weight_scale * motion))
        else:
            weights = weights + (spread if step == 0 else 0.1 * drift * spread) * motion
            result.append(StepTensors(scale * np.maximum(draw, 0.0), weights, bias))
    return result


def load_steps(path: str | Path) -> list[StepTensors]:
    """The steps in an `.npz` file, in the user's layouts.

    Either `input`, `weights` and, if any, `bias`, each with a leading axis of steps; or one array
    per step, `input.0`, `input.1`, ..., `weights.0`, ... Each tensor may choose, all must have the
    same number of steps. Pickled arrays are never unpacked. Shapes are not held against a layer
    here: see `StepTensors.check`.
    """
    path = Path(path)
    arrays = _read_npz(path)
    tensors = {tensor: _steps_of(path, tensor, arrays) for tensor in _TENSORS}
    if arrays:
        raise AccelsimError(
            f"{path}: unknown array {shown(min(arrays))}: must be input, weights or bias, "
            "or these with .0, .1, ... for the steps"
        )
    inputs, weights, biases = (tensors[tensor] for tensor in _TENSORS)
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


def _normal(seed: int, step: int, tensor: int, shape: tuple[int, ...]) -> Array:
    key = np.random.SeedSequence((seed, step, tensor))
    return np.asarray(np.random.Generator(np.random.Philox(key)).standard_normal(shape))


def _finite(tensor: str, value: Any) -> Array:
    """The value as a read-only float array without NaN and infinity."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise AccelsimError(f"{tensor}: not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise AccelsimError(f"{tensor} has dtype {array.dtype}: must be real numbers")
    if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        array = array.astype(np.float64)
    good = np.isfinite(array)
    if not good.all():
        first = tuple(int(i) for i in np.unravel_index(int(np.argmin(good)), array.shape))
        raise AccelsimError(
            f"{tensor} holds {array.size - int(good.sum())} NaN or infinite values, the first at "
            f"{first} ({float(array[first])}): all must be finite"
        )
    array = array.view()
    array.flags.writeable = False
    return array


def _check_shape(layer: Layer, tensor: str, array: Array, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise AccelsimError(
            f"layer {layer.name!r}: {tensor} has shape {array.shape}, expected {expected}"
        )


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
        raise AccelsimError(f"{path}: {shown(name)} is not an array; known: {', '.join(_TENSORS)}")
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
