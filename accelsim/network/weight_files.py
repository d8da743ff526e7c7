"""The weights of a whole network from a file, by the names that PyTorch gives them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.array_file import Array, ArrayFile, open_arrays
from accelsim.network.checks import known
from accelsim.network.network import Network, Shape, parameter_shapes

PYTORCH_NAMES = {
    "weights": "weight",
    "gamma": "weight",
    "beta": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}
"""What a `state_dict` calls a parameter; the others have one name here and there."""

COUNTER = ".num_batches_tracked"
"""Ends the name of what a `state_dict` has beside parameters, and nothing here reads."""


def with_weights(network: Network, path: str | Path) -> Network:
    """The network with all of its parameters from an `.npz` or a `.safetensors` file.

    Their names are those of a `state_dict` of PyTorch: `NODE.weight`, `NODE.bias`,
    `NODE.running_mean`, `NODE.running_var`; `NODE.num_batches_tracked` is passed over. Names, types
    and shapes are checked before any array is read; one that is missing is an error, as is one
    that the network does not have.
    """
    path = Path(path)
    if network.parameters:
        raise AccelsimError(f"{path}: network {network.name!r} brings its own weights")
    wanted = pytorch_parameters(network)
    with open_arrays(path) as file:
        _check_names(file, network, wanted)
        for name, (_, shape) in wanted.items():
            _check_header(file, name, shape)
        arrays = file.read(wanted)
    found = {own: _checked(path, name, arrays[name]) for name, (own, _) in wanted.items()}
    return replace(network, parameters=found)


def pytorch_parameters(network: Network) -> dict[str, tuple[str, Shape]]:
    """Name and shape of every parameter, by its name in PyTorch."""
    return {
        f"{node.name}.{PYTORCH_NAMES.get(name, name)}": (f"{node.name}.{name}", shape)
        for node in network.nodes
        for name, shape in parameter_shapes(node.work).items()
    }


def _check_names(file: ArrayFile, network: Network, wanted: Mapping[str, object]) -> None:
    given = {name for name in file.names if not name.endswith(COUNTER)}
    unknown, missing = sorted(given.difference(wanted)), [n for n in wanted if n not in given]
    if unknown:
        raise AccelsimError(
            f"{file.path}: {shown(unknown[0])} is no parameter of {network.name}"
            f"{_more(unknown)}; "
            f"{known(missing or wanted, unknown[0])}"
        )
    if missing:
        raise AccelsimError(
            f"{file.path}: the parameter {shown(missing[0])} of {network.name} is missing"
            f"{_more(missing)}"
        )


def _more(names: list[str]) -> str:
    return f" ({len(names)} such)" if len(names) > 1 else ""


def _check_header(file: ArrayFile, name: str, shape: Shape) -> None:
    header = file.header(name)
    if header.dtype.kind != "f":
        raise AccelsimError(
            f"{file.path}: {shown(name)} has dtype {header.dtype}: must be floating-point numbers"
        )
    if header.shape != shape:
        raise AccelsimError(
            f"{file.path}: {shown(name)} has shape {header.shape}, expected {shape}"
        )


def _checked(path: Path, name: str, array: Array) -> Array:
    """Finite numbers in float32, or in float64 where the file has them so."""
    if not np.isfinite(array).all():
        raise AccelsimError(f"{path}: {shown(name)} holds NaN or infinite values")
    if name.endswith("running_var") and array.min() < 0:
        raise AccelsimError(f"{path}: {shown(name)} holds {array.min():g}: must be 0 or above")
    return array if array.dtype == np.float64 else array.astype(np.float32)
