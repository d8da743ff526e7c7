"""A whole network on integers, in plain NumPy: 8 bits, asymmetric activations, weights per channel.

Knows the nodes that the tests use, and the ranges of the tensor itself or in hindsight.
"""

import numpy as np

from accelsim.network import Layer
from accelsim.network.vector import Add
from tests.naive.quant import affine
from tests.naive.requantize import naive_requantize, naive_tflite_multiplier

LEVELS = 255


class NaiveNetwork:
    """`step` after `step`: every node's integers with scale and zero point, by name.

    With `stored` scales lie beside their tensors, as float32.
    """

    def __init__(self, network, dynamic, fused, stored=False):
        self.network, self.dynamic, self.fused, self.stored = network, dynamic, fused, stored
        self.past = {}

    def grid(self, low, high):
        scale, zero = affine(min(low, 0.0), max(high, 0.0), 8, False)
        return float(np.float32(scale)) if self.stored else scale, zero

    def step(self, inputs):
        held = {}
        for name, array in inputs.items():
            x = np.asarray(array, float)
            scale, zero = self.grid(x.min(), x.max())
            held[name] = quantized(x, scale, zero), scale, zero
        for node in self.network.nodes:
            operands = [held[name] for name in node.inputs]
            if isinstance(node.work, Layer):
                held[node.name] = self.product(node, operands)
            elif node.kind in ("batch_norm", "relu") and self.is_done(node):
                held[node.name] = operands[0]
            elif node.kind in ("reshape", "transpose"):
                held[node.name] = node.work.forward([operands[0][0]]).astype(int), *operands[0][1:]
            elif node.kind == "scale" and node.work.folds:
                held[node.name] = operands[0]
            else:
                held[node.name] = self.vector(node, operands)
        return held

    def is_done(self, node):
        """Whether the operation before it does its work: a folded norm, a fused activation."""
        return node.kind == "batch_norm" or (self.fused and self.maker(node) is not None)

    def maker(self, relu):
        """The product or addition whose result the relu alone reads, through a folded norm."""
        (source,) = relu.inputs
        if self.network.consumers_of(source) != (relu.name,):
            return None
        node = self.network.node(source)
        if node.kind == "batch_norm":
            return self.maker(node)
        return node if isinstance(node.work, Layer | Add) else None

    def relu_of(self, node):
        """Whether this node does the work of a relu behind it."""
        relus = [n for n in self.network.nodes if n.kind == "relu"]
        return self.fused and any(self.maker(relu) is node for relu in relus)

    def factor_of(self, node):
        readers = [self.network.node(name).work for name in self.network.consumers_of(node.name)]
        return next((r.factor for r in readers if r.kind == "scale" and r.folds), 1.0)

    def range_of(self, name, low, high):
        now = min(low, 0.0), max(high, 0.0)
        if name not in self.past:
            self.past[name] = now
            return now
        old = self.past[name]
        self.past[name] = tuple((1 - 0.9) * n + 0.9 * o for n, o in zip(now, old, strict=True))
        return now if self.dynamic else old

    def product(self, node, operands):
        (x, x_scale, x_zero), layer = operands[0], node.work
        x_scale *= self.factor_of(node)
        if node.kind == "matmul":
            other, w_scale, w_zero = operands[1]
            acc = np.matmul(x - x_zero, other - w_zero)
            scales, bias = np.full(acc.shape[-1], w_scale), 0
        else:
            weights, bias = self.weights(node)
            rows = weights.reshape(len(weights), -1)
            scales = np.abs(rows).max(axis=1) / 127
            integers = np.rint(rows / scales[:, None]).astype(int).reshape(weights.shape)
            acc = convolved(layer, x - x_zero, integers)
            bias = np.rint(bias / (x_scale * scales)).astype(int)
        acc = acc + bias
        units = x_scale * scales
        limits = self.range_of(node.name, (acc * units).min(), (acc * units).max())
        relu = self.relu_of(node)
        if relu:
            limits = 0.0, limits[1]
        scale, zero = self.grid(*limits)
        pairs = [naive_tflite_multiplier(float(ratio)) for ratio in units / scale]
        multipliers, shifts = [m for m, _ in pairs], [31 - e for _, e in pairs]
        out, _ = naive_requantize(acc, multipliers, shifts, zero, zero if relu else 0, LEVELS)
        if node.kind == "conv2d":
            out = out.transpose(0, 3, 1, 2)
        shape = self.network.shape_of(node.name)
        return out.reshape(-1, *shape), scale, zero

    def weights(self, node):
        """Those of the layer, with a normalization that folds into them."""
        parameters = self.network.parameters
        weights = np.asarray(parameters[f"{node.name}.weights"], float)
        bias = np.asarray(parameters.get(f"{node.name}.bias", np.zeros(len(weights))), float)
        for name in self.network.consumers_of(node.name):
            if self.network.node(name).kind == "batch_norm":
                gamma, beta, mean, variance = (
                    np.asarray(parameters[f"{name}.{p}"], float)
                    for p in ("gamma", "beta", "mean", "variance")
                )
                factor = gamma / np.sqrt(variance + self.network.node(name).work.epsilon)
                weights = weights * factor.reshape(-1, *[1] * (weights.ndim - 1))
                bias = (bias - mean) * factor + beta
        return weights, bias

    def vector(self, node, operands):
        reals = [scale * (q - zero) for q, scale, zero in operands]
        _, scale, zero = operands[0]
        if node.kind == "add":
            value = sum(reals)
            value = np.maximum(value, 0) if self.relu_of(node) else value
            scale, zero = self.grid(*self.range_of(node.name, value.min(), value.max()))
        elif node.kind == "relu":
            return np.maximum(operands[0][0], zero), scale, zero
        elif node.kind == "softmax":
            powers = np.exp(reals[0] - reals[0].max(axis=-1, keepdims=True))
            value, (scale, zero) = (
                powers / powers.sum(-1, keepdims=True),
                self.grid(0.0, 1.0),
            )
        else:
            value = node.work.forward(reals)
        return quantized(value, scale, zero), scale, zero


def quantized(x, scale, zero):
    return np.clip(np.rint(x / scale) + zero, 0, LEVELS).astype(int)


def own_grid(array):
    """An input between its own extremes."""
    x = np.asarray(array, float)
    scale, zero = affine(min(x.min(), 0.0), max(x.max(), 0.0), 8, False)
    return quantized(x, scale, zero), scale, zero


def convolved(layer, x, w):
    """Exact sums, channels last: of a linear layer as a product of matrices."""
    if layer.kind == "linear":
        return x.reshape(-1, layer.in_features) @ w.T
    top, left, bottom, right = layer.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    (kh, kw), (sh, sw) = layer.kernel, layer.stride
    rows, columns = (x.shape[2] - kh) // sh + 1, (x.shape[3] - kw) // sw + 1
    acc = np.zeros((len(x), rows, columns, len(w)), int)
    for i in range(kh):
        for j in range(kw):
            seen = x[:, :, i : i + sh * rows : sh, j : j + sw * columns : sw][:, :, :rows, :columns]
            acc += np.einsum("bchw,nc->bhwn", seen, w[:, :, i, j])
    return acc
