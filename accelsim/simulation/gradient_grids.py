"""How gradients lie in memory: on which grid, in which widths, and how they are rounded."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from accelsim.numerics import RequantizationMode
from accelsim.quant import Decision, Estimator, Grid, Observation, Range, Scheme, saturated_share
from accelsim.quant.requantization import kernel_seed
from accelsim.simulation.flow import Array, Held, channels_last


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


class GradientGrids:
    """The estimators of one training's gradients, each following one tensor, and their grids."""

    def __init__(self, scheme: Scheme, mode: RequantizationMode) -> None:
        self.scheme, self.mode = scheme, mode
        self.step = 0
        self.estimators: dict[str, Estimator] = {}

    def estimator(self, name: str, bits: int | None = None) -> Estimator:
        """The one that follows this tensor; of the gradients' own width, unless `bits` is given."""
        if name not in self.estimators:
            own = replace(self.scheme, output_bits=bits or self.scheme.output_bits)
            self.estimators[name] = own.new_estimator()
        return self.estimators[name]

    def grid(self, decided: Decision | Range, bits: int | None = None) -> Grid:
        """The grid of a gradient; of the gradients' own width, unless `bits` is given."""
        own = replace(self.scheme, output_bits=bits or self.scheme.output_bits)
        return own.output_grid(decided)

    def key(self, name: str) -> str:
        """Of the random numbers by which a tensor is rounded in this step."""
        return f"{name}/{self.step}"

    def decided(self, name: str, reals: Array) -> Decision:
        """How a result of vector work is quantized; its estimator is told what was seen."""
        estimator = self.estimator(name)
        observed = Observation.of(channels_last(reals), estimator.request(self.step))
        decision = estimator.decision_for(self.step) or estimator.decision_from(observed)
        estimator.observe(observed)
        return decision

    def held(self, name: str, reals: Array, used: Range, grid: Grid) -> Held:
        """A result of vector work on a grid, rounded at random where the requantizer does so."""
        clamped = round(saturated_share(reals, grid) * reals.size)
        return Held(self._rounded(name, reals, grid), grid, used, Range.of(reals), clamped)

    def _rounded(self, name: str, reals: Array, grid: Grid) -> Array:
        if self.mode is not RequantizationMode.STOCHASTIC:
            return grid.quantize(reals)
        seed = kernel_seed(self.scheme.seed, self.key(name))
        integers = grid.quantize_at_random(channels_last(reals), seed)
        return np.moveaxis(integers, -1, 1) if reals.ndim == 4 else integers
