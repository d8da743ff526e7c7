from dataclasses import replace

import pytest

from accelsim.result import (
    Comparison,
    Numerics,
    Phase,
    Result,
    Roofline,
    Trace,
    TraceStep,
    Traffic,
    UnitTime,
    ValueRange,
)

LOADS = (("input", "load", "product", 200_704), ("weights", "load", "product", 36_864))
STATIC = (*LOADS, ("output", "store", "product", 200_704))
SPILL = (
    *LOADS,
    ("accumulators", "store", "product", 802_816),
    ("accumulators", "load", "requantize", 802_816),
    ("output", "store", "requantize", 200_704),
)


def make_result(scheme="in-hindsight/static", traffic=STATIC, cycles=116_240, **fields):
    used = ValueRange(-4.2246, 4.3703)
    numerics = Numerics(
        37.676, 0.9999147, 1.9e-4, -8.2e-5, 4.98e-5, 0.0031, 251, 7,
        used, ValueRange(-4.638, 4.8769), 0.9033, 0.03, 125,
    )  # fmt: skip
    total = sum(row[3] for row in traffic)
    known = {
        "layer": "layer1.0.conv1",
        "batch": 1,
        "hardware": "edge",
        "clock_mhz": 800.0,
        "scheme": scheme,
        "realisation": scheme.rpartition("/")[2],
        "step": 1,
        "data": "synthetic",
        "seed": 0,
        "drift": "walk:0.05",
        "kind": "activation",
        "input_bits": 8,
        "weight_bits": 8,
        "output_bits": 8,
        "accumulator_bits": 32,
        "total_cycles": cycles,
        "latency_us": cycles / 800,
        "macs": 115_605_504,
        "array_utilisation": 112_896 / cycles,
        "array_busy_utilisation": 0.9997,
        "units": (
            UnitTime("load", 16_740, 0, 65_016, cycles - 81_756),
            UnitTime("array", 112_928, 2_832, 0, cycles - 115_760),
        ),
        "traffic": tuple(Traffic(*row) for row in traffic),
        "roofline": Roofline(
            115_605_504 / total, 1024, 16.0, 115_605_504 / cycles, 112_896, total // 16, "compute"
        ),
        "phases": (Phase("product", total, cycles),),
        "bus_bytes": total,
        "consumer_load_bytes": 200_704,
        "machine": {},
        "tiling": {
            "batch": 1, "rows": 1, "columns": 56, "groups": 1, "out_channels": 64,
            "in_channels": 64, "outermost": "positions",
            "input_held": "tile", "weights_held": "tile", "folds": 2016,
        },
        "numerics": numerics,
    }  # fmt: skip
    return Result(**known | fields)


def make_trace(count, first="static"):
    """Steps that differ in their SQNR alone, the third the worst."""
    numerics = make_result().numerics
    lower = (0.0, 0.5, 2.0, 0.167)
    return Trace(
        tuple(
            TraceStep(
                step, first if step == 0 else "static", 438_272, 116_240,
                replace(numerics, sqnr_db=numerics.sqnr_db - lower[step % 4]),
            )
            for step in range(count)
        )
    )  # fmt: skip


@pytest.fixture
def static():
    return make_result(trace=make_trace(2, "spill"))


@pytest.fixture
def spill():
    return make_result("current/spill", SPILL, 179_968)


@pytest.fixture
def comparison(static, spill):
    return Comparison((static, spill))
