"""SimPy components around the only clock: a Program in, cycles, bytes and values out."""

from accelsim.machine.actions import actions_of
from accelsim.machine.parts import Part
from accelsim.machine.replay import Product, replay, whole_product
from accelsim.machine.run import Machine, Run, run
from accelsim.machine.values import Operands, Outcome

__all__ = [
    "Machine",
    "Operands",
    "Outcome",
    "Part",
    "Product",
    "Run",
    "actions_of",
    "replay",
    "run",
    "whole_product",
]
