"""Wall time of one layer: ResNet18 3x3 64->64 56x56, static, edge machine.

    python benchmarks/layer.py

Prints medians: warm, with values and timing only, on one core; and the time of a second process
from start to result, with the compiled kernels in the cache.
"""

import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

REPEATS = 15


def median_seconds(action, repeats=REPEATS):
    """The median and the spread of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), min(seconds), max(seconds)


def report(label, action, repeats=REPEATS):
    median, low, high = median_seconds(action, repeats)
    print(f"{label:<58}{median:8.3f} s   ({low:.3f} to {high:.3f}, {repeats} runs)")


def new_process(code):
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def main():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import accelsim
    from accelsim.lowering import best_tiling
    from accelsim.network import synthetic_steps

    layer = accelsim.load_layer("resnet18.layer1")
    steps = synthetic_steps(layer)

    def one_layer(data):
        best_tiling.cache_clear()
        accelsim.simulate(layer, "edge", "in-hindsight", data)

    one_layer(steps)
    report("warm, values and timing, bootstrap and measured step", lambda: one_layer(steps))
    report("warm, timing only", lambda: one_layer(None))
    whole = "import accelsim; accelsim.simulate('resnet18.layer1')"
    report("a second process, from start to result, cache filled", lambda: new_process(whole), 5)
    report("python -c 'import accelsim'", lambda: new_process("import accelsim"), 5)
    report("python -c 'pass'", lambda: new_process("pass"), 5)


if __name__ == "__main__":
    main()
