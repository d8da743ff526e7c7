"""Gradients on their way back through a network: integers from node to node, step after step.

The operations and what each of them stores are those of the training plan; what is done here is
their arithmetic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from accelsim import program
from accelsim.lowering import Operation, outline
from accelsim.lowering.plan import Job
from accelsim.lowering.training_plan import (
    BIFURCATED_BITS,
    SAME_RANGE,
    UPDATE,
    WIDE,
    TrainingOptions,
    gradient_name,
)
from accelsim.machine import Operands, Outcome, replay_whole, whole_product
from accelsim.network import Gradient, Layer, MatMul, Network, Node, VectorOperation
from accelsim.network.backward import bias_gradient
from accelsim.network.evaluation import node_parameters
from accelsim.network.gradient import GRAD_INPUT, GRAD_WEIGHT
from accelsim.network.vector import Add, AveragePool, GlobalAveragePool, MaxPool, Scale
from accelsim.numerics import RequantizationMode
from accelsim.quant import (
    ChannelGrid,
    Decision,
    Estimator,
    Grid,
    Observation,
    Range,
    Requantization,
    Scheme,
    Statistics,
    accumulator_scales,
    requantization,
    saturated_share,
)
from accelsim.quant.requantization import kernel_seed
from accelsim.simulation.flow import Array, Flow, Held, channels_last
from accelsim.simulation.held_reals import HeldReals
from accelsim.simulation.operands import gradient_scales, integer_operands, reduction_of

Watch = Callable[[str, Held | HeldReals], None]
"""Told each tensor that is made, by the name that the training plan gives it."""


@dataclass(frozen=True, eq=False)
class HeldGradient:
    """A gradient as it is stored: once, or once more in 16 bits for the way to the weights."""

    narrow: Held | None
    """None where only the way to the weights reads it."""
    wide: Held | None = None

    @property
    def to_input(self) -> Held:
        """What the product with the weights and all vector work read."""
        assert self.narrow is not None, "a gradient is read that nobody stored"
        return self.narrow

    @property
    def to_weights(self) -> Held:
        """What the product with the input reads."""
        return self.wide or self.to_input

    def map(self, change: Callable[[Held], Held]) -> "HeldGradient":
        """Both copies changed in the same way."""
        return HeldGradient(self.narrow and change(self.narrow), self.wide and change(self.wide))


@dataclass(frozen=True, eq=False)
class _Factors:
    """The two operands of a gradient's product, in the nest's layouts."""

    layer: Gradient
    first: Array
    first_grid: Grid
    second: Array
    second_grid: ChannelGrid

    def scales(self, batch: int) -> Array:
        """Of the second operand, for each output channel."""
        return gradient_scales(self.layer.nest(batch), self.layer.to, self.second_grid)


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
        self.scheme = replace(gradients, output_bits=options.gradient_bits)
        self.estimators: dict[str, Estimator] = {}
        self.parameters: dict[str, Array] = {}
        self.watch: Watch = lambda name, made: None
        self._jobs = {(job.node, job.phase, job.kind): job for job in jobs if job.phase != UPDATE}
        self._arrived: dict[str, list[HeldGradient]] = {}

    def begin(self, output_gradients: Mapping[str, Array]) -> None:
        """Quantize the gradients to the outputs between their own extremes."""
        self.parameters, self._arrived = {}, {}
        widths = [self.options.gradient_bits]
        widths += [BIFURCATED_BITS] if self.options.bifurcation else []
        for name, array in output_gradients.items():
            limits = Range.of(array)
            grids = [self._grid(Decision(limits), bits) for bits in widths]
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
        elif any(self._wanted(node, place) for place in range(len(node.inputs))):
            self._vector(node, node.work, gradient)

    @property
    def network(self) -> Network:
        """With the parameters of this step."""
        return self.forward.network

    def _give(self, node: Node, place: int, gradient: HeldGradient) -> None:
        if self._wanted(node, place):
            shape = self.batch, *self.network.shape_of(node.inputs[place])
            shaped = gradient.map(lambda held: replace(held, integers=held.integers.reshape(shape)))
            self._arrived.setdefault(node.inputs[place], []).append(shaped)

    def _wanted(self, node: Node, place: int) -> bool:
        return node.inputs[place] not in self.network.inputs

    def _total(self, node: Node) -> HeldGradient:
        """What arrived, added up where it is several."""
        parts = self._arrived.pop(node.name)
        if len(parts) == 1:
            return parts[0]
        job = self._jobs[node.name, GRAD_INPUT, "add"]
        reals = np.sum([part.to_input.reals for part in parts], axis=0)
        return self._on_own_range(job, f"{node.name}.gradient", reals)

    # Grids.

    @property
    def _step(self) -> int:
        return self.forward.step

    def _estimator(self, name: str, bits: int) -> Estimator:
        """The one that follows this gradient."""
        if name not in self.estimators:
            self.estimators[name] = replace(self.scheme, output_bits=bits).new_estimator()
        return self.estimators[name]

    def _grid(self, decision: Decision, bits: int) -> Grid:
        return replace(self.scheme, output_bits=bits).output_grid(decision)

    def _key(self, name: str) -> str:
        """Of the random numbers by which a tensor is rounded in this step."""
        return f"{name}/{self._step}"

    def _rounded(self, name: str, grid: Grid, reals: Array) -> Array:
        """Integers of a vector operation's results: at random where the requantizer does so."""
        if self.hardware.requantizer.mode is not RequantizationMode.STOCHASTIC:
            return grid.quantize(reals)
        seed = kernel_seed(self.scheme.seed, self._key(name))
        integers = grid.quantize_at_random(channels_last(reals), seed)
        return np.moveaxis(integers, -1, 1) if reals.ndim == 4 else integers

    # Vector operations.

    def _vector(self, node: Node, work: VectorOperation, gradient: HeldGradient) -> None:
        job, held = self._jobs[node.name, GRAD_INPUT, node.kind], self.forward.held
        parameters = node_parameters(self.network, node)
        arrays = [*(held[name].reals for name in node.inputs), *parameters]
        # A maximum is found anew, as its winners are told by it.
        output = work.forward(arrays) if isinstance(work, MaxPool) else held[node.name].reals
        found = work.backward(gradient.to_input.reals, arrays, output)
        for place, reals in enumerate(found[: len(node.inputs)]):
            name = gradient_name(node, place)
            if isinstance(work, SAME_RANGE):
                made = self._on_same_range(job, name, work, reals, gradient.to_input)
            else:
                made = self._on_own_range(job, name, reals)
            self._give(node, place, made)
        for name, own in zip(work.trainable, found[len(node.inputs) :], strict=True):
            self.parameters[f"{node.name}.{name}"] = own.astype(np.float32)

    def _on_own_range(self, job: Job, name: str, reals: Array) -> HeldGradient:
        """A result of vector work on the range of an estimator."""
        estimator = self._estimator(name, self.options.gradient_bits)
        observed = Observation.of(channels_last(reals), estimator.request(self._step))
        decision = estimator.decision_for(self._step) or estimator.decision_from(observed)
        estimator.observe(observed)
        grid = self._grid(decision, self.options.gradient_bits)
        return self._stored(job, name, reals, decision.limits, grid)

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
            grid = self._grid(Decision(limits), self.options.gradient_bits)
        return self._stored(job, name, reals, limits, grid)

    def _stored(self, job: Job, name: str, reals: Array, used: Range, grid: Grid) -> HeldGradient:
        """Results of vector work on their grid, and in 16 bits, as far as somebody reads them."""
        seen, copies = Range.of(reals), list[Held | None]()
        wide = self._grid(Decision(used), BIFURCATED_BITS)
        for tensor, own in ((name, grid), (f"{name}{WIDE}", wide)):
            if tensor not in {use.tensor for use in job.writes}:
                copies.append(None)
                continue
            clamped = round(saturated_share(reals, own) * reals.size)
            held = Held(self._rounded(tensor, own, reals), own, used, seen, clamped)
            copies.append(held)
            self.watch(tensor, held)
        return HeldGradient(*copies)

    # Products.

    def _to_input(self, node: Node, layer: Layer, gradient: HeldGradient) -> None:
        if isinstance(layer, MatMul):
            second = self.forward.held[node.inputs[1]]
            weights = layer.to_nest_weights(second.integers.reshape(layer.weight_shape(self.batch)))
            grid = _on_each(second.grid, len(weights))
        else:
            weights, grid = self.forward.weights.of(node, self.forward.scheme).on_one_scale()
        to, arrived = _gradient(layer, GRAD_INPUT), gradient.to_input
        x = to.to_nest_input(arrived.integers.reshape(layer.output_shape(self.batch)))
        factors = _Factors(to, x, arrived.grid, weights, grid)
        job = self._jobs[node.name, GRAD_INPUT, node.kind]
        bits = self.options.gradient_bits
        self._give(node, 0, self._product(job, gradient_name(node, 0), factors, bits))

    def _to_weights(self, node: Node, layer: Layer, gradient: HeldGradient) -> None:
        if isinstance(layer, MatMul) and not self._wanted(node, 1):
            return
        to, arrived = (
            Gradient(f"{node.name}.{GRAD_WEIGHT}", layer, GRAD_WEIGHT),
            gradient.to_weights,
        )
        operand = self.forward.held[node.inputs[0]]
        x = to.to_nest_input(operand.integers.reshape(layer.input_shape(self.batch)))
        dy = to.to_nest_weights(arrived.integers.reshape(layer.output_shape(self.batch)))
        factors = _Factors(to, x, operand.grid, dy, _on_each(arrived.grid, len(dy)))
        job = self._jobs[node.name, GRAD_WEIGHT, node.kind]
        if isinstance(layer, MatMul):
            bits = self.options.gradient_bits
            self._give(node, 1, self._product(job, gradient_name(node, 1), factors, bits))
            return
        self.parameters[f"{node.name}.weights"] = self._weight_gradient(job, factors)
        if layer.has_bias:
            total = bias_gradient(
                layer, gradient.to_input.reals.reshape(layer.output_shape(self.batch))
            ).astype(np.float32)
            self.parameters[f"{node.name}.bias"] = total
            self.watch(f"{node.name}.bias.gradient", HeldReals(total))

    def _weight_gradient(self, job: Job, factors: _Factors) -> Array:
        """In float32, as it leaves or as what its integers stand for."""
        name, bits = f"{job.node}.weights.gradient", self.options.weight_gradient_bits
        if bits is not None:
            return self._product(job, name, factors, bits).to_input.reals.astype(np.float32)
        outcome = self._run(job, factors, "static", None)
        gradient = factors.layer.from_nest_output(outcome.output)
        self.watch(name, HeldReals(gradient, outcome.overflow_count))
        return gradient

    def _product(self, job: Job, name: str, factors: _Factors, bits: int) -> HeldGradient:
        """A gradient that a product makes, on the range of an estimator."""
        choice = _Choice(self, job, name, factors, bits)
        known = choice.decision is not None
        how = self.scheme.realisation_of(known=known)
        # Accumulators that are left to their readers give the bits of those that are loaded again.
        outcome = self._run(job, factors, "spill" if how == "lazy" else how, choice)
        return choice.held(outcome)

    def _run(
        self, job: Job, factors: _Factors, realisation: str, choice: "_Choice | None"
    ) -> Outcome:
        """The machine's arithmetic."""
        layer, work = factors.layer, job.work if choice is None else choice.work
        assert isinstance(work, Operation)
        outlined = outline(work, self.hardware, realisation)
        reduction = reduction_of(layer.nest(self.batch), layer.to)
        operands = integer_operands(
            reduction, factors.first, factors.first_grid, factors.second, factors.second_grid
        )
        scales = accumulator_scales(factors.first_grid.scale, factors.scales(self.batch))
        asked = replace(operands, scales=scales)
        if choice is not None:
            asked = choice.asked(asked)
        accumulator = self.hardware.accumulator
        product = whole_product(outlined, accumulator, asked)
        return replay_whole(outlined, accumulator, asked, product)


