"""A network in float: the reference; and made-up weights and inputs for one that brings none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from accelsim.network import Layer, MatMul, Network, Node, StepTensors, VectorOperation
from accelsim.network.vector import BatchNorm, RangeBatchNorm
from accelsim.simulation.operands import StepOperands

_INPUTS, _PARAMETERS, _SCALE = range(3)


def synthetic_inputs(
    network: Network, batch: int, steps: int, seed: int, drift: float
) -> list[dict[str, np.ndarray]]:
    """Normal draws for every input, their scale `exp(drift * N)` times that of the step before."""
    scale, made = 1.0, []
    for step in range(steps):
        if step:
            scale *= float(np.exp(drift * _rng(seed, step, _SCALE).standard_normal()))
        rng = _rng(seed, step, _INPUTS)
        made.append(
            {
                name: scale * rng.standard_normal((batch, *shape))
                for name, shape in network.inputs.items()
            }
        )
    return made


def with_synthetic_parameters(
    network: Network, inputs: dict[str, np.ndarray], seed: int
) -> Network:
    """The network with parameters, its own or made up.

    Weights are `sqrt(2 / K) * N` (He et al. 2015, K the reduction), biases `0.1 * N`, gammas 1 and
    betas 0; the running statistics of a batch normalization are those of `inputs`, as they would be
    after training.
    """
    if network.parameters:
        return network
    rng = _rng(seed, 0, _PARAMETERS)
    arrays, parameters = dict(inputs), dict[str, np.ndarray]()
    for node in network.nodes:
        operands = [arrays[name] for name in node.inputs]
        if isinstance(node.work, Layer):
            own = _layer_parameters(node.work, rng)
        else:
            own = _vector_parameters(node.work, operands[0])
        parameters |= {f"{node.name}.{name}": array for name, array in own.items()}
        arrays[node.name] = _value(network, node, operands, own)
    return replace(network, parameters=parameters)


def float_network(network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of all nodes and inputs in float64: what every result is held against.

    As `network.evaluation.evaluate`, by compiled kernels.
    """
    arrays = dict(inputs)
    for node in network.nodes:
        operands = [arrays[name] for name in node.inputs]
        prefix = f"{node.name}."
        names = _names(node)
        own = {name: network.parameters[prefix + name] for name in names}
        arrays[node.name] = _value(network, node, operands, own)
    return arrays


def _names(node: Node) -> tuple[str, ...]:
    """The parameters of a node."""
    if not isinstance(node.work, Layer):
        return tuple(node.work.parameter_shapes())
    if isinstance(node.work, MatMul):
        return ()
    return ("weights", "bias") if node.work.has_bias else ("weights",)


def _layer_parameters(layer: Layer, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if isinstance(layer, MatMul):
        return {}
    spread = np.sqrt(2 / layer.nest().reduction)
    own = {"weights": spread * rng.standard_normal(layer.weight_shape())}
    if layer.has_bias:
        own["bias"] = 0.1 * rng.standard_normal(layer.bias_shape())
    return own


def _vector_parameters(work: VectorOperation, x: np.ndarray) -> dict[str, np.ndarray]:
    own = {
        name: np.ones(shape) if name == "gamma" else np.zeros(shape)
        for name, shape in work.parameter_shapes().items()
    }
    if isinstance(work, BatchNorm | RangeBatchNorm):
        names = [name for name in own if name not in work.trainable]
        own |= dict(zip(names, work.statistics(x), strict=True))
    return own


def _value(
    network: Network, node: Node, operands: list[np.ndarray], own: Mapping[str, np.ndarray]
) -> np.ndarray:
    work, batch = node.work, len(operands[0])
    if not isinstance(work, Layer):
        return work.forward([*operands, *own.values()])
    x = operands[0].reshape(work.input_shape(batch))
    weights = own.get("weights")
    if weights is None:
        weights = operands[1].reshape(work.weight_shape(batch))
    made = StepOperands(work, StepTensors(x, weights, own.get("bias"))).float_output
    return work.from_nest_output(made).reshape(batch, *network.shape_of(node.name))


def _rng(seed: int, step: int, what: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, step, what))))
