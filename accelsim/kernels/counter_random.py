"""Random numbers as a function of a key and a counter: no state, so no order to depend on.

The generator is SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014), in the form and with the constants of S. Vigna's public-domain
splitmix64.c: output number i of the stream with state s is mix(s + (i + 1) * gamma). It is an
"increment, then hash" generator, so any output can be had without the ones before it. The state is
itself a mixed seed, so that neighbouring seeds do not share a stream shifted by a few outputs.

All arithmetic is modulo 2**64 and masked: compiled code wraps by itself and drops the masks, plain
Python integers need them. A signed integer passes `unsigned` before it meets a constant here,
because Numba does not make an unsigned integer of a signed and an unsigned one.
"""

import numpy as np

from accelsim.kernels.jit import jit

MASK = 0xFFFFFFFFFFFFFFFF
GAMMA = 0x9E3779B97F4A7C15


@jit
def unsigned(value):
    """The 64 bits of an int64, read as an unsigned integer."""
    return int(np.int64(value).view(np.uint64))


@jit
def mix(state):
    """Scramble 64 bits, one to one (Vigna's variant 13 of Stafford's mixers)."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


@jit
def stream_state(seed):
    """The state of the stream that belongs to an int64 seed, as 64 unsigned bits."""
    return mix((unsigned(seed) + GAMMA) & MASK)


@jit
def random_bits(state, index, count):
    """The top `count` bits (0 to 63) of output `index` (0 or more) of a stream, as an int64."""
    draw = mix((state + unsigned(index + 1) * GAMMA) & MASK)
    return int(np.int64(draw >> 1)) >> (63 - int(count))


@jit
def uniform_draws(seed, count):
    """Draw so many numbers of [0, 1) from the stream of an int64 seed, by their index."""
    state = stream_state(seed)
    out = np.empty(count, np.float64)
    for index in range(count):
        out[index] = random_bits(state, index, 53) * 2.0**-53
    return out
