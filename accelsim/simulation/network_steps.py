"""Which operations the steps of a network have, where some steps look at its tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from accelsim.hardware import Hardware
from accelsim.lowering.plan import Job, Look, plan_inference
from accelsim.lowering.training_plan import TrainingOptions, plan_training
from accelsim.network import Network
from accelsim.quant import Policy, Scheme


@dataclass(frozen=True)
class StepPlans:
    """The operations of one step; beside them those of the steps that a period is made of.

    All have the same operations in the same order. `update` looks at every tensor, `plain` at none;
    both are empty where each step is like any other.
    """

    measured: Sequence[Job]
    update: Sequence[Job] = ()
    plain: Sequence[Job] = ()
    periods: Sequence[int] = ()
    """Steps from one update to the next, of each operation."""

    @property
    def pieces(self) -> int:
        """Operations that are timed."""
        return len(self.measured) + len(self.update) + len(self.plain)


@dataclass(frozen=True)
class Looked:
    """How the values of one tensor were quantized in the last step, and by its last update."""

    look: Look
    update_passes: int
    period: int | None

    @property
    def plain(self) -> Look:
        """A step between two updates."""
        return replace(self.look, known=True, passes=1)

    @property
    def update(self) -> Look:
        """A step like the last update."""
        return replace(self.look, known=False, passes=self.update_passes)


def planned_steps(
    network: Network,
    batch: int,
    policy: Policy,
    hardware: Hardware,
    training: TrainingOptions | None,
) -> StepPlans:
    """Without values: the measured step is one in the steady state, updates are as planned."""

    def plan(activations: bool, gradients: bool) -> tuple[Job, ...]:
        look = Look.updating(policy.activations) if activations else None
        if training is None:
            return plan_inference(network, batch, policy.activations, hardware, look)
        back = Look.updating(policy.gradients) if gradients else None
        return plan_training(network, batch, policy, hardware, training, look, back)

    plain = plan(False, False)
    period = period_of(policy.activations)
    back = period_of(policy.gradients) if training is not None else None
    turns = [(period, plan(True, False))] if period else []
    turns += [(back, plan(False, True))] if back else []
    if not turns:
        return StepPlans(plain)
    update = plan(bool(period), bool(back))
    periods = [
        min((steps for steps, jobs in turns if jobs[place] != job), default=1)
        for place, job in enumerate(plain)
    ]
    return StepPlans(plain, update, plain, periods)


def settled_steps(
    network: Network,
    batch: int,
    scheme: Scheme,
    hardware: Hardware,
    looked: Mapping[str, Looked],
) -> StepPlans:
    """An inference as its values asked for, by the node that each tensor was made by.

    A lazy update also costs those who load its accumulators. There every operation has the shortest
    period: exact where all are equal, otherwise an upper bound.
    """

    def plan(looks: Mapping[str, Look]) -> tuple[Job, ...]:
        return plan_inference(network, batch, scheme, hardware, looks=looks)

    measured = plan({name: one.look for name, one in looked.items()})
    update = plan({name: one.update for name, one in looked.items()})
    plain = plan({name: one.plain for name, one in looked.items()})
    own = {name: one.period for name, one in looked.items() if one.period}
    shortest = min(own.values(), default=1)
    lazy = scheme.realisation == "lazy"
    periods = [shortest if lazy else own.get(job.node, shortest) for job in measured]
    return StepPlans(measured, update, plain, periods)


def period_of(scheme: Scheme) -> int | None:
    """Steps from one update to the next as planned; None where each step is like any other."""
    return scheme.new_estimator().period
