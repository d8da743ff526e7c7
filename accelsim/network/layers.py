"""The layers a user names. Each knows its loop nest and how the user's arrays turn into the nest's.

The user's arrays follow PyTorch and ONNX; the nest's are channels-last (see `Nest`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, shown
from accelsim.network.checks import dimension, flag, identifier, padding_amount
from accelsim.network.nest import Nest

Array = NDArray[Any]
Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer(ABC):
    """A named layer of fixed shape; equal to another of the same kind with equal fields."""

    kind: ClassVar[str]
    name: str

    @property
    def operation(self) -> str:
        """Which product a run of it is: forward, or one of its gradients (`network.Gradient`)."""
        return "forward"

    @property
    def has_bias(self) -> bool:
        """Whether the layer adds a bias vector."""
        return bool(getattr(self, "bias", False))

    @abstractmethod
    def nest(self, batch: int = 1) -> Nest:
        """The loop nest for a batch of this many samples."""

    @abstractmethod
    def input_shape(self, batch: int = 1) -> tuple[int, ...]:
        """The user's input shape."""

    @abstractmethod
    def weight_shape(self, batch: int = 1) -> tuple[int, ...]:
        """The user's weight shape; it depends on the batch in a matrix product only."""

    @abstractmethod
    def output_shape(self, batch: int = 1) -> tuple[int, ...]:
        """The user's output shape."""

    def bias_shape(self, batch: int = 1) -> tuple[int, ...]:
        """One bias per output channel."""
        return (self.nest(batch).weight_vectors,)

    def batch_of(self, array: Array) -> int:
        """The batch that an input array in the user's layout holds; its shape must fit."""
        return self._batch("input", np.asarray(array), self.input_shape())

    def to_nest_input(self, array: Array) -> Array:
        """The user's input as the C-contiguous channels-last array of the nest."""
        array = np.asarray(array)
        return self._input(array, self.batch_of(array))

    def to_nest_weights(self, array: Array) -> Array:
        """The user's weights as the C-contiguous array in the nest's DRAM layout."""
        array = np.asarray(array)
        if array.shape != self.weight_shape():
            raise self._misshapen("weights", array, str(self.weight_shape()))
        return self._weights(array)

    def to_nest_bias(self, array: Array) -> Array:
        """The user's bias as the nest's vector, one element per weight vector."""
        array = np.asarray(array)
        if array.shape != self.bias_shape():
            raise self._misshapen("bias", array, str(self.bias_shape()))
        return np.ascontiguousarray(array)

    def from_nest_output(self, array: Array) -> Array:
        """The nest's output (or accumulators) as a C-contiguous array in the user's layout."""
        array = np.asarray(array)
        expected = self.nest().output_shape
        return self._output(array, self._batch("output", array, expected))

    @abstractmethod
    def _input(self, array: Array, batch: int) -> Array: ...

    @abstractmethod
    def _weights(self, array: Array) -> Array: ...

    @abstractmethod
    def _output(self, array: Array, batch: int) -> Array: ...

    def _batch(self, tensor: str, array: Array, single: tuple[int, ...]) -> int:
        """How many samples of shape `single` lie along the first axis."""
        fits = array.ndim == len(single) and array.shape[1:] == single[1:]
        if not fits or array.shape[0] == 0 or array.shape[0] % single[0]:
            many = "batch" if single[0] == 1 else f"batch*{single[0]}"
            raise self._misshapen(tensor, array, f"({', '.join([many, *map(str, single[1:])])})")
        return int(array.shape[0] // single[0])

    def _misshapen(self, tensor: str, array: Array, expected: str) -> AccelsimError:
        return AccelsimError(
            f"layer {self.name!r}: {tensor} has shape {array.shape}, expected {expected}"
        )

    def _settle(self, **fields: Any) -> None:
        """Store normalised fields, then build the nest once so that its bounds are checked."""
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        try:
            self.nest()
        except AccelsimError as error:
            raise AccelsimError(f"layer {self.name!r}: {error}") from None

    def _field(self, field: str) -> str:
        return f"layer {shown(self.name)}: {field}"


@dataclass(frozen=True)
class Conv2d(Layer):
    """A 2-D convolution. Input (batch, C, H, W), weights (O, C/groups, kh, kw), output NCHW.

    `kernel`, `stride` and `dilation` are a number or a (vertical, horizontal) pair. `padding` is a
    number, such a pair, (top, left, bottom, right), or "same": an output of ceil(size / stride),
    with the odd row or column of padding at the bottom and on the right. All are stored in full.
    """

    kind: ClassVar[str] = "conv2d"
    in_channels: int
    out_channels: int
    kernel: Any
    height: int
    width: int
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    bias: bool = False

    def __post_init__(self) -> None:
        identifier("layer name", self.name)
        fields: dict[str, Any] = {
            field: dimension(self._field(field), getattr(self, field))
            for field in ("in_channels", "out_channels", "height", "width", "groups")
        }
        for field in ("kernel", "stride", "dilation"):
            fields[field] = self._pair(field, getattr(self, field))
        for field in ("in_channels", "out_channels"):
            if fields[field] % fields["groups"]:
                raise AccelsimError(
                    f"{self._field('groups')} = {fields['groups']}: must divide "
                    f"{field} = {fields[field]}"
                )
        fields["padding"] = self._padding(fields)
        fields["bias"] = flag(self._field("bias"), self.bias)
        self._settle(**fields)

    @classmethod
    def depthwise(
        cls,
        name: str,
        channels: int,
        kernel: Any,
        height: int,
        width: int,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        bias: bool = False,
    ) -> "Conv2d":
        """A depthwise convolution: as many groups as channels."""
        identifier("layer name", name)
        channels = dimension(f"layer {shown(name)}: channels", channels)
        return cls(
            name, channels, channels, kernel, height, width, stride, padding, dilation,
            groups=channels, bias=bias,
        )  # fmt: skip

    def _pair(self, field: str, value: Any) -> Pair:
        both = tuple(value) if isinstance(value, list | tuple) else (value, value)
        if len(both) != 2:
            raise AccelsimError(
                f"{self._field(field)} = {shown(value)}: must be a whole number or a pair of them"
            )
        return dimension(self._field(field), both[0]), dimension(self._field(field), both[1])

    def _padding(self, fields: dict[str, Any]) -> Padding:
        value = self.padding
        if isinstance(value, str):
            if value != "same":
                raise AccelsimError(
                    f"{self._field('padding')} = {shown(value)}: the only word allowed is 'same'"
                )
            sizes = (fields["height"], fields["width"])
            top, bottom = _same(sizes[0], *(fields[f][0] for f in ("kernel", "stride", "dilation")))
            left, right = _same(sizes[1], *(fields[f][1] for f in ("kernel", "stride", "dilation")))
            return top, left, bottom, right
        sides = tuple(value) if isinstance(value, list | tuple) else (value, value)
        if len(sides) not in (2, 4):
            raise AccelsimError(
                f"{self._field('padding')} = {shown(value)}: must be a whole number, a pair, "
                "(top, left, bottom, right) or 'same'"
            )
        top, left, bottom, right = (
            padding_amount(self._field("padding"), side) for side in (sides * 2)[:4]
        )
        return top, left, bottom, right

    def nest(self, batch: int = 1) -> Nest:
        """Groups as groups; one copy."""
        return Nest(
            1, batch, self.groups, self.in_channels // self.groups,
            self.out_channels // self.groups, self.height, self.width,
            *self.kernel, *self.stride, *self.dilation, *self.padding,
        )  # fmt: skip

    def input_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(batch, in_channels, height, width)."""
        return batch, self.in_channels, self.height, self.width

    def weight_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(out_channels, in_channels / groups, kernel height, kernel width)."""
        return self.out_channels, self.in_channels // self.groups, *self.kernel

    def output_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(batch, out_channels, output height, output width)."""
        nest = self.nest(batch)
        return batch, self.out_channels, nest.out_height, nest.out_width

    def _input(self, array: Array, batch: int) -> Array:
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1))

    def _weights(self, array: Array) -> Array:
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1))

    def _output(self, array: Array, batch: int) -> Array:
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class Linear(Layer):
    """Fully connected. Input (batch*rows, in_features), weights (out_features, in_features).

    `rows` are the vectors of one sample, such as the tokens of a sequence.
    """

    kind: ClassVar[str] = "linear"
    in_features: int
    out_features: int
    bias: bool = False
    rows: int = 1

    def __post_init__(self) -> None:
        identifier("layer name", self.name)
        self._settle(
            in_features=dimension(self._field("in_features"), self.in_features),
            out_features=dimension(self._field("out_features"), self.out_features),
            bias=flag(self._field("bias"), self.bias),
            rows=dimension(self._field("rows"), self.rows),
        )

    def nest(self, batch: int = 1) -> Nest:
        """Each row is a 1x1 image."""
        return Nest(
            1, dimension("batch", batch) * self.rows, 1, self.in_features, self.out_features, 1, 1
        )

    def input_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(batch*rows, in_features)."""
        return batch * self.rows, self.in_features

    def weight_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(out_features, in_features)."""
        return self.out_features, self.in_features

    def output_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(batch*rows, out_features)."""
        return batch * self.rows, self.out_features

    def _input(self, array: Array, batch: int) -> Array:
        return np.ascontiguousarray(array).reshape(self.nest(batch).input_shape)

    def _weights(self, array: Array) -> Array:
        return np.ascontiguousarray(array).reshape(self.nest().weight_shape)

    def _output(self, array: Array, batch: int) -> Array:
        return np.ascontiguousarray(array).reshape(self.output_shape(batch))


@dataclass(frozen=True)
class MatMul(Layer):
    """Independent products of two activations: (copies, m, k) x (copies, k, n) = (copies, m, n).

    A batch multiplies the copies, since each sample brings both operands: the arrays' first axis is
    batch*copies. The second operand takes the place of the weights.
    """

    kind: ClassVar[str] = "matmul"
    m: int
    k: int
    n: int
    copies: int = 1

    def __post_init__(self) -> None:
        identifier("layer name", self.name)
        fields = ("m", "k", "n", "copies")
        self._settle(**{f: dimension(self._field(f), getattr(self, f)) for f in fields})

    def nest(self, batch: int = 1) -> Nest:
        """Rows as image height; batch*copies copies."""
        return Nest(self.copies * dimension("batch", batch), 1, 1, self.k, self.n, self.m, 1)

    def input_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(batch*copies, m, k)."""
        return batch * self.copies, self.m, self.k

    def weight_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(batch*copies, k, n)."""
        return batch * self.copies, self.k, self.n

    def output_shape(self, batch: int = 1) -> tuple[int, ...]:
        """(batch*copies, m, n)."""
        return batch * self.copies, self.m, self.n

    def _input(self, array: Array, batch: int) -> Array:
        return np.ascontiguousarray(array).reshape(self.nest(batch).input_shape)

    def to_nest_weights(self, array: Array) -> Array:
        """The second operand, of any batch, as the C-contiguous array in the nest's DRAM layout."""
        array = np.asarray(array)
        self._batch("weights", array, self.weight_shape())
        return self._weights(array)

    def _weights(self, array: Array) -> Array:
        turned = np.ascontiguousarray(array.transpose(0, 2, 1))
        return turned.reshape(-1, 1, 1, self.k)

    def _output(self, array: Array, batch: int) -> Array:
        return np.ascontiguousarray(array).reshape(self.output_shape(batch))


def _same(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Padding before and after, so that the output has ceil(size / stride) elements."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2
