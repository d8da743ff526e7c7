"""Real tensors through a whole network: integers flow from node to node, on grids of their makers.

An operation's result does not depend on its program, so products are made in one piece: the same
integers as a run of any realisation gives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from accelsim.hardware import Hardware
from accelsim.kernels.requantize import requantize_tile
from accelsim.lowering import Operation
from accelsim.lowering.plan import DRAINED, OWN_RANGE, Job
from accelsim.machine import whole_product
from accelsim.network import Layer, MatMul, Network, Node, StepTensors, VectorOperation
from accelsim.network.vector import BatchNorm, Concat, Gelu, RangeBatchNorm, Relu6, Scale, Softmax
from accelsim.program import Program
from accelsim.quant import (
    Decision,
    Errors,
    Estimator,
    Grid,
    Observation,
    Range,
    Registers,
    Requantization,
    Scheme,
    levels_used,
    range_staleness,
    requantization,
)
from accelsim.result import Numerics, ValueRange
from accelsim.simulation.lowered import lowered
from accelsim.simulation.operands import Quantized, StepOperands

GELU_MINIMUM = -0.17
"""Just below the minimum of x * Phi(x), -0.16997."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Held:
    """A tensor of the network as it lies in memory: integers, (batch, ...), and their grid."""

    integers: np.ndarray
    grid: Grid

    @property
    def reals(self) -> np.ndarray:
        """What the integers stand for."""
        return self.grid.dequantize(self.integers)


