"""A small training run whose gradients an estimator quantizes, in plain NumPy.

Three 3x3 convolutions and a linear layer on scikit-learn's digits. Weights, activations and the
gradient that enters each layer's backward pass are quantized, all arithmetic in between is float64.

python -m tests.quant.digits_training --seeds 5 prints the table that docs/estimators.md has.
"""

import argparse
from typing import NamedTuple

import numpy as np

from accelsim.quant import Errors, Grid, Observation, Range, make_estimator

ESTIMATORS = ("current", "running", "in-hindsight", "dsgc", "saturation")
CONVOLUTIONS = ((1, 8, 1), (8, 16, 2), (16, 16, 2))  # in, out, stride; 8x8 images end as 2x2
TRAINED_ON, BATCH, RATE, MOMENTUM = 1257, 32, 0.05, 0.9


class Digits(NamedTuple):
    """Images (n, 8, 8, 1) from 0 to 1 and their classes, in a fixed random order."""

    images: np.ndarray
    classes: np.ndarray

    @classmethod
    def load(cls):
        from sklearn.datasets import load_digits

        found = load_digits()
        order = np.random.default_rng(0).permutation(len(found.target))
        return cls(found.images[order, ..., None] / 16.0, found.target[order])


class Outcome(NamedTuple):
    """Of the images that were not trained on, and of all gradients of the run."""

    accuracy: float
    cosine: float
    saturated_share: float


class GradientQuantizer:
    """Follows one layer's gradient; None as specification leaves it as it is."""

    def __init__(self, specification, bits):
        self.estimator = make_estimator(specification, bits) if specification else None
        self.bits, self.step, self.cosines, self.saturated = bits, 0, [], []

    def __call__(self, gradient):
        if self.estimator is None:
            return gradient
        request = self.estimator.request(self.step)
        decision = self.estimator.decision_for(self.step)
        observed = Observation.of(gradient, request)
        if decision is None:
            decision = self.estimator.decision_from(observed)
        self.estimator.observe(observed)
        self.step += 1
        grid = decision.grid(self.bits)
        integers = np.rint(gradient / grid.scale) + grid.zero_point
        clamped = np.clip(integers, grid.integers.minimum, grid.integers.maximum)
        reals = grid.dequantize(clamped)
        self.saturated.append(np.mean(clamped != integers))
        self.cosines.append(Errors(gradient, reals).cosine)
        return reals


def on_8_bits(values, symmetric=False):
    """By its own minimum and maximum."""
    limits = Range.of(values)
    grid = Grid.symmetric(limits, 8) if symmetric else Grid.affine(limits, 8)
    return grid.dequantize(grid.quantize(values))


