"""One step of one layer under one scheme: run its program, hold the output against float."""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import SEARCHING, Statistic
from accelsim.lowering import Operation, Ranges
from accelsim.machine import Outcome, Part, Run
from accelsim.network import Layer
from accelsim.numerics import RequantizationMode
from accelsim.program import GRAD_WEIGHT, RANGES, Program
from accelsim.quant import (
    Decision,
    Estimator,
    Grid,
    Observation,
    Range,
    Reflections,
    Requantization,
    Request,
    Scheme,
    Statistics,
    levels_used,
    requantization,
)
from accelsim.result import Numerics, TraceStep
from accelsim.simulation.numerics import numerics_of
from accelsim.simulation.operands import Quantized, StepOperands
from accelsim.simulation.programs import Plan, Programs


@dataclass(frozen=True)
class Step:
    """What one step came to."""

    plan: Plan
    program: Program
    run: Run
    observed: Observation | None = None
    numerics: Numerics | None = None
    output: np.ndarray | None = None
    grid: Grid | None = None
    """The output's, or what its parts' lie in where these have their own."""
    real: np.ndarray | None = None
    """What the output stands for."""

    @property
    def operation(self) -> Operation:
        """What was done."""
        return self.plan.operation

    @property
    def realisation(self) -> str:
        """What its program was."""
        return self.program.realisation

    @property
    def tiling(self) -> dict[str, object]:
        """What lowering chose, and the folds on the array."""
        return dict(self.program.notes) | {"folds": self.run.folds}

    @property
    def consumer_load_bytes(self) -> int:
        """What the next operation loads of this one, ranges apart."""
        return self.program.tensors[self.program.outcome].total_bytes

    @property
    def consumer_range_bytes(self) -> int:
        """What it loads beside that: scales and zero points of parts that have their own."""
        ranges = self.program.tensors.get(RANGES)
        return ranges.total_bytes if ranges else 0

    def traced(self, number: int) -> TraceStep:
        """The light record of a step with values."""
        assert self.numerics is not None
        total_bytes = sum(row.bytes for row in self.run.traffic)
        return TraceStep(
            number, self.realisation, total_bytes, self.run.total_cycles, self.numerics
        )


def operation_of(
    layer: Layer, batch: int, scheme: Scheme, output_bits: int | None = None
) -> Operation:
    """The layer as the lowering takes it; with the width of its output, if not the scheme's."""
    return Operation(
        nest=layer.nest(batch),
        name=layer.name,
        input_bits=scheme.input_bits,
        weight_bits=scheme.weight_bits,
        output_bits=output_bits or scheme.output_bits,
        bias=layer.has_bias,
        direction=layer.operation,
        ranges=_ranges(layer, batch, scheme),
        block=scheme.block,
    )


def _ranges(layer: Layer, batch: int, scheme: Scheme) -> Ranges | None:
    """The parts of the output that have a range each, where there are such."""
    ranges = Ranges.of(scheme, layer.nest(batch).output_shape, batch)
    if ranges and layer.operation == GRAD_WEIGHT and scheme.block is None:
        raise AccelsimError(
            f"scheme '{scheme.label}': must not need a range per sample or region for "
            f"{layer.name}, which sums over the samples"
        )
    return ranges


def timed_step(layer: Layer, batch: int, scheme: Scheme, programs: Programs) -> Step:
    """Cycles and bytes only, of a step in the steady state, as far as it can be planned."""
    plan = planned(layer, batch, scheme)
    return Step(plan, programs.program(plan), programs.run(plan))


def planned(layer: Layer, batch: int, scheme: Scheme) -> Plan:
    """A step in the steady state."""
    estimator = scheme.new_estimator()
    passes = estimator.planned_passes if estimator.needs_current else 1
    realisation = scheme.realisation_of(known=not estimator.needs_current)
    statistics = estimator.needs if estimator.needs_current else estimator.needs - SEARCHING
    return Plan(operation_of(layer, batch, scheme), realisation, passes, statistics)


def valued_step(
    operands: StepOperands, scheme: Scheme, estimator: Estimator, step: int, programs: Programs
) -> Step:
    """Cycles, bytes and values; the estimator's range may be known beforehand or not.

    A program is lowered for what is planned. Where the values ask for other read passes, or for
    another width of the output, it is lowered again for those: only that program counts.
    """
    layer, hardware = operands.layer, programs.hardware
    quantized = operands.quantized(scheme)
    choice = _Choice(scheme, estimator, quantized, hardware.requantizer.mode, layer.name, step)
    known = choice.decision
    realisation = scheme.realisation_of(known=known is not None)
    wanted = _wanted(scheme, known, estimator.planned_passes)
    request = estimator.request(step)
    asked = replace(
        quantized.operands,
        requantization=choice.requantization(known) if known is not None else None,
        decide=choice.from_statistics,
        request=request,
        scales=quantized.scales,
        samples=_samples(operands, request, scheme),
        decide_part=choice.of_part,
        decide_mixing=choice.mixing if estimator.mixes else None,
    )
    operation = operation_of(layer, operands.batch, scheme, wanted.bits)
    plan = Plan(operation, realisation, wanted.passes, request.statistics)
    product = partial(quantized.product, programs.program(plan), hardware.accumulator)
    finished = programs.run(plan, asked, product)
    assert finished.outcome is not None
    decision = choice.settled(finished.outcome, in_parts=operation.ranges is not None)
    taken = _wanted(scheme, decision)
    if taken != wanted:
        asked = replace(asked, requantization=choice.requantization(decision))
        operation = operation_of(layer, operands.batch, scheme, taken.bits)
        plan = plan._replace(operation=operation, passes=taken.passes)
        finished = programs.run(plan, asked, product)
    assert finished.outcome is not None and finished.outcome.statistics is not None
    observed = quantized.observed(finished.outcome.statistics)
    grid, outcome = scheme.output_grid(decision), finished.outcome
    real = grid.dequantize(outcome.output) if outcome.ranges is None else outcome.part_reals
    numerics = step_numerics(operands, grid, decision, observed, outcome, real)
    output = layer.from_nest_output(finished.outcome.output)
    return Step(plan, programs.program(plan), finished, observed, numerics, output, grid, real)


