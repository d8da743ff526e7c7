"""Real tensors through a whole network, under several schemes side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError, whole
from accelsim.hardware import Hardware
from accelsim.lowering.plan import Job
from accelsim.network import Network
from accelsim.network.evaluation import node_value
from accelsim.network.loss import checked_targets, target_shapes
from accelsim.network.network import parameter_shapes
from accelsim.network.synthetic_examples import SyntheticExamples
from accelsim.network.synthetic_network import SyntheticInputs, with_parameters
from accelsim.network.vector import Opaque
from accelsim.quant import Errors, Scheme
from accelsim.result import Numerics, OutputAccuracy
from accelsim.simulation.block_flow import BlockFlow
from accelsim.simulation.flow import Flow, Held
from accelsim.simulation.network_steps import Looked
from accelsim.simulation.progress import Count
from accelsim.simulation.sample_flow import SampleFlow
from accelsim.simulation.sharing import Shared, values_key
from accelsim.simulation.stream import Drifts
from accelsim.simulation.weights import Weights

Arrays = Mapping[str, np.ndarray]
Inputs = str | Arrays | Sequence[Arrays] | None
"""The input arrays of a step, of several steps, "synthetic", or None for timing only."""

MOST_ELEMENTS = 2**28
"""Of all parameters together, and of what one operation reads and writes."""


@dataclass(frozen=True)
class InputStream:
    """Calibration batches, then steps of a network's inputs; made when they are asked for."""

    source: str
    batch: int
    drift: str | None
    calibration_batches: int
    count: int
    """Steps after the calibration."""
    _arrays: Callable[[], Iterable[Arrays]]

    @classmethod
    def of(
        cls, network: Network, data: Inputs, batch: int, steps: int, seed: int, drift: Drifts,
        calibrate: int, training: bool = False,
    ) -> "InputStream":  # fmt: skip
        """The arrays that `data` names or holds; in `training` with the targets of the outputs."""
        if isinstance(data, str):
            if data != "synthetic":
                raise AccelsimError(
                    f"{data=}: must be 'synthetic', arrays by the names of the inputs, or None"
                )
            kind = SyntheticExamples if training else SyntheticInputs
            made = kind(network, batch, seed, drift)
            check_values(network, made.batch)
            made.drift.check(whole("steps", steps, 1, 2**20))
            whole("calibrate", calibrate, 0, 2**20)
            return cls(
                "synthetic", made.batch, made.drift.label, calibrate, steps,
                lambda: chain(made.calibration(calibrate), made.steps(steps)),
            )  # fmt: skip
        given: list[Any] = list(data) if isinstance(data, Sequence) else [data]
        if not given:
            raise AccelsimError("data=[]: must hold at least one step")
        calibrate = whole("calibrate", calibrate, 0, len(given) - 1)
        checked = [_checked(network, arrays, training) for arrays in given]
        batches = {len(arrays[name]) for arrays in checked for name in network.inputs}
        if len(batches) != 1:
            raise AccelsimError(
                f"data: the inputs have batches of {sorted(batches)}: must be the same everywhere"
            )
        check_values(network, min(batches))
        if training:
            checked = [own | checked_targets(network, own, min(batches)) for own in checked]
        return cls(
            "given", min(batches), None, calibrate, len(given) - calibrate, lambda: checked
        )  # fmt: skip

    def __iter__(self) -> Iterator[tuple[int, Arrays]]:
        """Each step's number and arrays; batches of the calibration have numbers below 0."""
        return enumerate(self._arrays(), start=-self.calibration_batches)


