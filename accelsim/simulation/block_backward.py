"""Gradients in blocks on their way back: of channels from node to node, of samples to the weights.

As `BackwardFlow`; the second copy of a gradient is in other blocks, not in more bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from accelsim.lowering import Operation, TrainingOptions, outline
from accelsim.lowering.plan import Job
from accelsim.lowering.training_plan import gradient_name
from accelsim.lowering.turned import TURNED
from accelsim.machine import BlockOperands, Outcome, replay_blocks
from accelsim.network import Gradient, Layer, Node, VectorOperation
from accelsim.program import GRAD_INPUT, GRAD_WEIGHT, INPUT, WEIGHTS
from accelsim.quant import Microscaled, Range, Scheme, microscaled
from accelsim.simulation.backward_flow import BackwardFlow, gradient_of
from accelsim.simulation.block_flow import BlockFlow
from accelsim.simulation.flattened import as_the_user_has_them, as_they_lie
from accelsim.simulation.flow import Array, Held
from accelsim.simulation.gradient_grids import HeldGradient
from accelsim.simulation.held_blocks import HeldBlocks, Turning, in_blocks
from accelsim.simulation.held_reals import HeldReals


class BlockBackwardFlow(BackwardFlow):
    """The gradients of one step in blocks."""

    forward: BlockFlow

    def __init__(
        self, forward: BlockFlow, gradients: Scheme, jobs: Sequence[Job], options: TrainingOptions
    ) -> None:
        super().__init__(forward, gradients, jobs, options)
        self.scheme = gradients
        forward.turning = self.turning = Turning(gradients, jobs)

    def begin(self, output_gradients: Mapping[str, Array]) -> None:
        """Bring the gradients to the outputs into blocks, both ways."""
        self.parameters, self._arrived = {}, {}
        for name, array in output_gradients.items():
            held = self.turning.both(f"{name}.gradient", in_blocks(array, self.scheme), array)
            self._arrived[name] = [HeldGradient(replace(held, turned=None), held.turned)]

    def _on_own_range(self, job: Job, name: str, reals: Array) -> HeldGradient:
        """A result of vector work; each block has a range of its own."""
        return self._both(job, name, in_blocks(reals, self.scheme), reals)

    def _on_same_range(
        self, job: Job, name: str, work: VectorOperation, reals: Array, gradient: Held
    ) -> HeldGradient:
        return self._on_own_range(job, name, reals)

    def _both(self, job: Job, name: str, held: HeldBlocks, made: Array) -> HeldGradient:
        """A gradient, and its copy in blocks of samples, as far as somebody reads them."""
        held = self.turning.both(name, held, made)
        stored = {use.tensor for use in job.writes}
        first = replace(held, turned=None) if name in stored else None
        for tensor, one in ((name, first), (f"{name}{TURNED}", held.turned)):
            if one is not None:
                self.watch(tensor, one)
        return HeldGradient(first, held.turned)

    def _to_input(self, node: Node, layer: Layer, gradient: HeldGradient) -> None:
        to = gradient_of(layer, GRAD_INPUT)
        x = gradient.to_input.reals.reshape(layer.output_shape(self.batch))
        job = self._jobs[node.name, GRAD_INPUT, node.kind]
        assert isinstance(job.work, Operation)
        weights, _ = self.forward.weights.in_blocks(node, job.work.blocking[WEIGHTS])
        outcome = self._product(job.work, to.to_nest_input(x), weights)
        held = self._left(node, to, outcome)
        self._give(node, 0, self._both(job, gradient_name(node, 0), held, held.reals))

    def _to_weights(self, node: Node, layer: Layer, gradient: HeldGradient) -> None:
        to, operand = gradient_of(layer, GRAD_WEIGHT), self.forward.held[node.inputs[0]]
        assert isinstance(operand, HeldBlocks) and operand.turned is not None
        x = to.to_nest_input(operand.turned.reals.reshape(layer.input_shape(self.batch)))
        dy = gradient.to_weights.reals.reshape(layer.output_shape(self.batch))
        job = self._jobs[node.name, GRAD_WEIGHT, node.kind]
        assert isinstance(job.work, Operation)
        of_gradient = job.work.blocking[WEIGHTS]
        blocks = microscaled(to.to_nest_weights(dy), of_gradient.axis, of_gradient.span)
        outcome = self._product(job.work, as_they_lie(self.network, node, x), blocks)
        made: Held | HeldReals
        if job.work.output_float:
            made = HeldReals(self._in_the_users_layout(node, to, outcome.output))
        else:
            made = self._left(node, to, outcome)
        self.watch(f"{node.name}.weights.gradient", made)
        self.parameters[f"{node.name}.weights"] = made.reals.astype(np.float32)
        self._to_bias(node, layer, gradient)

    def _product(self, operation: Operation, first: Array, second: Microscaled) -> Outcome:
        """Of reals in the nest's layout, which are in blocks already, and of blocks."""
        blocking = operation.blocking[INPUT]
        operands = BlockOperands(microscaled(first, blocking.axis, blocking.span), second)
        return replay_blocks(outline(operation, self.hardware, "static"), operands)

    def _left(self, node: Node, to: Gradient, outcome: Outcome) -> HeldBlocks:
        """What a product stores in blocks."""
        limits = Range(*outcome.extremes)
        elements, reals = (
            self._in_the_users_layout(node, to, array)
            for array in (outcome.output, outcome.part_reals)
        )
        return HeldBlocks(
            elements, self.scheme.output_grid(limits), limits, limits, outcome.saturated_count,
            stored=reals,
        )  # fmt: skip

    def _in_the_users_layout(self, node: Node, to: Gradient, array: Array) -> Array:
        return to.from_nest_output(as_the_user_has_them(self.network, node, array))
