"""What a layer's output costs the operation that reads it, beyond plain integers of one range.

The consumer is stated, not known: a 1x1 convolution to as many channels as it reads, quantized
statically. It is lowered and timed on the same machine: reading the output as it lies, and as
integers of the scheme's width with a range that is known before.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.lowering import Operation, Ranges, Tiling
from accelsim.network import Nest
from accelsim.program import ACCUMULATORS, GRAD_WEIGHT
from accelsim.quant import Scheme
from accelsim.result import Consumer
from accelsim.simulation.blocks import SUM_BITS
from accelsim.simulation.programs import Plan, Programs


def consumer_of(plan: Plan, scheme: Scheme, programs: Programs) -> Consumer | None:
    """The cost of reading a step's output; None where it lies as a static scheme leaves it."""
    static = _static(plan.operation, scheme)
    own = _reading(plan, static, programs)
    if own == static:
        return None
    nest = static.nest
    work = (
        f"1x1 convolution, {nest.in_channels} to {nest.out_channels} channels, "
        f"{nest.batch} x {nest.in_height} x {nest.in_width} positions"
    )
    try:
        _check(plan.operation, own, programs)
        reading, known = Plan(own, "static"), Plan(static, "static")
        tile: Mapping[str, Any] = programs.program(reading).notes
        plains = programs.cost(known), programs.cost(known._replace(tiling=Tiling(**tile)))
        return Consumer.of(work, programs.cost(reading), plains)
    except AccelsimError as error:
        return Consumer(work, None, (), 0, 0, refused=str(error))


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


def _reading(plan: Plan, static: Operation, programs: Programs) -> Operation:
    """The same on the output as this step leaves it."""
    made, program = plan.operation, programs.program(plan)
    if made.block is not None:
        return replace(static, block=made.block, ranges=made.ranges)
    parts = None if made.ranges is None else Ranges(made.ranges.extent, made.ranges.bits)
    own = replace(static, input_bits=made.output_bits, input_ranges=parts)
    if program.outcome != ACCUMULATORS:
        return own
    bits = program.tensors[ACCUMULATORS].bits
    return replace(own, input_bits=bits, edge_bits=made.output_bits)


def _check(made: Operation, own: Operation, programs: Programs) -> None:
    if made.direction == GRAD_WEIGHT:
        raise AccelsimError("a gradient to the weights: the update reads it, which is no product")
    if made.mixed_samples:
        raise AccelsimError("mixed samples: to undo their mixing is not modelled")
    bits = programs.hardware.accumulator.bits
    if own.reduction_block is not None and bits != SUM_BITS:
        raise AccelsimError(
            f"accumulator.bits={bits}: must be {SUM_BITS}, as rescaled partial sums are float32"
        )