def _checked(network: Network, arrays: Arrays, training: bool) -> dict[str, np.ndarray]:
    """The inputs of a step as finite real arrays of the network's shapes; targets as they are."""
    if not isinstance(arrays, Mapping):
        raise AccelsimError(
            f"data: holds {type(arrays).__name__}: must be arrays by the names of the inputs of "
            f"{network.name}, {', '.join(network.inputs)}"
        )
    targets = set(target_shapes(network)) if training else set()
    if set(arrays) - targets != set(network.inputs):
        more = ", and what its outputs are trained towards" if training else ""
        raise AccelsimError(
            f"data: holds {', '.join(sorted(arrays)) or 'nothing'}: must hold the inputs of "
            f"{network.name}, {', '.join(network.inputs)}{more}"
        )
    found = {name: np.asarray(arrays[name]) for name in sorted(targets & set(arrays))}
    for name, shape in network.inputs.items():
        array = np.asarray(arrays[name])
        if array.dtype.kind not in "fiub" or array.shape[1:] != shape or array.ndim == 0:
            raise AccelsimError(
                f"data: input {name!r} has shape {array.shape} of {array.dtype}: must be real "
                f"numbers (batch, {', '.join(map(str, shape))})"
            )
        if not len(array) or not np.isfinite(array).all():
            raise AccelsimError(f"data: input {name!r}: must be finite numbers, at least one")
        found[name] = array
    return found


def opaque_nodes(network: Network) -> tuple[str, ...]:
    """The nodes of which the bytes alone are known, with what they stand for."""
    return tuple(
        node.work.description or f"node {node.name}"
        for node in network.nodes
        if isinstance(node.work, Opaque)
    )


def check_values(network: Network, batch: int) -> None:
    """Refuse what cannot be computed, or would not fit an ordinary computer's memory."""
    for node in network.nodes:
        if isinstance(node.work, Opaque):
            raise AccelsimError(
                f"node {node.name!r}: what it computes is not known "
                f"({node.work.description or 'opaque'}); a network with such nodes runs without "
                "values only: --timing-only, data=None"
            )
    sizes = {name: batch * prod(network.shape_of(name)) for name in network.inputs}
    for node in network.nodes:
        sizes[node.name] = batch * prod(network.shape_of(node.name))
        elements = sizes[node.name] + sum(sizes[name] for name in node.inputs)
        if elements > MOST_ELEMENTS:
            raise AccelsimError(
                f"batch={batch}: {node.name} of {network.name} reads and writes {elements:,} "
                f"elements; with values at most {MOST_ELEMENTS:,}: take a smaller batch, or "
                "--timing-only"
            )
    if network.parameter_count > MOST_ELEMENTS:
        raise AccelsimError(
            f"network {network.name!r} has {network.parameter_count:,} parameters; with values at "
            f"most {MOST_ELEMENTS:,}: use --timing-only"
        )


def check_training(network: Network, batch: int) -> None:
    """Refuse a training whose tensors, all of which wait for the way back, need too much memory."""
    names = [*network.inputs, *(node.name for node in network.nodes)]
    elements = batch * sum(prod(network.shape_of(name)) for name in names)
    if elements > MOST_ELEMENTS:
        raise AccelsimError(
            f"batch={batch}: all tensors of {network.name} have {elements:,} elements; a training "
            f"step with values holds at most {MOST_ELEMENTS:,}: take a smaller batch, or "
            "--timing-only"
        )


def check_past(scheme: Scheme, stream: InputStream) -> None:
    """Raise where the one step would be no more than the bootstrap of a static scheme."""
    estimator = scheme.new_estimator()
    waits = estimator.decision_for(0) is None and not estimator.needs_current
    past = stream.calibration_batches + stream.count - 1
    if waits and scheme.realisation == "static" and not past:
        raise AccelsimError(
            f"steps={stream.count}: scheme '{scheme.label}' needs a past, so it "
            "must be at least 2 (the first step is its bootstrap), or calibrate at least 1"
        )


def weights_source(network: Network) -> str:
    """Where the parameters come from: the network's file, or nowhere, or both."""
    needed = [parameter_shapes(node.work) for node in network.nodes]
    count = sum(len(shapes) for shapes in needed)
    if not network.parameters:
        return "synthetic"
    return "given" if len(network.parameters) == count else "given and synthetic"


@dataclass(frozen=True)
class Measured:
    """What the last step came to under one scheme."""

    numerics: Mapping[str, Numerics]
    """By the node that made the tensor."""
    outputs: tuple[OutputAccuracy, ...]
    held: Mapping[str, Held]
    """The network's outputs as the machine has them."""
    looked: Mapping[str, Looked] = field(default_factory=dict)
    """How the range of each result was found, by node."""