class NetworkValues:
    """One scheme's pass over a network, step after step; estimators remember."""

    def __init__(
        self, network: Network, jobs: Sequence[Job], scheme: Scheme, hardware: Hardware
    ) -> None:
        self.network, self.scheme, self.hardware = network, scheme, hardware
        self._jobs = {job.node: job for job in jobs}
        self._applied = {name for job in jobs for name in job.applies}
        self._estimators: dict[str, Estimator] = {}

    def step(self, inputs: Arrays, number: int) -> "StepValues":
        """Run one step."""
        held: dict[str, Held] = {}
        results: dict[str, _Result] = {}
        for name, array in inputs.items():
            grid = self.scheme.input_grid(Range.of(array))
            held[name] = Held(grid.quantize(array), grid)
        for node in self.network.nodes:
            operands = [held[name] for name in node.inputs]
            if node.name not in self._jobs:
                held[node.name] = self._viewed(node, operands[0])
                continue
            result = _Result(self._last_done(node))
            if isinstance(node.work, Layer):
                held[node.name] = self._product(node, node.work, operands, number, result)
            else:
                held[node.name] = self._vector(node, node.work, operands, number, result)
            results[node.name] = result
        return StepValues(held, results)

    def _last_done(self, node: Node) -> str:
        """The node whose result an operation gives: its own, or what it does on the way."""
        applies = self._jobs[node.name].applies
        norms = [reader.name for reader in self._folded_norms(node)]
        return (node.name, *norms, *applies)[-1]

    def _folded_norms(self, node: Node) -> list[Node]:
        """The batch normalizations that go into a product's weights and bias."""
        if not isinstance(node.work, Layer):
            return []
        readers = [self.network.node(name) for name in self.network.consumers_of(node.name)]
        kinds = BatchNorm | RangeBatchNorm
        return [r for r in readers if isinstance(r.work, kinds) and r.work.folds]

    def _viewed(self, node: Node, operand: Held) -> Held:
        """A view, or an activation or a norm that the operation before it has done."""
        if node.name in self._applied or isinstance(node.work, BatchNorm | RangeBatchNorm):
            return operand
        assert isinstance(node.work, VectorOperation)
        moved = node.work.forward([operand.integers])
        return Held(moved.astype(np.int32), operand.grid)

    # Products --------------------------------------------------------------------------------

    def _product(
        self, node: Node, layer: Layer, operands: list[Held], number: int, result: "_Result"
    ) -> Held:
        batch = len(operands[0].integers)
        step = self._operands(node, layer, operands, batch)
        quantized = step.quantized(self.scheme)
        operation = self._jobs[node.name].work
        assert isinstance(operation, Operation)
        program = lowered(operation, "static", self.hardware)
        made = whole_product(program, self.hardware.accumulator, quantized.operands)
        estimator = self._estimator(node.name)
        observed = self._observed(program, made.sums, quantized, estimator, number, batch)
        decision = estimator.decision_for(number) or estimator.decision_from(observed)
        estimator.observe(observed)
        decision = self._activated(node.name, decision)
        grid = self.scheme.output_grid(decision)
        how = requantization(
            quantized.input_grid.scale, quantized.channel_scales * self._factor(node.name), grid,
            self.hardware.requantizer.mode, self.scheme.seed, f"{node.name}/output/{number}",
        )  # fmt: skip
        output, result.saturated = _requantized(made.sums, self._clamped(node.name, how, grid))
        result.set(decision, observed, made.overflow_count)
        shape = (batch, *self.network.shape_of(node.name))
        return Held(layer.from_nest_output(output).reshape(shape), grid)

    def _operands(self, node: Node, layer: Layer, operands: list[Held], batch: int) -> StepOperands:
        x = operands[0].reals.reshape(layer.input_shape(batch))
        if isinstance(layer, MatMul):
            second = operands[1].reals.reshape(layer.weight_shape(batch))
            grids = operands[0].grid, operands[1].grid
            return StepOperands(layer, StepTensors(x, second), *grids)
        parameters = self.network.parameters
        weights = parameters[f"{node.name}.weights"]
        bias = parameters.get(f"{node.name}.bias")
        for reader in self._folded_norms(node):
            norm = reader.work
            assert isinstance(norm, BatchNorm | RangeBatchNorm)
            own = [parameters[f"{reader.name}.{name}"] for name in norm.parameter_shapes()]
            weights, bias = norm.fold(weights, bias, own)
        if bias is not None and not layer.has_bias:
            layer = replace(layer, bias=True)  # type: ignore[call-arg]
        return StepOperands(layer, StepTensors(x, weights, bias), operands[0].grid)

    def _observed(
        self,
        program: Program,
        sums: np.ndarray,
        quantized: Quantized,
        estimator: Estimator,
        number: int,
        batch: int,
    ) -> Observation:
        """What the statistics unit sees: the finished accumulators, before any activation."""
        assert program.window is not None
        copies = program.window.copies
        registers = Registers(
            sums.shape,
            copies,
            estimator.request(number),
            quantized.scales,
            batch,
        )
        images = len(sums) // copies
        for first in range(0, len(sums), images):
            registers.observe(sums[first : first + images], (first, 0, 0, 0))
        return quantized.observed(registers.read())

    def _clamped(self, name: str, how: Requantization, grid: Grid) -> Requantization:
        """The requantizer's clamp does what is left of the activations that it applies."""
        low, high = how.minimum, how.maximum
        for work in self._applies(name):
            if isinstance(work, Scale):
                continue
            low = max(low, grid.zero_point)
            if isinstance(work, Relu6):
                high = min(high, int(grid.quantize(6.0)))
        return replace(how, minimum=low, maximum=high)

    def _factor(self, name: str) -> float:
        factors = [work.factor for work in self._applies(name) if isinstance(work, Scale)]
        return float(np.prod(factors))

    # Vector work -----------------------------------------------------------------------------

    def _vector(
        self,
        node: Node,
        operation: VectorOperation,
        operands: list[Held],
        number: int,
        result: "_Result",
    ) -> Held:
        names = operation.parameter_shapes()
        own = [self.network.parameters[f"{node.name}.{name}"] for name in names]
        values = operation.forward([*(operand.reals for operand in operands), *own])
        for work in self._applies(node.name):
            values = work.forward([values])
        estimator = self._estimator(node.name)
        last = np.moveaxis(values, 1, -1) if values.ndim == 4 else values
        observed = Observation.of(last, estimator.request(number))
        if isinstance(operation, OWN_RANGE):
            decision = estimator.decision_for(number) or estimator.decision_from(observed)
            estimator.observe(observed)
            decision = self._activated(node.name, decision)
            grid = self.scheme.output_grid(decision)
        else:
            limits, same = _following(operation, [operand.grid for operand in operands])
            decision = self._activated(node.name, Decision(limits))
            grid = same or self.scheme.output_grid(decision)
        result.set(decision, observed, 0)
        low, high = (grid.dequantize(n) for n in (grid.integers.minimum, grid.integers.maximum))
        result.saturated = int(((values < low) | (values > high)).sum())
        return Held(grid.quantize(values), grid)

    # Both ------------------------------------------------------------------------------------

    def _estimator(self, name: str) -> Estimator:
        if name not in self._estimators:
            self._estimators[name] = self.scheme.new_estimator()
        return self._estimators[name]

    def _applies(self, name: str) -> list[VectorOperation]:
        works = [self.network.node(applied).work for applied in self._jobs[name].applies]
        return [work for work in works if isinstance(work, VectorOperation)]

    def _activated(self, name: str, decision: Decision) -> Decision:
        """The range of results after the activations that are applied on the way."""
        limits = decision.limits
        for work in self._applies(name):
            if isinstance(work, (*DRAINED, Gelu)):
                limits = _after(work, limits)
        return replace(decision, limits=limits)


