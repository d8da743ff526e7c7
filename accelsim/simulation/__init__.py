"""One run: a layer, a machine and a scheme become a Result; requests and a DRAM a DramResult."""

from accelsim.simulation.dram import drive_dram
from accelsim.simulation.mlp import mlp_statement
from accelsim.simulation.network import compare_networks, network_policy, simulate_network
from accelsim.simulation.paper_table import table5
from accelsim.simulation.recording import record
from accelsim.simulation.runs import DEFAULT_SCHEMES, compare, roofline_of, simulate
from accelsim.simulation.step import planned as planned_step
from accelsim.simulation.version import MODEL_VERSION

__all__ = [
    "DEFAULT_SCHEMES",
    "MODEL_VERSION",
    "compare",
    "compare_networks",
    "drive_dram",
    "mlp_statement",
    "network_policy",
    "planned_step",
    "record",
    "roofline_of",
    "simulate",
    "simulate_network",
    "table5",
]
