"""Made-up tensors of a layer, step by step, of stated and seeded distributions."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError, shown, whole
from accelsim.network.drift import Drift
from accelsim.network.gradient import GRAD_WEIGHT, Gradient
from accelsim.network.layers import Layer, MatMul
from accelsim.network.tensors import Array, StepTensors

ACTIVATION, GRADIENT = "activation", "gradient"
KINDS = (ACTIVATION, GRADIENT)
"""What flows through a layer: activations on the way forth, gradients on the way back."""

GRADIENT_SCALE = 1e-3
"""A gradient's standard deviation at step 0, at a position of typical size."""

_INPUTS, _WEIGHTS, _SCALE, _BIAS, _WEIGHT_SCALE, _POSITIONS, _CALIBRATION = range(7)


class Synthetic:
    """A made-up sequence: the same arguments give the same tensors, and more steps only append.

    With N standard normal draws, all independent, K the layer's reduction, t counted from 0, and
    s_t = (walk) * (what the other parts of the drift make of step t):

    - input of step t, drawn afresh: `s_t * max(0, N + mean)` for an activation, as after a ReLU;
      `0.001 * s_t * exp(N) * (N + mean)` for a gradient, with one exp(N) for each position of the
      image (each row of a matrix), so that few positions hold most of it, as errors do: the tails
      are heavy;
    - walk: 1 at step 0, then times `exp(amount * N)` at each step;
    - weights: `W_0 = sqrt(2/K) * N` (He), `W_t = W_(t-1) + 0.1 * amount * sqrt(2/K) * N`;
    - bias, where the layer has one: `0.1 * N`, the same in every step;
    - in a matrix product the second operand is a signed activation drawn afresh, `N` times a walk
      of its own; the first is signed too, `s_t * (N + mean)`, or a gradient as above;
    - of a gradient to the weights the input is the forward one, and the operand in the place of
      the weights a gradient of scale 1, drawn afresh.

    All float64. The draws come from NumPy's Philox keyed by (seed, step, tensor).
    """

    def __init__(
        self,
        layer: Layer,
        batch: int = 1,
        seed: int = 0,
        drift: Drift | float | str | Iterable[str] = 0.05,
        kind: str = ACTIVATION,
    ) -> None:
        if kind not in KINDS:
            raise AccelsimError(f"kind = {shown(kind)}: must be one of {', '.join(KINDS)}")
        self.layer, self.kind, self.drift = layer, kind, Drift.parse(drift)
        self.batch = whole("batch", batch, 1, 2**20)
        self.seed = whole("seed", seed, 0, 2**63 - 1)
        self._spread = float(np.sqrt(2 / layer.nest(self.batch).reduction))
        self._bias = 0.1 * self._normal(0, _BIAS, layer.bias_shape()) if layer.has_bias else None

    def steps(self, count: int, first: int = 0) -> Iterator[StepTensors]:
        """The tensors of `count` steps from the first on, made when they are asked for."""
        count, first = whole("steps", count, 1, 2**20), whole("first", first, 0, 2**20)
        return self._steps(count, first)

    def _steps(self, count: int, first: int) -> Iterator[StepTensors]:
        amount = self.drift.amount
        walk = weight_walk = 1.0
        weights = self._first_weights()
        for step in range(first + count):
            if step > 0:
                walk *= float(np.exp(amount * self._normal(step, _SCALE, ())))
                weight_walk *= float(np.exp(amount * self._normal(step, _WEIGHT_SCALE, ())))
                if self.layer.operation == GRAD_WEIGHT:
                    weights = self._gradient(self._motion(step), step)
                elif isinstance(self.layer, MatMul):
                    weights = weight_walk * self._motion(step)
                else:
                    weights = weights + 0.1 * amount * self._spread * self._motion(step)
            if step >= first:
                scale = walk * self.drift.scale(step)
                yield StepTensors(self._input(step, scale), weights, self._bias)

    def calibration(self, count: int) -> Iterator[StepTensors]:
        """Further batches from before step 0: the same weights, inputs of scale 1 of their own."""
        weights = self._first_weights()
        for batch in range(whole("calibrate", count, 0, 2**20)):
            yield StepTensors(self._input(batch, 1.0, _CALIBRATION), weights, self._bias)

    def _input(self, step: int, scale: float, stream: int = 0) -> Array:
        shape = self.layer.input_shape(self.batch)
        mean = 0.0 if stream else self.drift.mean(step)
        draw = self._normal(step, _INPUTS, shape, stream) + mean
        to_weights = self.layer.operation == GRAD_WEIGHT
        if self.kind == GRADIENT and not to_weights:
            return self._gradient(draw, step, scale, stream)
        if isinstance(self.layer.of if isinstance(self.layer, Gradient) else self.layer, MatMul):
            return np.asarray(scale * draw)
        return np.asarray(scale * np.maximum(draw, 0.0))

    def _gradient(self, draw: Array, step: int, scale: float = 1.0, stream: int = 0) -> Array:
        """One size for all channels of a position: axis 1 of an image, the last of a matrix."""
        channels = 1 if draw.ndim == 4 else draw.ndim - 1
        positions = tuple(1 if axis == channels else n for axis, n in enumerate(draw.shape))
        sizes = np.exp(self._normal(step, _POSITIONS, positions, stream))
        return np.asarray(GRADIENT_SCALE * scale * sizes * draw)

    def _first_weights(self) -> Array:
        if self.layer.operation == GRAD_WEIGHT:
            return self._gradient(self._motion(0), 0)
        spread = 1.0 if isinstance(self.layer, MatMul) else self._spread
        return np.asarray(spread * self._motion(0))

    def _motion(self, step: int) -> Array:
        return self._normal(step, _WEIGHTS, self.layer.weight_shape(self.batch))

    def _normal(self, step: int, tensor: int, shape: tuple[int, ...], stream: int = 0) -> Array:
        words: tuple[Any, ...] = (self.seed, step, tensor, *((stream,) if stream else ()))
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))
        return np.asarray(generator.standard_normal(shape))


def synthetic_steps(
    layer: Layer,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: Drift | float | str | Iterable[str] = 0.05,
    kind: str = ACTIVATION,
) -> list[StepTensors]:
    """All steps of a `Synthetic` sequence at once."""
    return list(Synthetic(layer, batch, seed, drift, kind).steps(steps))
