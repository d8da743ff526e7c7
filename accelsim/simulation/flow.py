"""One scheme on its way through a network: integers flow from node to node, step after step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from accelsim.hardware import Hardware
from accelsim.lowering import Operation, outline
from accelsim.lowering.plan import OWN_RANGE, Job, Look
from accelsim.machine import Operands, replay_whole, whole_product
from accelsim.network import Layer, MatMul, Network, Node, VectorOperation
from accelsim.network.evaluation import node_parameters
from accelsim.network.vector import RangeBatchNorm, Scale, Transpose
from accelsim.program import Program
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
    levels_used,
    requantization,
    saturated_share,
)
from accelsim.result import Numerics
from accelsim.simulation.derived_range import PASSING, Drained, derived_range
from accelsim.simulation.held_reals import HeldReals
from accelsim.simulation.network_steps import Looked
from accelsim.simulation.numerics import numerics_of
from accelsim.simulation.operands import integer_operands
from accelsim.simulation.weights import Weights, folded_node, tensor_grids

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor as the machine has it, (batch, ...), and what is known of how it was made."""

    integers: Array
    grid: Grid
    used: Range
    """What its grid was made from."""
    observed: Range
    """What was seen before rounding."""
    saturated_count: int = 0
    overflow_count: int = 0

    @property
    def reals(self) -> Array:
        """What the integers stand for."""
        return self.grid.dequantize(self.integers)

    @property
    def shared_grid(self) -> Grid | None:
        """The grid of all of it, where it has one."""
        return self.grid

    def mapped(self, move: Callable[[Array], Array]) -> "Held":
        """The same numbers in other places, or under another shape."""
        return replace(self, integers=move(self.integers).astype(np.int32, copy=False))

    def numerics(self, reference: Array) -> Numerics:
        """Held against the float network."""
        return numerics_of(
            reference, self.reals, self.used, self.observed,
            grid=self.shared_grid,
            levels_used=levels_used(self.integers),
            saturated_count=self.saturated_count,
            overflow_count=self.overflow_count,
        )  # fmt: skip


