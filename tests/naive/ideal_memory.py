"""A memory of constant bandwidth and latency, burst by burst, in exact fractions."""

from fractions import Fraction
from math import ceil


def bursts_of(region, burst_bytes):
    """How many bursts a region touches, run by run."""
    total = 0
    for i in range(region.counts[0]):
        for j in range(region.counts[1]):
            for k in range(region.counts[2]):
                steps = region.strides_bytes
                first = region.address + i * steps[0] + j * steps[1] + k * steps[2]
                last = first + region.run_bytes - 1
                total += last // burst_bytes - first // burst_bytes + 1
    return total


def naive_transfers(queues, in_flight, burst_bytes, bytes_per_cycle, latency, first=None):
    """{(engine, n): (issued, complete)} for lists of bursts counts, one list per engine.

    Every engine starts its next transfer in the cycle in which the former was fully issued. In each
    cycle returns come first; then the bus, once it is free, takes a burst from the engine whose
    turn it is. `first` is the engine that always goes first, if any.
    """
    per_burst = Fraction(burst_bytes) / bytes_per_cycle
    left = [list(queue) for queue in queues]
    number = [0] * len(queues)
    flying = []
    free_at, last, cycle = Fraction(0), len(queues) - 1, 0
    issued, complete = {}, {}
    while any(left) or flying:
        for flight in [f for f in flying if f[0] <= cycle]:
            flying.remove(flight)
            key = flight[1]
            if key in issued and not any(f[1] == key for f in flying):
                complete[key] = cycle
        while free_at < cycle + 1:
            turn = [(last + 1 + step) % len(queues) for step in range(len(queues))]
            if first is not None:
                turn = [first, *[engine for engine in turn if engine != first]]
            ready = [
                engine
                for engine in turn
                if left[engine] and sum(f[1][0] == engine for f in flying) < in_flight
            ]
            if not ready:
                break
            engine = last = ready[0]
            key = engine, number[engine]
            free_at = max(free_at, Fraction(cycle)) + per_burst
            flying.append((ceil(free_at) + latency, key))
            left[engine][0] -= 1
            if not left[engine][0]:
                issued[key] = cycle
                left[engine].pop(0)
                number[engine] += 1
        cycle += 1
    return {key: (issued[key], complete[key]) for key in issued}
