"""Slow, obvious twins of `accelsim.quant`: plain Python numbers and loops."""

import math


def limits(bits: int, signed: bool) -> tuple[int, int]:
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def affine(low: float, high: float, bits: int, signed: bool) -> tuple[float, int]:
    if low == 0 and high == 0:
        return 1.0, 0
    steps = 2**bits - 1
    scale = max(high / steps - low / steps, 1e-30)
    first, last = limits(bits, signed)
    return scale, min(max(first + round(-low / scale), first), last)


def quantize(value: float, scale: float, zero_point: int, bits: int, signed: bool) -> int:
    first, last = limits(bits, signed)
    return min(max(round(value / scale) + zero_point, first), last)


def hindsight(observed: list[tuple[float, float]], momentum: float) -> list[tuple[float, float]]:
    """The range of every step, step 0 included."""
    ranges = [observed[0]]
    for step in range(1, len(observed)):
        ranges.append(
            tuple(
                (1 - momentum) * seen + momentum * old
                for seen, old in zip(observed[step - 1], ranges[step - 1], strict=True)
            )
        )
    return ranges


def running(observed: list[tuple[float, float]], momentum: float) -> list[tuple[float, float]]:
    ranges = [observed[0]]
    for step in range(1, len(observed)):
        ranges.append(
            tuple(
                (1 - momentum) * seen + momentum * old
                for seen, old in zip(observed[step], ranges[step - 1], strict=True)
            )
        )
    return ranges


def sqnr_db(reference: list[float], approximation: list[float]) -> float:
    signal = sum(a * a for a in reference)
    noise = sum((a - b) ** 2 for a, b in zip(reference, approximation, strict=True))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def cosine(first: list[float], second: list[float]) -> float:
    norms = [math.sqrt(sum(a * a for a in side)) for side in (first, second)]
    if 0 in norms:
        return 1.0 if norms[0] == norms[1] else 0.0
    return sum(a * b for a, b in zip(first, second, strict=True)) / (norms[0] * norms[1])
