"""Activations that a quantizer has dropped, as the clamp of a grid does their work.

Where a ReLU is followed by QuantizeLinear, ONNX Runtime's quantizer leaves it out: the grid of its
result begins at 0. Without the file's grid the network would be another one, so it is put back; a
grid that ends at 6 as well stands for ReLU6.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from accelsim.network.grids import DynamicGrid, TensorGrid
from accelsim.network.layers import Layer
from accelsim.network.network import Node, result_shape
from accelsim.network.vector import Add, Bias, Gain, Mul, Relu, Relu6, Reshape

SIGNED = (Layer, Add, Mul, Bias, Gain)
"""Work whose results may be below 0."""

SIX = 6.0
SAME_END = 1e-5
"""How close, in parts, the end of a grid must come to 6: scales are float32."""

Grids = dict[str, TensorGrid | DynamicGrid]


def with_clamps(
    nodes: Mapping[str, Node], grids: Grids, free_name: Callable[[str], str]
) -> tuple[list[Node], Grids, dict[str, str]]:
    """The nodes with these activations behind them, the grids, and what took whose place."""
    found: list[Node] = []
    grids, renamed = dict(grids), dict[str, str]()
    for name, node in nodes.items():
        node = replace(node, inputs=tuple(renamed.get(source, source) for source in node.inputs))
        found.append(node)
        grid = grids.get(name)
        if isinstance(grid, TensorGrid) and _begins_at_zero(grid) and _is_signed(node, nodes):
            renamed[name] = free_name(f"{name}.relu")
            grids[renamed[name]] = grids.pop(name)
            kind = Relu6 if _ends_at_six(grid) else Relu
            found.append(Node(renamed[name], kind((result_shape(node.work),)), (name,)))
    return found, grids, renamed


def _begins_at_zero(grid: TensorGrid) -> bool:
    return grid.scale.ndim == 0 and int(grid.zero_point) == np.iinfo(grid.dtype).min


def _ends_at_six(grid: TensorGrid) -> bool:
    end = float(grid.scale) * (np.iinfo(grid.dtype).max - int(grid.zero_point))
    return abs(end - SIX) < SAME_END * SIX


def _is_signed(node: Node, nodes: Mapping[str, Node]) -> bool:
    while isinstance(node.work, Reshape) and node.inputs[0] in nodes:
        node = nodes[node.inputs[0]]
    return isinstance(node.work, SIGNED)
