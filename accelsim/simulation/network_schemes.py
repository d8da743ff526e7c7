"""Which schemes a network is run under, and why it cannot be run under others."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering import Operation, fit
from accelsim.lowering.data import laid_out
from accelsim.lowering.plan import DRAIN_STATISTICS
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.network import Layer, MatMul, Network, Node
from accelsim.network.vector import RangeBatchNorm
from accelsim.quant import Policy, Scheme
from accelsim.simulation.blocks import SUM_BITS, check_network_blocks, check_training_blocks
from accelsim.simulation.choice import AnyScheme, choose
from accelsim.simulation.network_steps import planned_steps
from accelsim.simulation.statistics import check_unit, needs_of
from accelsim.simulation.weights import tensor_grids


def network_policy(scheme: AnyScheme, seed: int = 0) -> Policy:
    """The policy that a scheme means for a network; one that no network can have is refused."""
    if isinstance(scheme, Scheme):
        policy = Policy(scheme, scheme)
    else:
        policy = scheme if isinstance(scheme, Policy) else Policy.parse(scheme, seed=seed)
    for one in (policy.activations, policy.gradients):
        if one.new_estimator().mixes:
            raise AccelsimError(
                f"scheme '{one.label}': mixes samples, and to undo that in the next operation "
                "is not modelled; name a layer, such as resnet18.layer1"
            )
    return policy


@dataclass(frozen=True)
class Wanted:
    """A network, and what is to be done with it."""

    network: Network
    hardware: Hardware
    training: TrainingOptions | None
    batch: int
    values: bool
    seed: int

    def policies(self, schemes: Sequence[AnyScheme]) -> tuple[list[Policy], tuple[str, ...]]:
        """The schemes that were named, and why some of all are left out."""

        def parse(one: AnyScheme) -> Policy:
            return network_policy(one, self.seed)

        return choose(schemes, self.seed, parse, self.check, self._fit)

    def _fit(self, policy: Policy) -> None:
        """Raise where a program does not fit this machine.

        Only parts make a difference: a network that fits with one range for a tensor fits with one
        of any origin.
        """
        if _has_parts(policy.activations):
            plans = planned_steps(self.network, self.batch, policy, self.hardware, self.training)
            for job in plans.measured:
                if isinstance(job.work, Operation):
                    fit(job.work, self.hardware, job.realisation, passes=job.passes)

    def check(self, policy: Policy) -> None:
        """Raise where this network cannot be run under a policy, or not so on this machine."""
        activations, gradients = policy.activations, policy.gradients
        self._check_grids(policy)
        check_unit(activations, needs_of(activations, weights_scaled=True), self.hardware)
        self._check_regions(activations)
        if self.training is None:
            check_network_blocks(self.network, activations, self.hardware)
            return
        check_unit(gradients, needs_of(gradients, weights_scaled=False), self.hardware)
        self._check_norms()
        check_training_blocks(self.network, policy, self.training, self.hardware)
        for scheme in (activations, gradients):
            self._check_training(scheme)
        if self.training.bifurcation and _has_parts(gradients):
            raise AccelsimError(
                f"scheme '{gradients.label}': must give a gradient one range with bifurcation, "
                "whose second copy would need ranges of its own"
            )

    def _check_grids(self, policy: Policy) -> None:
        """Refuse the grids of a file where there are none that would do."""
        for scheme in (policy.activations, policy.gradients):
            if scheme.from_file:
                if self.training is not None:
                    raise AccelsimError(
                        f"scheme '{scheme.label}': the grids of a file are for inference, not "
                        "training"
                    )
                tensor_grids(self.network, scheme)

    def _check_norms(self) -> None:
        """Refuse statistics that the drain is to have and the unit does not keep."""
        lacking = self.hardware.stat_unit.lacking(DRAIN_STATISTICS)
        for node in self.network.nodes:
            if lacking and isinstance(node.work, RangeBatchNorm) and node.work.from_drain:
                raise AccelsimError(
                    f"node {node.name!r}: needs {'; '.join(lacking)}, or from_drain: false"
                )

    def _check_training(self, scheme: Scheme) -> None:
        """Refuse regions, as products sum along different axes of the same tensor.

        And, with values, parts, and widths that follow from values, as the cycles do not.
        """
        estimator = scheme.new_estimator()
        if estimator.block is not None:
            return
        if estimator.local:
            raise AccelsimError(
                f"scheme '{scheme.label}': must not be used to train a network, as gradients to "
                "weights sum over positions, and the regions of their two operands do not lie on "
                "one another; name a layer and its --operation"
            )
        if _has_parts(scheme):
            self._check_sums(scheme)
        if self.values and (estimator.widens or _has_parts(scheme)):
            why = (
                "its widths follow from them" if estimator.widens
                else "batch statistics and gradients join samples whose ranges differ"
            )  # fmt: skip
            raise AccelsimError(
                f"scheme '{scheme.label}': must not be used to train a network with values, as "
                f"{why}; allowed: data=None, --timing-only"
            )

    def _check_regions(self, scheme: Scheme) -> None:
        """Regions are those of a tensor as it is laid out; what reads it must lie so as well."""
        if not scheme.new_estimator().local or scheme.block is not None:
            return
        self._check_sums(scheme)
        if self.values:
            raise AccelsimError(
                f"scheme '{scheme.label}': must not be used for a network with values, as its "
                "readers add scaled sums, which are timed only; allowed: data=None, --timing-only"
            )
        for node in self.network.nodes:
            why = self._parts_regions(node)
            if why:
                raise AccelsimError(f"scheme '{scheme.label}': node {node.name!r} {why}")

    def _parts_regions(self, node: Node) -> str | None:
        """Why a node cannot read its operands region by region."""
        if isinstance(node.work, MatMul):
            return "multiplies two tensors, whose regions do not lie on one another"
        first, made = (
            laid_out(self.network.shape_of(name), 1) for name in (node.inputs[0], node.name)
        )
        if isinstance(node.work, Layer):
            read = node.work.nest(1).input_shape
        else:
            read = made if node.work.work(1).is_nothing else first
        flattened = read == (1, 1, 1, prod(first))
        if read != first and not flattened:
            return "reads its operand in another shape, which would part its regions"
        return None

    def _check_sums(self, scheme: Scheme) -> None:
        bits = self.hardware.accumulator.bits
        if bits != SUM_BITS:
            raise AccelsimError(
                f"accumulator.bits={bits}: must be {SUM_BITS} for scheme '{scheme.label}' in a "
                "network, as rescaled sums are float32"
            )


def _has_parts(scheme: Scheme) -> bool:
    return scheme.new_estimator().extent((1, 1, 1, 1), 1) is not None
