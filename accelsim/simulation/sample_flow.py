"""Samples with ranges of their own on their way through a network: each goes by itself.

Nothing joins samples at inference, so each has the bits of a batch of one whose scales are stored:
float32, as they lie beside the tensor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from accelsim.hardware import Hardware
from accelsim.lowering.plan import Job, plan_inference
from accelsim.network import Network, Node
from accelsim.quant import Decision, Grid, Range, Scheme, levels_used
from accelsim.result import Numerics
from accelsim.simulation.flow import Array, Flow, Held
from accelsim.simulation.numerics import numerics_of
from accelsim.simulation.weights import Weights


@dataclass(frozen=True, eq=False)
class HeldSamples:
    """A tensor as the machine has it, sample by sample."""

    samples: tuple[Held, ...]

    @property
    def integers(self) -> Array:
        """Of all samples."""
        return np.concatenate([held.integers for held in self.samples])

    @property
    def reals(self) -> Array:
        """What the integers stand for."""
        return np.concatenate([held.reals for held in self.samples])

    def numerics(self, reference: Array) -> Numerics:
        """Held against the float network."""
        return numerics_of(
            reference, self.reals,
            _joined([held.used for held in self.samples]),
            _joined([held.observed for held in self.samples]),
            grid=None,
            levels_used=levels_used(self.integers),
            saturated_count=sum(held.saturated_count for held in self.samples),
            overflow_count=sum(held.overflow_count for held in self.samples),
        )  # fmt: skip


class SampleFlow(Flow):
    """The tensors of a network whose samples have ranges of their own."""

    def __init__(
        self,
        network: Network,
        batch: int,
        scheme: Scheme,
        hardware: Hardware,
        jobs: Sequence[Job],
        weights: Weights,
    ) -> None:
        super().__init__(network, batch, scheme, hardware, jobs, weights)
        alone = plan_inference(network, 1, scheme, hardware)
        self.flows = [
            _OneSample(network, scheme, hardware, alone, weights, number) for number in range(batch)
        ]
        self.held: dict[str, HeldSamples] = {}  # type: ignore[assignment]

    def begin(self, step: int, inputs: Mapping[str, Array]) -> None:
        """Quantize every sample of the inputs between its own extremes."""
        for number, flow in enumerate(self.flows):
            flow.begin(step, {name: array[number : number + 1] for name, array in inputs.items()})
        self.held = {name: self._made(name) for name in inputs}

    def take(self, node: Node) -> None:
        """Make the tensor of a node from those that it reads, sample by sample."""
        for number, flow in enumerate(self.flows):
            flow.held = {name: self.held[name].samples[number] for name in node.inputs}
            flow.take(node)
        self.held[node.name] = self._made(node.name)

    def _made(self, name: str) -> HeldSamples:
        return HeldSamples(tuple(flow.held[name] for flow in self.flows))


class _OneSample(Flow):
    """A single sample."""

    def __init__(
        self,
        network: Network,
        scheme: Scheme,
        hardware: Hardware,
        jobs: Sequence[Job],
        weights: Weights,
        number: int,
    ) -> None:
        super().__init__(network, 1, scheme, hardware, jobs, weights)
        self.number = number

    def key(self, name: str) -> str:
        """Of the random numbers by which this sample's tensor is rounded."""
        return f"{super().key(name)}/{self.number}"

    def input_grid(self, limits: Range) -> Grid:
        """With the scale that is stored."""
        return self.scheme.stored_grid(super().input_grid(limits))

    def output_grid(self, decided: Range | Decision) -> Grid:
        """With the scale that is stored."""
        return self.scheme.stored_grid(super().output_grid(decided))


def _joined(ranges: Sequence[Range]) -> Range:
    return Range(min(one.minimum for one in ranges), max(one.maximum for one in ranges))
