"""Operation + Hardware + realisation -> Program: tiling, addresses, command lists."""

from accelsim.lowering.lower import lower
from accelsim.lowering.operation import DIRECTIONS, Operation, place
from accelsim.lowering.realisations import REALISATIONS
from accelsim.lowering.search import best_tiling
from accelsim.lowering.tiling import Tiling

__all__ = [
    "DIRECTIONS",
    "REALISATIONS",
    "Operation",
    "Tiling",
    "best_tiling",
    "lower",
    "place",
]
