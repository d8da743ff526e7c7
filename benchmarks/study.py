"""What a study costs beside its simulations, how it scales, and 10,000 points through a DRAM.

    python benchmarks/study.py                  all three, the last from samples of 200 points
    python benchmarks/study.py --points 10000   all 10,000 of them, for real

Wall-clock times are only worth something on a machine that does nothing else. Processor times are
printed beside them, which others disturb less.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from accelsim.study import Plan, Pool, Serial, Store, Study, load_study, sweep
from accelsim.study.points import points_of
from accelsim.study.tasks import Task
from accelsim.study.work import work

OVERHEAD_POINTS = 4000
SCALING_POINTS = 200
MIXED = {
    "name": "mixed",
    "set": {"hardware": "edge", "dram.preset": "lpddr4-3200"},
    "axes": {
        "workload": ["resnet18", "mobilenetv2"],
        "scheme": ["in-hindsight/static", "current/spill"],
        "batch": [1, 2],
        "array.rows": [16, 32, 64],
        "array.columns": [16, 32, 64],
        "sram.input_kib": [32, 64, 128, 256],
        "sram.accumulator_kib": [32, 64, 128, 256],
    },
}
"""43 different shapes on 144 machines."""


def overhead() -> None:
    """Processor time of a sweep, less that of its simulations, over its points."""
    study = Study.from_mapping(
        {
            "name": "tiny",
            "layer": {"kind": "linear", "in_features": 16, "out_features": 8},
            "axes": {
                "layer.rows": {"from": 1, "to": OVERHEAD_POINTS // 40, "step": 1},
                "sram.input_kib": {"from": 1, "to": 20, "step": 1},
                "scheme": ["in-hindsight", "current"],
            },
        }
    )
    tasks = Plan.of(study).missing
    work(tasks)  # so that tilings are remembered in both of what is compared
    started = time.process_time()
    work(tasks)
    simulated = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.db") as store:
        started = time.process_time()
        points = sweep(study, store, Serial()).points
        total = time.process_time() - started
    print(
        f"overhead: {points} points, {1e3 * simulated / points:.2f} ms of processor time each to "
        f"simulate and {1e3 * (total - simulated) / points:.3f} ms beyond that"
    )


def scaling(repeats: int) -> None:
    """200 points of the study of lanes by one worker and by two, in turns; median of the ratios."""
    tasks = Plan.of(load_study("lanes")).missing[:SCALING_POINTS]
    work(tasks[:1])
    ratios = []
    for _ in range(repeats):
        took = {}
        for workers in (1, 2):
            started = time.perf_counter()
            for _ in Pool(workers).run(tasks):
                pass
            took[workers] = time.perf_counter() - started
        ratios.append(took[1] / took[2])
        print(f"  1 worker {took[1]:.1f} s, 2 workers {took[2]:.1f} s, ratio {ratios[-1]:.2f}")
    print(
        f"scaling: {len(tasks)} points of the study lanes, 2 workers over 1: median ratio "
        f"{statistics.median(ratios):.2f}, load average {os.getloadavg()[0]:.1f}"
    )


def mixed(points: int, workers: int, repeats: int) -> None:
    """Points of mixed shapes through a command-level DRAM, timing only; equal ones count once."""
    tasks = {p.task.key: p.task for p in points_of(Study.from_mapping(MIXED)) if p.task}
    chosen = random.Random(0).sample(sorted(tasks.values(), key=lambda t: t.key), 10_000)
    if points < 10_000:
        work(chosen[-2:])  # compiles
        # Each sample has points of its own, as what one had would find its tilings remembered.
        repeats = min(repeats, 10_000 // points)
        samples = [chosen[at * points : (at + 1) * points] for at in range(repeats)]
        each = statistics.median(_seconds_each(sample) for sample in samples)
        print(
            f"mixed: {repeats} samples of {points} of 10,000 different points, median "
            f"{1e3 * each:.1f} ms of processor time a point: {each * 10_000 / workers:.0f} s for "
            f"all on {workers} cores, load average {os.getloadavg()[0]:.1f}"
        )
        return
    started = time.perf_counter()
    done = sum(len(outcomes) for outcomes in Pool(workers).run(chosen))
    print(
        f"mixed: {done} different points in {time.perf_counter() - started:.0f} s, {workers} cores"
    )


def _seconds_each(tasks: list[Task]) -> float:
    started = time.process_time()
    work(tasks)
    return (time.process_time() - started) / len(tasks)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    overhead()
    mixed(options.points, options.workers, options.repeats)
    scaling(options.repeats)
