"""The weights of a network on integer grids, each made once for all steps and schemes."""

from dataclasses import dataclass, field

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.machine import Operands, laid_out_weights
from accelsim.network import Layer, Network, Node, TensorGrid
from accelsim.network.grids import DynamicGrid
from accelsim.network.vector import BatchNorm, RangeBatchNorm, Reshape, Scale
from accelsim.numerics import IntegerRange
from accelsim.program import Blocking, Program
from accelsim.quant import ChannelGrid, Grid, Microscaled, Scheme, microscaled
from accelsim.simulation.flattened import as_they_lie


def folded_node(network: Network, node: Node, training: bool = False) -> Node | None:
    """The one reader of a layer whose work is done by the layer's weights or its requantizer.

    In training a batch normalization is work of its own.
    """
    readers = [network.node(name) for name in network.consumers_of(node.name)]
    kinds = (Scale,) if training else (BatchNorm, RangeBatchNorm, Scale)
    folding = [r for r in readers if isinstance(r.work, kinds) and r.work.folds]
    return folding[0] if folding else None


def integers_of(scheme: Scheme, name: str, grid: TensorGrid, bits: int) -> IntegerRange:
    """The integers of a file's grid, which must be as wide as the scheme's."""
    found = np.iinfo(grid.dtype)
    if found.bits != bits:
        raise AccelsimError(
            f"scheme '{scheme.label}': {name} is {grid.dtype} in the file, the scheme has {bits} "
            "bits; they must agree"
        )
    return IntegerRange(bits, signed=found.min < 0)


def tensor_grids(network: Network, scheme: Scheme) -> dict[str, Grid]:
    """The grids that a network's file gives for inputs and results."""
    if not network.grids:
        raise AccelsimError(
            f"scheme '{scheme.label}': network {network.name!r} comes without grids; a quantized "
            "ONNX model has them"
        )
    widths = dict.fromkeys(network.inputs, scheme.input_bits)
    widths |= {node.name: scheme.output_bits for node in network.nodes}
    found = {}
    for name, grid in network.grids.items():
        if isinstance(grid, DynamicGrid):
            raise AccelsimError(
                f"scheme '{scheme.label}': the file finds the grid of {name} anew in each run, as "
                "the scheme current does"
            )
        integers = integers_of(scheme, name, grid, widths.get(name, scheme.weight_bits))
        if name in widths and grid.scale.ndim == 0:
            found[name] = Grid(integers, float(grid.scale), int(grid.zero_point))
    for node in reversed(network.nodes):
        if node.name in found and isinstance(node.work, Reshape):  # the same tensor
            found.setdefault(node.inputs[0], found[node.name])
    return found


@dataclass(eq=False)
class LayerWeights:
    """One layer's weights as integers, in the nest's layout, and its bias as reals."""

    grid: ChannelGrid
    integers: np.ndarray
    bias: np.ndarray | None
    _laid_out: np.ndarray | None = field(default=None, repr=False)

    def on_one_scale(self) -> tuple[np.ndarray, ChannelGrid]:
        """As the gradient to the input reads them, whose sums run over the filters.

        They lie in memory with a scale for each filter; as they are loaded, each filter is centred
        and brought to the largest scale, to the nearest integer, ties to even.
        """
        scale = self.grid.scales.max()
        ratios = (self.grid.scales / scale).reshape(-1, *[1] * (self.integers.ndim - 1))
        integers = np.rint(self.grid.centred(self.integers) * ratios).astype(np.int32)
        count = len(self.grid.scales)
        grid = ChannelGrid(
            IntegerRange(self.grid.integers.bits, signed=True),
            np.full(count, scale),
            np.zeros(count, np.int64),
        )
        return integers, grid

    def laid_out(self, program: Program, operands: Operands) -> np.ndarray:
        """As the kernels read them."""
        if self._laid_out is None or self._laid_out.dtype != operands.sum_type:
            self._laid_out = laid_out_weights(program, operands)
        return self._laid_out


class Weights:
    """All of them, with the batch normalizations that fold into them, but in training."""

    def __init__(self, network: Network, training: bool = False) -> None:
        self.network, self.training = network, training
        self._made: dict[tuple[object, ...], LayerWeights] = {}
        self._in_blocks: dict[tuple[str, Blocking], tuple[Microscaled, np.ndarray | None]] = {}

    def of(self, node: Node, scheme: Scheme) -> LayerWeights:
        """Those of a layer on the scheme's grid."""
        key = node.name, scheme.weight_bits, scheme.weights, scheme.weight_scales
        if key not in self._made:
            weights, bias = self._folded(node)
            grid = self._file_grid(node, scheme, len(weights)) or scheme.weight_grid(weights)
            self._made[key] = LayerWeights(grid, grid.quantize(weights), bias)
        return self._made[key]

    def in_blocks(self, node: Node, blocking: Blocking) -> tuple[Microscaled, np.ndarray | None]:
        """Those of a layer in blocks that share a power of two, and its bias in float32.

        Features of a flattened image are in the order in which the image lies.
        """
        key = node.name, blocking
        if key not in self._in_blocks:
            weights, bias = self._folded(node)
            weights = as_they_lie(self.network, node, weights)
            layer = node.work
            assert isinstance(layer, Layer)
            real = None if bias is None else layer.to_nest_bias(bias).astype(np.float32)
            blocks = microscaled(weights, blocking.axis, blocking.span)
            self._in_blocks[key] = blocks, real
        return self._in_blocks[key]

    def _file_grid(self, node: Node, scheme: Scheme, filters: int) -> ChannelGrid | None:
        """That of weights which are integers of the scheme's width in the file, and stay them.

        In training they do not.
        """
        given = self.network.grids.get(f"{node.name}.weights")
        if not isinstance(given, TensorGrid) or self._norm(node) is not None or self.training:
            return None
        if np.iinfo(given.dtype).bits != scheme.weight_bits:
            return None
        integers = integers_of(scheme, f"{node.name}.weights", given, scheme.weight_bits)
        scales = np.broadcast_to(given.scale, (filters,))
        return ChannelGrid(integers, scales, np.broadcast_to(given.zero_point, (filters,)))

    def _folded(self, node: Node) -> tuple[np.ndarray, np.ndarray | None]:
        layer, parameters = node.work, self.network.parameters
        assert isinstance(layer, Layer)
        weights = parameters[f"{node.name}.weights"]
        bias = parameters[f"{node.name}.bias"] if layer.has_bias else None
        norm = self._norm(node)
        if norm is not None:
            assert isinstance(norm.work, BatchNorm | RangeBatchNorm)
            own = [parameters[f"{norm.name}.{name}"] for name in norm.work.parameter_shapes()]
            weights, bias = norm.work.fold(weights, bias, own)
        return layer.to_nest_weights(weights), bias

    def _norm(self, node: Node) -> Node | None:
        """The batch normalization that goes into a layer's weights."""
        found = folded_node(self.network, node, self.training)
        folds = found is not None and isinstance(found.work, BatchNorm | RangeBatchNorm)
        return found if folds else None
