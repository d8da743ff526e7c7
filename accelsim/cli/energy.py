"""`accelsim energy`: the tables that turn counts into joules."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.options import AsJson, OutputFile, Overrides, hardware_of
from accelsim.cli.output import Output
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.hardware import EnergyTable
    from accelsim.result import Result


def energy(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE", help="A table that ships or a YAML file.", show_default=False,
            autocompletion=complete.energies,
        ),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(
            "--hardware", "-H", metavar="NAME|FILE",
            help="Show the area of this machine by the table.", show_default=False,
            autocompletion=complete.machines,
        ),
    ] = None,
    set_: Overrides = None,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """Print an energy table as YAML to start from; without a name, list the tables."""
    out = Output(as_json, output)
    out.check()
    from accelsim.hardware import DEFAULT_TABLE, energy_table_names, load_energy_table
    from accelsim.report import energy as report

    if hardware is not None:
        machine, chosen = hardware_of(hardware, set_), load_energy_table(name or DEFAULT_TABLE)
        out.give(
            lambda: report.area_text(machine, chosen),
            lambda: report.area_document(machine, chosen),
        )
        return
    if set_:
        raise AccelsimError(f"--set {set_[0]}: needs --hardware, whose field it changes")
    if name is not None:
        table = load_energy_table(name)
        out.give(table.to_yaml, lambda: report.table_document(table))
        return
    tables = [load_energy_table(known) for known in energy_table_names()]
    out.give(lambda: report.tables_text(tables), lambda: report.tables_document(tables))


def energy_document(results: "Sequence[Result]", tables: "Sequence[EnergyTable]") -> dict[str, Any]:
    """What a document of results carries of their energy: a run by each table."""
    return {"energy": [r.energy(table).to_dict() for r in results for table in tables]}
