"""One step's tensors in the nest's layout: in float, and quantized as schemes ask."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from accelsim.hardware import Accumulator
from accelsim.machine import Operands, Product, whole_product
from accelsim.network import Gradient, Layer, MatMul, Nest, StepTensors
from accelsim.network.reference import (
    float_input_gradient,
    float_output,
    float_weight_gradient,
)
from accelsim.numerics import exact_sum_bound
from accelsim.program import GRAD_INPUT, GRAD_WEIGHT, Program
from accelsim.quant import (
    ChannelGrid,
    Grid,
    Observation,
    Range,
    Scheme,
    Statistics,
    accumulator_scales,
)

BIAS_MAGNITUDE = 2**31 - 1
"""A bias enters the accumulator as an int32."""


class StepOperands:
    """The tensors of one step, for any number of schemes: what two have in common is made once."""

    def __init__(self, layer: Layer, tensors: StepTensors) -> None:
        self.layer, self.batch = layer, tensors.check(layer)
        self.nest: Nest = layer.nest(self.batch)
        self.input = layer.to_nest_input(tensors.input)
        self.weights = layer.to_nest_weights(tensors.weights)
        self.bias = None if tensors.bias is None else layer.to_nest_bias(tensors.bias)
        self._quantized: dict[tuple[object, ...], Quantized] = {}

    @cached_property
    def float_output(self) -> np.ndarray:
        """What the layer computes without quantization, in the nest's layout."""
        if not isinstance(self.layer, Gradient):
            return float_output(self.nest, self.input, self.weights, self.bias)
        forward = self.layer.of.nest(self.batch)
        gradient = float_input_gradient if self.layer.to == GRAD_INPUT else float_weight_gradient
        return gradient(forward, self.input, self.weights)

    def quantized(self, scheme: Scheme) -> "Quantized":
        """The operands on the scheme's grids."""
        key = (
            scheme.input_bits, scheme.inputs,
            scheme.weight_bits, scheme.weights, scheme.weight_scales,
        )  # fmt: skip
        if key not in self._quantized:
            self._quantized[key] = Quantized(self, scheme)
        return self._quantized[key]


class Quantized:
    """A step's operands on their grids."""

    def __init__(self, step: StepOperands, scheme: Scheme) -> None:
        self.step = step
        if isinstance(step.layer, MatMul | Gradient):
            # Both operands are activations, or the sums run over the channels of the scales:
            # hardware knows one scale for each.
            scheme = replace(scheme, weight_scales="per-tensor")
        self.input_grid: Grid = scheme.input_grid(Range.of(step.input))
        self.weight_grid: ChannelGrid = scheme.weight_grid(step.weights)
        self.operands = self._operands()
        self._product: Product | None = None

    def _operands(self) -> Operands:
        step = self.step
        return integer_operands(
            reduction_of(step.nest, step.layer.operation),
            self.input_grid.quantize(step.input),
            self.input_grid,
            self.weight_grid.quantize(step.weights),
            self.weight_grid,
            None if step.bias is None else step.bias / self.scales,
        )

    @property
    def channel_scales(self) -> np.ndarray:
        """Of the weights, per output channel of the operation."""
        if not isinstance(self.step.layer, Gradient):
            return self.weight_grid.scales
        return gradient_scales(self.step.nest, self.step.layer.to, self.weight_grid)

    @property
    def scales(self) -> np.ndarray:
        """The real value of one unit of an accumulator, per output channel."""
        return accumulator_scales(self.input_grid.scale, self.channel_scales)

    def product(self, program: Program, accumulator: Accumulator) -> Product:
        """The accumulators of the whole output; every program of the layer has the same."""
        if self._product is None:
            self._product = whole_product(program, accumulator, self.operands)
        return self._product

    def observed(self, statistics: Statistics) -> Observation:
        """What the statistics unit saw, in real units."""
        return statistics.to_observation(self.input_grid.scale, self.channel_scales)


def reduction_of(nest: Nest, operation: str) -> int:
    """Products in one sum of an operation that has this nest."""
    if operation == GRAD_WEIGHT:
        return nest.batch * nest.out_height * nest.out_width
    return nest.reduction


def gradient_scales(nest: Nest, operation: str, grid: ChannelGrid) -> np.ndarray:
    """The one scale of a gradient's second operand, for each output channel of the gradient."""
    channels = nest.in_channels if operation == GRAD_WEIGHT else nest.weight_vectors
    return np.full(channels, grid.scales[0])


def integer_operands(
    reduction: int,
    x: np.ndarray,
    x_grid: Grid,
    weights: np.ndarray,
    weight_grid: ChannelGrid,
    bias: np.ndarray | None = None,
) -> Operands:
    """Integers on their grids, for sums of `reduction` products; the bias in units of the sums."""
    limits, zero = x_grid.integers, x_grid.zero_point
    input_magnitude = max(limits.maximum - zero, zero - limits.minimum)
    weight_magnitude = int(np.abs(weight_grid.centred(weights)).max(initial=0))
    bias_integers, bias_magnitude = None, 0
    if bias is not None:
        bias_integers = np.clip(np.rint(bias), -BIAS_MAGNITUDE, BIAS_MAGNITUDE).astype(np.int64)
        bias_magnitude = int(np.abs(bias_integers).max(initial=0))
    return Operands(
        input=x,
        input_zero_point=zero,
        weights=weights,
        weight_zero_points=weight_grid.zero_points,
        sum_bound=exact_sum_bound(reduction, input_magnitude, weight_magnitude, bias_magnitude),
        bias=bias_integers,
    )
