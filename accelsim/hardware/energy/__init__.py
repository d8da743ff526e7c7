"""What an action costs in pJ and a component in um2: named, cited tables that the user chooses."""

from accelsim.hardware.energy.loading import (
    DEFAULT_TABLE,
    energy_table_names,
    load_energy_table,
    load_energy_tables,
)
from accelsim.hardware.energy.table import EnergyTable, Figure

__all__ = [
    "DEFAULT_TABLE",
    "EnergyTable",
    "Figure",
    "energy_table_names",
    "load_energy_table",
    "load_energy_tables",
]
