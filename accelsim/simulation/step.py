"""One step of one layer: quantize the operands, run the program, hold the output against float."""

from dataclasses import dataclass, replace

import numpy as np

from accelsim.hardware import Hardware
from accelsim.lowering import Operation, lower
from accelsim.machine import Operands, Run, run
from accelsim.network import Layer, MatMul, Nest, StepTensors
from accelsim.numerics import exact_sum_bound
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
    bias,
    cosine_similarity,
    mean_squared_error,
    requantization,
    sqnr_db,
)
from accelsim.result import Numerics, ValueRange
from accelsim.simulation.reference import float_output

BIAS_MAGNITUDE = 2**31 - 1
"""A bias enters the accumulator as an int32."""


@dataclass(frozen=True)
class Step:
    """What one step came to."""

    run: Run
    realisation: str
    tiling: dict[str, object]
    output_bits: int
    passes: int
    """How often the program reads the finished tensor where its range waits for it."""
    consumer_load_bytes: int
    observed: Observation | None = None
    numerics: Numerics | None = None
    output: np.ndarray | None = None


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
    )


def timed_step(layer: Layer, batch: int, hardware: Hardware, scheme: Scheme) -> Step:
    """Cycles and bytes only, of a step in the steady state, as far as it can be planned."""
    estimator = scheme.new_estimator()
    passes = estimator.planned_passes if estimator.needs_current else 1
    realisation = scheme.realisation_of(known=not estimator.needs_current)
    program = lower(operation_of(layer, batch, scheme), hardware, realisation, passes=passes)
    return _step(program, run(program, hardware), scheme.output_bits, passes)


def _step(program: Program, finished: Run, output_bits: int, passes: int) -> Step:
    return Step(
        run=finished,
        realisation=program.realisation,
        tiling=dict(program.notes),
        output_bits=output_bits,
        passes=passes,
        consumer_load_bytes=_consumer_load_bytes(program),
    )


def _consumer_load_bytes(program: Program) -> int:
    return program.tensors[program.outcome].total_bytes


def valued_step(
    layer: Layer,
    hardware: Hardware,
    scheme: Scheme,
    tensors: StepTensors,
    estimator: Estimator,
    step: int,
) -> Step:
    """Cycles, bytes and values; the estimator's range may be known beforehand or not."""
    batch = tensors.check(layer)
    nest = layer.nest(batch)
    quantized = _Quantized(layer, nest, scheme, tensors)
    decision = estimator.decision_for(step)
    realisation = scheme.realisation_of(known=decision is not None)
    planned = _wanted(scheme, decision, estimator.planned_passes)

    def decide(found: Decision) -> Requantization:
        return requantization(
            quantized.input_grid.scale,
            quantized.weight_grid.scales,
            scheme.output_grid(found),
            hardware.requantizer.mode,
            scheme.seed,
            f"{layer.name}/output/{step}",
        )

    def decide_from(statistics: Statistics) -> Requantization:
        nonlocal decision
        decision = estimator.decision_from(quantized.observed(statistics))
        return decide(decision)

    operands = replace(
        quantized.operands,
        requantization=decide(decision) if decision is not None else None,
        decide=decide_from,
        request=estimator.request(step),
        scales=accumulator_scales(quantized.input_grid.scale, quantized.weight_grid.scales),
        samples=batch,
    )
    program, finished = _run(layer, batch, hardware, scheme, realisation, planned, operands)
    assert decision is not None
    taken = _wanted(scheme, decision)
    if taken != planned:
        # The values asked for other passes or bits than was planned; their range is known by now.
        operands = replace(operands, requantization=decide(decision))
        program, finished = _run(layer, batch, hardware, scheme, realisation, taken, operands)
    assert finished.outcome is not None and finished.outcome.statistics is not None
    observed = quantized.observed(finished.outcome.statistics)
    output_grid = scheme.output_grid(decision)
    real = output_grid.dequantize(finished.outcome.output)
    exact = quantized.float_output()
    numerics = Numerics(
        sqnr_db=sqnr_db(exact, real),
        cosine=cosine_similarity(exact, real),
        mean_squared_error=mean_squared_error(exact, real),
        bias=bias(exact, real),
        saturated_share=finished.outcome.saturated_count / nest.output_elements,
        overflow_count=finished.outcome.overflow_count,
        range_used=_value_range(decision.limits),
        range_observed=_value_range(observed.range),
        output_scale=output_grid.scale,
        output_zero_point=output_grid.zero_point,
    )
    output = layer.from_nest_output(finished.outcome.output)
    return replace(
        _step(program, finished, *taken), observed=observed, numerics=numerics, output=output
    )


