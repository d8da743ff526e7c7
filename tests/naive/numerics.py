"""Fixed point with Python's unbounded integers and exact fractions."""

from fractions import Fraction

MASK = 2**64 - 1


def naive_finish(acc, bits, overflow):
    """(finished sums, how many left the width); `overflow` is "wrap" or "saturate"."""
    finished = acc.copy()
    count = 0
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    for index in range(acc.size):
        value = int(acc.flat[index])
        if low <= value <= high:
            continue
        count += 1
        if overflow == "saturate":
            finished.flat[index] = high if value > high else low
        else:
            while value > high:
                value -= 2**bits * max(1, (value - high) // 2**bits)
            while value < low:
                value += 2**bits * max(1, (low - value) // 2**bits)
            finished.flat[index] = value
    return finished, count


def naive_round(real: Fraction, rounding: str) -> int:
    """The nearest integer; ties as the mode of this name in `numerics.RequantizationMode`."""
    below = real.numerator // real.denominator
    fraction = real - below
    if fraction < Fraction(1, 2):
        return below
    if fraction > Fraction(1, 2):
        return below + 1
    if rounding == "nearest-even":
        return below if below % 2 == 0 else below + 1
    if rounding == "half-up":
        return below + 1
    assert rounding == "half-away"
    return below + 1 if real > 0 else below


def naive_splitmix64(state: int, index: int) -> int:
    """Output `index` of SplitMix64 started at `state`, stepping through the ones before it."""
    for _ in range(index + 1):
        state = (state + 0x9E3779B97F4A7C15) & MASK
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def naive_random_bits(seed: int, index: int, count: int) -> int:
    """`count` random bits for an element: its draw of the stream whose state is a draw itself."""
    state = naive_splitmix64(seed & MASK, 0)
    jumped = (state + index * 0x9E3779B97F4A7C15) & MASK
    return naive_splitmix64(jumped, 0) >> (64 - count)


def naive_float32(real: Fraction) -> Fraction:
    """The float32 nearest to a real in its range: 24 bits, in steps of 2**-149 or more."""
    # At most two steps too small to hold the number in 24 bits.
    exponent = real.numerator.bit_length() - real.denominator.bit_length() - 25
    unit = Fraction(2) ** max(exponent, -149)
    while abs(real) >= 2**24 * unit:
        unit *= 2
    return naive_round(real / unit, "nearest-even") * unit
