"""Samples mixed in groups as the vector unit does it: in float32, and back to integers."""

import math

import numpy as np

from accelsim.numerics import IntegerRange
from accelsim.quant import Reflections


def mixed(sums: np.ndarray, reflections: Reflections, bits: int) -> tuple[np.ndarray, int]:
    """Accumulators with the samples on axis 0, scaled and reflected; how many were clamped.

    Every operation is one of float32, rounded to nearest. What comes out goes to the nearest
    integer, ties to even, and is clamped to the accumulators' bits. A sample that is alone in its
    group stays as it is.
    """
    out, limits, clamped = sums.copy(), IntegerRange(bits, signed=True), 0
    for group, ratio in zip(reflections.groups, reflections.ratios, strict=True):
        if len(group) == 1:
            continue
        rows = sums[list(group)].astype(np.float32)
        rows[1:] *= np.float32(ratio)
        integers = np.rint(_reflected(rows)).astype(np.float64)
        inside = np.clip(integers, limits.minimum, limits.maximum)
        clamped += int((inside != integers).sum())
        out[list(group)] = inside.astype(sums.dtype)
    return out, clamped


def _reflected(rows: np.ndarray) -> np.ndarray:
    """The reflection of `Reflections`, its product with v written out.

    The leader becomes t = (sum of the group, leader first) * (1 / sqrt(n)), and each follower
    gains (leader - t) * (1 / (sqrt(n) - 1)).
    """
    root = math.sqrt(len(rows))
    total = rows[0].copy()
    for row in rows[1:]:
        total += row
    mean = total * np.float32(1 / root)
    difference = (rows[0] - mean) * np.float32(1 / (root - 1))
    return np.concatenate([mean[np.newaxis], rows[1:] + difference])