def as_under(step: Step, scheme: Scheme, *, known: bool, programs: Programs) -> Step:
    """The step under a scheme that leaves the same values by another program.

    `known`: whether its range was known before its tensor.
    """
    plan = step.plan._replace(realisation=scheme.realisation_of(known=known))
    return replace(step, plan=plan, program=programs.program(plan), run=programs.run(plan))


class _Choice:
    """What an estimator decides in the course of one step: the machine asks when it can know."""

    def __init__(
        self,
        scheme: Scheme,
        estimator: Estimator,
        quantized: Quantized,
        mode: RequantizationMode,
        layer: str,
        step: int,
    ) -> None:
        self.scheme, self.estimator, self.quantized = scheme, estimator, quantized
        self.mode, self.key = mode, f"{layer}/output/{step}"
        self.decision = estimator.decision_for(step)
        """None until the tensor was seen, where the range is its own."""
        self._ranges: list[Range] = []

    def requantization(self, decision: Decision) -> Requantization:
        """From the accumulators to the grid that was decided."""
        return self._to(self.scheme.output_grid(decision))

    def from_statistics(self, statistics: Statistics) -> Requantization:
        """The range of the whole tensor, from what the statistics unit saw of it."""
        self.decision = self.estimator.decision_from(self.quantized.observed(statistics))
        if self.decision.reflections is not None:
            raise AccelsimError(
                f"scheme '{self.scheme.label}': its estimator decides reflections, so it must say "
                "mixes = True, reflections_from and extent"
            )
        return self.requantization(self.decision)

    def of_part(self, limits: Range) -> Part:
        """The grid of a sample or a region whose range is this."""
        self._ranges.append(limits)
        grid = self.scheme.part_grid(self.estimator.part_decision(limits))
        return Part(self._to(grid), grid)

    def mixing(self, statistics: Statistics) -> Reflections:
        """How the samples are mixed before their ranges are found."""
        return self.estimator.reflections_from(self.quantized.observed(statistics))

    def settled(self, outcome: Outcome, *, in_parts: bool) -> Decision:
        """What was decided, once the run is over."""
        if outcome.reflections is not None:
            return Decision.mixed(tuple(self._ranges), outcome.reflections)
        if in_parts:
            assert outcome.statistics is not None
            return self.estimator.decision_from(self.quantized.observed(outcome.statistics))
        assert self.decision is not None
        return self.decision

    def _to(self, grid: Grid) -> Requantization:
        return requantization(
            self.quantized.input_grid.scale, self.quantized.channel_scales, grid, self.mode,
            self.scheme.seed, self.key,
        )  # fmt: skip


def _samples(operands: StepOperands, request: Request, scheme: Scheme) -> int | None:
    """How many equal runs of images the output has; a gradient to the weights has none."""
    if operands.layer.operation != GRAD_WEIGHT:
        return operands.batch
    if Statistic.SAMPLES in request:
        raise AccelsimError(
            f"scheme '{scheme.label}': must not need a range per sample for "
            f"{operands.layer.name}, which sums over the samples"
        )
    return None


class _Wanted(NamedTuple):
    """What a program is lowered for."""

    bits: int
    passes: int


def _wanted(scheme: Scheme, decision: Decision | None, planned_passes: int = 1) -> _Wanted:
    """As decided; before that, as planned."""
    if decision is None:
        return _Wanted(scheme.output_bits, planned_passes)
    return _Wanted(decision.bits or scheme.output_bits, max(1, decision.passes))


def step_numerics(
    operands: StepOperands,
    grid: Grid,
    decision: Decision,
    observed: Observation,
    outcome: Outcome,
    real: np.ndarray,
) -> Numerics:
    """How far the output is from float, and how its grid was used."""
    return numerics_of(
        operands.float_output, real, decision.limits, observed.range,
        grid=grid if outcome.ranges is None else None,
        levels_used=levels_used(outcome.output),
        saturated_count=outcome.saturated_count,
        overflow_count=outcome.overflow_count,
    )  # fmt: skip
