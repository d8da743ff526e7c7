"""What a training step makes smaller: a number from a network's outputs, and its gradient."""

from collections.abc import Mapping

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.evaluation import Array
from accelsim.network.network import Network, Shape

LABELS, GRADIENT = "labels", "gradient"
"""`NODE.labels` and `NODE.gradient` are what an output is trained towards."""


def target_shape(network: Network, name: str, kind: str, batch: int) -> Shape:
    """The shape of an output's labels, one class for each position, or of its gradient."""
    shape = network.shape_of(name)
    if kind == GRADIENT:
        return (batch, *shape)
    return (batch, *(shape[1:] if len(shape) == 3 else shape[:-1]))


def target_shapes(network: Network) -> dict[str, Shape]:
    """All targets that may be given, by name, with their shapes for one sample."""
    return {
        f"{name}.{kind}": target_shape(network, name, kind, 1)[1:]
        for name in network.outputs
        for kind in (LABELS, GRADIENT)
    }


def classes_of(shape: Shape) -> int:
    """How many classes an output of this shape tells apart: its channels."""
    return shape[0] if len(shape) == 3 else shape[-1]


def loss_of(
    outputs: Mapping[str, Array], targets: Mapping[str, Array]
) -> tuple[float, dict[str, Array]]:
    """The loss over all outputs of a network, and its gradient to each.

    An output with labels adds its `cross_entropy`. One with a given gradient g adds sum(g * y),
    whose gradient is g.
    """
    total, gradients = 0.0, {}
    for name, y in outputs.items():
        if f"{name}.{LABELS}" in targets:
            loss, gradients[name] = cross_entropy(y, targets[f"{name}.{LABELS}"])
        else:
            gradients[name] = np.asarray(targets[f"{name}.{GRADIENT}"], np.float64)
            loss = float((gradients[name] * y).sum())
        total += loss
    return total, gradients


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """The mean of `-log softmax(logits)[label]` over samples and positions, and its gradient.

    Classes are the channels: axis 1 of images (batch, channels, height, width), else the last one.
    """
    images = logits.ndim == 4
    x = np.moveaxis(logits, 1, -1) if images else logits
    rows, classes = x.reshape(-1, x.shape[-1]), np.asarray(labels).reshape(-1)
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    places = np.arange(len(rows)), classes
    # The logarithm of the sum, not of the share: that may have become zero.
    loss = np.log(powers.sum(axis=1)) + rows.max(axis=1) - rows[places]
    shares[places] -= 1
    gradient = (shares / len(rows)).reshape(x.shape)
    return float(loss.mean()), np.moveaxis(gradient, -1, 1) if images else gradient


def checked_targets(network: Network, arrays: Mapping[str, Array], batch: int) -> dict[str, Array]:
    """What each output of the network is trained towards, as arrays of the right shape."""
    found = {}
    for name in network.outputs:
        kinds = [kind for kind in (LABELS, GRADIENT) if f"{name}.{kind}" in arrays]
        if len(kinds) != 1:
            raise AccelsimError(
                f"data: holds {'both' if kinds else 'neither'} of {name}.{LABELS} and "
                f"{name}.{GRADIENT}: must hold one of them for every output of {network.name}"
            )
        full, array = f"{name}.{kinds[0]}", np.asarray(arrays[f"{name}.{kinds[0]}"])
        shape = target_shape(network, name, kinds[0], batch)
        numbers = "iu" if kinds[0] == LABELS else "fiu"
        if array.shape != shape or array.dtype.kind not in numbers:
            raise AccelsimError(
                f"data: {shown(full)} has shape {array.shape} of {array.dtype}: must be "
                f"{'whole' if kinds[0] == LABELS else 'real'} numbers of shape {shape}"
            )
        _check_values(full, kinds[0], array, classes_of(network.shape_of(name)))
        found[full] = array
    return found


def _check_values(full: str, kind: str, array: Array, classes: int) -> None:
    if kind == GRADIENT and not np.isfinite(array).all():
        raise AccelsimError(f"data: {shown(full)}: must be finite numbers")
    if kind == LABELS and (array.min() < 0 or array.max() >= classes):
        raise AccelsimError(
            f"data: {shown(full)} has labels from {array.min()} to {array.max()}: must be 0 to "
            f"{classes - 1}"
        )
