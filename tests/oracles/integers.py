"""What the oracles and this house are given: integers, float32 scales, plain sums of products."""

from dataclasses import dataclass

import numpy as np

from accelsim.kernels.requantize import requantize_tile
from accelsim.numerics import IntegerRange
from accelsim.quant import Grid, requantization

INT8, UINT8 = IntegerRange(8, signed=True), IntegerRange(8, signed=False)


@dataclass(frozen=True)
class Scales:
    """Scales as the oracles hold them: float32; the weights' one per channel or just one."""

    input: np.float32
    weights: np.ndarray
    output: np.float32


def ours(acc, scales, zero_point, mode, integers=INT8):
    """Requantize channels-last accumulators of four axes from the scales, as a run does."""
    channels = acc.shape[-1]
    how = requantization(
        float(scales.input),
        np.broadcast_to(scales.weights.astype(np.float64), channels),
        Grid(integers, float(scales.output), zero_point),
        mode,
    )
    assert np.abs(acc).max(initial=0) <= 2**31
    out = np.empty(acc.shape, np.int32)
    requantize_tile(
        np.ascontiguousarray(acc, np.int64), out, how.multipliers.copy(), how.shifts.copy(),
        how.zero_point, how.minimum, how.maximum, how.mode.code, how.seed,
        0, 0, 0, 0, *acc.shape[1:],
    )  # fmt: skip
    return out


def convolution(x, w, bias, stride=1):
    """Sums of products of centred channels-last images and (out, height, width, in) filters."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.int64), w.shape[1:3], (1, 2))
    windows = windows[:, ::stride, ::stride]
    return np.einsum("bhwcij,oijc->bhwo", windows, w.astype(np.int64)) + bias


def fitting_output_scale(acc, input_scale, weight_scales, random):
    """An output scale for which some of these accumulators clamp and most do not."""
    real = acc * (float(input_scale) * weight_scales.astype(np.float64))
    reach = np.abs(real).max() * random.uniform(0.5, 1.1)
    return np.float32(max(reach, 1e-12) / 127)


KINDS = ("near ties", "powers of two", "large accumulators", "all sizes")


def channels_of_one_accumulator(kind, count, random):
    """(accumulators, Scales): `count` channels, each with an accumulator and a scale of its own.

    The outputs lie within 8 bits. Near ties: the real output is within rounding of the scale of
    half an integer. Powers of two: exact ties are frequent. Large: accumulators of 32 bits. All
    sizes: of 1 to 31 bits.
    """
    reach = {"near ties": 2**14, "powers of two": 2**11, "large accumulators": 2**31 - 1}.get(kind)
    if reach is None:
        reach = 2 ** random.integers(1, 32, count) - 1
    acc = random.integers(1, np.add(reach, 1), count) * random.choice([-1, 1], count)
    if kind == "powers of two":
        weights = 2.0 ** -random.integers(0, 11, count)
        return acc, Scales(np.float32(1), weights.astype(np.float32), np.float32(1))
    output = np.float32(random.uniform(0.01, 1))
    target = random.integers(0, 120, count) + 0.5
    if kind == "all sizes":
        target = random.uniform(0, 120, count)
    weights = (target / np.abs(acc) * float(output)).astype(np.float32)
    return acc, Scales(np.float32(1), weights, output)
