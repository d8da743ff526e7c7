"""One run: a layer, a machine and a scheme become a Result."""

from accelsim.simulation.runs import DEFAULT_SCHEMES, compare, simulate
from accelsim.simulation.paper_table import table5

__all__ = ["DEFAULT_SCHEMES", "compare", "simulate", "table5"]
