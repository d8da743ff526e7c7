"""What `compare` and `simulate` do with their options: of a layer, or of a whole network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.cli.energy import energy_document
from accelsim.cli.network import (
    NetworkOptions,
    TrainingFlags,
    ValueFlags,
    names_network,
    run_network,
)
from accelsim.cli.options import LayerRun, energy_tables, refuse
from accelsim.cli.output import SIMULATING, Output, working
from accelsim.cli.pictures import Pictures
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.hardware import EnergyTable
    from accelsim.result import Comparison


@dataclass(frozen=True)
class Work:
    """The options that both commands have, as texts."""

    reference: str
    hardware: str
    overrides: Sequence[str] | None
    batch: str | None
    steps: str | None
    seed: str
    drift: list[str] | None
    kind: str | None
    calibrate: str | None
    tensors: Path | None
    weights: Path | None
    resume: Path | None
    timing_only: bool
    skip_unsupported: bool
    operation: str
    energy: Sequence[str] | None
    training: TrainingFlags
    out: Output
    pictures: Pictures
    jobs: str | None

    def of_network(self, schemes: Sequence[str] | None, *, alone: bool = False) -> bool:
        """Whether a whole network is named; then it is run."""
        if not names_network(self.reference):
            self.training.refuse_for_a_layer()
            given = {"--jobs": self.jobs, "--weights": self.weights}
            refuse(given, tuple(given), "it is for whole networks")
            return False
        given = {
            "--kind": self.kind, "--resume": self.resume, "--trace": self.pictures.trace,
            "--operation": None if self.operation == "forward" else self.operation,
        }  # fmt: skip
        refuse(given, tuple(given), "it is for a single layer")
        values = ValueFlags(
            self.steps, self.drift, self.calibrate, self.tensors, self.weights, self.timing_only
        )
        options = NetworkOptions(
            self.reference, schemes, self.hardware, self.overrides, self.batch, self.seed,
            self.training, values, self.jobs, self.skip_unsupported,
        )  # fmt: skip
        tables = energy_tables(self.energy)
        run_network(options, self.out, self.pictures, tables, alone=alone)
        return True

    def layer_run(self) -> LayerRun:
        """The run of a layer."""
        return LayerRun(
            self.reference, self.hardware, self.overrides, batch=self.batch, steps=self.steps,
            seed=self.seed, drift=self.drift, kind=self.kind, calibrate=self.calibrate,
            tensors=self.tensors, resume=self.resume, timing_only=self.timing_only,
            skip_unsupported=self.skip_unsupported, operation=self.operation,
        )  # fmt: skip


def compare_work(work: Work, schemes: Sequence[str] | None) -> None:
    """Several schemes side by side."""
    if work.of_network(schemes):
        return
    work.pictures.check(work.out)
    tables = energy_tables(work.energy)
    all_schemes = "all" in (schemes or ())
    if all_schemes and len(tables) > 1:
        raise AccelsimError(f"--energy {tables[1].name}: must be given once with --scheme all")
    run = work.layer_run()
    if schemes:
        run.arguments["schemes"] = schemes
    from accelsim.simulation import compare

    with working(SIMULATING) as progress:
        comparison = compare(
            run.layer, run.hardware, resume=run.past, progress=progress, **run.arguments
        )
        work.pictures.make(run.layer, run.hardware, comparison, progress)
    if all_schemes:
        _give_overview(work.out, run, comparison, tables[0])
    else:
        _give_comparison(work.out, run, comparison, tables)


def _give_overview(
    out: Output, run: LayerRun, comparison: "Comparison", table: "EnergyTable"
) -> None:
    from accelsim.report.overview import overview_text
    from accelsim.result import overview_of

    overview = overview_of(comparison, table)
    title, notes = run.title(comparison), run.notes(comparison)
    out.give_record(
        lambda: overview_text(overview, title, notes, comparison.left_out),
        lambda: comparison.to_dict() | {"overview": overview.to_dict()},
    )


def _give_comparison(
    out: Output, run: LayerRun, comparison: "Comparison", tables: "Sequence[EnergyTable]"
) -> None:
    def text() -> Any:
        from accelsim.report.text import comparison_text

        return comparison_text(comparison, run.title(comparison), run.notes(comparison), tables)

    out.give_record(
        text, lambda: comparison.to_dict() | energy_document(comparison.results, tables)
    )


def simulate_work(work: Work, scheme: str) -> None:
    """One scheme alone."""
    from accelsim.simulation.choice import check_one

    check_one(scheme)
    if work.of_network([scheme], alone=True):
        return
    work.pictures.check(work.out)
    tables = energy_tables(work.energy)
    run = work.layer_run()
    from accelsim.result import Comparison
    from accelsim.simulation import simulate

    past = run.past.baseline if run.past else None
    with working(SIMULATING) as progress:
        result = simulate(
            run.layer, run.hardware, scheme, resume=past, progress=progress, **run.arguments
        )
        alone = Comparison((result,))
        work.pictures.make(run.layer, run.hardware, alone, progress)

    def text() -> Any:
        from accelsim.report.text import result_text

        return result_text(result, run.title(alone), run.notes(alone), tables)

    work.out.give_record(text, lambda: result.to_dict() | energy_document([result], tables))
