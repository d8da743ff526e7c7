"""One step of a layer whose operands and output are in blocks that share a power of two."""

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering import Operation
from accelsim.machine import BlockOperands
from accelsim.program import INPUT, WEIGHTS
from accelsim.quant import Estimator, Observation, Range, Scheme, microscaled
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.programs import Plan, Programs
from accelsim.simulation.step import Step, numerics_of, operation_of, valued_step

SUM_BITS = 32
"""Of a float32 accumulator."""


def check_blocks(scheme: Scheme, hardware: Hardware) -> None:
    """Raise where the scheme is in blocks and the machine is not made for that."""
    if scheme.block is not None and hardware.accumulator.bits != SUM_BITS:
        raise AccelsimError(
            f"accumulator.bits={hardware.accumulator.bits}: must be {SUM_BITS} for scheme "
            f"'{scheme.label}', whose sums are float32"
        )


def step_under(
    operands: StepOperands, scheme: Scheme, estimator: Estimator, step: int, programs: Programs
) -> Step:
    """One step with values, whatever the scheme makes of its operands."""
    if scheme.block is None:
        return valued_step(operands, scheme, estimator, step, programs)
    layer = operands.layer
    operation = operation_of(layer, operands.batch, scheme)
    plan = Plan(operation, scheme.realisation, statistics=estimator.needs)
    finished = programs.run(plan, block_operands(operands, operation))
    outcome = finished.outcome
    assert outcome is not None
    observed = Observation(Range(*outcome.extremes))
    decision = estimator.decision_from(observed)
    grid = scheme.output_grid(decision)
    return Step(
        plan, programs.program(plan), finished, observed,
        numerics_of(operands, grid, decision, observed, outcome, outcome.part_reals),
        layer.from_nest_output(outcome.output), grid, outcome.part_reals,
    )  # fmt: skip


def block_operands(operands: StepOperands, operation: Operation) -> BlockOperands:
    """A step's tensors, each in blocks along its own reduction, and its bias as float32."""
    bias = None if operands.bias is None else operands.bias.astype(np.float32)
    (_, *of_input), (_, *of_weights) = operation.blocking[INPUT], operation.blocking[WEIGHTS]
    return BlockOperands(
        microscaled(operands.input, *of_input), microscaled(operands.weights, *of_weights), bias
    )