class _Choice:
    """How one product's gradient is quantized, and what it comes to."""

    def __init__(
        self, flow: BackwardFlow, job: Job, name: str, factors: _Factors, bits: int
    ) -> None:
        self.flow, self.name, self.factors = flow, name, factors
        self.scales = factors.scales(flow.batch)
        self.estimator = flow._estimator(name, bits)
        self.decision = self.estimator.decision_for(flow._step)
        self.grids: list[Grid] = []
        assert isinstance(job.work, Operation)
        self.work = job.work
        flows_on = job.phase == GRAD_INPUT or isinstance(factors.layer.of, MatMul)
        left = job.writes[0].role == program.ACCUMULATORS
        if left and flows_on and flow.options.bifurcation:
            # Whoever loads the accumulators takes them to the width that it needs.
            self.work = replace(job.work, second_output_bits=BIFURCATED_BITS)
        stored = job.writes[0].tensor
        self.tensors = [stored] if self.work.second_output_bits is None else [name, f"{name}{WIDE}"]

    @property
    def widths(self) -> list[int]:
        """Of the copies that are stored."""
        second = self.work.second_output_bits
        return [self.work.output_bits, *([second] if second else [])]

    def asked(self, operands: Operands) -> Operands:
        """The operands, and how the range of the output is found."""
        samples = None if self.factors.layer.to == GRAD_WEIGHT else self.flow.batch
        return replace(
            operands,
            requantization=None if self.decision is None else self.requantization(self.decision),
            decide=self.from_statistics,
            request=self.estimator.request(self.flow._step),
            samples=samples,
        )

    def from_statistics(self, statistics: Statistics) -> Requantization:
        """The range of the finished tensor."""
        self.decision = self.estimator.decision_from(self.observed(statistics))
        return self.requantization(self.decision)

    def observed(self, statistics: Statistics) -> Observation:
        """What the statistics unit saw, in real units."""
        return statistics.to_observation(self.factors.first_grid.scale, self.scales)

    def requantization(self, decision: Decision) -> Requantization:
        """From accumulators to the grid of each copy."""
        flow = self.flow
        self.grids = [flow._grid(decision, bits) for bits in self.widths]
        first, *second = (
            requantization(
                self.factors.first_grid.scale, self.scales, grid, flow.hardware.requantizer.mode,
                flow.scheme.seed, flow._key(tensor),
            )
            for grid, tensor in zip(self.grids, self.tensors, strict=True)
        )  # fmt: skip
        return replace(first, second=second[0] if second else None)

    def held(self, outcome: Outcome) -> HeldGradient:
        """The copies that are stored; the estimator is told what was seen."""
        assert outcome.statistics is not None and self.decision is not None
        observed = self.observed(outcome.statistics)
        self.estimator.observe(observed)
        copies = dict[str, Held]()
        outputs = [outcome.output, outcome.second_output]
        for tensor, grid, output in zip(self.tensors, self.grids, outputs, strict=False):
            assert output is not None
            copies[tensor] = held = Held(
                self.factors.layer.from_nest_output(output), grid, self.decision.limits,
                observed.range, outcome.saturated_count, outcome.overflow_count,
            )  # fmt: skip
            self.flow.watch(tensor, held)
        return HeldGradient(copies.get(self.name), copies.get(f"{self.name}{WIDE}"))


def _gradient(layer: Layer, to: str) -> Gradient:
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
    return gradient.map(
        lambda held: replace(
            held, integers=work.backward(held.integers, [], held.integers)[0].astype(np.int32)
        )
    )


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