class NetworkValues:
    """Takes the steps of a network in order, every node under all schemes before the next node.

    Schemes that leave the same values share a flow, which is that of the first of them.
    """

    def __init__(
        self,
        network: Network,
        stream: InputStream,
        schemes: Sequence[Scheme],
        jobs: Sequence[Sequence[Job]],
        hardware: Hardware,
        seed: int,
    ) -> None:
        _, first = next(iter(stream))
        self.network = with_parameters(network, first, seed)
        self.stream = stream
        self.schemes = schemes
        self._shared = Shared.by([values_key(scheme) for scheme in schemes])
        weights = Weights(self.network)
        self.flows = [
            flow_of(schemes[place])(
                self.network, stream.batch, schemes[place], hardware, jobs[place], weights
            )
            for place in self._shared.firsts
        ]
        self._last_reader = {
            name: place for place, node in enumerate(network.nodes) for name in node.inputs
        }

    @property
    def pieces(self) -> int:
        """Pieces of work that `run` counts: every node of every flow in every step."""
        return self._steps * len(self.flows) * len(self.network.nodes)

    @property
    def _steps(self) -> int:
        return self.stream.calibration_batches + self.stream.count

    def run(self, count: Count) -> list[Measured]:
        """Every step; what the last came to under each scheme."""
        for scheme, kind in zip(self.schemes, self._shared.kinds, strict=True):
            if self.flows[kind].asks_estimators:
                check_past(scheme, self.stream)
        for done, (number, inputs) in enumerate(self.stream, 1):
            if done < self._steps:
                self._take(number, inputs, count)
            else:
                measured = self._measure(number, inputs, count)
        return [measured[kind] for kind in self._shared.kinds]

    def _take(self, number: int, inputs: Arrays, count: Count) -> None:
        for flow in self.flows:
            flow.begin(number, inputs)
            for place, node in enumerate(self.network.nodes):
                flow.take(node)
                self._drop(flow.held, place)
                count.one()

    def _measure(self, number: int, inputs: Arrays, count: Count) -> list[Measured]:
        """A step beside the float network, node by node."""
        floats = {name: np.asarray(array, np.float64) for name, array in inputs.items()}
        numerics: list[dict[str, Numerics]] = [{} for _ in self.flows]
        for flow in self.flows:
            flow.begin(number, inputs)
        for place, node in enumerate(self.network.nodes):
            operands = [floats[name] for name in node.inputs]
            floats[node.name] = node_value(self.network, node, operands)
            for flow, found in zip(self.flows, numerics, strict=True):
                flow.take(node)
                if node.name in flow.made_by:
                    held = flow.held[node.name]
                    found[flow.made_by[node.name]] = held.numerics(floats[node.name])
                self._drop(flow.held, place)
                count.one()
            self._drop(floats, place)
        return [
            Measured(found, tuple(accuracies(floats, flow.held)), flow.held, flow.looked)
            for flow, found in zip(self.flows, numerics, strict=True)
        ]

    def _drop(self, arrays: dict[str, Any], place: int) -> None:
        """Forget what no later node reads."""
        for name in self.network.nodes[place].inputs:
            if self._last_reader[name] == place:
                arrays.pop(name, None)


def flow_of(scheme: Scheme) -> type[Flow]:
    """How tensors flow under a scheme."""
    if scheme.block is not None:
        return BlockFlow
    return SampleFlow if scheme.new_estimator().extent((1, 1, 1, 1), 1) is not None else Flow


def accuracies(floats: Arrays, held: Mapping[str, Held]) -> Iterator[OutputAccuracy]:
    """Every output of the network against the float network."""
    for name, reference in floats.items():
        reals = held[name].reals
        errors = Errors(reference, reals)
        top1 = None
        if reference.ndim == 2 and reference.shape[1] > 1:
            top1 = float(np.mean(reference.argmax(axis=1) == reals.argmax(axis=1)))
        yield OutputAccuracy(name, len(reference), errors.sqnr_db, errors.cosine, top1)
