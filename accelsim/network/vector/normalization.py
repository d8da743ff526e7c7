"""Operations that see a whole group before they give its first element: norms and the softmax."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log, prod, sqrt
from typing import ClassVar

import numpy as np

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import flag
from accelsim.network.vector.operation import (
    NOTHING,
    Array,
    Shape,
    VectorOperation,
    VectorWork,
    doubles,
)


@dataclass(frozen=True)
class _ChannelNorm(VectorOperation):
    """Centre and scale every channel over batch and space, then gamma * x + beta.

    At inference mean and variance are constants. Where the operand comes from a matrix layer that
    nobody else reads, gamma and beta go into its weights and bias (`fold`) and nothing is left to
    do: `folds`. Elsewhere it is a multiplication and an addition for each element.
    """

    epsilon: float = 1e-5
    folds: bool = True
    statistics_operations: ClassVar[int]

    def _settle(self) -> None:
        _check_epsilon(self.epsilon)
        flag("folds", self.folds)

    @property
    def sample_shape(self) -> Shape:
        """As the operand."""
        return self.shapes[0]

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """One of each for a channel."""
        channels = (self.shapes[0][0],)
        return {"gamma": channels, "beta": channels, **dict.fromkeys(self._running, channels)}

    _running: ClassVar[tuple[str, ...]]

    @property
    def trainable(self) -> tuple[str, ...]:
        """Gamma and beta."""
        return "gamma", "beta"

    @property
    def _statistics_pass(self) -> bool:
        """Whether the vector unit itself must read the tensor for its statistics."""
        return True

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """In training a pass for the statistics (if any), then a multiplication and an addition.

        What is computed once for a channel is not counted.
        """
        elements, channels = self._elements(batch), self.shapes[0][0]
        if not training:
            if self.folds:
                return NOTHING
            inputs = (elements,)
            return VectorWork(elements, 1, inputs, elements, (2 * elements,), 2 * channels)
        operations: tuple[int, ...] = (2 * elements,)
        if self._statistics_pass:
            operations = (self.statistics_operations * elements, *operations)
        return VectorWork(
            channels, elements // channels, (elements,), elements, operations, 2 * channels
        )

    def _per_channel(self, vector: Array) -> Array:
        """A vector of channels, to be broadcast over the arrays."""
        return np.asarray(vector).reshape(-1, *([1] * (len(self.shapes[0]) - 1)))

    @property
    def _axes(self) -> tuple[int, ...]:
        """The axes of an array that one channel's statistics cover."""
        return (0, *range(2, len(self.shapes[0]) + 1))


@dataclass(frozen=True)
class BatchNorm(_ChannelNorm):
    """Batch normalization (Ioffe & Szegedy 2015); parameters gamma, beta, mean, variance.

    In training the statistics cost a pass over the tensor (sum and sum of squares: a
    multiplication and two additions for each element), and the normalization a second one.
    """

    kind: ClassVar[str] = "batch_norm"
    statistics_operations: ClassVar[int] = 3
    _running: ClassVar[tuple[str, ...]] = ("mean", "variance")

    def fold(
        self, weights: Array, bias: Array | None, parameters: Sequence[Array]
    ) -> tuple[Array, Array]:
        """The weights and the bias of the layer before it that give the same at inference.

        `weights` have the output channel first: `w * gamma / sqrt(variance + epsilon)`, and
        `(bias - mean) * gamma / sqrt(variance + epsilon) + beta`.
        """
        gamma, beta, mean, variance = doubles(parameters)
        factor = gamma / np.sqrt(variance + self.epsilon)
        old = np.zeros_like(beta) if bias is None else doubles([bias])[0]
        shape = (-1, *([1] * (np.ndim(weights) - 1)))
        return doubles([weights])[0] * factor.reshape(shape), (old - mean) * factor + beta

    def statistics(self, array: Array) -> tuple[Array, Array]:
        """Mean and (biased) variance of each channel of a batch."""
        x = doubles([array])[0]
        return x.mean(axis=self._axes), x.var(axis=self._axes)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """(x - mean) / sqrt(variance + epsilon) * gamma + beta; in training of this batch."""
        x, gamma, beta, mean, variance = doubles(arrays)
        if training:
            mean, variance = self.statistics(x)
        deviation = np.sqrt(variance + self.epsilon)
        centred = x - self._per_channel(mean)
        return np.asarray(centred * self._per_channel(gamma / deviation) + self._per_channel(beta))

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and the operand in both of two passes.

        First the sums of g and of g * x (a multiplication, two additions), then the operand's
        gradient, for each channel a * g + b * x + c (two multiplications, two additions).
        """
        elements, channels = self._elements(batch), self.shapes[0][0]
        inputs = (elements, elements)
        return VectorWork(
            channels, elements // channels, inputs, elements, (3 * elements, 4 * elements), channels
        )

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradients to x, gamma and beta, through the statistics of the batch."""
        x, gamma = doubles(arrays[:2])
        mean, variance = self.statistics(x)
        deviation = np.sqrt(variance + self.epsilon)
        normal = (x - self._per_channel(mean)) / self._per_channel(deviation)
        to_beta = grad.sum(axis=self._axes)
        to_gamma = (grad * normal).sum(axis=self._axes)
        count = grad.size // len(gamma)
        inner = grad - self._per_channel(to_beta / count)
        inner = inner - normal * self._per_channel(to_gamma / count)
        return inner * self._per_channel(gamma / deviation), to_gamma, to_beta


