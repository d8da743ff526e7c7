"""The real-valued tensors of a layer at one step, checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.network.layers import Layer

Array = NDArray[Any]

TENSOR_NAMES = ("input", "weights", "bias")


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
        for tensor in TENSOR_NAMES:
            value = getattr(self, tensor)
            if value is not None or tensor != "bias":
                object.__setattr__(self, tensor, _finite(tensor, value))

    def check(self, layer: Layer, where: str = "") -> int:
        """Hold all shapes against the layer; returns the batch that the input holds."""
        try:
            return check_fit(layer, self.input, self.weights, self.bias)
        except AccelsimError as error:
            prefix = f"{where}: " if where else ""
            raise AccelsimError(f"{prefix}{error}") from None


def check_fit(layer: Layer, x: Array, weights: Array, bias: Array | None) -> int:
    """The shapes of a step's tensors, held against the layer; returns the batch."""
    batch = layer.batch_of(x)
    _check_shape(layer, "weights", weights, layer.weight_shape(batch))
    if bias is None and layer.has_bias:
        raise AccelsimError(f"layer {layer.name!r}: bias is missing; the layer has one")
    if bias is not None:
        if not layer.has_bias:
            raise AccelsimError(
                f"layer {layer.name!r}: bias is given, but the layer has none (bias: false)"
            )
        _check_shape(layer, "bias", bias, layer.bias_shape())
    return batch


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
