"""Operation + Hardware + realisation -> Program: tiling, addresses, command lists."""

from accelsim.lowering.lower import fit, lower, outline
from accelsim.lowering.operation import DIRECTIONS, Operation, Ranges, place
from accelsim.lowering.realisations import REALISATIONS
from accelsim.lowering.search import best_tiling
from accelsim.lowering.tiling import Tiling
from accelsim.lowering.training import TrainingBits, training_operations
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.lowering.vector import Stream, VectorTask, lower_vector

__all__ = [
    "DIRECTIONS",
    "REALISATIONS",
    "Operation",
    "Ranges",
    "Stream",
    "Tiling",
    "TrainingBits",
    "TrainingOptions",
    "VectorTask",
    "best_tiling",
    "fit",
    "lower",
    "lower_vector",
    "outline",
    "place",
    "training_operations",
]
