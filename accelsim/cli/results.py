"""`accelsim results`: what a store holds, as a table or drawn."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.options import OutputFile, refuse
from accelsim.cli.output import command_line
from accelsim.cli.sweep import Constraints
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.study import Store


def results(
    store: Annotated[Path, typer.Argument(metavar="STORE.db", show_default=False)],
    study: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which study (the only one).", show_default=False),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format", metavar="csv|parquet|json", help="As what to print them.",
            autocompletion=complete.tables,
        ),
    ] = "csv",
    energy: Annotated[
        list[str] | None,
        typer.Option(
            "--energy", metavar="NAME|FILE", help="Energy tables (accelergy-45nm).",
            show_default=False, autocompletion=complete.energies,
        ),
    ] = None,
    pareto: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="A row for each design, summed over its layers; first those that no other beats "
            "in these: latency, energy, traffic, area, accuracy. Also of a search.",
            show_default=False,
        ),
    ] = None,
    constraint: Constraints = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png|svg|pdf",
            help="Draw what the study says answers its question; with --pareto the front.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """Print the points of a study, a flat row each, with energy by chosen tables."""
    from accelsim.report.files import check_writable, write_file
    from accelsim.study import FORMATS, Store, written

    kind = "json" if as_json else kind
    if kind not in FORMATS:
        raise AccelsimError(f"--format {kind}: must be one of {', '.join(FORMATS)}")
    if output is not None:
        check_writable(output)
    elif kind == "parquet" and plot is None:
        raise AccelsimError("--format parquet: needs -o FILE, as it is not text")
    if plot is not None:
        from accelsim.report.plot import check_figure_path

        check_figure_path(plot)
    with Store(store, read_only=True) as opened:
        if pareto is None:
            refuse({"--constraint": constraint}, ["--constraint"], "it goes with --pareto")
            rows, draw = _points(opened, study, energy or ())
        else:
            rows, draw = _designs(opened, study, pareto, constraint or (), energy or ())
    if plot is not None:
        from accelsim.report.plot import save_figure

        save_figure(draw(), plot)
    if output is not None:
        write_file(output, written(rows, kind, command_line.get()))
    elif plot is None:
        sys.stdout.write(written(rows, kind, command_line.get()).decode())


Shown = tuple[Sequence[Mapping[str, Any]], Callable[[], Any]]
"""Rows, and what gives their figure."""


def _points(store: "Store", study: str | None, energy: Sequence[str]) -> Shown:
    from accelsim.report.plot.study import study_plot
    from accelsim.study import table_of

    name = store.study_named(study)
    rows = table_of(store, name, energy)
    if not rows:
        raise AccelsimError(
            f"{store.path}: study {name} was searched, not swept; --pareto latency,energy gives "
            "the designs that were tried"
        )
    answer, question = store.shown(name)["plot"], store.studies()[name]
    return rows, lambda: study_plot(rows, answer, question)


def _designs(
    store: "Store",
    study: str | None,
    objectives: str,
    constraints: Sequence[str],
    energy: Sequence[str],
) -> Shown:
    from accelsim.report.plot.search import search_plot
    from accelsim.study import designs_table, front_of

    if len(energy) > 1:
        raise AccelsimError(f"--energy {energy[1]}: must be given once with --pareto")
    found = front_of(
        store, study, objectives=[name.strip() for name in objectives.split(",")],
        constraints=constraints, energy=energy[0] if energy else "",
    )  # fmt: skip
    return designs_table(found), lambda: search_plot(found)
