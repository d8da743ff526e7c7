"""Speed of the kernels on one core: python benchmarks/kernels.py."""

import statistics
import time

import numpy as np

from accelsim.kernels.product import convolve_tile, depthwise_tile, finish_accumulators
from accelsim.kernels.requantize import requantize_tile
from accelsim.kernels.statistics import observe_channels
from accelsim.kernels.weight_gradient import whole_weight_gradient
from accelsim.numerics import RequantizationMode

REPEATS = 15


def median_seconds(call):
    """Median over the repeats, after one call that compiles."""
    call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def report(name, amount, unit, call):
    print(f"{name:52} {amount / median_seconds(call) / 1e9:7.2f} G{unit}/s")


def integers(shape, dtype, reach=128):
    return np.random.default_rng(0).integers(-reach, reach, shape).astype(dtype)


def convolution(dtype, size, in_channels, out_channels, kernel, stride=1):
    pad = kernel // 2
    out = (size + 2 * pad - kernel) // stride + 1
    x = integers((1, size, size, in_channels), dtype)
    w = integers((kernel, kernel, in_channels, out_channels), dtype)
    acc = np.zeros((1, out, out, out_channels), dtype)
    name = f"{dtype.__name__} {kernel}x{kernel} {in_channels}->{out_channels} {size}x{size}"
    report(
        name + (f" stride {stride}" if stride > 1 else ""),
        out * out * out_channels * in_channels * kernel**2,
        "MAC",
        lambda: convolve_tile(
            x, w, acc, 0, 0, 0, 0, 0, out_channels, out_channels, 0, 0, in_channels,
            stride, stride, 1, 1, pad, pad, 1, 1,
        ),
    )  # fmt: skip


def depthwise(dtype, size, channels):
    x, w = integers((1, size, size, channels), dtype), integers((3, 3, 1, channels), dtype)
    acc = np.zeros((1, size, size, channels), dtype)
    report(
        f"{dtype.__name__} depthwise 3x3 {channels} {size}x{size}",
        size * size * channels * 9,
        "MAC",
        lambda: depthwise_tile(x, w, acc, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1),
    )


def weight_gradient(dtype, size, in_channels, out_channels, kernel):
    x = integers((1, size, size, in_channels), dtype)
    dy = integers((1, size, size, out_channels), dtype)
    acc = np.zeros((kernel, kernel, in_channels, out_channels), dtype)
    pad, macs = kernel // 2, size * size * out_channels * in_channels * kernel**2
    name = f"{kernel}x{kernel} {in_channels}->{out_channels} {size}x{size}"
    report(
        f"{dtype.__name__} weight gradient {name}", macs, "MAC",
        lambda: whole_weight_gradient(x, dy, acc, 1, False, out_channels, (1, 1, 1, 1, pad, pad)),
    )  # fmt: skip


def depthwise_weight_gradient(dtype, size, channels):
    x = integers((1, size, size, channels), dtype)
    acc = np.zeros((3, 3, 1, channels), dtype)
    report(
        f"{dtype.__name__} weight gradient depthwise 3x3 {channels} {size}x{size}",
        size * size * channels * 9, "MAC",
        lambda: whole_weight_gradient(x, x, acc, 1, True, 1, (1, 1, 1, 1, 1, 1)),
    )  # fmt: skip


def drain(channels):
    acc = integers((1, 56, 56, channels), np.int32, 2**20)
    out = np.empty(acc.shape, np.int32)
    multipliers, shifts = np.full(channels, 2**30 + 12345), np.full(channels, 43)
    for mode in RequantizationMode:
        report(
            f"requantize {mode} 56x56x{channels}",
            acc.size,
            "element",
            lambda code=mode.code: requantize_tile(
                acc, out, multipliers, shifts, 3, -128, 127, code, 7, 0, 0, 0, 0, *acc.shape[1:]
            ),
        )
    minima, maxima = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    report(
        f"observe 56x56x{channels}", acc.size, "element",
        lambda: observe_channels(acc, 0, minima, maxima),
    )  # fmt: skip
    report(
        f"finish to 24 bits 56x56x{channels}", acc.size, "element",
        lambda: finish_accumulators(acc, 24, True),
    )  # fmt: skip


def main():
    for dtype in (np.int32, np.int64, np.float64):
        convolution(dtype, 56, 64, 64, 3)
        depthwise(dtype, 56, 144)
    convolution(np.int32, 14, 256, 256, 3)
    convolution(np.int32, 56, 24, 144, 1)
    convolution(np.int32, 224, 3, 64, 7, stride=2)
    convolution(np.int32, 56, 64, 4, 3)
    convolution(np.int32, 1, 2048, 1000, 1)
    for dtype in (np.int32, np.int64):
        weight_gradient(dtype, 56, 64, 64, 3)
        depthwise_weight_gradient(dtype, 56, 144)
    weight_gradient(np.int32, 14, 256, 256, 3)
    weight_gradient(np.int32, 56, 64, 4, 3)  # few channels: vectors run along the positions
    drain(64)


if __name__ == "__main__":
    main()
