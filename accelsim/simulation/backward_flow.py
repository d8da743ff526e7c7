"""Gradients on their way back through a network: integers from node to node, step after step.

The operations and what each of them stores are those of the training plan; what is done here is
their arithmetic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from accelsim.lowering import Operation
from accelsim.lowering.plan import Job
from accelsim.lowering.training_plan import (
    BIFURCATED_BITS,
    SAME_RANGE,
    UPDATE,
    WIDE,
    TrainingOptions,
    gradient_name,
)
from accelsim.network import Gradient, Layer, MatMul, Network, Node, VectorOperation
from accelsim.network.backward import bias_gradient
from accelsim.network.evaluation import node_parameters
from accelsim.network.vector import Add, AveragePool, GlobalAveragePool, MaxPool, Scale
from accelsim.program import ACCUMULATORS, FORWARD, GRAD_INPUT, GRAD_WEIGHT
from accelsim.quant import ChannelGrid, Grid, Range, Scheme
from accelsim.simulation.flow import Array, Flow, Held
from accelsim.simulation.gradient_grids import GradientGrids, HeldGradient
from accelsim.simulation.gradient_product import GradientProduct
from accelsim.simulation.held_reals import HeldReals

Watch = Callable[[str, Held | HeldReals], None]
"""Told each tensor that is made, by the name that the training plan gives it."""


class BackwardFlow:
    """The gradients of one step under one scheme.

    `begin` a step with the gradients to the outputs, then `take` every node in reverse order, when
    `forward` holds all tensors of the step. `parameters` then has the gradients to what is learned.
    """

    def __init__(
        self, forward: Flow, gradients: Scheme, jobs: Sequence[Job], options: TrainingOptions
    ) -> None:
        self.forward, self.options = forward, options
        self.batch, self.hardware = forward.batch, forward.hardware
        own = replace(gradients, output_bits=options.gradient_bits)
        self.grids = GradientGrids(own, forward.hardware.requantizer.mode)
        self.parameters: dict[str, Array] = {}
        self.watch: Watch = lambda name, made: None
        self._jobs = {(job.node, job.phase, job.kind): job for job in jobs if job.phase != UPDATE}
        self._chains = [(j.node, *j.applies) for j in jobs if j.phase == FORWARD and j.applies]
        """Nodes whose work one operation has done, so that only the last one's result is there."""
        self._arrived: dict[str, list[HeldGradient]] = {}

    @property
    def network(self) -> Network:
        """With the parameters of this step."""
        return self.forward.network

    def begin(self, output_gradients: Mapping[str, Array]) -> None:
        """Quantize the gradients to the outputs between their own extremes."""
        self.grids.step = self.forward.step
        self.parameters, self._arrived = {}, {}
        widths = [self.options.gradient_bits]
        widths += [BIFURCATED_BITS] if self.options.bifurcation else []
        for name, array in output_gradients.items():
            limits = Range.of(array)
            grids = [self.grids.grid(limits, bits) for bits in widths]
            copies = [Held(grid.quantize(array), grid, limits, limits) for grid in grids]
            self._arrived[name] = [HeldGradient(*copies)]

    def take(self, node: Node) -> None:
        """Hand the gradient of a node's result on to its operands and its parameters."""
        if node.name not in self._arrived:
            return
        gradient = self._total(node)
        if isinstance(node.work, Layer):
            if self._wanted(node, 0):
                self._to_input(node, node.work, gradient)
            self._to_weights(node, node.work, gradient)
        elif node.work.backward_work(self.batch).is_nothing:
            for place in range(len(node.inputs)):
                self._give(node, place, _passed_back(node.work, gradient))
        elif node.work.trainable or any(
            self._wanted(node, place) for place in range(len(node.inputs))
        ):
            self._vector(node, node.work, gradient)

    def _give(self, node: Node, place: int, gradient: HeldGradient) -> None:
        if self._wanted(node, place):
            shape = self.batch, *self.network.shape_of(node.inputs[place])
            shaped = gradient.map(lambda held: held.mapped(lambda array: array.reshape(shape)))
            self._arrived.setdefault(node.inputs[place], []).append(shaped)

    def _wanted(self, node: Node, place: int) -> bool:
        return node.inputs[place] not in self.network.inputs

    def _total(self, node: Node) -> HeldGradient:
        """What arrived, added up where it is several."""
        parts = self._arrived.pop(node.name)
        if len(parts) == 1:
            return parts[0]
        job, name = self._jobs[node.name, GRAD_INPUT, "add"], f"{node.name}.gradient"
        reals = np.sum([part.to_input.reals for part in parts], axis=0)
        return self._on_own_range(job, name, reals)

    # Vector operations.

    def _vector(self, node: Node, work: VectorOperation, gradient: HeldGradient) -> None:
        job = self._jobs[node.name, GRAD_INPUT, node.kind]
        arrays = [*self._operands(node), *node_parameters(self.network, node)]
        # A maximum is found anew, as its winners are told by it.
        output = work.forward(arrays) if isinstance(work, MaxPool) else self._result(node)
        found = work.backward(gradient.to_input.reals, arrays, output)
        for place, reals in enumerate(found[: len(node.inputs)]):
            if not self._wanted(node, place):
                continue
            name = gradient_name(node, place)
            if isinstance(work, SAME_RANGE):
                made = self._on_same_range(job, name, work, reals, gradient.to_input)
            else:
                made = self._on_own_range(job, name, reals)
            self._give(node, place, made)
        learned = [own.astype(np.float32) for own in found[len(node.inputs) :]]
        for name, own in zip(work.trainable, learned, strict=True):
            self.parameters[f"{node.name}.{name}"] = own
        if learned:
            together = HeldReals(np.concatenate([own.ravel() for own in learned]))
            self.watch(f"{node.name}.parameters.gradient", together)

    def _operands(self, node: Node) -> list[Array]:
        """What a node has read; of an activation applied on the way its result, which tells it."""
        if any(node.name in chain[1:] for chain in self._chains):
            return [self._result(node)]
        return [self.forward.held[name].reals for name in node.inputs]

    def _result(self, node: Node) -> Array:
        """What a node gave, before factors that the same operation has applied since."""
        reals = self.forward.held[node.name].reals
        for chain in self._chains:
            if node.name in chain:
                since = [self.network.node(n).work for n in chain[chain.index(node.name) + 1 :]]
                factors = [work.factor for work in since if isinstance(work, Scale)]
                return reals / prod(factors) if factors else reals
        return reals

    def _on_own_range(self, job: Job, name: str, reals: Array) -> HeldGradient:
        """A result of vector work on the range of an estimator."""
        decision = self.grids.decided(name, reals)
        return self._stored(job, name, reals, decision.limits, self.grids.grid(decision))

    def _on_same_range(
        self, job: Job, name: str, work: VectorOperation, reals: Array, gradient: Held
    ) -> HeldGradient:
        """A result whose range follows from that of the gradient that arrived."""
        factor = _largest_factor(work)
        ends = factor * gradient.grid.minimum, factor * gradient.grid.maximum
        limits = Range.covering(min(ends), max(ends))
        if factor > 0:  # on the same integers
            grid = replace(gradient.grid, scale=gradient.grid.scale * factor)
        else:
            grid = self.grids.grid(limits)
        return self._stored(job, name, reals, limits, grid)

    def _stored(self, job: Job, name: str, reals: Array, used: Range, grid: Grid) -> HeldGradient:
        """Results of vector work on their grid, and in 16 bits, as far as somebody reads them."""
        wide = self.grids.grid(used, BIFURCATED_BITS)
        wanted = {use.tensor for use in job.writes}
        copies = {
            tensor: self.grids.held(tensor, reals, used, own)
            for tensor, own in ((name, grid), (f"{name}{WIDE}", wide))
            if tensor in wanted
        }
        return self._gradient(name, copies)

    def _gradient(self, name: str, copies: Mapping[str, Held]) -> HeldGradient:
        for tensor, held in copies.items():
            self.watch(tensor, held)
        return HeldGradient(copies.get(name), copies.get(f"{name}{WIDE}"))

    # Products.

    def _to_input(self, node: Node, layer: Layer, gradient: HeldGradient) -> None:
        if isinstance(layer, MatMul):
            second = self.forward.held[node.inputs[1]]
            integers = second.integers.reshape(layer.weight_shape(self.batch))
            weights = layer.to_nest_weights(integers)
            grid = _on_each(second.grid, len(weights))
        else:
            weights, grid = self.forward.weights.of(node, self.forward.scheme).on_one_scale()
        to, arrived = gradient_of(layer, GRAD_INPUT), gradient.to_input
        x = to.to_nest_input(arrived.integers.reshape(layer.output_shape(self.batch)))
        product = GradientProduct(to, self.batch, x, arrived.grid, weights, grid)
        self._give(node, 0, self._flowing(node, 0, product))

    def _to_weights(self, node: Node, layer: Layer, gradient: HeldGradient) -> None:
        if isinstance(layer, MatMul) and not self._wanted(node, 1):
            return
        to, arrived = gradient_of(layer, GRAD_WEIGHT), gradient.to_weights
        operand = self.forward.held[node.inputs[0]]
        x = to.to_nest_input(operand.integers.reshape(layer.input_shape(self.batch)))
        dy = to.to_nest_weights(arrived.integers.reshape(layer.output_shape(self.batch)))
        grid = _on_each(arrived.grid, len(dy))
        product = GradientProduct(to, self.batch, x, operand.grid, dy, grid)
        if isinstance(layer, MatMul):
            self._give(node, 1, self._flowing(node, 1, product))
            return
        self.parameters[f"{node.name}.weights"] = self._weight_gradient(node, product)
        self._to_bias(node, layer, gradient)

    def _to_bias(self, node: Node, layer: Layer, gradient: HeldGradient) -> None:
        if layer.has_bias:
            reals = gradient.to_input.reals.reshape(layer.output_shape(self.batch))
            total = bias_gradient(layer, reals).astype(np.float32)
            self.parameters[f"{node.name}.bias"] = total
            self.watch(f"{node.name}.bias.gradient", HeldReals(total))

    def _flowing(self, node: Node, place: int, product: GradientProduct) -> HeldGradient:
        """A gradient to an operand of a product, on the range of an estimator."""
        job, name = self._jobs[node.name, product.layer.to, node.kind], gradient_name(node, place)
        assert isinstance(job.work, Operation)
        operation = job.work
        if job.writes[0].role == ACCUMULATORS and self.options.bifurcation:
            # Whoever loads the accumulators takes them to the width that it needs.
            operation = replace(operation, second_output_bits=BIFURCATED_BITS)
        bits = self.options.gradient_bits
        return self._gradient(
            name, product.quantized(name, operation, self.hardware, self.grids, bits)
        )

    def _weight_gradient(self, node: Node, product: GradientProduct) -> Array:
        """In float32, as it leaves or as what its integers stand for."""
        job, name = self._jobs[node.name, GRAD_WEIGHT, node.kind], f"{node.name}.weights.gradient"
        assert isinstance(job.work, Operation)
        bits = self.options.weight_gradient_bits
        if bits is not None:
            copies = product.quantized(name, job.work, self.hardware, self.grids, bits)
            return self._gradient(name, copies).to_input.reals.astype(np.float32)
        outcome = product.in_float(job.work, self.hardware)
        gradient = product.layer.from_nest_output(outcome.output)
        self.watch(name, HeldReals(gradient, outcome.overflow_count))
        return gradient


