"""The steps of a layer or of a network from a file of tensors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.array_file import ArrayFile, open_arrays
from accelsim.network.layers import Layer
from accelsim.network.network import Shape
from accelsim.network.tensors import TENSOR_NAMES, Array, StepTensors, check_fit

MAXIMUM_STEPS = 2**20

_LAYER_ARRAYS = "input, weights or bias, or these with .0, .1, ... for the steps"


def load_steps(path: str | Path, layer: Layer | None = None) -> list[StepTensors]:
    """The steps in an `.npz` or a `.safetensors` file, in the user's layouts.

    Either `input`, `weights` and, if any, `bias`, each with a leading axis of steps; or one array
    per step, `input.0`, `input.1`, ..., `weights.0`, ... Each tensor may choose, all must have the
    same number of steps. Pickled arrays are never unpacked. Names, numbers of steps and, with a
    `layer`, shapes are held against what is needed before any array is read.
    """
    path = Path(path)
    with open_arrays(path) as file:
        found = _found(file, TENSOR_NAMES, _LAYER_ARRAYS)
        for name in ("input", "weights"):
            if name not in found:
                raise AccelsimError(f"{path}: the array {name!r} is missing")
        count = len(found["input"])
        for name, tensor in found.items():
            if len(tensor) != count:
                raise AccelsimError(
                    f"{path}: {name} has {len(tensor)} steps, but input has {count}"
                )
        if layer is not None:
            _check_layer(path, layer, found)
        steps = _read(file, found)
    with _naming(path):
        return [StepTensors(**arrays) for arrays in steps]


def load_inputs(
    path: str | Path, shapes: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None
) -> list[dict[str, Array]]:
    """The steps of a network's inputs in such a file: the arrays (batch, ...) by name.

    `shapes` are those of `Network.inputs`, for one sample. Each array has a leading axis of steps,
    or is `NAME.0`, `NAME.1`, ... The `optional` ones are taken where they are there: what outputs
    are trained towards (`target_shapes`). Names, shapes and numbers of steps are checked before any
    array is read.
    """
    path, wanted = Path(path), {**shapes, **(optional or {})}
    known = ", ".join(wanted)
    with open_arrays(path) as file:
        found = _found(file, list(wanted), f"inputs, {known}")
        for name in shapes:
            if name not in found:
                raise AccelsimError(f"{path}: the array {name!r} is missing; inputs are {known}")
        for name, tensor in found.items():
            _check_input(path, tensor, wanted[name])
        counts = {name: len(tensor) for name, tensor in found.items()}
        if len(set(counts.values())) != 1:
            raise AccelsimError(f"{path}: numbers of steps differ: {counts}")
        return _read(file, found)


@dataclass(frozen=True)
class _Tensor:
    """The steps of one tensor as they lie in the file: one array with all, or one for each."""

    name: str
    arrays: list[str]
    shapes: list[Shape]
    """Of the one array, or of each."""
    stacked: bool

    def __len__(self) -> int:
        return self.shapes[0][0] if self.stacked else len(self.shapes)

    @property
    def step_shapes(self) -> list[Shape]:
        """The shape of each step."""
        return [self.shapes[0][1:]] * len(self) if self.stacked else self.shapes

    def steps(self, arrays: Mapping[str, Array]) -> list[Array]:
        """Its steps, once read."""
        return list(arrays[self.name]) if self.stacked else [arrays[name] for name in self.arrays]


def _found(file: ArrayFile, tensors: Sequence[str], known: str) -> dict[str, _Tensor]:
    """Those of the tensors that the file has; it may have nothing else."""
    names = set(file.names)
    places = {tensor: _places(file.path, tensor, names) for tensor in tensors}
    unknown = names.difference(*places.values())
    if unknown:
        raise AccelsimError(f"{file.path}: unknown array {shown(min(unknown))}: must be {known}")
    return {tensor: _tensor(file, tensor, found) for tensor, found in places.items() if found}


def _places(path: Path, tensor: str, names: set[str]) -> list[str]:
    """The arrays that hold a tensor's steps, in order."""
    start = f"{tensor}."
    numbered = sorted(
        int(name.removeprefix(start))
        for name in names
        if name.startswith(start) and _is_number(name.removeprefix(start))
    )
    if tensor in names:
        if numbered:
            raise AccelsimError(
                f"{path}: both {tensor!r} and '{tensor}.{numbered[0]}' are given; keep one"
            )
        return [tensor]
    for expected, found in enumerate(numbered):
        if expected != found:
            raise AccelsimError(f"{path}: the array '{tensor}.{expected}' is missing")
    return [f"{tensor}.{step}" for step in numbered]


def _tensor(file: ArrayFile, name: str, arrays: list[str]) -> _Tensor:
    shapes, stacked = [file.header(array).shape for array in arrays], arrays == [name]
    if stacked and not (shapes[0] and 1 <= shapes[0][0] <= MAXIMUM_STEPS):
        raise AccelsimError(
            f"{file.path}: {name} has shape {shapes[0]}: must have a leading axis of steps, 1 to "
            f"{MAXIMUM_STEPS}"
        )
    return _Tensor(name, arrays, shapes, stacked)


def _check_layer(path: Path, layer: Layer, found: Mapping[str, _Tensor]) -> None:
    """The shapes of every step fit the layer: held against it as arrays that take no room."""
    count = len(found["input"])
    steps = zip(
        *(found[name].step_shapes if name in found else [None] * count for name in TENSOR_NAMES),
        strict=True,
    )
    for shapes in dict.fromkeys(steps):
        x, weights, bias = (
            None if shape is None else np.broadcast_to(np.float32(0), shape) for shape in shapes
        )
        assert x is not None
        assert weights is not None
        with _naming(path):
            check_fit(layer, x, weights, bias)


def _check_input(path: Path, tensor: _Tensor, shape: Shape) -> None:
    for given in tensor.step_shapes:
        if len(given) != 1 + len(shape) or given[1:] != shape or given[0] == 0:
            raise AccelsimError(
                f"{path}: the steps of {shown(tensor.name)} have shape {given}: must be "
                f"({', '.join(['batch', *map(str, shape)])})"
            )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors begin with the file."""
    try:
        yield
    except AccelsimError as error:
        raise AccelsimError(f"{path}: {error}") from None


def _read(file: ArrayFile, found: Mapping[str, _Tensor]) -> list[dict[str, Array]]:
    """Every step's arrays by tensor."""
    arrays = file.read(name for tensor in found.values() for name in tensor.arrays)
    steps = {name: tensor.steps(arrays) for name, tensor in found.items()}
    return [dict(zip(steps, each, strict=True)) for each in zip(*steps.values(), strict=True)]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and str(int(text)) == text
