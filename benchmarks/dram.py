"""Speed of the DRAM channel: transactions a second, median of several runs, one core, compiled.

python benchmarks/dram.py
"""

import statistics
import time

from accelsim.hardware.dram import CommandDram, pattern
from accelsim.kernels import dram

RUNS = 7
CASES = [
    ("sequential reads", "seq", False, 262144),
    ("sequential writes", "seq", True, 262144),
    ("stride of 4096", "stride:4096", False, 65536),
    ("random reads", "random", False, 65536),
    ("random, half written", "mix:0.5", False, 65536),
]
MACHINES = ["ddr4-2400", "lpddr4-3200", "lpddr5-6400", "hbm2-2000"]


def seconds(description: CommandDram, lines) -> float:
    machine = dram.create(description, trace=lines)
    dram.submit_trace(machine, 0)
    start = time.perf_counter()
    dram.finish(machine, 0)
    return time.perf_counter() - start


def main() -> None:
    print(f"{'':24}{'million transactions a second':>40}")
    print(f"{'':24}" + "".join(f"{name:>14}" for name in MACHINES))
    for title, text, write, requests in CASES:
        figures = []
        for name in MACHINES:
            description = CommandDram(preset=name)
            traffic = pattern(text, requests, write=write)
            lines = traffic.lines(description.line_bytes, description.capacity_bytes)
            seconds(description, lines[:100])
            median = statistics.median(seconds(description, lines) for _ in range(RUNS))
            figures.append(len(lines) / median / 1e6)
        print(f"{title:24}" + "".join(f"{figure:14.2f}" for figure in figures))


if __name__ == "__main__":
    main()
