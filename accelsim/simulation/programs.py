"""The programs of a layer on a machine: each is lowered once and timed once."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from accelsim.hardware import Hardware
from accelsim.lowering import Operation, lower
from accelsim.machine import (
    BlockOperands,
    Operands,
    Product,
    Run,
    replay,
    replay_blocks,
    replay_whole,
    run,
)
from accelsim.program import Program


@dataclass
class Programs:
    """Runs programs on one machine, each as little as it needs.

    Time never depends on values. So the first run of a program goes through the machine, and a
    later one takes its cycles from there and replays its values: in one piece, as bits know no
    tiles, unless parts of the output have ranges of their own.
    """

    hardware: Hardware

    def __post_init__(self) -> None:
        self._programs: dict[tuple[Operation, str, int], Program] = {}
        self._runs: dict[tuple[Operation, str, int], Run] = {}

    def program(self, operation: Operation, realisation: str, passes: int = 1) -> Program:
        """The program of an operation."""
        key = operation, realisation, passes
        if key not in self._programs:
            self._programs[key] = lower(operation, self.hardware, realisation, passes=passes)
        return self._programs[key]

    def run(
        self,
        operation: Operation,
        realisation: str,
        passes: int = 1,
        operands: Operands | BlockOperands | None = None,
        product: Callable[[], Product] | None = None,
    ) -> Run:
        """What the machine does with it; `product` makes the operands' accumulators for a replay.

        Without operands there is no outcome.
        """
        key = operation, realisation, passes
        program = self.program(*key)
        if key not in self._runs:
            finished = run(program, self.hardware, operands)
            self._runs[key] = replace(finished, outcome=None)
            return finished
        timed = self._runs[key]
        if operands is None:
            return timed
        if isinstance(operands, BlockOperands):
            return replace(timed, outcome=replay_blocks(program, operands))
        assert product is not None
        replayed = replay if program.extent is not None else replay_whole
        outcome = replayed(program, self.hardware.accumulator, operands, product())
        return replace(timed, outcome=outcome)
