"""The programs of a layer on a machine: each is lowered once and timed once."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

from accelsim.hardware import Hardware, Statistic
from accelsim.lowering import Operation, Tiling, lower
from accelsim.machine import (
    BlockOperands,
    Operands,
    Product,
    Run,
    actions_of,
    replay,
    replay_blocks,
    replay_whole,
    run,
)
from accelsim.program import Program
from accelsim.result import StepCost
from accelsim.simulation.collector import collector_paused


class Plan(NamedTuple):
    """What a program is written for."""

    operation: Operation
    realisation: str
    passes: int = 1
    """How often it reads the finished tensor where the range waits for it."""
    statistics: frozenset[Statistic] = frozenset()
    """What is asked of the statistics unit."""
    tiling: Tiling | None = None
    """The tile; None is the best."""


@dataclass
class Programs:
    """Runs programs on one machine, each as little as it needs.

    Time never depends on values. So the first run of a program goes through the machine, and a
    later one takes its cycles from there and replays its values: in one piece, as bits know no
    tiles, unless parts of the output have ranges of their own.
    """

    hardware: Hardware

    def __post_init__(self) -> None:
        self._programs: dict[Plan, Program] = {}
        self._runs: dict[tuple[Plan, int, int], Run] = {}

    def program(self, plan: Plan) -> Program:
        """The program of a plan."""
        key = plan._replace(statistics=frozenset())
        if key not in self._programs:
            operation, realisation, passes, _, tiling = plan
            with collector_paused():
                lowered = lower(operation, self.hardware, realisation, tiling, passes)
            self._programs[key] = lowered
        return replace(self._programs[key], statistics=plan.statistics)

    def run(
        self,
        plan: Plan,
        operands: Operands | BlockOperands | None = None,
        product: Callable[[], Product] | None = None,
    ) -> Run:
        """What the machine does with it; `product` makes the operands' accumulators for a replay.

        Without operands there is no outcome.
        """
        key, program = self._timed_as(plan), self.program(plan)
        if key not in self._runs:
            with collector_paused() if operands is None else nullcontext():
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

    def cost(self, plan: Plan) -> StepCost:
        """What a run of a plan's program costs."""
        program, timed = self.program(plan), self.run(plan)
        moved = sum(phase.bytes for phase in timed.phases)
        actions = actions_of(program, self.hardware, timed)
        return StepCost(plan.realisation, moved, timed.total_cycles, timed.phases, actions)

    def _timed_as(self, plan: Plan) -> tuple[Plan, int, int]:
        """Statistics that hold the drain equally long take the same time, whichever they are."""
        unit = self.hardware.stat_unit
        kept = unit.observed(plan.statistics), unit.tried(plan.statistics)
        observing, searching = (unit.passes(len(statistics)) for statistics in kept)
        return plan._replace(statistics=frozenset()), observing, searching
