"""The same network with other operations in some places."""

from dataclasses import replace

from accelsim.network.layers import Layer
from accelsim.network.network import Network, Node
from accelsim.network.vector import BatchNorm, RangeBatchNorm


def range_normalized(network: Network) -> Network:
    """Range batch normalization in place of every batch normalization.

    Its statistics come from the accumulators' drain where it reads what a matrix layer gives.
    """
    layers = {node.name for node in network.nodes if isinstance(node.work, Layer)}

    def changed(node: Node) -> Node:
        norm = node.work
        if not isinstance(norm, BatchNorm):
            return node
        from_drain = node.inputs[0] in layers
        return replace(node, work=RangeBatchNorm(norm.shapes, norm.epsilon, norm.folds, from_drain))

    nodes = tuple(changed(node) for node in network.nodes)
    return Network(network.name, nodes, network.inputs)
