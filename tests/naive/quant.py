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


def saturated_share(
    values: list[float], scale: float, zero_point: int, bits: int, signed: bool
) -> float:
    first, last = limits(bits, signed)
    return sum(not first <= round(v / scale) + zero_point <= last for v in values) / len(values)


def underflow_share(values: list[float], approximation: list[float]) -> float:
    became = [b == 0 for a, b in zip(values, approximation, strict=True) if a != 0]
    return sum(became) / len(became) if became else 0.0


def registers(accumulators: list, copies: int, thresholds: list, samples: int, chunks: int) -> dict:
    """What a statistics unit keeps of accumulators[image][row][column][channel], as dicts by
    channel: (low, high) of all, of samples and of chunks, sums, squares, and counts per threshold.
    """
    images, width = len(accumulators), len(accumulators[0][0][0])
    positions = [
        (image, place) for image, rows in enumerate(accumulators) for row in rows for place in row
    ]
    kept = {"all": {}, "samples": {}, "chunks": {}, "sums": {}, "squares": {}}
    kept["counts"] = [0 for _ in thresholds]
    for group, count in (("all", 1), ("samples", samples), ("chunks", min(chunks, len(positions)))):
        start = 0
        for part in range(count):
            length = len(positions) // count + (part < len(positions) % count)
            for image, place in positions[start : start + length]:
                for n, value in enumerate(place):
                    channel = image // (images // copies) * width + n
                    low, high = kept[group].get((part, channel), (value, value))
                    kept[group][part, channel] = min(low, value), max(high, value)
            start += length
    for image, place in positions:
        for n, value in enumerate(place):
            channel = image // (images // copies) * width + n
            kept["sums"][channel] = kept["sums"].get(channel, 0) + value
            kept["squares"][channel] = kept["squares"].get(channel, 0) + value * value
            for i, threshold in enumerate(thresholds):
                kept["counts"][i] += abs(value) > threshold[channel]
    return kept


# Estimators. Each twin takes the tensors of all steps, as lists of samples of lists of rows, and
# gives for each step how it is quantized: (low, high), or a dict where there is more to say.


def flat(tensor: list) -> list[float]:
    return [number for sample in tensor for row in sample for number in row]


def extremes(numbers: list[float]) -> tuple[float, float]:
    return min(0.0, *numbers), max(0.0, *numbers)


def largest(tensor: list) -> float:
    return max(abs(number) for number in flat(tensor))


def current(tensors: list, bits: int) -> list:
    return [extremes(flat(tensor)) for tensor in tensors]


def running_tensors(tensors: list, bits: int) -> list:
    return running(current(tensors, bits), 0.9)


def hindsight_tensors(tensors: list, bits: int) -> list:
    return hindsight(current(tensors, bits), 0.9)


def chunked(tensors: list, bits: int, chunks: int) -> list:
    used = []
    for tensor in tensors:
        rows = [row for sample in tensor for row in sample]
        count = min(chunks, len(rows))
        found, start = [], 0
        for chunk in range(count):
            length = len(rows) // count + (chunk < len(rows) % count)
            found.append(extremes([n for row in rows[start : start + length] for n in row]))
            start += length
        used.append(tuple(sum(ends) / count for ends in zip(*found, strict=True)))
    return used


def per_sample(tensors: list, bits: int) -> list:
    return [{"samples": [extremes(flat([sample])) for sample in tensor]} for tensor in tensors]


def saturation(tensors: list, bits: int, ratio: float) -> list:
    used, clip = [], 0.0
    for step, tensor in enumerate(tensors):
        numbers = flat(tensor)
        used.append((-clip, clip) if step else (-largest(tensor), largest(tensor)))
        if clip == 0:
            clip = largest(tensor)
        elif sum(abs(n) > clip for n in numbers) > ratio * len(numbers):
            clip = clip * 2
        elif sum(abs(n) > clip / 2 for n in numbers) <= ratio * len(numbers):
            clip = clip / 2
    return used


def power_range(reach: float, bits: int) -> tuple[float, float]:
    """The grid of the step reach / 2**(bits-1), raised to the smallest power above 1e-30."""
    step = max(reach / 2 ** (bits - 1), 2.0**-99)
    return -step * 2 ** (bits - 1), step * (2 ** (bits - 1) - 1)


def power_above(number: float) -> float:
    """The smallest power of two that is not below the number."""
    power = 2.0**-1000
    while power < number:
        power *= 2
    return power


def sigma(tensors: list, bits: int, k: float, momentum: float) -> list:
    used, mean_variance = [], None
    for tensor in tensors:
        numbers = flat(tensor)
        mean = math.fsum(numbers) / len(numbers)
        variance = math.fsum((n - mean) ** 2 for n in numbers) / len(numbers)
        if mean_variance is None:
            mean_variance = variance
        reach = k * math.sqrt(mean_variance)
        used.append(power_range(power_above(reach), bits) if reach else (0.0, 0.0))
        mean_variance = (1 - momentum) * variance + momentum * mean_variance
    return used


def delayed(tensors: list, bits: int, history: int, margin: int) -> list:
    used, past, kept = [], [], 0.0
    for step, tensor in enumerate(tensors):
        reach = (kept if step else largest(tensor)) * 2.0**margin
        used.append((-reach, reach))
        past.append(largest(tensor))
        recent = max(past[-history:])
        kept = recent if recent > 0 else kept
    return used


def nearest_power(tensors: list, bits: int) -> list:
    used = []
    for tensor in tensors:
        above = power_above(largest(tensor)) if largest(tensor) else 0.0
        reach = above / 2 if largest(tensor) < above * math.sqrt(0.5) else above
        used.append(power_range(reach, bits) if reach else (0.0, 0.0))
    return used