def patches(images, stride):
    """(n, out height, out width, 9 * channels), padded by a row and a column of zeros."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    windows = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    return np.ascontiguousarray(windows).reshape(*windows.shape[:3], -1)


def from_patches(gradient, shape, stride):
    """The gradient to the images, from that to their patches."""
    count, height, width, channels = shape
    padded = np.zeros((count, height + 2, width + 2, channels))
    rows, columns = gradient.shape[1:3]
    gradient = gradient.reshape(count, rows, columns, 3, 3, channels)
    for i in range(3):
        for j in range(3):
            reached = np.s_[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            padded[reached] += gradient[:, :, :, i, j]
    return padded[:, 1:-1, 1:-1]


class Network:
    """Weights and biases of the three convolutions and the linear layer, and their momenta."""

    def __init__(self, seed):
        generator = np.random.default_rng(seed)
        shapes = [(9 * inputs, outputs) for inputs, outputs, _ in CONVOLUTIONS]
        shapes.append((2 * 2 * CONVOLUTIONS[-1][1], 10))
        self.weights = [generator.normal(size=s) * np.sqrt(2 / s[0]) for s in shapes]
        self.biases = [np.zeros(s[1]) for s in shapes]
        self.momenta = [[np.zeros_like(p) for p in both] for both in (self.weights, self.biases)]

    def forward(self, images, quantize):
        """The logits, and of each layer its operands, what it gave and the shape it was given."""
        kept, values = [], images
        for layer, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            shape = values.shape
            values = on_8_bits(values) if quantize else values
            weights = on_8_bits(weights, symmetric=True) if quantize else weights
            last = layer == len(CONVOLUTIONS)
            given = values.reshape(len(values), -1) if last else patches(values, self.stride(layer))
            result = given @ weights + biases
            kept.append((given, weights, result, shape))
            values = result if last else np.maximum(result, 0)
        return values, kept

    def stride(self, layer):
        return CONVOLUTIONS[layer][2]

    def backward(self, gradient, kept, quantizers):
        """The gradients to weights and to biases."""
        to_weights, to_biases = [], []
        for layer in reversed(range(len(kept))):
            given, weights, result, shape = kept[layer]
            last = layer == len(CONVOLUTIONS)
            gradient = quantizers[layer](gradient if last else gradient * (result > 0))
            rows = gradient.reshape(-1, gradient.shape[-1])
            to_weights.append(given.reshape(-1, given.shape[-1]).T @ rows)
            to_biases.append(rows.sum(axis=0))
            back = gradient @ weights.T
            if layer:
                gradient = (
                    back.reshape(shape) if last else from_patches(back, shape, self.stride(layer))
                )
        return to_weights[::-1], to_biases[::-1]

    def update(self, gradients):
        """Stochastic gradient descent with momentum."""
        for kind, own in enumerate((self.weights, self.biases)):
            for momentum, parameter, gradient in zip(
                self.momenta[kind], own, gradients[kind], strict=True
            ):
                momentum *= MOMENTUM
                momentum += gradient
                parameter -= RATE * momentum


def train(digits, specification, bits=8, seed=0, epochs=12):
    """The outcome of one run; without a specification nothing is quantized."""
    network, generator = Network(seed), np.random.default_rng(seed)
    quantizers = [GradientQuantizer(specification, bits) for _ in network.weights]
    quantize = specification is not None
    for _ in range(epochs):
        order = generator.permutation(TRAINED_ON)
        for start in range(0, TRAINED_ON - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            logits, kept = network.forward(digits.images[chosen], quantize)
            gradient = np.exp(logits - logits.max(axis=1, keepdims=True))
            gradient /= gradient.sum(axis=1, keepdims=True)
            gradient[np.arange(BATCH), digits.classes[chosen]] -= 1
            network.update(network.backward(gradient / BATCH, kept, quantizers))
    logits, _ = network.forward(digits.images[TRAINED_ON:], quantize)
    accuracy = np.mean(logits.argmax(axis=1) == digits.classes[TRAINED_ON:])
    if not quantize:
        return Outcome(float(accuracy), 1.0, 0.0)
    cosines, saturated = (
        float(np.mean([getattr(q, figures) for q in quantizers]))
        for figures in ("cosines", "saturated")
    )
    return Outcome(float(accuracy), cosines, saturated)


def main():
    """Print a row for each estimator: means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits", type=int, default=8, help="of the gradients (8)")
    parser.add_argument("--seeds", type=int, default=5, help="runs for each estimator (5)")
    options, digits = parser.parse_args(), Digits.load()
    print("estimator      cosine  saturated, %  accuracy, %  lowest")
    for specification in (None, *ESTIMATORS):
        runs = [train(digits, specification, options.bits, seed) for seed in range(options.seeds)]
        accuracy, cosine, saturated = (float(np.mean(column)) for column in zip(*runs, strict=True))
        lowest = min(run.accuracy for run in runs)
        print(
            f"{specification or 'float':13}  {cosine:.4f}  {100 * saturated:12.2f}"
            f"  {100 * accuracy:11.1f}  {100 * lowest:6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
