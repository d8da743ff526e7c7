"""ResNet-18, one 224x224 image, 32x32 array: inference with values, and timing only, on one core.

    python -m benchmarks.network

The DRAM is simulated command by command (LPDDR4-3200). Warm: the kernels are compiled, and nothing
of the network is kept from one run to the next.
"""

import time
from collections.abc import Callable

from accelsim.hardware import Hardware, load_hardware
from accelsim.lowering.search import best_tiling
from accelsim.simulation import simulate
from accelsim.simulation.lowered import lowered
from accelsim.simulation.network import timed_run

NETWORK, SCHEME, RUNS = "resnet18", "in-hindsight", 3


def forget() -> None:
    """Let the next run search every tiling and simulate every operation anew."""
    timed_run.cache_clear()
    lowered.cache_clear()
    best_tiling.cache_clear()


def seconds(run: Callable[[], object]) -> float:
    """The fastest of a few runs."""
    found = []
    for _ in range(RUNS):
        forget()
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    machine: Hardware = load_hardware("edge", {"dram.preset": "lpddr4-3200"})
    simulate(NETWORK, machine, SCHEME)  # compiles
    timing = seconds(lambda: simulate(NETWORK, machine, SCHEME, None))
    values = seconds(lambda: simulate(NETWORK, machine, SCHEME))
    print(f"{NETWORK}, batch 1, {machine.name}, {SCHEME}, DRAM lpddr4-3200 command by command")
    print(f"  timing only        {timing:6.2f} s")
    print(f"  with values        {values:6.2f} s   (two steps, and the float network)")


if __name__ == "__main__":
    main()
