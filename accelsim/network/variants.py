"""The same network with other operations in some places."""

from dataclasses import replace

from accelsim.errors import AccelsimError
from accelsim.network.network import Network, Node
from accelsim.network.vector import BatchNorm, RangeBatchNorm


def range_normalized(network: Network) -> Network:
    """Range batch normalization in place of every batch normalization.

    Its statistics come from the accumulators' drain where it reads what a matrix layer gives. Of
    the parameters all stay but the variances.
    """
    if not any(isinstance(node.work, BatchNorm) for node in network.nodes):
        raise AccelsimError(
            f"network {network.name!r}: has no batch_norm that ranges could replace"
        )

    def changed(node: Node) -> Node:
        norm = node.work
        if not isinstance(norm, BatchNorm):
            return node
        from_drain = network.reads_sums(node)
        return replace(node, work=RangeBatchNorm(norm.shapes, norm.epsilon, norm.folds, from_drain))

    gone = {f"{node.name}.variance" for node in network.nodes if isinstance(node.work, BatchNorm)}
    return replace(
        network,
        nodes=tuple(changed(node) for node in network.nodes),
        parameters={name: own for name, own in network.parameters.items() if name not in gone},
    )


def batch_normalized(network: Network) -> Network:
    """The other way round; of no parameters, as the two have different ones."""

    def changed(node: Node) -> Node:
        norm = node.work
        if not isinstance(norm, RangeBatchNorm):
            return node
        return replace(node, work=BatchNorm(norm.shapes, norm.epsilon, norm.folds))

    nodes = tuple(changed(node) for node in network.nodes)
    return Network(network.name, nodes, network.inputs)
