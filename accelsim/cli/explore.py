"""`accelsim explore`: a search over a study's axes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from accelsim.cli.entry import INTERRUPTED
from accelsim.cli.options import AsJson, Jobs, OutputFile, whole
from accelsim.cli.output import Output, working
from accelsim.cli.sweep import (
    Constraints,
    DaskAddress,
    StoreFile,
    StudyFile,
    runner_of,
    store_path,
)


def explore(
    study: StudyFile,
    objectives: Annotated[
        str,
        typer.Option(metavar="A,B,...", help="latency, energy, traffic, area; of values accuracy."),
    ] = "latency,energy,traffic",
    trials: Annotated[
        str,
        typer.Option(metavar="N", help="Designs to try, those of earlier searches counted."),
    ] = "500",
    constraint: Constraints = None,
    energy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Energy table (the study's, else accelergy-45nm).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[str, typer.Option(metavar="N", help="Seed of the search.")] = "0",
    store: StoreFile = None,
    jobs: Jobs = None,
    dask: DaskAddress = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png|svg|pdf", help="Draw the first objective against the others.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """Search a study's axes for designs that no other beats, over all its layers."""
    out = Output(as_json, output)
    out.check()
    if plot is not None:
        from accelsim.report.plot import check_figure_path

        check_figure_path(plot)
    from accelsim.report import study as report
    from accelsim.study import Store, load_study
    from accelsim.study import explore as run_search

    described, runner = load_study(study), runner_of(jobs, dask)
    arguments: dict[str, Any] = {
        "objectives": [name.strip() for name in objectives.split(",")],
        "trials": whole("--trials", trials),
        "constraints": constraint or (),
        "seed": whole("--seed", seed),
        "energy": energy or "",
    }
    with Store(store_path(study, store)) as opened, working("searching") as progress:
        found = run_search(described, opened, runner, progress=progress, **arguments)
    if plot is not None:
        from accelsim.report.plot import save_figure
        from accelsim.report.plot.search import search_plot

        save_figure(search_plot(found), plot)
    out.give(lambda: report.search_text(found), found.to_dict)
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
