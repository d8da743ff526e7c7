"""Training steps of a whole network with values, under several policies side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from accelsim.hardware import Hardware
from accelsim.lowering.plan import Job
from accelsim.lowering.training_plan import WIDE, TrainingOptions, gradient_name
from accelsim.lowering.turned import BLOCKS, TURNED
from accelsim.network import (
    Descent,
    Gradients,
    Layer,
    Network,
    backpropagate,
    evaluate,
    loss_of,
    with_parameters,
)
from accelsim.network.network import parameter_shapes, trainable_parameters
from accelsim.program import FORWARD
from accelsim.quant import Policy
from accelsim.result import Numerics, TrainingStep
from accelsim.simulation.backward_flow import BackwardFlow
from accelsim.simulation.block_backward import BlockBackwardFlow
from accelsim.simulation.block_flow import BlockFlow
from accelsim.simulation.flow import Array, Flow, Held
from accelsim.simulation.held_reals import HeldReals
from accelsim.simulation.network_values import (
    Arrays,
    InputStream,
    Measured,
    accuracies,
    check_past,
    check_training,
)
from accelsim.simulation.progress import Count, untold
from accelsim.simulation.sharing import Shared, policy_key
from accelsim.simulation.weights import Weights


@dataclass(frozen=True)
class Trained:
    """What the training came to under one policy."""

    measured: Measured
    """Of the last step's forward pass."""
    tensors: Mapping[str, Numerics]
    """Of its gradients and updates, by the names that the training plan gives them."""
    steps: tuple[TrainingStep, ...]


class TrainingValues:
    """Takes the steps of a training in order: each under all policies, and in float64 beside them.

    Every policy has weights of its own, all begin with the same; policies that leave the same
    values share a learner. Batches of the calibration go forward and back, but update nothing.
    """

    def __init__(
        self,
        network: Network,
        stream: InputStream,
        policies: Sequence[Policy],
        jobs: Sequence[Sequence[Job]],
        hardware: Hardware,
        options: TrainingOptions,
        seed: int,
    ) -> None:
        check_training(network, stream.batch)
        for policy in policies:
            for scheme in (policy.activations, policy.gradients):
                check_past(scheme, stream)
        _, first = next(iter(stream))
        self.stream = stream
        self.network = with_parameters(network, first, seed, training=True)
        self._shared = Shared.by([policy_key(policy) for policy in policies])
        self.learners = [
            Learner(self.network, stream.batch, policies[place], hardware, jobs[place], options)
            for place in self._shared.firsts
        ]
        self.float = FloatLearner(self.network, options)

    @property
    def pieces(self) -> int:
        """Pieces of work that `run` counts: a step of every learner, node by node, both ways."""
        return self._steps * len(self.learners) * 2 * len(self.network.nodes)

    @property
    def _steps(self) -> int:
        return self.stream.calibration_batches + self.stream.count

    def run(self, count: Count) -> list[Trained]:
        """Every step; what the last came to under each policy, and the loss of each step."""
        for learner in self.learners:
            learner.count = count
        steps: list[list[TrainingStep]] = [[] for _ in self.learners]
        measured: list[tuple[Measured, dict[str, Numerics]]] = []
        for done, (number, arrays) in enumerate(self.stream, 1):
            float_loss = self.float.take(arrays) if number >= 0 else 0.0
            for learner, taken in zip(self.learners, steps, strict=True):
                if done == self._steps:
                    measured.append(learner.measure(number, arrays))
                else:
                    learner.take(number, arrays)
                if number >= 0:
                    taken.append(TrainingStep(number, learner.loss, float_loss))
        trained = [Trained(*m, tuple(s)) for m, s in zip(measured, steps, strict=True)]
        return [trained[kind] for kind in self._shared.kinds]


class FloatLearner:
    """The network trained in float64, which every policy is compared with."""

    def __init__(self, network: Network, options: TrainingOptions) -> None:
        self.network = network
        self.descent = _descent(network, options, np.float64)

    def take(self, arrays: Arrays) -> float:
        """One step; its loss, before the update."""
        own = {**self.network.parameters, **self.descent.parameters}
        network = replace(self.network, parameters=own)
        _, loss, gradients = float_step(network, arrays)
        self.descent.step(gradients.parameters)
        return loss


def float_step(network: Network, arrays: Arrays) -> tuple[dict[str, Array], float, Gradients]:
    """All tensors of a step in float64, its loss and its gradients."""
    values = evaluate(network, arrays, training=True)
    outputs = {name: values[name] for name in network.outputs}
    loss, at_outputs = loss_of(outputs, arrays)
    return values, loss, backpropagate(network, values, at_outputs)


