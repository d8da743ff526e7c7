"""The validation page: everything that others vouch for is run again, and what differed is counted.

python docs/generated/validation_page.py prints it. It needs the extra [test], as the tests do: the
references and the data are theirs.
"""

import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from configuration_page import table  # noqa: E402

import accelsim  # noqa: E402
from accelsim.hardware import Array, Dataflow, ShiftOut  # noqa: E402
from accelsim.kernels import dram as channel  # noqa: E402
from accelsim.network import evaluate, load_network, load_table5  # noqa: E402
from accelsim.numerics import RequantizationMode  # noqa: E402
from accelsim.result import Table5  # noqa: E402
from tests.dram import reference as ramulator  # noqa: E402
from tests.hardware.systolic import output_stationary, weight_stationary  # noqa: E402
from tests.hardware.test_array import textbook_cycles  # noqa: E402
from tests.oracles.integers import KINDS, channels_of_one_accumulator, ours  # noqa: E402
from tests.simulation import test_scalesim as scalesim  # noqa: E402

SHAPES = 2000
FOLDS = 40
LAYERS = 12
OUTPUTS = 10_000

HEAD = """\
# Validation

<!-- Written by docs/generated/validation_page.py, which runs every comparison again. -->

What the model was held against, and what differed. The figures on this page were counted while it
was built; to count them again, in a checkout with the extra `[test]`:

<!-- not run: prints this very page -->
```sh
python docs/generated/validation_page.py
```

Each comparison is also a test, with the command in the last column, and fails where anything
differs by more than the test's bound.

## In short
"""

PAPER = """\
## Table 5 of the paper

Fournarakis and Nagel, *In-Hindsight Quantization Range Estimation for Quantized Training* (2021),
in KB of 1024 bytes. Closed form and simulation agree to the byte. One printed row does not follow
from its own dimensions; `accelsim table5` says which, and why.
"""

DRAM = """\
## The DRAM against Ramulator 2.1

{runs} runs, measured with Ramulator 2.1 (snapshot c5b1c3a4) for this project and kept in
`tests/data/ramulator2.csv`: read and write streams, interleaved streams, strides, random lines.
Clocks and commands of each:
"""

VALUES = """\
## Values

Requantization in the mode that each outside implementation has, with accumulators chosen to be
difficult: near ties, exact ties, of 32 bits, of all sizes. Whole simulated layers are compared as
well (`tests/oracles/test_onnx_runtime.py`). All other modes are held against exact fractions, and
the output of every layer, tiling and realisation against a plain integer reference, bit for bit,
in `tests/machine/test_values.py`.
"""

NOT_VALIDATED = """\
## What nobody vouches for

- The whole machine: no measured chip and no RTL of this shape was at hand. Its parts are held
  against the references above, its bounds and edges ("not ready at cycle 40, ready at 41") by
  `tests/machine/`.
- Per-bank refresh and the closed-page policy: not among the runs of Ramulator; held against the
  slow twin in `tests/naive/dram.py` alone.
- The accuracy of a network: synthetic tensors say how the machinery behaves.
"""


class Check(NamedTuple):
    """One line of the summary."""

    what: str
    against: str
    compared: str
    differed: str
    command: str


def page() -> str:
    """The whole page in Markdown; runs every comparison."""
    runs = [_ramulator_run(row) for row in ramulator.rows()]
    paper = accelsim.table5(["table5"])
    checks = [
        _dram_check(runs), *_requantization_checks(), _importer_check(), *_array_checks(),
        _bytes_check(),
    ]  # fmt: skip
    summary = table(
        ["what", "held against", "compared", "different", "test"],
        [[*check[:4], f"`pytest {check.command}`"] for check in checks],
    )
    return "\n".join(
        [
            HEAD, summary, PAPER, _paper_table(paper), DRAM.format(runs=len(runs)),
            table(_RUN_HEAD, [_run_line(run) for run in runs]), VALUES, NOT_VALIDATED,
        ]
    )  # fmt: skip


# The DRAM ------------------------------------------------------------------------------------

_RUN_HEAD = (
    "configuration", "trace", "clocks, Ramulator", "clocks, here", "activates", "row hits",
    "of peak",
)  # fmt: skip


class Run(NamedTuple):
    """A run of Ramulator and the same run here."""

    theirs: dict[str, str]
    ours: dict[str, float]

    @property
    def errors(self) -> list[float]:
        """Relative differences of clocks and of each kind of command."""
        pairs = (
            ("cycles", "clocks"), ("n_act", "activates"), ("n_rd", "column_reads"),
            ("n_wr", "column_writes"), ("n_ref", "refreshes"),
        )  # fmt: skip
        return [
            abs(self.ours[ours] - int(self.theirs[theirs])) / max(1, int(self.theirs[theirs]))
            for theirs, ours in pairs
        ]