def covering_power(tensors: list, bits: int) -> list:
    used = []
    for tensor in tensors:
        reach = power_above(largest(tensor))
        if reach == largest(tensor):
            reach *= 2  # as an integer of that many bits is above all of one bit less
        used.append(power_range(reach, bits) if largest(tensor) else (0.0, 0.0))
    return used


def turned(numbers: list[float], clip: float, bits: int) -> float:
    first, last = limits(bits, True)
    integers = [min(max(round(n * (max(last, 1) / clip)), first), last) for n in numbers]
    return 1 - cosine(numbers, [float(i) for i in integers]) if any(integers) else 1.0


def golden_clip(numbers: list[float], bits: int, iterations: int, scan: int) -> float:
    top = max(abs(n) for n in numbers)
    if top == 0:
        return 0.0
    numbers = [n / top for n in numbers]
    golden = (math.sqrt(5) - 1) / 2
    low, high = 0.01, 1.0
    factor = (high / low) ** (1 / (scan + 1))
    tried = {low * factor**i: turned(numbers, low * factor**i, bits) for i in range(1, scan + 1)}
    if tried:
        best = min(tried, key=lambda clip: (tried[clip], clip))
        low, high = best / factor, best * factor
    for _ in range(iterations + 1):
        left, right = high - golden * (high - low), low + golden * (high - low)
        for clip in (left, right):
            near = [c for c in tried if abs(c - clip) < 1e-9]  # already looked at, but for rounding
            if not near:
                tried[clip] = turned(numbers, clip, bits)
        at_left, at_right = (
            next(tried[c] for c in tried if abs(c - clip) < 1e-9) for clip in (left, right)
        )
        low, high = (low, right) if at_left <= at_right else (left, high)
    return min(tried, key=lambda clip: (tried[clip], clip)) * top


def dsgc(tensors: list, bits: int, period: int, iterations: int, scan: int = 0) -> list:
    used, clip, wait = [], 0.0, 0
    for tensor in tensors:
        if wait == 0:
            clip = golden_clip(flat(tensor), bits, iterations, scan)
            wait = period if clip else 1
        used.append((-clip, clip))
        wait -= 1
    return used


def bit_adaptive(tensors: list, bits: int, longest: int) -> list:
    used, wait, ema = [], 0, None
    for tensor in tensors:
        if wait == 0:
            if largest(tensor) == 0:
                decided, wait = {"range": (0.0, 0.0), "bits": bits}, 1
            else:
                decided, shift, change = widened([abs(n) for n in flat(tensor)], bits)
                if ema is None:
                    ema = shift
                d = max(0.04 * abs(shift - ema), 100 * change**2)
                ema = 0.04 * shift + 0.96 * ema
                wait = min(max(round(0.1 / d - 2), 1), longest) if d else longest
        used.append(decided)
        wait -= 1
    return used


def widened(magnitudes: list[float], bits: int) -> tuple[dict, int, float]:
    mean = math.fsum(magnitudes) / len(magnitudes)
    while True:
        last = max(2 ** (bits - 1) - 1, 1)
        step = max(power_above(max(magnitudes) / last), 2.0**-99)
        rounded = math.fsum(min(round(m / step), last) * step for m in magnitudes)
        change = math.log2(abs(mean - rounded / len(magnitudes)) / mean + 1)
        if change <= 0.03 or bits >= 16:
            break
        bits = min(bits + 8, 16)
    ends = (-step * 2 ** (bits - 1), step * (2 ** (bits - 1) - 1))
    return {"range": ends, "bits": bits}, round(math.log2(step)), change


def reflected(samples: list[list[float]], ratio: float) -> list[list[float]]:
    """(I - 2 v v' / v'v) diag(1, ratio, ...) X with v = 1 / sqrt(n) - e_1, entry by entry."""
    n = len(samples)
    v = [1 / math.sqrt(n) - (i == 0) for i in range(n)]
    square = sum(a * a for a in v) or 1.0
    scaled = [[x * (ratio if i else 1.0) for x in row] for i, row in enumerate(samples)]
    return [
        [
            sum(((i == j) - 2 * v[i] * v[j] / square) * scaled[j][d] for j in range(n))
            for d in range(len(samples[0]))
        ]
        for i in range(n)
    ]


def householder_groups(magnitudes: list[float]) -> list[tuple[int, ...]]:
    """Of every number of leaders, the groups of least bound: the large lead, the others are dealt
    out in order of size, to each leader by its share of what the leaders have together."""
    order = sorted(range(len(magnitudes)), key=lambda i: -magnitudes[i])
    found = []
    for leaders in range(1, len(order) + 1):
        together = sum(magnitudes[i] for i in order[:leaders])
        groups, dealt, share = [], 0, 0.0
        for leader in order[:leaders]:
            share += magnitudes[leader] / together
            until = round(share * (len(order) - leaders))
            groups.append((leader, *order[leaders + dealt : leaders + until]))
            dealt = until
        found.append((sum(householder_scales(magnitudes, group)[0] for group in groups), groups))
    return min(found, key=lambda one: one[0])[1]


def householder_scales(magnitudes: list[float], group: tuple[int, ...]) -> tuple[float, float]:
    """The least of 1/s**2 + n/t**2 over scales s, t with a s / sqrt(n) + b t = 1; and t / s."""
    n, a = len(group), magnitudes[group[0]]
    if n == 1:
        return a * a, 1.0
    b = magnitudes[group[1]]
    found = []
    for step in range(1, 20000):
        part = step / 20000  # of the one range, to the leader
        s, t = part * math.sqrt(n) / a, (1 - part) / b
        found.append((1 / s**2 + n / t**2, t / s))
    return min(found)
