"""One step of a layer whose operands and output are in blocks that share a power of two."""

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering import Operation, TrainingOptions
from accelsim.machine import BlockOperands
from accelsim.network import Layer, Linear, MatMul, Network, Node
from accelsim.network.vector import RangeBatchNorm, Reshape, Scale
from accelsim.program import INPUT, WEIGHTS
from accelsim.quant import (
    ELEMENT_BITS,
    Estimator,
    Observation,
    Policy,
    Range,
    Scheme,
    microscaled,
)
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.programs import Plan, Programs
from accelsim.simulation.step import Step, operation_of, step_numerics, valued_step

SUM_BITS = 32
"""Of a float32 accumulator."""


def check_blocks(scheme: Scheme, hardware: Hardware) -> None:
    """Raise where the scheme is in blocks and the machine is not made for that."""
    if scheme.block is not None and hardware.accumulator.bits != SUM_BITS:
        raise AccelsimError(
            f"accumulator.bits={hardware.accumulator.bits}: must be {SUM_BITS} for scheme "
            f"'{scheme.label}', whose sums are float32"
        )


def check_network_blocks(network: Network, scheme: Scheme, hardware: Hardware) -> None:
    """Raise where the scheme is in blocks and a node needs a tensor in other blocks than it has.

    Between nodes a tensor lies in blocks of its channels.
    """
    block = scheme.block
    if block is None:
        return
    check_blocks(scheme, hardware)
    products_first = sorted(network.nodes, key=lambda node: not isinstance(node.work, MatMul))
    for node in products_first:
        why = _other_blocks(network, node, block)
        if why:
            raise AccelsimError(f"scheme '{scheme.label}': node {node.name!r} {why}")


def check_training_blocks(
    network: Network, policy: Policy, options: TrainingOptions, hardware: Hardware
) -> None:
    """Raise where a training cannot be in blocks: all of it is, or nothing, forward and back."""
    activations, gradients = policy.activations, policy.gradients
    if activations.block != gradients.block:
        raise AccelsimError(
            f"scheme '{policy.label}': must be in blocks for activations and gradients, or for "
            "neither, as a product multiplies the ones by the others"
        )
    if activations.block is None:
        return
    for field in ("gradient_bits", "weight_gradient_bits"):
        bits = getattr(options, field)
        if bits not in (None, ELEMENT_BITS):
            raise AccelsimError(
                f"{field}={bits}: must be {ELEMENT_BITS} for scheme '{gradients.label}'"
            )
    check_network_blocks(network, activations, hardware)
    for node in network.nodes:
        why = _parts_gradients(node, activations.block)
        if why:
            raise AccelsimError(f"scheme '{activations.label}': node {node.name!r} {why}")


def _parts_gradients(node: Node, block: int) -> str | None:
    """Why a node cannot be trained in blocks."""
    work = node.work
    if isinstance(work, Layer):
        nest = work.nest(1)
        if nest.groups > 1 and nest.out_channels % block and block % nest.out_channels:
            return (
                f"has groups of {nest.out_channels} output channels, which must divide {block} or "
                "be a multiple of it, so that no block of its gradient holds parts of groups"
            )
    elif isinstance(work, RangeBatchNorm) and work.from_drain:
        return (
            "takes its statistics from the drain, whose statistics unit keeps those of blocks; say "
            "from_drain: false"
        )
    return None


def _other_blocks(network: Network, node: Node, block: int) -> str | None:
    """Why a node cannot read its operands in blocks of their channels."""
    work, shape = node.work, network.shape_of(node.name)
    if isinstance(work, MatMul):
        return (
            "multiplies two tensors; the second would have to be in blocks along its rows, and "
            "lies in blocks along its columns"
        )
    if isinstance(work, Layer):
        nest = work.nest(1)
        if nest.groups > 1 and nest.in_channels % block and block % nest.in_channels:
            return (
                f"has groups of {nest.in_channels} channels, which must divide {block} or be a "
                "multiple of it, so that no block holds parts of groups"
            )
        channels = _width(network.shape_of(node.inputs[0]))
        flattens = isinstance(work, Linear) and work.in_features != channels
        if flattens and (channels % block or getattr(work, "rows", 1) > 1):
            return (
                f"reads vectors of {channels} channels in other pieces; flattened, as one, they "
                f"must be a multiple of {block}, so that no block holds parts of two"
            )
    elif isinstance(work, Scale) and work.folds:
        return (
            f"multiplies by {work.factor:g} in the requantizer, which blocks do not have; say "
            "folds: false"
        )
    elif isinstance(work, Reshape) and _width(network.shape_of(node.inputs[0])) != _width(shape):
        return (
            f"makes vectors of {_width(shape)} out of vectors of "
            f"{_width(network.shape_of(node.inputs[0]))} channels, so blocks would be parted"
        )
    return None


def _width(shape: tuple[int, ...]) -> int:
    """Elements that lie side by side: channels of images, the last axis of other tensors."""
    return shape[0] if len(shape) == 3 else shape[-1]


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
        step_numerics(operands, grid, decision, observed, outcome, outcome.part_reals),
        layer.from_nest_output(outcome.output), grid, outcome.part_reals,
    )  # fmt: skip


def block_operands(operands: StepOperands, operation: Operation) -> BlockOperands:
    """A step's tensors, each in blocks along its own reduction, and its bias as float32."""
    bias = None if operands.bias is None else operands.bias.astype(np.float32)
    of_input, of_weights = operation.blocking[INPUT], operation.blocking[WEIGHTS]
    return BlockOperands(
        microscaled(operands.input, of_input.axis, of_input.span),
        microscaled(operands.weights, of_weights.axis, of_weights.span),
        bias,
    )
