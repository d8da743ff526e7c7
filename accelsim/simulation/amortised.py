"""What a scheme costs per step that looks at the tensor now and then."""

from accelsim.lowering import Operation
from accelsim.machine import actions_of
from accelsim.result import Amortised, StepCost
from accelsim.simulation.programs import Programs


def amortised(
    operation: Operation, programs: Programs, realisation: str, passes: int, period_steps: int
) -> Amortised:
    """One update step and the plain steps until the next, each from a run of its own program.

    Per step: (update + (period - 1) * plain) / period.
    """
    update = _cost(operation, programs, realisation, passes)
    plain = _cost(operation, programs, "static", 1)

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


def _cost(operation: Operation, programs: Programs, realisation: str, passes: int) -> StepCost:
    timed = programs.run(operation, realisation, passes)
    moved = sum(phase.bytes for phase in timed.phases)
    program = programs.program(operation, realisation, passes)
    actions = actions_of(program, programs.hardware, timed)
    left = program.tensors[program.outcome].total_bytes
    return StepCost(realisation, moved, timed.total_cycles, timed.phases, actions, left)