@dataclass(frozen=True)
class RangeBatchNorm(_ChannelNorm):
    """Range batch normalization (Banner et al. 2018); parameters gamma, beta, mean, scale.

    The channel is centred and divided by its range: `(x - mean) / (C(n) * (max - min)) * gamma +
    beta`, n elements in a channel. The paper states C(n) = 1 / sqrt(2 ln n); `constant` is a factor
    before it. For normal values that is about two standard deviations; 0.5402 makes it one, which
    is what the authors' code has (with the mean range of 16 chunks of n elements each).

    Minimum, maximum and sum of each channel are what the statistics unit at the accumulators'
    drain sees anyway: with `from_drain` they cost no pass, and the normalization is the only one.
    Otherwise a pass of two comparisons and an addition for each element comes before it.
    """

    kind: ClassVar[str] = "range_batch_norm"
    statistics_operations: ClassVar[int] = 3
    _running: ClassVar[tuple[str, ...]] = ("mean", "scale")
    from_drain: bool = True
    constant: float = 1.0

    def _settle(self) -> None:
        super()._settle()
        flag("from_drain", self.from_drain)
        _check_positive("constant", self.constant)

    @property
    def _statistics_pass(self) -> bool:
        return not self.from_drain

    def range_factor(self, batch: int) -> float:
        """Constant / sqrt(2 ln n), n the elements of a channel in a batch."""
        count = batch * prod(self.shapes[0][1:])
        if count < 2:
            raise AccelsimError(
                "range_batch_norm needs 2 or more elements of a channel in a batch to train on"
            )
        return self.constant / sqrt(2 * log(count))

    def statistics(self, array: Array) -> tuple[Array, Array]:
        """Mean and scaled range of each channel of a batch."""
        x = doubles([array])[0]
        spread = x.max(axis=self._axes) - x.min(axis=self._axes)
        return x.mean(axis=self._axes), self.range_factor(len(x)) * spread

    def fold(
        self, weights: Array, bias: Array | None, parameters: Sequence[Array]
    ) -> tuple[Array, Array]:
        """The weights and the bias of the layer before it that give the same at inference."""
        gamma, beta, mean, scale = doubles(parameters)
        factor = gamma / (scale + self.epsilon)
        old = np.zeros_like(beta) if bias is None else doubles([bias])[0]
        shape = (-1, *([1] * (np.ndim(weights) - 1)))
        return doubles([weights])[0] * factor.reshape(shape), (old - mean) * factor + beta

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """(x - mean) / (scale + epsilon) * gamma + beta; in training of this batch."""
        x, gamma, beta, mean, scale = doubles(arrays)
        if training:
            mean, scale = self.statistics(x)
        centred = x - self._per_channel(mean)
        factor = gamma / (scale + self.epsilon)
        return np.asarray(centred * self._per_channel(factor) + self._per_channel(beta))

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and the operand in both of two passes.

        First the sums of g and of g * x (a multiplication, two additions), then the operand's
        gradient a * g + b (a multiplication, an addition) and the two comparisons that find the
        extremes, which get the range's share.
        """
        elements, channels = self._elements(batch), self.shapes[0][0]
        inputs = (elements, elements)
        return VectorWork(
            channels, elements // channels, inputs, elements, (3 * elements, 4 * elements), channels
        )

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradients to x, gamma and beta; the range's share goes to the extremes, evenly."""
        x, gamma = doubles(arrays[:2])
        mean, scale = self.statistics(x)
        divisor = scale + self.epsilon
        normal = (x - self._per_channel(mean)) / self._per_channel(divisor)
        to_beta = grad.sum(axis=self._axes)
        to_gamma = (grad * normal).sum(axis=self._axes)
        count = grad.size // len(gamma)
        direct = (grad - self._per_channel(to_beta / count)) * self._per_channel(gamma / divisor)
        to_range = -gamma * to_gamma / divisor * self.range_factor(len(x))
        high = x == x.max(axis=self._axes, keepdims=True)
        low = x == x.min(axis=self._axes, keepdims=True)
        pull = high / high.sum(axis=self._axes, keepdims=True)
        pull = pull - low / low.sum(axis=self._axes, keepdims=True)
        return direct + self._per_channel(to_range) * pull, to_gamma, to_beta


