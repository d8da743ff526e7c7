"""SimPy components around the only clock: a Program in, cycles, bytes and values out."""

from accelsim.machine.run import Machine, Run, run
from accelsim.machine.values import Operands, Outcome

__all__ = ["Machine", "Operands", "Outcome", "Run", "run"]
