"""One run: work, a machine and schemes become results; requests and a DRAM a DramResult."""

from accelsim.simulation.choice import DEFAULT_SCHEMES, DEFAULT_TRAINING_SCHEMES
from accelsim.simulation.door import compare, simulate
from accelsim.simulation.dram import drive_dram
from accelsim.simulation.mlp import mlp_statement
from accelsim.simulation.network_schemes import network_policy
from accelsim.simulation.paper_table import table5
from accelsim.simulation.recording import record
from accelsim.simulation.statistics import layer_needs
from accelsim.simulation.step import planned as planned_step
from accelsim.simulation.version import MODEL_VERSION

__all__ = [
    "DEFAULT_SCHEMES",
    "DEFAULT_TRAINING_SCHEMES",
    "MODEL_VERSION",
    "compare",
    "drive_dram",
    "layer_needs",
    "mlp_statement",
    "network_policy",
    "planned_step",
    "record",
    "simulate",
    "table5",
]
