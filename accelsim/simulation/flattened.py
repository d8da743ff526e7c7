"""Images that a linear layer reads flattened: its features as they lie, channels innermost.

The user's features go channel by channel. Sums of integers know no order; blocks of features that
share a scale are those of what lies side by side.
"""

import numpy as np

from accelsim.network import Linear, Network, Node

Array = np.ndarray


def as_they_lie(network: Network, node: Node, array: Array) -> Array:
    """An array whose last axis has a layer's features, these in the order of memory."""
    image = _image(network, node)
    if image is None:
        return array
    channels, height, width = image
    apart = array.reshape(-1, channels, height * width)
    return np.ascontiguousarray(apart.swapaxes(1, 2)).reshape(array.shape)


def as_the_user_has_them(network: Network, node: Node, array: Array) -> Array:
    """The same the other way round."""
    image = _image(network, node)
    if image is None:
        return array
    channels, height, width = image
    apart = array.reshape(-1, height * width, channels)
    return np.ascontiguousarray(apart.swapaxes(1, 2)).reshape(array.shape)


def _image(network: Network, node: Node) -> tuple[int, ...] | None:
    """The shape of the image that a layer reads flattened."""
    shape = network.shape_of(node.inputs[0])
    flattens = isinstance(node.work, Linear) and node.work.rows == 1
    return shape if flattens and len(shape) == 3 else None