def gradient_of(layer: Layer, to: str) -> Gradient:
    """The product that gives a gradient of a layer."""
    return Gradient(f"{layer.name}.{to}", layer, to)


def _on_each(grid: Grid, count: int) -> ChannelGrid:
    """One grid in the place of many."""
    zero_points = np.full(count, grid.zero_point)
    return ChannelGrid(grid.integers, np.full(count, grid.scale), zero_points)


def _passed_back(work: VectorOperation, gradient: HeldGradient) -> HeldGradient:
    """Through an operation whose gradient is no work: a sum, a view, a factor that folds."""
    if isinstance(work, Add):
        return gradient
    if isinstance(work, Scale):
        return gradient.map(lambda held: _scaled(held, work.factor))
    return gradient.map(lambda held: held.mapped(lambda array: work.backward(array, [], array)[0]))


def _scaled(held: Held, factor: float) -> Held:
    """The same integers, each worth so much more; a factor that folds is above zero."""
    used, observed = (
        Range(factor * limits.minimum, factor * limits.maximum)
        for limits in (held.used, held.observed)
    )
    grid = replace(held.grid, scale=held.grid.scale * factor)
    return replace(held, grid=grid, used=used, observed=observed)


def _largest_factor(work: VectorOperation) -> float:
    """No result of the backward direction is farther from zero than this times the gradient."""
    if isinstance(work, Scale):
        return work.factor
    if isinstance(work, AveragePool | GlobalAveragePool):
        ones, operand = np.ones((1, *work.sample_shape)), np.zeros((1, *work.shapes[0]))
        return float(work.backward(ones, [operand], ones)[0].max())
    return 1.0