class Flow:
    """The tensors of a network under one scheme.

    `begin` a step, then `take` every node in order. A tensor that nobody reads any more may be
    dropped from `held`.
    """

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
        self.network, self.batch, self.scheme, self.hardware = network, batch, scheme, hardware
        self.weights, self.training = weights, training
        self.estimators: dict[str, Estimator] = {}
        self.held: dict[str, Held] = {}
        self.step = 0
        self.looked: dict[str, Looked] = {}
        """How the range of each result was found, by node."""
        self._jobs = {job.node: job for job in jobs}
        self.drained: dict[str, tuple[Array, Array]] = {}
        """Mean and width of each channel that the statistics unit saw, for a norm that uses it."""
        self.grids = tensor_grids(network, scheme) if scheme.from_file else {}
        """What the network's file gives."""
        self.made_by = self._makers(jobs)
        """The job that makes the tensor of a node, by the last node whose work it does."""

    def _makers(self, jobs: Sequence[Job]) -> dict[str, str]:
        found = {}
        for job in jobs:
            fold = folded_node(self.network, self.network.node(job.node), self.training)
            last = job.applies[-1] if job.applies else fold.name if fold else job.node
            found[last] = job.node
        return found

    def begin(self, step: int, inputs: Mapping[str, Array]) -> None:
        """Quantize the inputs of a step between their own extremes."""
        self.step, self.held = step, {}
        for name, array in inputs.items():
            limits = Range.of(array)
            grid = self.grids.get(name) or self.input_grid(limits)
            self.held[name] = Held(grid.quantize(array), grid, limits, limits)

    def key(self, name: str) -> str:
        """Of the random numbers by which a tensor is rounded in this step."""
        return f"{name}/output/{self.step}"

    def input_grid(self, limits: Range) -> Grid:
        """The grid of an input of this range."""
        return self.scheme.input_grid(limits)

    def output_grid(self, decided: Range | Decision) -> Grid:
        """The grid of a result of this range, or as its estimator decided."""
        return self.scheme.output_grid(decided)

    def take(self, node: Node) -> None:
        """Make the tensor of a node from those that it reads."""
        if isinstance(node.work, Layer):
            made = self._product(node, node.work)
        elif node.name in self._jobs:
            made = self._vector(node, node.work)
        elif isinstance(node.work, VectorOperation) and self._is_view(node.work):
            made = self.held[node.inputs[0]].mapped(partial(_forward, node.work))
        else:  # the operation before it has done its work
            made = self.held[node.inputs[0]]
        self.held[node.name] = made

    def _is_view(self, work: VectorOperation) -> bool:
        moves_only = isinstance(work, Transpose) or not getattr(work, "folds", False)
        return work.work(self.batch, self.training).is_nothing and moves_only

    def learned(self, parameters: Mapping[str, Array]) -> None:
        """Go on with other parameters, in float: the weights are quantized anew."""
        known = {**self.network.parameters, **parameters}
        self.network = replace(self.network, parameters=known)
        self.weights = Weights(self.network, training=self.training)

    @property
    def copies(self) -> Mapping[str, Held]:
        """Second copies of results, by their names in the plan: here none has one."""
        return {}

    def stored_weights(self, node: Node) -> HeldReals:
        """What the weights of a layer stand for as they lie in memory, in the nest's layout."""
        weights = self.weights.of(node, self.scheme)
        reals = weights.grid.dequantize(weights.integers)
        return HeldReals(reals, levels_used=levels_used(weights.integers))

    def estimator(self, name: str) -> Estimator:
        """The one that follows this tensor."""
        if name not in self.estimators:
            self.estimators[name] = self.scheme.new_estimator()
        return self.estimators[name]

    @property
    def asks_estimators(self) -> bool:
        """Whether a tensor has a range of its own that no file gives."""
        return any(
            self._given(job.node) is None
            for job in self._jobs.values()
            if job.is_product or isinstance(self.network.node(job.node).work, OWN_RANGE)
        )

    def _given(self, name: str) -> Grid | None:
        """The file's grid of what an operation leaves, after all that it does on the way."""
        last = next(last for last, maker in self.made_by.items() if maker == name)
        return self.grids.get(last)

    def _remember(self, name: str, estimator: Estimator, decision: Decision, known: bool) -> None:
        """How a range was found, and what the last look at such a tensor took."""
        bits = decision.bits or self.scheme.output_bits
        passes = max(1, decision.passes)
        if known:
            before = self.looked.get(name)
            passes = before.update_passes if before else estimator.planned_passes
        look = Look(known, 1 if known else passes, bits)
        self.looked[name] = Looked(look, passes, estimator.period)

    # Products.

    def _product(self, node: Node, layer: Layer) -> Held:
        job = self._jobs[node.name]
        assert isinstance(job.work, Operation)
        fold = folded_node(self.network, node, self.training)
        scaled = [fold] if fold is not None and isinstance(fold.work, Scale) else []
        drained = Drained.of([*scaled, *map(self.network.node, job.applies)])
        estimator = self.estimator(node.name)
        given = self._given(node.name)
        decision = Decision(reach(given)) if given else estimator.decision_for(self.step)
        known = decision is not None
        realisation = self.scheme.realisation_of(known=known)
        program = outline(job.work, self.hardware, realisation)
        operands, laid_out, scales, input_scale = self._operands(node, layer, program)
        input_scale *= drained.factor
        grid: Grid | None = None

        def decide(found: Decision) -> Requantization:
            nonlocal grid
            limits = drained.limits(found.limits)
            grid = given or self.output_grid(replace(found, limits=limits))
            how = requantization(
                input_scale, scales, grid, self.hardware.requantizer.mode,
                self.scheme.seed, self.key(node.name),
            )  # fmt: skip
            return drained.opened(how, grid)

        def decide_from(statistics: Statistics) -> Requantization:
            nonlocal decision
            decision = estimator.decision_from(statistics.to_observation(input_scale, scales))
            return decide(decision)

        asked = replace(
            operands,
            requantization=decide(decision) if decision is not None else None,
            decide=decide_from,
            request=estimator.request(self.step),
            scales=accumulator_scales(input_scale, scales),
            samples=self.batch,
        )
        accumulator = self.hardware.accumulator
        product = whole_product(program, accumulator, asked, laid_out)
        if job.statistics:  # a norm's, which takes them from here
            self.drained[node.name] = _channels(product.sums, asked.scales)
        outcome = replay_whole(program, accumulator, asked, product)
        assert outcome.statistics is not None and decision is not None and grid is not None
        observed = outcome.statistics.to_observation(input_scale, scales)
        estimator.observe(observed)
        self._remember(node.name, estimator, decision, known)
        integers = layer.from_nest_output(drained.applied(outcome.output, grid))
        return Held(
            integers.reshape(self.batch, *self.network.shape_of(node.name)), grid,
            drained.limits(decision.limits), drained.limits(observed.range),
            outcome.saturated_count, outcome.overflow_count,
        )  # fmt: skip

    def _operands(
        self, node: Node, layer: Layer, program: Program
    ) -> tuple[Operands, Array | None, Array, float]:
        """Integers of a product; the weights laid out, their scales, and the input's scale."""
        first = self.held[node.inputs[0]]
        nest = layer.nest(self.batch)
        x = layer.to_nest_input(first.integers.reshape(layer.input_shape(self.batch)))
        if isinstance(layer, MatMul):
            second = self.held[node.inputs[1]]
            w = second.integers.reshape(layer.weight_shape(self.batch))
            count = nest.weight_vectors
            grid = ChannelGrid(
                second.grid.integers,
                np.full(count, second.grid.scale),
                np.full(count, second.grid.zero_point),
            )
            integers = layer.to_nest_weights(w)
            operands = integer_operands(nest.reduction, x, first.grid, integers, grid)
            return operands, None, grid.scales, first.grid.scale
        weights = self.weights.of(node, self.scheme)
        scales = weights.grid.scales
        bias = weights.bias
        if bias is not None:
            bias = layer.to_nest_bias(bias) / accumulator_scales(first.grid.scale, scales)
        operands = integer_operands(
            nest.reduction, x, first.grid, weights.integers, weights.grid, bias
        )
        return operands, weights.laid_out(program, operands), scales, first.grid.scale

    # Vector work.

    def _vector(self, node: Node, work: VectorOperation) -> Held:
        operands = [self.held[name] for name in node.inputs]
        parameters = node_parameters(self.network, node)
        reals = self._worked(node, work, [held.reals for held in operands], parameters)
        works = [work]
        for name in self._jobs[node.name].applies:
            after = self.network.node(name).work
            assert isinstance(after, VectorOperation)
            reals = after.forward([reals])
            works.append(after)
        given = self._given(node.name)
        if given:
            used, grid = reach(given), given
        elif isinstance(work, OWN_RANGE):
            used, grid = self._own_grid(node.name, reals)
        else:
            used, grid = self._derived_grid(operands, works, parameters)
        integers = grid.quantize(reals)
        clamped = round(saturated_share(reals, grid) * reals.size)
        return Held(integers, grid, used, Range.of(reals), clamped)

    def _worked(
        self, node: Node, work: VectorOperation, operands: list[Array], parameters: list[Array]
    ) -> Array:
        """The result; a norm takes the statistics that its operand's drain saw, where it may."""
        if isinstance(work, RangeBatchNorm) and node.inputs[0] in self.drained:
            mean, width = self.drained[node.inputs[0]]
            own = [*parameters[:2], mean, work.range_factor(self.batch) * width]
            return work.forward([*operands, *own])
        return work.forward([*operands, *parameters], self.training)

    def _own_grid(self, name: str, reals: Array) -> tuple[Range, Grid]:
        estimator = self.estimator(name)
        observed = Observation.of(channels_last(reals), estimator.request(self.step))
        decision = estimator.decision_for(self.step)
        known = decision is not None
        if decision is None:
            decision = estimator.decision_from(observed)
        estimator.observe(observed)
        self._remember(name, estimator, decision, known)
        return decision.limits, self.output_grid(decision)

    def _derived_grid(
        self, operands: Sequence[Held], works: Sequence[VectorOperation], parameters: list[Array]
    ) -> tuple[Range, Grid]:
        first = operands[0].grid
        if all(isinstance(w, PASSING) for w in works) and (
            first.integers.bits == self.scheme.output_bits
        ):
            return reach(first), first
        ranges = [reach(held.grid) for held in operands]
        for work in works:
            ranges, parameters = [derived_range(work, ranges, parameters)], []
        return ranges[0], self.output_grid(ranges[0])


def _forward(work: VectorOperation, array: Array) -> Array:
    return work.forward([array])


def reach(grid: Grid) -> Range:
    """The reals that a grid reaches."""
    return Range(grid.minimum, grid.maximum)


def _channels(sums: Array, scales: Array | float) -> tuple[Array, Array]:
    """Mean and width of each channel's accumulators, in real units."""
    axes = tuple(range(sums.ndim - 1))
    width = sums.max(axis=axes).astype(np.float64) - sums.min(axis=axes)
    return scales * sums.mean(axis=axes), scales * width


def channels_last(array: Array) -> Array:
    """Images (batch, channels, height, width) as the statistics unit meets them."""
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array
