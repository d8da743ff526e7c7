"""Memory and time of timelines by their length, each in a process of its own.

    python -m benchmarks.trace [EVENTS ...]

Prints the size of the file, the peak of the process and seconds, for each format.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from accelsim.report.timeline import FORMATS, recording

ROUND = 5
"""Events of one round: two states of a unit, two of a bank, a level of a buffer."""


def write(path, events):
    """A run of so many events that nothing simulates."""
    with recording(path) as recorder:
        recorder.begin("run", 800, ["array", "bank"], {"buffer": 4096})
        for start in range(0, 10 * (events // ROUND), 10):
            recorder.state("array", start, "busy", "tile")
            recorder.state("bank", start + 3, "open", "row 5")
            recorder.level("buffer", start + 4, start % 4096)
            recorder.state("array", start + 6, "starved", "command")
            recorder.state("bank", start + 7, "closed")
            recorder.settled(start)
        recorder.end(10 * (events // ROUND))


def measure(name, events):
    """Print what one file takes."""
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder) / f"run.{name}", time.perf_counter()
        write(path, events)
        seconds = time.perf_counter() - start
        size = path.stat().st_size / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<5}{events:>12,}{size:>12,.1f}{peak:>12,.0f}{seconds:>9.1f}", flush=True)


def main(*lengths):
    print(f"{'':<5}{'events':>12}{'file, MiB':>12}{'peak, MiB':>12}{'seconds':>9}", flush=True)
    for events in lengths or ("100000", "1000000", "10000000"):
        for name in FORMATS:
            command = [sys.executable, "-m", "benchmarks.trace", "one", name, events]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        main(*sys.argv[1:])
