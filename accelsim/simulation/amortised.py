"""What a scheme costs per step that looks at the tensor now and then."""

from dataclasses import replace

from accelsim.hardware import SEARCHING
from accelsim.quant import Scheme
from accelsim.result import Amortised, StepCost
from accelsim.simulation.consumer import consumer_of
from accelsim.simulation.programs import Plan, Programs


def amortised(update: Plan, scheme: Scheme, programs: Programs, period_steps: int) -> Amortised:
    """One update step and the plain steps until the next, each from a run of its own program.

    A plain step is static, and asks the statistics unit for nothing that only a search needs.
    """
    plain = Plan(update.operation, "static", 1, update.statistics - SEARCHING)
    costs = (_read_cost(plan, scheme, programs) for plan in (update, plain))
    return Amortised.over(period_steps, update.passes, *costs)


def _read_cost(plan: Plan, scheme: Scheme, programs: Programs) -> StepCost:
    """What a run of a plan's program costs, and whoever reads what it leaves."""
    return replace(programs.cost(plan), consumer=consumer_of(plan, scheme, programs))
