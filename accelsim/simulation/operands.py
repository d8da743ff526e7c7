"""One step's tensors in the nest's layout: in float, and quantized as schemes ask."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from accelsim.hardware import Accumulator
from accelsim.machine import Operands, Product, whole_product
from accelsim.network import Gradient, Layer, MatMul, Nest, StepTensors
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
from accelsim.simulation.reference import (
    float_input_gradient,
    float_output,
    float_weight_gradient,
)

BIAS_MAGNITUDE = 2**31 - 1
"""A bias enters the accumulator as an int32."""


class StepOperands:
    """The tensors of one step, for any number of schemes: what two have in common is made once.

    Operands that come from other operations have a grid already: `input_grid`, and of a product of
    two activations `second_grid`. Others get theirs from the scheme.
    """

    def __init__(
        self,
        layer: Layer,
        tensors: StepTensors,
        input_grid: Grid | None = None,
        second_grid: Grid | None = None,
    ) -> None:
        self.layer, self.batch = layer, tensors.check(layer)
        self.input_grid, self.second_grid = input_grid, second_grid
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
        self.input_grid: Grid = step.input_grid or scheme.input_grid(Range.of(step.input))
        self.weight_grid: ChannelGrid = self._weight_grid(scheme)
        self.operands = self._operands()
        self._product: Product | None = None

    def _weight_grid(self, scheme: Scheme) -> ChannelGrid:
        given = self.step.second_grid
        if given is None:
            return scheme.weight_grid(self.step.weights)
        filters = len(self.step.weights)
        return ChannelGrid(
            given.integers, np.full(filters, given.scale), np.full(filters, given.zero_point)
        )

    def _operands(self) -> Operands:
        integers = self.weight_grid.quantize(self.step.weights)
        limits = self.input_grid.integers
        zero = self.input_grid.zero_point
        input_magnitude = max(limits.maximum - zero, zero - limits.minimum)
        weight_magnitude = int(np.abs(self.weight_grid.centred(integers)).max(initial=0))
        bias_integers, bias_magnitude = None, 0
        if self.step.bias is not None:
            bias_integers = np.clip(
                np.rint(self.step.bias / self.scales), -BIAS_MAGNITUDE, BIAS_MAGNITUDE
            ).astype(np.int64)
            bias_magnitude = int(np.abs(bias_integers).max(initial=0))
        bound = exact_sum_bound(self._reduction, input_magnitude, weight_magnitude, bias_magnitude)
        return Operands(
            input=self.input_grid.quantize(self.step.input),
            input_zero_point=zero,
            weights=integers,
            weight_zero_points=self.weight_grid.zero_points,
            sum_bound=bound,
            bias=bias_integers,
        )

    @property
    def _reduction(self) -> int:
        """Products in one sum."""
        nest = self.step.nest
        if self.step.layer.operation == GRAD_WEIGHT:
            return nest.batch * nest.out_height * nest.out_width
        return nest.reduction

    @property
    def channel_scales(self) -> np.ndarray:
        """Of the weights, per output channel of the operation."""
        if not isinstance(self.step.layer, Gradient):
            return self.weight_grid.scales
        nest = self.step.nest
        to_weights = self.step.layer.to == GRAD_WEIGHT
        channels = nest.in_channels if to_weights else nest.weight_vectors
        return np.full(channels, self.weight_grid.scales[0])

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
