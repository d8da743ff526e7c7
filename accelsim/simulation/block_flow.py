"""A scheme in blocks on its way through a network: blocks of channels flow from node to node.

A product takes its operands as they are and finds the scales of its results as they leave. Vector
work is done on what the blocks stand for, and its results are brought into blocks again.
"""

from collections.abc import Mapping, Sequence

from accelsim.hardware import Hardware
from accelsim.lowering import Operation, outline
from accelsim.lowering.plan import Job
from accelsim.lowering.turned import TURNED
from accelsim.machine import BlockOperands, replay_blocks
from accelsim.network import Layer, Network, Node, VectorOperation
from accelsim.network.evaluation import node_parameters
from accelsim.program import INPUT, WEIGHTS
from accelsim.quant import Range, Scheme, levels_used, microscaled
from accelsim.simulation.derived_range import Drained
from accelsim.simulation.flattened import as_the_user_has_them, as_they_lie
from accelsim.simulation.flow import Array, Flow, Held
from accelsim.simulation.held_blocks import HeldBlocks, Turning, in_blocks
from accelsim.simulation.held_reals import HeldReals
from accelsim.simulation.weights import Weights


class BlockFlow(Flow):
    """The tensors of a network under a scheme in blocks; in training some are stored twice."""

    def __init__(
        self,
        network: Network,
        batch: int,
        scheme: Scheme,
        hardware: Hardware,
        jobs: Sequence[Job],
        weights: Weights,
        training: bool = False,
    ) -> None:
        super().__init__(network, batch, scheme, hardware, jobs, weights, training)
        self.turning = Turning(scheme, ())

    def begin(self, step: int, inputs: Mapping[str, Array]) -> None:
        """Bring the inputs of a step into blocks of channels."""
        self.step = step
        self.held = {
            name: self.turning.both(name, in_blocks(array, self.scheme), array)
            for name, array in inputs.items()
        }

    @property
    def copies(self) -> Mapping[str, Held]:
        """Of what products store, which other vector work brings into blocks of samples."""
        products = {name: self.held[name] for name in self.turning.of_stored & self.held.keys()}
        return {
            f"{name}{TURNED}": held.turned
            for name, held in products.items()
            if isinstance(held, HeldBlocks) and held.turned is not None
        }

    def stored_weights(self, node: Node) -> HeldReals:
        """What the weights of a layer stand for in the blocks of the forward pass."""
        job = self._jobs[node.name]
        assert isinstance(job.work, Operation)
        weights, _ = self.weights.in_blocks(node, job.work.blocking[WEIGHTS])
        reals = as_the_user_has_them(self.network, node, weights.reals)
        return HeldReals(reals, levels_used=levels_used(weights.elements))

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
        held = HeldBlocks(
            layer.from_nest_output(outcome.output).reshape(shape),
            self.scheme.output_grid(limits), limits, limits, outcome.saturated_count,
            stored=layer.from_nest_output(outcome.part_reals).reshape(shape),
        )  # fmt: skip
        return self.turning.both(job.writes[0].tensor, held, held.reals)

    def _vector(self, node: Node, work: VectorOperation) -> Held:
        operands = [self.held[name].reals for name in node.inputs]
        reals = self._worked(node, work, operands, node_parameters(self.network, node))
        job = self._jobs[node.name]
        for name in job.applies:
            after = self.network.node(name).work
            assert isinstance(after, VectorOperation)
            reals = after.forward([reals])
        held = in_blocks(reals, self.scheme)
        return self.turning.both(job.writes[0].tensor, held, reals)