def _ramulator_run(row: dict[str, str]) -> Run:
    description = ramulator.CONFIGURATIONS[row["config"]]
    lines = ramulator.trace(row["trace"]).lines(description.line_bytes, description.capacity_bytes)
    machine = channel.create(description, trace=lines)
    channel.submit_trace(machine, 0)
    channel.finish(machine, 0)
    return Run(row, channel.statistics(machine, description))


def _run_line(run: Run) -> list[str]:
    theirs, ours = run
    same = " =" if ours["clocks"] == int(theirs["cycles"]) else ""
    return [
        theirs["config"], theirs["trace"], f"{int(theirs['cycles']):,}",
        f"{ours['clocks']:,}{same}", f"{ours['activates']:,}", f"{ours['row_hit_rate']:.1%}",
        f"{ours['fraction_of_peak']:.1%}",
    ]  # fmt: skip


def _dram_check(runs: list[Run]) -> Check:
    worst = max(max(run.errors) for run in runs)
    latency = max(
        abs(run.ours["read_latency_mean"] - float(run.theirs["avg_read_latency_cycles"]))
        / max(1.0, float(run.theirs["avg_read_latency_cycles"]))
        for run in runs
    )
    exact = sum(max(run.errors) == 0 for run in runs)
    return Check(
        "DRAM: clocks, activates, reads, writes, refreshes",
        "Ramulator 2.1",
        f"{len(runs)} runs",
        f"{len(runs) - exact} runs; largest error {worst:.2%}, of the mean read latency "
        f"{latency:.1e}",
        "tests/dram/test_reference.py",
    )


# Values --------------------------------------------------------------------------------------


def _requantization_checks() -> list[Check]:
    checks = [_oracle_check("ONNX Runtime, QLinearConv", RequantizationMode.F32_RNE, _onnx)]
    for kernels, mode in (
        ("reference", RequantizationMode.TFLITE_DOUBLE),
        ("ruy", RequantizationMode.SINGLE),
        ("xnnpack", RequantizationMode.F32_RNE),
    ):
        checks.append(_oracle_check(f"LiteRT, {kernels}", mode, _litert(kernels)))
    return checks


def _oracle_check(name: str, mode: RequantizationMode, theirs: Callable) -> Check:
    """Outputs of accumulators that are hard to round, by us and by the other implementation."""
    module = "litert" if name.startswith("LiteRT") else "onnx_runtime"
    compared = differed = 0
    generator = np.random.default_rng(3)
    try:
        for kind in KINDS:
            acc, scales = channels_of_one_accumulator(kind, OUTPUTS, generator)
            for zero_point in (0, -128, 5):
                mine = ours(acc.reshape(1, 1, 1, -1), scales, zero_point, mode).ravel()
                differed += int((mine != theirs(acc, scales, zero_point)).sum())
                compared += len(acc)
        figures = f"{compared:,} outputs", f"{differed:,} outputs"
    except pytest.skip.Exception:
        figures = "not installed where this page was built", ""
    what = f"requantization, mode `{mode}`"
    return Check(what, name, *figures, f"tests/oracles/test_{module}.py")


def _importer_check() -> Check:
    """Small models of every operation that can be read, in float64 here, in float32 there."""
    errors = []
    try:
        from tests.network.onnx import models, test_floats

        for make in test_floats.CASES.values():
            model = models.Model(x=test_floats.normal(*test_floats.IMAGE))
            proto = model.proto(make(model))
            (theirs,) = models.run(proto, model.inputs)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.onnx")
                path.write_bytes(proto.SerializeToString())
                network = load_network(path)
            (output,) = network.outputs
            mine = evaluate(network, model.inputs)[output]
            errors.append(float(np.abs(mine - theirs).max() / np.abs(theirs).max()))
        figures = f"{len(errors)} models", f"largest error {max(errors):.1e} of the largest output"
    except pytest.skip.Exception:
        figures = "not installed where this page was built", ""
    test = "tests/network/onnx/test_floats.py"
    return Check("ONNX models read as networks", "ONNX Runtime", *figures, test)


def _onnx(acc: np.ndarray, scales: object, zero_point: int) -> np.ndarray:
    from tests.oracles import onnx_models

    x, w = np.zeros((1, 1, 1, 1), np.int8), np.zeros((len(acc), 1, 1, 1), np.int8)
    return onnx_models.convolution(x, w, acc, scales, (0, zero_point)).ravel()


def _litert(kernels: str) -> Callable:
    def theirs(acc: np.ndarray, scales: object, zero_point: int) -> np.ndarray:
        from tests.oracles import litert_models

        x, w = np.zeros((1, 1, 1, 1), np.int8), np.zeros((len(acc), 1, 1, 1), np.int8)
        zeros, patch = (0, zero_point), pytest.MonkeyPatch()
        return litert_models.convolution(kernels, x, w, acc, scales, zeros, patch).ravel()

    return theirs


# The array -----------------------------------------------------------------------------------


