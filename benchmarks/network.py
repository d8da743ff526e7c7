"""ResNet-18, 224x224 images, 32x32 array, on one core: inference and training, timing and values.

    python -m benchmarks.network

Inference is of one image, its DRAM simulated command by command (LPDDR4-3200); training is timing
only, of 32 images and the schemes of `compare`, with the DRAM of the preset. Processor time, the
median of a few runs. Warm: the kernels are compiled; no operation that was timed and no tiling
found is kept from one run to the next, the bounds of the search are.
"""

import os
import statistics
import time
from collections.abc import Callable

from accelsim.hardware import Hardware, load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.lowering.search import best_tiling
from accelsim.simulation import compare, simulate, timings

NETWORK, SCHEME, RUNS, TRAINED_BATCH = "resnet18", "in-hindsight", 3, 32


def forget() -> None:
    """Let the next run search every tiling and simulate every operation anew."""
    timings.forget()
    best_tiling.cache_clear()


def seconds(run: Callable[[], object]) -> float:
    """Processor time of a run: the median of a few."""
    found = []
    for _ in range(RUNS):
        forget()
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return statistics.median(found)


def main() -> None:
    machine: Hardware = load_hardware("edge", {"dram.preset": "lpddr4-3200"})
    simulate(NETWORK, machine, SCHEME)  # compiles
    timing = seconds(lambda: simulate(NETWORK, machine, SCHEME, None))
    values = seconds(lambda: simulate(NETWORK, machine, SCHEME))
    training = seconds(
        lambda: compare(NETWORK, "edge", data=None, batch=TRAINED_BATCH, training=TrainingOptions())
    )
    print(f"{NETWORK}, seconds of processor time, load average {os.getloadavg()[0]:.1f}")
    print(f"  batch 1, {machine.name}, {SCHEME}, DRAM lpddr4-3200 command by command")
    print(f"    timing only        {timing:6.2f}")
    print(f"    with values        {values:6.2f}   (two steps, and the float network)")
    print(f"  compare --training --batch {TRAINED_BATCH} --timing-only, edge")
    print(f"    timing only        {training:6.2f}")


if __name__ == "__main__":
    main()
