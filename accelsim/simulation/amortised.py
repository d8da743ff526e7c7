"""What a scheme costs per step that looks at the tensor now and then."""

from functools import lru_cache

from accelsim.hardware import Hardware
from accelsim.lowering import Operation, lower
from accelsim.machine import run
from accelsim.result import Amortised, StepCost


def amortised(
    operation: Operation, hardware: Hardware, realisation: str, passes: int, period_steps: int
) -> Amortised:
    """One update step and the plain steps until the next, each from a run of its own program.

    Per step: (update + (period - 1) * plain) / period.
    """
    update = step_cost(operation, hardware, realisation, passes)
    plain = step_cost(operation, hardware, "static")

    def mean(one: int, other: int) -> float:
        return (one + (period_steps - 1) * other) / period_steps

    return Amortised(
        period_steps=period_steps,
        passes=passes,
        update=update,
        plain=plain,
        bytes_per_step=mean(update.bytes, plain.bytes),
        cycles_per_step=mean(update.cycles, plain.cycles),
    )


@lru_cache(maxsize=1024)
def step_cost(
    operation: Operation, hardware: Hardware, realisation: str, passes: int = 1
) -> StepCost:
    """Bytes and cycles of one step: they depend on no value, so a program is timed once."""
    timed = run(lower(operation, hardware, realisation, passes=passes), hardware)
    return StepCost(
        realisation=realisation,
        bytes=sum(phase.bytes for phase in timed.phases),
        cycles=timed.total_cycles,
        phases=timed.phases,
    )