def _array_checks() -> list[Check]:
    return [
        Check(
            "array: cycles of a product, one stationary set",
            "SCALE-Sim's equations, written again",
            f"{SHAPES:,} products, three dataflows",
            f"{_different_from_textbook():,} products",
            "tests/hardware/test_array.py",
        ),
        Check(
            "array: busy cycles of whole runs on the preset `scalesim`",
            "SCALE-Sim 3.0.0's folds times fold",
            f"{len(scalesim.FLOWS) * LAYERS} layers, three dataflows",
            f"{_different_from_scalesim()} layers",
            "tests/simulation/test_scalesim.py",
        ),
        Check(
            "array: cycles and values of folds, two stationary sets",
            "every register of every cell, cycle by cycle",
            f"{2 * FOLDS} sequences of folds",
            f"{_different_from_registers()} sequences",
            "tests/hardware/test_array.py",
        ),
    ]


def _different_from_textbook() -> int:
    generator = np.random.default_rng(1)
    different = 0
    for _ in range(SHAPES):
        m, k, n = (int(size) for size in generator.integers(1, 1000, 3))
        rows, columns = (int(size) for size in generator.integers(1, 129, 2))
        dataflow = list(Dataflow)[generator.integers(3)]
        array = Array(
            rows=rows, columns=columns, dataflow=dataflow, stationary_sets=1,
            shift_out=ShiftOut.UNCOUNTED,
        )  # fmt: skip
        expected = textbook_cycles(dataflow.value, rows, columns, m, k, n)
        different += array.timing(m, k, n).total_cycles != expected
    return different


def _different_from_scalesim() -> int:
    draw = random.Random(1)
    different = 0
    for flow in scalesim.FLOWS:
        for _ in range(LAYERS):
            layer = scalesim.random_layer(draw)
            nest = layer.nest()
            rows, columns = draw.choice([4, 8, 16]), draw.choice([4, 8, 16])
            m = nest.batch * nest.out_height * nest.out_width
            form = scalesim.closed_form(flow, rows, columns, m, nest.reduction, nest.out_channels)
            cycles = scalesim.array_cycles(layer, scalesim.machine(flow, rows, columns))
            different += cycles != nest.groups * form
    return different


def _different_from_registers() -> int:
    generator = np.random.default_rng(2)
    different = 0
    for _ in range(FOLDS):
        rows, columns, depth, count = (int(size) for size in generator.integers(1, 6, 4))
        for dataflow, cells in (
            (Dataflow.WEIGHT_STATIONARY, weight_stationary),
            (Dataflow.OUTPUT_STATIONARY, output_stationary),
        ):
            standing = dataflow is Dataflow.WEIGHT_STATIONARY
            left, right = ((depth, rows), (rows, columns))
            if not standing:
                left, right = (rows, depth), (depth, columns)
            folds = [
                (generator.integers(-9, 10, left), generator.integers(-9, 10, right))
                for _ in range(count)
            ]
            products, cycles = cells(folds, period_cycles=max(depth, rows))
            array = Array(rows=rows, columns=columns, dataflow=dataflow, stationary_sets=2)
            shape = (depth, rows * count, columns) if standing else (rows * count, depth, columns)
            same = array.timing(*shape).total_cycles == cycles and all(
                (product == x @ w).all() for (x, w), product in zip(folds, products, strict=True)
            )
            different += not same
    return different


# The paper -----------------------------------------------------------------------------------


def _bytes_check() -> Check:
    """Every realisation of every layer of the table, where the buffers hold the layer."""
    different = programs = 0
    for published in load_table5():
        nest = published.layer.nest()
        static, spill = nest.traffic_bytes()
        n = nest.output_elements
        closed_forms = {
            "in-hindsight/static": static,
            "current/spill": spill,
            "current/spill16": static + n * 2 * 2,
            "current/lazy": static - n + n * 4,
            "current/recompute": static + (static - n),
            "current/resident": static,
        }
        for scheme, expected in closed_forms.items():
            result = accelsim.simulate(published.layer, "table5", scheme, data=None)
            different += result.total_bytes != expected
            programs += 1
    return Check(
        "DRAM bytes of all realisations of the paper's layers",
        "closed forms; static and spill are those of its Table 5",
        f"{programs} programs",
        f"{different} programs",
        "tests/simulation/test_paper_table.py tests/lowering/test_programs.py",
    )


def _paper_table(paper: Table5) -> str:
    rows = []
    for row in paper.rows:
        for name, published in (
            ("static", row.published_static_kib),
            ("dynamic", row.published_dynamic_kib),
        ):
            closed, simulated = (getattr(m, f"{name}_bytes") / 1024 for m in row.movements[:2])
            error = abs(published - simulated) / simulated
            rows.append(
                [row.description, name, f"{published:,}", f"{closed:,.1f}", f"{simulated:,.1f}",
                 f"{error:.2%}"]
            )  # fmt: skip
    return table(["layer", "", "printed", "closed form", "simulated", "printed differs by"], rows)


if __name__ == "__main__":
    print(page())
