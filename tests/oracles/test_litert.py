"""LiteRT's kernels are the oracles of tflite-double and single, and a second one of f32-rne."""

import numpy as np
import pytest

from accelsim.numerics import RequantizationMode
from tests.oracles import litert_models
from tests.oracles.integers import (
    KINDS,
    Scales,
    channels_of_one_accumulator,
    convolution,
    fitting_output_scale,
    ours,
)

MODES = {
    "reference": RequantizationMode.TFLITE_DOUBLE,
    "ruy": RequantizationMode.SINGLE,
    "xnnpack": RequantizationMode.F32_RNE,
}
kernels_and_modes = pytest.mark.parametrize("kernels, mode", MODES.items())


def theirs_of_one_accumulator(kernels, acc, scales, zero_point, monkeypatch):
    """A bias is an accumulator of one's own choice: any integer of 32 bits, per channel."""
    x = np.zeros((1, 1, 1, 1), np.int8)
    w = np.zeros((len(acc), 1, 1, 1), np.int8)
    zeros = 0, zero_point
    return litert_models.convolution(kernels, x, w, acc, scales, zeros, monkeypatch).ravel()


@kernels_and_modes
@pytest.mark.parametrize("kind", KINDS)
def test_chosen_accumulators_equal_litert(kernels, mode, kind, monkeypatch):
    random = np.random.default_rng(3)
    acc, scales = channels_of_one_accumulator(kind, 10_000, random)
    for zero_point in (0, -128, 5):
        mine = ours(acc.reshape(1, 1, 1, -1), scales, zero_point, mode)
        theirs = theirs_of_one_accumulator(kernels, acc, scales, zero_point, monkeypatch)
        np.testing.assert_array_equal(mine.ravel(), theirs)


@kernels_and_modes
@pytest.mark.parametrize("per_channel", [True, False], ids=["per-channel", "per-tensor"])
def test_random_convolutions_equal_litert(kernels, mode, per_channel, monkeypatch):
    for seed in range(60):
        random = np.random.default_rng([seed, per_channel])
        batch, cin, cout = (int(n) for n in random.integers(1, [4, 40, 40]))
        height, width = random.integers(3, 9, 2)
        x = random.integers(-128, 128, (batch, height, width, cin)).astype(np.int8)
        w = random.integers(-127, 128, (cout, *random.integers(1, 4, 2), cin)).astype(np.int8)
        bias = random.integers(-3000, 3000, cout)
        zeros = [int(zero) for zero in random.integers(-128, 128, 2)]
        stride = int(random.integers(1, 3))
        acc = convolution(x.astype(np.int64) - zeros[0], w, bias, stride)
        input_scale = np.float32(random.uniform(1e-3, 0.2))
        weights = random.uniform(1e-4, 0.05, cout if per_channel else 1).astype(np.float32)
        output_scale = fitting_output_scale(acc, input_scale, weights, random)
        scales = Scales(input_scale, weights, output_scale)
        theirs = litert_models.convolution(kernels, x, w, bias, scales, zeros, monkeypatch, stride)
        np.testing.assert_array_equal(ours(acc, scales, zeros[1], mode), theirs)


@kernels_and_modes
def test_each_kernel_is_the_oracle_of_its_own_mode_only(kernels, mode, monkeypatch):
    """Half-up is single by another name; every other mode differs near ties."""
    own = {mode, RequantizationMode.HALF_UP} if kernels == "ruy" else {mode}
    same = set(RequantizationMode)
    for kind in ("near ties", "powers of two"):
        acc, scales = channels_of_one_accumulator(kind, 10_000, np.random.default_rng(4))
        theirs = theirs_of_one_accumulator(kernels, acc, scales, 0, monkeypatch)
        acc = acc.reshape(1, 1, 1, -1)
        same = {m for m in same if (ours(acc, scales, 0, m).ravel() == theirs).all()}
    assert same == own
