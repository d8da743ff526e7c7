"""What a layer's output costs the operation that reads it, beyond plain integers of one range.

The consumer is stated, not known: a 1x1 convolution to as many channels as it reads, quantized
statically. It is lowered and timed twice on the same machine: reading the output as it lies, and as
integers of the scheme's width with a range that is known before.
"""

from dataclasses import replace

from accelsim.errors import AccelsimError
from accelsim.lowering import Operation, Ranges
from accelsim.network import Nest
from accelsim.program import ACCUMULATORS, GRAD_WEIGHT
from accelsim.quant import Scheme
from accelsim.result import Consumer
from accelsim.simulation.amortised import step_cost
from accelsim.simulation.blocks import SUM_BITS
from accelsim.simulation.programs import Plan, Programs
from accelsim.simulation.step import Step


def consumer_of(step: Step, scheme: Scheme, programs: Programs) -> Consumer | None:
    """The cost of reading this step's output; None where it lies as a static scheme leaves it.

    None also for a gradient to the weights, which the update reads and no product.
    """
    if step.operation.direction == GRAD_WEIGHT:
        return None
    static = _static(step.operation, scheme)
    own = _reading(step, static)
    if own == static:
        return None
    nest = static.nest
    work = (
        f"1x1 convolution, {nest.in_channels} to {nest.out_channels} channels, "
        f"{nest.batch} x {nest.in_height} x {nest.in_width} positions"
    )
    try:
        _check(step, own, programs)
        cost, plain = (step_cost(Plan(one, "static"), programs) for one in (own, static))
    except AccelsimError as error:
        return Consumer(work, None, None, 0, 0, refused=str(error))
    more_bytes, more_cycles = cost.bytes - plain.bytes, cost.cycles - plain.cycles
    return Consumer(work, cost, plain, more_bytes, more_cycles, refused="")


def _static(operation: Operation, scheme: Scheme) -> Operation:
    """The consumer of integers with one range, known before."""
    images, rows, columns, channels = operation.output_shape
    return Operation(
        nest=Nest(1, images, 1, channels, channels, rows, columns),
        name="the consumer",
        input_bits=scheme.output_bits,
        weight_bits=scheme.weight_bits,
        output_bits=scheme.output_bits,
    )


def _reading(step: Step, static: Operation) -> Operation:
    """The same on the output as this step leaves it."""
    made = step.operation
    if made.block is not None:
        return replace(static, block=made.block, ranges=made.ranges)
    parts = None if made.ranges is None else Ranges(made.ranges.extent, made.ranges.bits)
    own = replace(static, input_bits=made.output_bits, input_ranges=parts)
    if step.program.outcome != ACCUMULATORS:
        return own
    bits = step.program.tensors[ACCUMULATORS].bits
    return replace(own, input_bits=bits, edge_bits=made.output_bits)


def _check(step: Step, own: Operation, programs: Programs) -> None:
    if step.operation.mixed_samples:
        raise AccelsimError("mixed samples: to undo their mixing is not modelled")
    bits = programs.hardware.accumulator.bits
    if own.reduction_block is not None and bits != SUM_BITS:
        raise AccelsimError(
            f"accumulator.bits={bits}: must be {SUM_BITS}, as rescaled partial sums are float32"
        )
