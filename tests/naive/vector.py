"""Vector operations element by element, in plain Python loops."""

from itertools import product
from math import erf, exp, inf, log, prod, sqrt

import numpy as np


def pool(operation, x):
    """Windows one by one; what lies outside the image is skipped or counted as asked."""
    _, height, width = operation.shapes[0]
    top, left, bottom, right = operation.padding
    result = np.zeros(operation.output_shape(len(x)))
    for b, c, i, j in np.ndindex(result.shape):
        rows = [i * operation.stride[0] - top + k for k in range(operation.kernel[0])]
        columns = [j * operation.stride[1] - left + k for k in range(operation.kernel[1])]
        inside = [
            x[b, c, r, s] for r, s in product(rows, columns) if 0 <= r < height and 0 <= s < width
        ]
        if operation.kind == "max_pool":
            result[b, c, i, j] = max(inside)
            continue
        count = len(inside)
        if operation.count_padding:
            count = sum(r < height + bottom for r in rows) * sum(s < width + right for s in columns)
        result[b, c, i, j] = sum(inside) / count
    return result


def channel_norm(operation, x, gamma, beta):
    """One channel after the other, over batch and space."""
    result = np.empty_like(x)
    for c in range(x.shape[1]):
        values = [float(v) for v in x[:, c].ravel()]
        n = len(values)
        mean = sum(values) / n
        if operation.kind == "batch_norm":
            divisor = sqrt(sum((v - mean) ** 2 for v in values) / n + operation.epsilon)
        else:
            spread = max(values) - min(values)
            divisor = operation.constant / sqrt(2 * log(n)) * spread + operation.epsilon
        result[:, c] = (x[:, c] - mean) / divisor * gamma[c] + beta[c]
    return result


def layer_norm(operation, x, gamma, beta):
    """One group after the other."""
    group = operation.shapes[0][-operation.axes :]
    rows = x.reshape(-1, prod(group))
    result = np.empty_like(rows)
    for i, row in enumerate(rows):
        mean = sum(row) / len(row)
        deviation = sqrt(sum((v - mean) ** 2 for v in row) / len(row) + operation.epsilon)
        result[i] = [(v - mean) / deviation for v in row] * gamma.ravel() + beta.ravel()
    return result.reshape(x.shape)


def softmax(x):
    """One row after the other."""
    result = np.empty_like(x)
    for place in np.ndindex(x.shape[:-1]):
        powers = [exp(v - max(x[place])) for v in x[place]]
        result[place] = [p / sum(powers) for p in powers]
    return result


ACTIVATIONS = {
    "relu": lambda v: v if v > 0 else 0.0,
    "relu6": lambda v: min(max(v, 0.0), 6.0),
    "gelu": lambda v: v * (1 + erf(v / sqrt(2))) / 2,
    "clip": lambda v, low, high: min(
        max(v, -inf if low is None else low), inf if high is None else high
    ),
    "leaky_relu": lambda v, leak: v if v > 0 else leak * v,
    "elu": lambda v, alpha: v if v > 0 else alpha * (exp(v) - 1),
    "tanh": lambda v: (exp(v) - exp(-v)) / (exp(v) + exp(-v)),
    "sigmoid": lambda v, gates: (v if gates else 1.0) / (1 + exp(-v)),
    "hard_sigmoid": lambda v, gates, factor, shift: (
        (v if gates else 1.0) * min(max(factor * v + shift, 0.0), 1.0)
    ),
}


def activation(operation, x):
    """One element after the other."""
    fields = {name: value for name, value in vars(operation).items() if name != "shapes"}
    function = ACTIVATIONS[operation.kind]
    return np.array([function(float(v), **fields) for v in x.ravel()]).reshape(x.shape)