class Learner:
    """A network that learns on the machine under one policy."""

    def __init__(
        self,
        network: Network,
        batch: int,
        policy: Policy,
        hardware: Hardware,
        jobs: Sequence[Job],
        options: TrainingOptions,
    ) -> None:
        self.network = network
        self.descent = _descent(network, options, np.float32)
        self.forward, self.backward = _flows(network, batch, policy, hardware, jobs, options)
        self.forward.learned(self.descent.parameters)
        self.count = Count(untold, 0)
        self.loss = 0.0
        """Of the last step, before its update."""

    def take(self, number: int, arrays: Arrays) -> None:
        """Forward, backward, and the update, but in a calibration."""
        self._forward(number, arrays)
        self._backward(arrays)
        if number >= 0:
            self._update()

    def _forward(self, number: int, arrays: Arrays) -> None:
        self.forward.begin(number, {name: arrays[name] for name in self.network.inputs})
        for node in self.network.nodes:
            self.forward.take(node)
            self.count.one()

    def _backward(self, arrays: Arrays) -> None:
        """From the loss of the outputs as the machine has them."""
        held = self.forward.held
        outputs = {name: held[name].reals for name in self.network.outputs}
        self.loss, at_outputs = loss_of(outputs, arrays)
        self.backward.begin(at_outputs)
        for node in reversed(self.network.nodes):
            self.backward.take(node)
            self.count.one()

    def _update(self) -> None:
        """Master weights by their gradients; the next step reads what is quantized of them."""
        self.descent.step(self.backward.parameters)
        self.forward.learned(self.descent.parameters)

    def measure(self, number: int, arrays: Arrays) -> tuple[Measured, dict[str, Numerics]]:
        """A step beside one in float64 from the same weights."""
        values, _, gradients = float_step(self.forward.network, arrays)
        twin = self.descent.widened()
        twin.step(gradients.parameters)
        named, tensors = _named(self.forward.network, gradients), dict[str, Numerics]()

        def compare(name: str, made: Held | HeldReals) -> None:
            reference = named.get(name.removesuffix(WIDE).removesuffix(TURNED))
            if reference is not None:
                tensors[name] = made.numerics(reference)

        self._forward(number, arrays)
        held = self.forward.held
        forward = {
            job: held[name].numerics(values[name]) for name, job in self.forward.made_by.items()
        }
        outputs = {name: held[name] for name in self.network.outputs}
        floats = {name: values[name] for name in self.network.outputs}
        for name, copy in self.forward.copies.items():
            tensors[name] = copy.numerics(values[name.removesuffix(TURNED)])
        self.backward.watch = compare
        self._backward(arrays)
        self._update()
        tensors |= self._updated(twin.parameters)
        return Measured(forward, tuple(accuracies(floats, held)), outputs), tensors

    def _updated(self, twin: Mapping[str, Array]) -> dict[str, Numerics]:
        """What the updates leave: weights as integers, all else in float32."""
        found = {}
        for node in self.network.nodes:
            moved = [f"{node.name}.{name}" for name in parameter_shapes(node.work)]
            moved = [name for name in moved if name in self.backward.parameters]
            if isinstance(node.work, Layer):
                if moved:
                    held = self.forward.stored_weights(node)
                    found[moved[0]] = held.numerics(node.work.to_nest_weights(twin[moved[0]]))
                found |= {name: self._kept([name], twin) for name in moved[1:]}
            elif moved:
                found[f"{node.name}.parameters"] = self._kept(moved, twin)
        return found

    def _kept(self, names: Sequence[str], twin: Mapping[str, Array]) -> Numerics:
        """Parameters that stay in float32, one after another."""
        reals, expected = (
            np.concatenate([arrays[name].ravel() for name in names])
            for arrays in (self.descent.parameters, twin)
        )
        return HeldReals(reals).numerics(expected)


def _flows(
    network: Network,
    batch: int,
    policy: Policy,
    hardware: Hardware,
    jobs: Sequence[Job],
    options: TrainingOptions,
) -> tuple[Flow, BackwardFlow]:
    """How tensors go forward and gradients back under a policy."""
    onward = [job for job in jobs if job.phase == FORWARD and job.kind != BLOCKS]
    start = network, batch, policy.activations, hardware, onward, Weights(network, training=True)
    if policy.activations.block is not None:
        blocks = BlockFlow(*start, training=True)
        return blocks, BlockBackwardFlow(blocks, policy.gradients, jobs, options)
    forward = Flow(*start, training=True)
    return forward, BackwardFlow(forward, policy.gradients, jobs, options)


def _descent(network: Network, options: TrainingOptions, kind: type[np.floating]) -> Descent:
    """All that is learned, in a number format."""
    learned = {
        f"{node.name}.{name}": network.parameters[f"{node.name}.{name}"].astype(kind)
        for node in network.nodes
        for name in trainable_parameters(node.work)
    }
    return Descent(learned, options.learning_rate, options.momentum)


def _named(network: Network, gradients: Gradients) -> dict[str, Array]:
    """Gradients by the names that the training plan gives their tensors."""
    named = {f"{name}.gradient": array for name, array in gradients.results.items()}
    for (name, place), array in gradients.operands.items():
        named[gradient_name(network.node(name), place)] = array
    for node in network.nodes:
        learned = [f"{node.name}.{name}" for name in trainable_parameters(node.work)]
        own = [gradients.parameters[n].ravel() for n in learned if n in gradients.parameters]
        if own and not isinstance(node.work, Layer):  # of vector work they leave together
            named[f"{node.name}.parameters.gradient"] = np.concatenate(own)
    return named | {f"{name}.gradient": array for name, array in gradients.parameters.items()}
