"""What a scheme costs per step that looks at the tensor now and then."""

from accelsim.hardware import SEARCHING
from accelsim.machine import actions_of
from accelsim.result import Amortised, StepCost
from accelsim.simulation.programs import Plan, Programs


def amortised(update: Plan, programs: Programs, period_steps: int) -> Amortised:
    """One update step and the plain steps until the next, each from a run of its own program.

    Per step: (update + (period - 1) * plain) / period. A plain step is static, and asks the
    statistics unit for nothing that only a search needs.
    """
    plain = Plan(update.operation, "static", 1, update.statistics - SEARCHING)
    costs = step_cost(update, programs), step_cost(plain, programs)

    def mean(one: int, other: int) -> float:
        return (one + (period_steps - 1) * other) / period_steps

    updating, between = costs
    return Amortised(
        period_steps=period_steps,
        passes=update.passes,
        update=updating,
        plain=between,
        bytes_per_step=mean(updating.bytes, between.bytes),
        cycles_per_step=mean(updating.cycles, between.cycles),
        consumer_load_bytes_per_step=mean(
            updating.consumer_load_bytes, between.consumer_load_bytes
        ),
    )


def step_cost(plan: Plan, programs: Programs) -> StepCost:
    """What a run of a plan's program costs."""
    program, timed = programs.program(plan), programs.run(plan)
    moved = sum(phase.bytes for phase in timed.phases)
    actions = actions_of(program, programs.hardware, timed)
    left = program.tensors[program.outcome].total_bytes
    return StepCost(plan.realisation, moved, timed.total_cycles, timed.phases, actions, left)
