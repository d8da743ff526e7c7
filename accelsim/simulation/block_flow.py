"""A scheme in blocks on its way through a network: blocks of channels flow from node to node.

A product takes its operands as they are and finds the scales of its results as they leave. Vector
work is done on what the blocks stand for, and its results are brought into blocks again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from accelsim.lowering import Operation, outline
from accelsim.machine import BlockOperands, replay_blocks
from accelsim.network import Layer, Node, VectorOperation
from accelsim.network.evaluation import node_parameters
from accelsim.program import INPUT, WEIGHTS
from accelsim.quant import Grid, Range, Scheme, microscaled
from accelsim.simulation.derived_range import Drained
from accelsim.simulation.flattened import as_they_lie
from accelsim.simulation.flow import Flow, Held

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class HeldBlocks(Held):
    """A tensor in blocks: its elements, and what they stand for. No grid holds for all of it."""

    stored: Array | None = None

    @property
    def reals(self) -> Array:
        """What elements and scales stand for."""
        assert self.stored is not None
        return self.stored

    @property
    def shared_grid(self) -> Grid | None:
        """Every block has its own."""
        return None


class BlockFlow(Flow):
    """The tensors of a network under a scheme in blocks."""

    def begin(self, step: int, inputs: Mapping[str, Array]) -> None:
        """Bring the inputs of a step into blocks of channels."""
        self.step = step
        self.held = {name: in_blocks(array, self.scheme) for name, array in inputs.items()}

    @staticmethod
    def _seen_as(work: VectorOperation, held: Held) -> Held:
        assert isinstance(held, HeldBlocks)
        seen = [work.forward([array]) for array in (held.integers, held.reals)]
        return replace(held, integers=seen[0].astype(np.int8), stored=seen[1])

    def _product(self, node: Node, layer: Layer) -> Held:
        job = self._jobs[node.name]
        assert isinstance(job.work, Operation)
        drained = Drained.of(map(self.network.node, job.applies))
        first = self.held[node.inputs[0]]
        x = layer.to_nest_input(first.reals.reshape(layer.input_shape(self.batch)))
        x = as_they_lie(self.network, node, x)
        blocking = job.work.blocking
        weights, bias = self.weights.in_blocks(node, blocking[WEIGHTS])
        operands = BlockOperands(
            # Brought into the blocks that they came from, reals give the same elements.
            microscaled(x, blocking[INPUT].axis, blocking[INPUT].span), weights, bias,
            (drained.low, drained.high),
        )  # fmt: skip
        outcome = replay_blocks(outline(job.work, self.hardware, job.realisation), operands)
        shape = self.batch, *self.network.shape_of(node.name)
        limits = Range(*outcome.extremes)
        return HeldBlocks(
            layer.from_nest_output(outcome.output).reshape(shape),
            self.scheme.output_grid(limits), limits, limits, outcome.saturated_count,
            stored=layer.from_nest_output(outcome.part_reals).reshape(shape),
        )  # fmt: skip

    def _vector(self, node: Node, work: VectorOperation) -> Held:
        operands = [self.held[name].reals for name in node.inputs]
        reals = work.forward([*operands, *node_parameters(self.network, node)])
        for name in self._jobs[node.name].applies:
            after = self.network.node(name).work
            assert isinstance(after, VectorOperation)
            reals = after.forward([reals])
        return in_blocks(reals, self.scheme)


def in_blocks(reals: Array, scheme: Scheme) -> HeldBlocks:
    """A tensor (batch, ...) in blocks of its channels: axis 1 of images, else the last."""
    made = microscaled(reals, 1 if reals.ndim == 4 else -1)
    limits = Range.of(reals)
    return HeldBlocks(
        made.elements, scheme.output_grid(limits), limits, limits, made.saturated_count,
        stored=made.reals,
    )  # fmt: skip
