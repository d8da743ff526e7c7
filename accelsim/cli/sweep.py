"""`accelsim sweep`: a study from its file to a store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.entry import INTERRUPTED
from accelsim.cli.options import AsJson, Jobs, OutputFile, job_count
from accelsim.cli.output import Output, working
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.study import Dask, Pool, Serial

Constraints = Annotated[
    list[str] | None,
    typer.Option(
        "--constraint", metavar="A<=B",
        help="Such as 'known_area_um2 <= 2e6' or 'bandwidth_gb_per_s <= 25'; repeat it.",
        show_default=False,
    ),
]  # fmt: skip
StudyFile = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="A YAML file, or a study that ships.",
        show_default=False,
        autocompletion=complete.studies,
    ),
]
StoreFile = Annotated[
    Path | None,
    typer.Option(
        "--store", metavar="FILE.db",
        help="Where results are kept (named like the study, in this folder).", show_default=False,
    ),
]  # fmt: skip
DaskAddress = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run on Dask workers: tcp://scheduler:8786, or local:4 for four of this machine.",
        show_default=False,
    ),
]


def sweep(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="A YAML file, or a study that ships.",
            show_default=False,
            autocompletion=complete.studies,
        ),
    ] = None,
    store: StoreFile = None,
    jobs: Jobs = None,
    dask: DaskAddress = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the number of points and an estimate of time.")
    ] = False,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:
    """Run what of a study is not in its store yet; without a study, list those that ship."""
    out = Output(as_json, output)
    out.check()
    from accelsim.report import study as report
    from accelsim.study import Store, dry_sweep, load_study, study_names
    from accelsim.study import sweep as run_sweep

    if study is None:
        questions = {name: load_study(name).question for name in study_names()}
        out.give(lambda: report.studies_text(questions), lambda: report.studies_document(questions))
        return
    described, runner = load_study(study), runner_of(jobs, dask)
    path = store_path(study, store)
    if dry_run:
        with working("timing a few points"):
            plan = dry_sweep(described, path if path.exists() else None, runner)
        out.give(lambda: report.plan_text(plan), plan.to_dict)
        return
    with Store(path) as opened, working("running") as progress:
        summary = run_sweep(described, opened, runner, progress)
    out.give(
        lambda: report.summary_text(summary, str(path)),
        lambda: summary.to_dict() | {"store": str(path)},
    )
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)


def store_path(study: str, store: Path | None) -> Path:
    """The store of a study: in this folder, named like its file, where none is given."""
    return store if store is not None else Path(f"{Path(study).stem}.db")


def runner_of(jobs: str | None, dask: str | None) -> "Serial | Pool | Dask":
    """What the options say; without any, a process for each core."""
    from accelsim.study import Dask, Pool, Serial

    if dask is not None:
        if jobs is not None:
            raise AccelsimError(f"--jobs {jobs}: must be left out, Dask has workers of its own")
        return Dask(dask)
    count = job_count(jobs)
    return Serial() if count == 1 else Pool(count)