def _wanted(scheme: Scheme, decision: Decision | None, passes: int = 1) -> tuple[int, int]:
    """(bits of the output, read passes) as decided; before that the scheme's, and so many."""
    if decision is None:
        return scheme.output_bits, passes
    return decision.bits or scheme.output_bits, max(1, decision.passes)


def _run(
    layer: Layer,
    batch: int,
    hardware: Hardware,
    scheme: Scheme,
    realisation: str,
    wanted: tuple[int, int],
    operands: Operands,
) -> tuple[Program, Run]:
    output_bits, passes = wanted
    operation = operation_of(layer, batch, scheme, output_bits)
    program = lower(operation, hardware, realisation, passes=passes)
    return program, run(program, hardware, operands)


class _Quantized:
    """A step's operands on their grids, in the nest's layout."""

    def __init__(self, layer: Layer, nest: Nest, scheme: Scheme, tensors: StepTensors) -> None:
        self.nest = nest
        self.input = layer.to_nest_input(tensors.input)
        self.weights = layer.to_nest_weights(tensors.weights)
        self.bias = None if tensors.bias is None else layer.to_nest_bias(tensors.bias)
        self.input_grid: Grid = scheme.input_grid(Range.of(self.input))
        if isinstance(layer, MatMul):
            # Both operands are activations: hardware knows one scale for each.
            scheme = replace(scheme, weight_scales="per-tensor")
        self.weight_grid: ChannelGrid = scheme.weight_grid(self.weights)
        self.operands = self._operands()

    def _operands(self) -> Operands:
        integers = self.weight_grid.quantize(self.weights)
        zero_points = self.weight_grid.zero_points
        limits = self.input_grid.integers
        zero = self.input_grid.zero_point
        input_magnitude = max(limits.maximum - zero, zero - limits.minimum)
        weight_magnitude = int(np.abs(self.weight_grid.centred(integers)).max(initial=0))
        bias_integers, bias_magnitude = None, 0
        if self.bias is not None:
            scales = accumulator_scales(self.input_grid.scale, self.weight_grid.scales)
            bias_integers = np.clip(
                np.rint(self.bias / scales), -BIAS_MAGNITUDE, BIAS_MAGNITUDE
            ).astype(np.int64)
            bias_magnitude = int(np.abs(bias_integers).max(initial=0))
        bound = exact_sum_bound(
            self.nest.reduction, input_magnitude, weight_magnitude, bias_magnitude
        )
        return Operands(
            input=self.input_grid.quantize(self.input),
            input_zero_point=zero,
            weights=integers,
            weight_zero_points=zero_points,
            sum_bound=bound,
            bias=bias_integers,
        )

    def observed(self, statistics: Statistics) -> Observation:
        """What the statistics unit saw, in real units."""
        return statistics.to_observation(self.input_grid.scale, self.weight_grid.scales)

    def float_output(self) -> np.ndarray:
        """What the layer computes without quantization, in the nest's layout."""
        return float_output(self.nest, self.input, self.weights, self.bias)


def _value_range(limits: Range) -> ValueRange:
    return ValueRange(limits.minimum, limits.maximum)
