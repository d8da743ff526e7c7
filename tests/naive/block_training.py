"""Training steps in blocks that share a power of two, in plain NumPy.

The machine fuses nothing. A tensor is what its blocks of channels stand for, and what its blocks of
samples do: those are of the numbers that vector work has made, or of what a product has stored.
"""

import numpy as np

from tests.naive.blocks import (
    naive_blocks,
    naive_forward,
    naive_input_gradient,
    naive_weight_gradient,
)
from tests.naive.training import NaiveTraining, cross_entropy, reals

PRODUCTS = "conv2d", "linear"


def blocks(array, axis):
    """What numbers come to in blocks along an axis."""
    elements, scales, _ = naive_blocks(array, axis)
    return np.ldexp(elements * 1.0, scales - 127 - 6)


def stored(array):
    return blocks(array, 1 if array.ndim == 4 else -1)


def twice(array, product=False):
    """(in blocks of channels, in blocks of samples)"""
    first = stored(array)
    return first, blocks(first if product else array, 0)


class NaiveBlockTraining(NaiveTraining):
    """`step` after `step`, as those of integers; vector work is theirs, before it is rounded."""

    def __init__(self, network, rate):
        super().__init__(network, dynamic=True, rate=rate)

    def step(self, inputs, labels):
        self.both = {name: twice(array) for name, array in inputs.items()}
        for node in self.network.nodes:
            self.held = {name: (first, 1.0, 0) for name, (first, _) in self.both.items()}
            value = reals(getattr(self, node.kind)(node))
            self.both[node.name] = twice(value, node.kind in PRODUCTS)
        self.held = {name: (first, 1.0, 0) for name, (first, _) in self.both.items()}
        name = self.network.outputs[0]
        loss, gradient = cross_entropy(self.both[name][0], labels)
        arrived, self.gradients = {name: [twice(gradient)]}, {}
        for node in reversed(self.network.nodes):
            parts = arrived[node.name]
            total = parts[0] if len(parts) == 1 else twice(sum(first for first, _ in parts))
            given = self.back(node, total)
            for source in node.inputs:
                arrived.setdefault(source, []).append(given)
        for name, gradient in self.gradients.items():
            self.parameters[name] = self.parameters[name] - self.rate * np.float32(gradient)
        return loss

    def back(self, node, total):
        if node.kind == "add":
            return total
        if node.kind in PRODUCTS:
            return self.product_back(node, *total)
        value = getattr(self, f"{node.kind}_back")(node, (total[0], 1.0, 0))
        return twice(reals(value))

    def on_own_range(self, name, value):
        return value, 1.0, 0

    def global_average_pool(self, node):
        return reals(self.held[node.inputs[0]]).mean((2, 3), keepdims=True), 1.0, 0

    # Products, in the nest's layouts.

    def as_it_lies(self, node, array, batch):
        """A layer's input, channels last; one that is read flattened is so then."""
        last = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
        return last.reshape(node.work.nest(batch).input_shape)

    def weights(self, node, batch):
        w = np.float64(self.parameters[f"{node.name}.weights"])
        shape = self.network.shape_of(node.inputs[0])
        if node.kind == "linear" and len(shape) == 3:
            w = w.reshape(len(w), *shape)
        last = w.transpose(0, 2, 3, 1) if w.ndim == 4 else w
        return last.reshape(node.work.nest(batch).weight_shape)

    def conv2d(self, node):
        x = self.held[node.inputs[0]][0]
        batch = len(x)
        bias = self.parameters.get(f"{node.name}.bias")
        nest = node.work.nest(batch)
        sums = naive_forward(nest, self.as_it_lies(node, x, batch), self.weights(node, batch), bias)
        shape = batch, *self.network.shape_of(node.name)
        return np.float64(sums.transpose(0, 3, 1, 2).reshape(shape)), 1.0, 0

    linear = conv2d

    def product_back(self, node, gradient, turned):
        batch, nest = len(gradient), node.work.nest(len(gradient))
        dy, dy_turned = (
            (array.transpose(0, 2, 3, 1) if array.ndim == 4 else array).reshape(nest.output_shape)
            for array in (gradient, turned)
        )
        x = self.as_it_lies(node, self.both[node.inputs[0]][1], batch)
        found = naive_weight_gradient(nest, x, dy_turned, 0)
        shape = self.network.shape_of(node.inputs[0])
        if node.kind == "linear" and len(shape) == 3:
            channels, height, width = shape
            found = found.reshape(len(found), height, width, channels)
        own = self.parameters[f"{node.name}.weights"].shape
        self.gradients[f"{node.name}.weights"] = found.transpose(0, 3, 1, 2).reshape(own)
        if f"{node.name}.bias" in self.parameters:
            self.gradients[f"{node.name}.bias"] = dy.sum(axis=(0, 1, 2))
        if node.inputs[0] in self.network.inputs:
            return None
        sums = np.float64(naive_input_gradient(nest, dy, self.weights(node, batch)))
        if len(shape) == 3:
            channels, height, width = shape
            sums = sums.reshape(batch, height, width, channels).transpose(0, 3, 1, 2)
        return twice(sums.reshape(batch, *shape), product=True)
