"""From a name or a file to an energy table; every refusal one line."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.hardware.energy.table import EnergyTable
from accelsim.hardware.loading import looks_like_a_path, read_text
from accelsim.hardware.part import close_match, show
from accelsim.hardware.text import read_yaml

DEFAULT_TABLE = "accelergy-45nm"
"""What a report uses where the user names no table."""

_SUFFIX = ".yaml"


@cache
def energy_table_names() -> tuple[str, ...]:
    """Names of the tables that ship with the package, sorted."""
    found = files(__package__).joinpath("tables").iterdir()
    return tuple(
        sorted(file.name.removesuffix(_SUFFIX) for file in found if file.name.endswith(_SUFFIX))
    )


def load_energy_table(source: str | Path | EnergyTable = DEFAULT_TABLE) -> EnergyTable:
    """Give the table of this name or YAML file.

    `NAME:dram=hbm2` chooses the DRAM that stands in where a machine names none of the table's.
    """
    if isinstance(source, EnergyTable):
        return source
    if not isinstance(source, str | Path):
        raise AccelsimError(f"energy={show(source)}: must be a table's name or a path")
    name, chooses, dram = str(source).partition(":dram=")
    table = _named(name)
    if not chooses:
        return table
    return EnergyTable(**(table.model_dump() | {"dram_default": dram}))


def load_energy_tables(
    sources: Iterable[str | Path | EnergyTable],
) -> tuple[EnergyTable, ...]:
    """Several tables, each once; results are told by its name, so no two may have the same."""
    tables: dict[str, EnergyTable] = {}
    for source in sources:
        table = load_energy_table(source)
        if tables.setdefault(table.name, table) != table:
            given = source.name if isinstance(source, EnergyTable) else source
            raise AccelsimError(
                f"energy={given}: another table here is named {table.name!r} too; must have a "
                "name of its own"
            )
    return tuple(tables.values())


def _named(name: str) -> EnergyTable:
    if name in energy_table_names():
        return _shipped(name)
    if not looks_like_a_path(name):
        known = energy_table_names()
        raise AccelsimError(
            f"energy={show(name)}: unknown table{close_match(name, list(known))} "
            f"(known: {', '.join(known)}; or the path of a YAML file)"
        )
    where = name if name.isprintable() else show(name)
    values = read_yaml(read_text(Path(name), where), where)
    if not isinstance(values, dict):
        raise AccelsimError(f"{where}: must be a mapping of fields, not {show(values)}")
    try:
        return EnergyTable(**values)
    except AccelsimError as error:
        raise AccelsimError(f"{where}: {error}") from None


@cache
def _shipped(name: str) -> EnergyTable:
    text = files(__package__).joinpath("tables", name + _SUFFIX).read_text(encoding="utf-8")
    return EnergyTable(**read_yaml(text, f"energy table {name}"))
