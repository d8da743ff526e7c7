"""Samples mixed in groups, number by number: the slow twin of what the vector unit does."""

import math

import numpy as np

from tests.naive.layer import naive_output


def naive_mixed(sums, samples, groups, ratios, bits):
    """(mixed accumulators, how many were clamped), each float32 operation by itself."""
    rows = [[int(n) for n in row] for row in sums.reshape(samples, -1)]
    out, clamped = [list(row) for row in rows], 0
    for group, ratio in zip(groups, ratios, strict=True):
        if len(group) == 1:
            continue
        root = math.sqrt(len(group))
        for position in range(len(rows[0])):
            leader = np.float32(rows[group[0]][position])
            others = [np.float32(rows[i][position]) * np.float32(ratio) for i in group[1:]]
            total = leader
            for other in others:
                total = np.float32(total + other)
            mean = np.float32(total * np.float32(1 / root))
            step = np.float32(np.float32(leader - mean) * np.float32(1 / (root - 1)))
            values = [mean, *(np.float32(other + step) for other in others)]
            for sample, value in zip(group, values, strict=True):
                integer = round(float(value))  # ties to even
                limited = min(max(integer, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
                clamped += limited != integer
                out[sample][position] = limited
    return np.array(out).reshape(sums.shape), clamped


def naive_output_by_sample(nest, sums, samples, requantizations):
    """Output integers where each sample has a requantization of its own."""
    out = np.empty(sums.shape, np.int32)
    images = len(sums) // samples
    for sample, how in enumerate(requantizations):
        own = slice(sample * images, (sample + 1) * images)
        out[own] = naive_output(nest, sums, how)[0][own]
    return out
