"""SimPy components around the only clock: a Program in, cycles, bytes and values out."""

from accelsim.machine.actions import actions_of
from accelsim.machine.block_values import BlockOperands
from accelsim.machine.ending import Run
from accelsim.machine.operands import Operands, Outcome
from accelsim.machine.parts import Part
from accelsim.machine.replay import (
    Product,
    laid_out_weights,
    replay,
    replay_blocks,
    replay_whole,
    whole_product,
)
from accelsim.machine.run import Machine, run

__all__ = [
    "BlockOperands",
    "Machine",
    "Operands",
    "Outcome",
    "Part",
    "Product",
    "Run",
    "actions_of",
    "laid_out_weights",
    "replay",
    "replay_blocks",
    "replay_whole",
    "run",
    "whole_product",
]
