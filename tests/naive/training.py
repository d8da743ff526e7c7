"""Training steps on integers in plain NumPy: 8 bits, asymmetric activations and gradients.

Knows the nodes that the tests use, on a machine that fuses nothing, and the ranges of the tensor
itself or in hindsight. A tensor is (integers, scale, zero point).
"""

import numpy as np

from tests.naive.network import convolved, own_grid
from tests.naive.quant import affine
from tests.naive.requantize import naive_requantize, naive_tflite_multiplier

LEVELS = 255


class NaiveTraining:
    """`step` after `step`; `gradients` has those of the last one, `parameters` what was learned."""

    def __init__(self, network, dynamic, rate):
        self.network, self.dynamic, self.rate = network, dynamic, np.float32(rate)
        self.parameters = {n: np.float32(array) for n, array in network.parameters.items()}
        self.past, self.gradients = {}, {}

    def step(self, inputs, labels):
        """The loss before the update."""
        self.held = {name: own_grid(array) for name, array in inputs.items()}
        for node in self.network.nodes:
            self.held[node.name] = getattr(self, node.kind)(node)
        name = self.network.outputs[0]
        loss, gradient = cross_entropy(reals(self.held[name]), labels)
        arrived = {name: [own_grid(gradient)]}
        self.gradients = {}
        for node in reversed(self.network.nodes):
            parts = arrived[node.name]
            total = parts[0] if len(parts) == 1 else self.on_own_range(
                f"{node.name}.gradient", sum(map(reals, parts))
            )  # fmt: skip
            given = getattr(self, f"{node.kind}_back")(node, total)
            for source in node.inputs:
                arrived.setdefault(source, []).append(given)
        for name, gradient in self.gradients.items():
            self.parameters[name] = self.parameters[name] - self.rate * np.float32(gradient)
        return loss

    # Ranges.

    def range_of(self, name, low, high):
        now = min(low, 0.0), max(high, 0.0)
        if name not in self.past:
            self.past[name] = now
            return now
        old = self.past[name]
        self.past[name] = tuple((1 - 0.9) * n + 0.9 * o for n, o in zip(now, old, strict=True))
        return now if self.dynamic else old

    def on_own_range(self, name, value):
        scale, zero = affine(*self.range_of(name, value.min(), value.max()), 8, False)
        return quantized(value, scale, zero), scale, zero

    def requantized(self, name, acc, units):
        """Accumulators, channels last, each channel's unit given."""
        scaled = acc * units
        scale, zero = affine(*self.range_of(name, scaled.min(), scaled.max()), 8, False)
        pairs = [naive_tflite_multiplier(float(ratio)) for ratio in units / scale]
        out, _ = naive_requantize(
            acc, [m for m, _ in pairs], [31 - e for _, e in pairs], zero, 0, LEVELS
        )
        return out, scale, zero

    # Layers.

    def weights(self, node):
        """Integers and the scale of each filter."""
        weights = np.asarray(self.parameters[f"{node.name}.weights"], float)
        scales = np.abs(weights.reshape(len(weights), -1)).max(axis=1) / 127
        shape = -1, *[1] * (weights.ndim - 1)
        return np.rint(weights / scales.reshape(shape)).astype(int), scales

    def conv2d(self, node):
        x, x_scale, x_zero = self.held[node.inputs[0]]
        integers, scales = self.weights(node)
        acc = convolved(node.work, x - x_zero, integers)
        if f"{node.name}.bias" in self.parameters:
            bias = np.asarray(self.parameters[f"{node.name}.bias"], float)
            acc = acc + np.rint(bias / (x_scale * scales)).astype(int)
        out, scale, zero = self.requantized(node.name, acc, x_scale * scales)
        if node.kind == "conv2d":
            out = out.transpose(0, 3, 1, 2)
        return out.reshape(-1, *self.network.shape_of(node.name)), scale, zero

    linear = conv2d

    def conv2d_back(self, node, gradient):
        q, scale, zero = gradient
        dy = q - zero
        x, x_scale, x_zero = self.held[node.inputs[0]]
        unit = np.float32(x_scale * scale)
        acc = weight_products(node.work, x - x_zero, dy)
        self.gradients[f"{node.name}.weights"] = acc.astype(np.float32) * unit
        if f"{node.name}.bias" in self.parameters:
            axes = (0, 2, 3) if dy.ndim == 4 else 0
            self.gradients[f"{node.name}.bias"] = reals(gradient).sum(axis=axes)
        if node.inputs[0] in self.network.inputs:
            return None
        integers, scales = self.weights(node)
        largest = scales.max()
        ratios = (scales / largest).reshape(-1, *[1] * (integers.ndim - 1))
        acc = input_products(node.work, dy, np.rint(integers * ratios).astype(int), x.shape)
        images = acc.ndim == 4
        acc = acc.transpose(0, 2, 3, 1) if images else acc
        name, units = f"{node.name}.gradient-input", np.full(acc.shape[-1], scale * largest)
        out, scale, zero = self.requantized(name, acc, units)
        return (out.transpose(0, 3, 1, 2) if images else out).reshape(x.shape), scale, zero

    linear_back = conv2d_back

    # Vector operations.

    def batch_norm(self, node):
        gamma, beta = (self.parameters[f"{node.name}.{p}"].astype(float) for p in ("gamma", "beta"))
        normal, _ = self.normal(node)
        value = normal * gamma[:, None, None] + beta[:, None, None]
        return self.on_own_range(node.name, value)

    def normal(self, node):
        x = reals(self.held[node.inputs[0]])
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
        deviation = np.sqrt(variance + node.work.epsilon)[:, None, None]
        return (x - mean[:, None, None]) / deviation, deviation

    def batch_norm_back(self, node, gradient):
        g, (normal, deviation) = reals(gradient), self.normal(node)
        gamma = self.parameters[f"{node.name}.gamma"].astype(float)[:, None, None]
        count = g.size // g.shape[1]
        to_beta = g.sum((0, 2, 3))
        to_gamma = (g * normal).sum((0, 2, 3))
        self.gradients |= {f"{node.name}.gamma": to_gamma, f"{node.name}.beta": to_beta}
        inner = count * g - to_beta[:, None, None] - normal * to_gamma[:, None, None]
        return self.on_own_range(f"{node.name}.gradient-input", gamma / deviation * inner / count)

    def relu(self, node):
        q, scale, zero = self.held[node.inputs[0]]
        return np.maximum(q, zero), scale, zero

    def relu_back(self, node, gradient):
        (q, scale, zero), (x, _, x_zero) = gradient, self.held[node.inputs[0]]
        return np.where(x > x_zero, q, zero), scale, zero

    def add(self, node):
        return self.on_own_range(node.name, sum(reals(self.held[name]) for name in node.inputs))

    def add_back(self, node, gradient):
        return gradient

    def max_pool(self, node):
        q, scale, zero = self.held[node.inputs[0]]
        b, c, h, w = q.shape
        return q.reshape(b, c, h // 2, 2, w // 2, 2).max((3, 5)), scale, zero

    def max_pool_back(self, node, gradient):
        """Windows of two by two, and the first of equal maxima."""
        g, x = reals(gradient), self.held[node.inputs[0]][0]
        out = np.zeros(x.shape)
        for b, c, i, j in np.ndindex(g.shape):
            window = x[b, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            row, column = np.unravel_index(window.argmax(), (2, 2))
            out[b, c, 2 * i + row, 2 * j + column] = g[b, c, i, j]
        return self.on_own_range(f"{node.name}.gradient-input", out)

    def global_average_pool(self, node):
        x, scale, zero = self.held[node.inputs[0]]
        value = reals((x, scale, zero)).mean((2, 3), keepdims=True)
        return quantized(value, scale, zero), scale, zero

    def global_average_pool_back(self, node, gradient):
        q, scale, zero = gradient
        shape = self.held[node.inputs[0]][0].shape
        return np.broadcast_to(q, shape), scale / (shape[2] * shape[3]), zero


def reals(held):
    integers, scale, zero = held
    return scale * (integers - zero)


def quantized(value, scale, zero):
    return np.clip(np.rint(value / scale) + zero, 0, LEVELS).astype(int)


def cross_entropy(logits, labels):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(len(labels)), labels]).mean()
    return loss, (shares - np.eye(logits.shape[1])[labels]) / len(labels)


def places(layer, padded, dy):
    """For each position of the kernel: its rows and columns in the padded input."""
    (kh, kw), (sh, sw) = layer.kernel, layer.stride
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + sh * (dy.shape[2] - 1) + 1, sh)
            yield (
                i,
                j,
                (slice(None), slice(None), rows, slice(j, j + sw * (dy.shape[3] - 1) + 1, sw)),
            )


def weight_products(layer, x, dy):
    if layer.kind == "linear":
        return dy.T @ x.reshape(len(x), -1)
    top, left, bottom, right = layer.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    acc = np.zeros((dy.shape[1], x.shape[1], *layer.kernel), int)
    for i, j, seen in places(layer, x, dy):
        acc[:, :, i, j] = np.einsum("bnhw,bchw->nc", dy, x[seen])
    return acc


def input_products(layer, dy, w, shape):
    if layer.kind == "linear":
        return dy @ w
    top, left, bottom, right = layer.padding
    b, c, h, width = shape
    padded = np.zeros((b, c, h + top + bottom, width + left + right), int)
    for i, j, seen in places(layer, padded, dy):
        padded[seen] += np.einsum("bnhw,nc->bchw", dy, w[:, :, i, j])
    return padded[:, :, top : top + h, left : left + width]