@dataclass(frozen=True)
class LayerNorm(VectorOperation):
    """Layer normalization (Ba et al. 2016) over the last `axes` axes; parameters gamma and beta.

    Two passes: sum and sum of squares (a multiplication, two additions), then centre, scale and
    gamma * x + beta (two multiplications, two additions).
    """

    kind: ClassVar[str] = "layer_norm"
    axes: int = 1
    epsilon: float = 1e-5

    def _settle(self) -> None:
        _check_epsilon(self.epsilon)
        rank = len(self.shapes[0])
        if isinstance(self.axes, bool) or self.axes not in range(1, rank + 1):
            raise AccelsimError(
                f"axes = {shown(self.axes)}: must be a whole number from 1 to {rank}"
            )

    @property
    def sample_shape(self) -> Shape:
        """As the operand."""
        return self.shapes[0]

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Gamma and beta have the shape that is normalized."""
        return dict.fromkeys(self.trainable, self._group)

    @property
    def trainable(self) -> tuple[str, ...]:
        """Gamma and beta."""
        return "gamma", "beta"

    @property
    def _group(self) -> Shape:
        return self.shapes[0][-self.axes :]

    @property
    def _last(self) -> tuple[int, ...]:
        return tuple(range(-self.axes, 0))

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """Two passes, 7 operations for each element."""
        elements, group = self._elements(batch), prod(self._group)
        operations = 3 * elements, 4 * elements
        return VectorWork(elements // group, group, (elements,), elements, operations, 2 * group)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """(x - mean) / sqrt(variance + epsilon) * gamma + beta."""
        x, gamma, beta = doubles(arrays)
        return self._normal(x)[0] * gamma + beta

    def _normal(self, x: Array) -> tuple[Array, Array]:
        mean = x.mean(axis=self._last, keepdims=True)
        deviation = np.sqrt(x.var(axis=self._last, keepdims=True) + self.epsilon)
        return (x - mean) / deviation, deviation

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and the operand in both of two passes.

        With h = g * gamma: the sums of h and of h * x (two multiplications, two additions) and
        those of the parameters' gradients (a multiplication, two additions), then a * h + b * x + c
        (two multiplications, two additions).
        """
        elements, group = self._elements(batch), prod(self._group)
        inputs, operations = (elements, elements), (7 * elements, 4 * elements)
        return VectorWork(elements // group, group, inputs, elements, operations, group)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """The gradients to x, gamma and beta."""
        x, gamma = doubles(arrays[:2])
        normal, deviation = self._normal(x)
        inner = grad * gamma
        mean = inner.mean(axis=self._last, keepdims=True)
        share = (inner * normal).mean(axis=self._last, keepdims=True)
        others = tuple(range(x.ndim - self.axes))
        return (
            (inner - mean - normal * share) / deviation,
            (grad * normal).sum(axis=others),
            grad.sum(axis=others),
        )


@dataclass(frozen=True)
class Softmax(VectorOperation):
    """exp(x - max) by its sum over the last axis.

    Three passes over a row that does not stay on chip: the maximum (a comparison); the sum of
    exponentials (a subtraction, a look-up, an addition); the results (a subtraction, a look-up, a
    multiplication).
    """

    kind: ClassVar[str] = "softmax"

    @property
    def sample_shape(self) -> Shape:
        """As the operand."""
        return self.shapes[0]

    def work(self, batch: int = 1, training: bool = False) -> VectorWork:
        """Three passes, 7 operations for each element."""
        elements, row = self._elements(batch), self.shapes[0][-1]
        operations = elements, 3 * elements, 3 * elements
        return VectorWork(elements // row, row, (elements,), elements, operations)

    def forward(self, arrays: Sequence[Array], training: bool = False) -> Array:
        """exp(x - max) / sum(exp(x - max))."""
        x = doubles(arrays)[0]
        powers = np.exp(x - x.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))

    def backward_work(self, batch: int = 1) -> VectorWork:
        """Reads the gradient and the result in both of two passes.

        The sum of g * y (a multiplication, an addition), then y * (g - sum) (a subtraction, a
        multiplication).
        """
        elements, row = self._elements(batch), self.shapes[0][-1]
        operations = 2 * elements, 2 * elements
        return VectorWork(elements // row, row, (elements, elements), elements, operations)

    def backward(self, grad: Array, arrays: Sequence[Array], output: Array) -> tuple[Array, ...]:
        """Y * (g - sum(g * y))."""
        return (output * (grad - (grad * output).sum(axis=-1, keepdims=True)),)


def _check_epsilon(epsilon: float) -> None:
    _check_positive("epsilon", epsilon)


def _check_positive(field: str, value: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not isfinite(value) or not 0 < value <= 1e6:
        raise AccelsimError(f"{field} = {shown(value)}: must be a number above 0, at most 1e6")
