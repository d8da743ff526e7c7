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
    return over_period(period_steps, update.passes, *costs)


def over_period(period_steps: int, passes: int, update: StepCost, plain: StepCost) -> Amortised:
    """An update in `passes` reads, and plain steps until the next one."""

    def mean(one: int, other: int) -> float:
        return (one + (period_steps - 1) * other) / period_steps

    return Amortised(
        period_steps=period_steps,
        passes=passes,
        update=update,
        plain=plain,
        bytes_per_step=mean(update.bytes, plain.bytes),
        cycles_per_step=mean(update.cycles, plain.cycles),
        consumer_load_bytes_per_step=mean(update.consumer_load_bytes, plain.consumer_load_bytes),
    )


def step_cost(plan: Plan, programs: Programs) -> StepCost:
    """What a run of a plan's program costs."""
    program, timed = programs.program(plan), programs.run(plan)
    moved = sum(phase.bytes for phase in timed.phases)
    actions = actions_of(program, programs.hardware, timed)
    left = program.tensors[program.outcome].total_bytes
    return StepCost(plan.realisation, moved, timed.total_cycles, timed.phases, actions, left)
