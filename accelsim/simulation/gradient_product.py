"""One product of a backward pass on integers: its operands, its range, and what it leaves."""

from dataclasses import dataclass, replace

import numpy as np

from accelsim.hardware import Hardware
from accelsim.lowering import Operation, outline
from accelsim.lowering.training_plan import WIDE
from accelsim.machine import Operands, Outcome, replay_whole, whole_product
from accelsim.network import Gradient
from accelsim.program import GRAD_WEIGHT
from accelsim.quant import (
    ChannelGrid,
    Decision,
    Grid,
    Observation,
    Requantization,
    Statistics,
    accumulator_scales,
    requantization,
)
from accelsim.simulation.flow import Array, Held
from accelsim.simulation.gradient_grids import GradientGrids
from accelsim.simulation.operands import gradient_scales, integer_operands, reduction_of


@dataclass(frozen=True, eq=False)
class GradientProduct:
    """A gradient of a layer and its two operands, in the nest's layouts."""

    layer: Gradient
    batch: int
    first: Array
    first_grid: Grid
    second: Array
    second_grid: ChannelGrid

    @property
    def scales(self) -> Array:
        """Of the second operand, for each output channel."""
        return gradient_scales(self.layer.nest(self.batch), self.layer.to, self.second_grid)

    def in_float(self, operation: Operation, hardware: Hardware) -> Outcome:
        """What leaves in float32, which needs no range."""
        return self._run(operation, hardware, "static", self._operands())

    def quantized(
        self, name: str, operation: Operation, hardware: Hardware, grids: GradientGrids, bits: int
    ) -> dict[str, Held]:
        """What leaves on the range of an estimator of so many bits, by the names of its copies."""
        choice = _Choice(self, name, operation, grids, bits)
        realisation = grids.scheme.realisation_of(known=choice.decision is not None)
        # Accumulators that are left to their readers give the bits of those that are loaded again.
        realisation = "spill" if realisation == "lazy" else realisation
        asked = choice.asked(self._operands())
        return choice.held(self._run(operation, hardware, realisation, asked))

    def _operands(self) -> Operands:
        reduction = reduction_of(self.layer.nest(self.batch), self.layer.to)
        operands = integer_operands(
            reduction, self.first, self.first_grid, self.second, self.second_grid
        )
        return replace(operands, scales=accumulator_scales(self.first_grid.scale, self.scales))

    def _run(
        self, operation: Operation, hardware: Hardware, realisation: str, operands: Operands
    ) -> Outcome:
        outlined = outline(operation, hardware, realisation)
        product = whole_product(outlined, hardware.accumulator, operands)
        return replay_whole(outlined, hardware.accumulator, operands, product)


class _Choice:
    """How the output of one product is quantized, once or twice, and what it comes to."""

    def __init__(
        self,
        product: GradientProduct,
        name: str,
        operation: Operation,
        grids: GradientGrids,
        bits: int,
    ) -> None:
        self.product, self.grids = product, grids
        self.estimator = grids.estimator(name, bits)
        self.decision = self.estimator.decision_for(grids.step)
        self.widths = {name: operation.output_bits}
        if operation.output_bits != bits:  # the copy for the way to the weights alone
            self.widths = {f"{name}{WIDE}": operation.output_bits}
        if operation.second_output_bits is not None:
            self.widths[f"{name}{WIDE}"] = operation.second_output_bits
        self._used: list[Grid] = []

    def asked(self, operands: Operands) -> Operands:
        """The operands, and how the range of the output is found."""
        to_weights = self.product.layer.to == GRAD_WEIGHT
        return replace(
            operands,
            requantization=None if self.decision is None else self._to(self.decision),
            decide=self._decide,
            request=self.estimator.request(self.grids.step),
            samples=None if to_weights else self.product.batch,
        )

    def _decide(self, statistics: Statistics) -> Requantization:
        self.decision = self.estimator.decision_from(self._observed(statistics))
        return self._to(self.decision)

    def _observed(self, statistics: Statistics) -> Observation:
        return statistics.to_observation(self.product.first_grid.scale, self.product.scales)

    def _to(self, decision: Decision) -> Requantization:
        """From accumulators to the grid of each copy."""
        self._used = [self.grids.grid(decision, bits) for bits in self.widths.values()]
        first, *second = (
            requantization(
                self.product.first_grid.scale, self.product.scales, grid, self.grids.mode,
                self.grids.scheme.seed, self.grids.key(name),
            )
            for name, grid in zip(self.widths, self._used, strict=True)
        )  # fmt: skip
        return replace(first, second=second[0] if second else None)

    def held(self, outcome: Outcome) -> dict[str, Held]:
        """The copies that are stored; the estimator is told what was seen."""
        assert outcome.statistics is not None and self.decision is not None
        observed, used = self._observed(outcome.statistics), self.decision.limits
        self.estimator.observe(observed)
        outputs = [outcome.output, outcome.second_output][: len(self.widths)]
        return {
            name: Held(
                self.product.layer.from_nest_output(np.asarray(output)), grid, used,
                observed.range, outcome.saturated_count, outcome.overflow_count,
            )
            for name, grid, output in zip(self.widths, self._used, outputs, strict=True)
        }  # fmt: skip
