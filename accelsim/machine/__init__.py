"""SimPy components around the only clock: a Program in, cycles, bytes and values out."""

from accelsim.machine.actions import actions_of
from accelsim.machine.block_values import BlockOperands
from accelsim.machine.parts import Part
from accelsim.machine.replay import Product, replay, replay_blocks, whole_product
from accelsim.machine.run import Machine, Run, run
from accelsim.machine.values import Operands, Outcome

__all__ = [
    "BlockOperands",
    "Machine",
    "Operands",
    "Outcome",
    "Part",
    "Product",
    "Run",
    "actions_of",
    "replay",
    "replay_blocks",
    "run",
    "whole_product",
]