@dataclass(frozen=True)
class StepValues:
    """What lies in memory after a step, and what was noted of each operation."""

    held: Mapping[str, Held]
    results: Mapping[str, "_Result"]

    def numerics(self, exact: Arrays) -> dict[str, Numerics]:
        """Each operation's result held against the same node of the float network."""
        return {
            name: result.numerics(
                exact[result.reference].reshape(self.held[name].integers.shape), self.held[name]
            )
            for name, result in self.results.items()
        }


class _Result:
    """What is noted of one operation's result on its way."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        self.saturated = 0

    def set(self, decision: Decision, observed: Observation, overflow_count: int) -> None:
        """The range that was used, and what was seen."""
        self.decision, self.observed, self.overflow_count = decision, observed, overflow_count

    def numerics(self, exact: np.ndarray, held: Held) -> Numerics:
        """Held against the float network."""
        errors = Errors(exact, held.reals)
        used, seen = self.decision.limits, self.observed.range
        return Numerics(
            sqnr_db=errors.sqnr_db,
            cosine=errors.cosine,
            mean_squared_error=errors.mean_squared_error,
            bias=errors.bias,
            saturated_share=self.saturated / held.integers.size,
            underflow_share=errors.underflow_share,
            levels_used=levels_used(held.integers),
            overflow_count=self.overflow_count,
            range_used=ValueRange(used.minimum, used.maximum),
            range_observed=ValueRange(seen.minimum, seen.maximum),
            range_staleness=range_staleness(used, seen),
            output_scale=held.grid.scale,
            output_zero_point=held.grid.zero_point,
        )


def _requantized(sums: np.ndarray, how: Requantization) -> tuple[np.ndarray, int]:
    """Output integers, and how many were clamped; copies have channels of their own."""
    images, height, width, channels = sums.shape
    copies = len(how.multipliers) // channels
    output = np.empty(sums.shape, np.int32)
    saturated, per_copy = 0, images // copies
    for copy in range(copies):
        images_of = slice(copy * per_copy, (copy + 1) * per_copy)
        own = slice(copy * channels, (copy + 1) * channels)
        saturated += requantize_tile(
            sums[images_of], output[images_of], how.multipliers[own].copy(),
            how.shifts[own].copy(), how.zero_point, how.minimum, how.maximum, how.mode.code,
            how.seed, copy * per_copy, 0, 0, 0, height, width, channels,
        )  # fmt: skip
    return output, int(saturated)


def _limits(grid: Grid) -> Range:
    low, high = (grid.dequantize(n) for n in (grid.integers.minimum, grid.integers.maximum))
    return Range.covering(float(low), float(high))


def _after(work: VectorOperation, limits: Range) -> Range:
    """The range after an activation."""
    if isinstance(work, Scale):
        ends = sorted((work.factor * limits.minimum, work.factor * limits.maximum))
        return Range.covering(*ends)
    if isinstance(work, Gelu):
        return Range(max(limits.minimum, GELU_MINIMUM), limits.maximum)
    return Range(0.0, min(limits.maximum, 6.0) if isinstance(work, Relu6) else limits.maximum)


def _following(operation: VectorOperation, grids: Sequence[Grid]) -> tuple[Range, Grid | None]:
    """The range that follows from the operands', and the operand's own grid where it stays."""
    first = _limits(grids[0])
    if isinstance(operation, Softmax):
        return Range(0.0, 1.0), None
    if isinstance(operation, Concat):
        ranges = [_limits(grid) for grid in grids]
        low, high = min(r.minimum for r in ranges), max(r.maximum for r in ranges)
        return Range(low, high), None
    if isinstance(operation, Scale | Gelu):
        return _after(operation, first), None
    return first, grids[0]
