"""A whole network, a machine and a scheme become a NetworkResult: operation after operation."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

from accelsim.hardware import Hardware, load_hardware
from accelsim.lowering.plan import Job
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.lowering.turned import BLOCKS
from accelsim.network import Network, load_network
from accelsim.program import FORWARD
from accelsim.quant import Policy
from accelsim.result import (
    NetworkComparison,
    NetworkResult,
    Numerics,
)
from accelsim.simulation.choice import AnyScheme
from accelsim.simulation.network_schemes import Wanted
from accelsim.simulation.network_steps import (
    StepPlans,
    period_of,
    planned_steps,
    settled_steps,
)
from accelsim.simulation.network_time import pieces_of, timed_step
from accelsim.simulation.network_values import (
    Inputs,
    InputStream,
    NetworkValues,
    opaque_nodes,
    weights_source,
)
from accelsim.simulation.norms import norm_cost, norm_pieces
from accelsim.simulation.progress import Count, Progress
from accelsim.simulation.stream import Drifts
from accelsim.simulation.timings import Timings
from accelsim.simulation.training_values import Trained, TrainingValues


def compare_networks(
    network: Network | str | Path,
    hardware: Hardware | str | Path,
    schemes: Sequence[AnyScheme],
    data: Inputs,
    *,
    batch: int,
    steps: int,
    seed: int,
    drift: Drifts,
    calibrate: int,
    training: TrainingOptions | None,
    jobs: int,
    progress: Progress,
) -> NetworkComparison:
    """`compare`, of a network.

    With `training` it is a whole step (forward, both gradients of every layer, the update), else
    an inference. A scheme may be a policy, `activations=SCHEME,gradients=SCHEME`.

    `data` sends values through: the network's input arrays (batch, ...) by name, of
    one step or of several, or "synthetic", which draws `steps` seeded steps that move by `drift`
    (`SyntheticInputs`). The last step is measured, the others are its past; `calibrate` batches
    come before them: further draws, or the first of the given steps. Weights are the network's, or
    made up (`with_parameters`). None is timing only; cycles and bytes are the same.

    The steps of a training follow one another: each updates the weights of the next. `data` then
    also has what every output is trained towards, `NODE.labels` or `NODE.gradient` (`loss_of`);
    synthetic ones are `SyntheticExamples`.

    What takes longer than a second to time is shared by `jobs` processes.
    """
    network = network if isinstance(network, Network) else load_network(network)
    hardware = load_hardware(hardware)
    wanted = Wanted(network, hardware, training, batch, data is not None, seed)
    policies, left_out = wanted.policies(schemes)
    if data is None:
        plans = [planned_steps(network, batch, policy, hardware, training) for policy in policies]
        count = Count(progress, sum(one.pieces for one in plans))
        timed = _timed(network, batch, policies, hardware, training, plans, count, jobs)
        return NetworkComparison(tuple(timed), left_out)
    asked = _Asked(data, batch, steps, seed, drift, calibrate, jobs)
    if training is not None:
        results = _trained(network, hardware, policies, asked, training, progress)
    else:
        results = _valued(network, hardware, policies, asked, progress)
    return NetworkComparison(results, left_out)


def _timed(
    network: Network,
    batch: int,
    policies: Sequence[Policy],
    hardware: Hardware,
    training: TrainingOptions | None,
    plans: Sequence[StepPlans],
    count: Count,
    processes: int,
) -> list[NetworkResult]:
    """Time and bytes under every policy."""
    norms = [norm_pieces(network, batch, policy, hardware, training) for policy in policies]
    runs = list(zip(policies, plans, norms, strict=True))
    pieces = (
        piece
        for policy, own, beside in runs
        for piece in chain(pieces_of(own, policy, hardware), beside)
    )
    with Timings(pieces, processes) as timings:
        return [
            NetworkResult(
                network=network.name,
                batch=batch,
                training=training is not None,
                hardware=hardware.name,
                clock_mhz=hardware.clock_mhz,
                scheme=policy.activations.label if training is None else policy.label,
                step=0,
                data="none",
                seed=policy.activations.seed,
                accumulator_bits=hardware.accumulator.bits,
                options={} if training is None else asdict(training),
                operations=timed_step(own, policy, hardware, timings, count),
                machine=hardware.model_dump(mode="json"),
                opaque=opaque_nodes(network),
                batch_norms=norm_cost(beside, timings),
            )
            for policy, own, beside in runs
        ]


@dataclass(frozen=True)
class _Asked:
    """Which tensors flow."""

    data: Inputs
    batch: int
    steps: int
    seed: int
    drift: Drifts
    calibrate: int
    processes: int

    def stream(self, network: Network, *, training: bool = False) -> InputStream:
        """The tensors, step by step."""
        return InputStream.of(
            network, self.data, self.batch, self.steps, self.seed, self.drift, self.calibrate,
            training=training,
        )  # fmt: skip


def _valued(
    network: Network,
    hardware: Hardware,
    policies: Sequence[Policy],
    asked: _Asked,
    progress: Progress,
) -> tuple[NetworkResult, ...]:
    """Time and bytes as without values; beside them what the last step's values came to.

    Where steps differ, time and bytes are those of the last step, as its values asked for.
    """
    stream = asked.stream(network)
    schemes = [policy.activations for policy in policies]
    plans = [planned_steps(network, stream.batch, one, hardware, None) for one in policies]
    jobs = [own.measured for own in plans]
    values = NetworkValues(network, stream, schemes, jobs, hardware, asked.seed)
    count = Count(progress, sum(own.pieces for own in plans) + values.pieces)
    timed = _timed(network, stream.batch, policies, hardware, None, plans, count, asked.processes)
    results = []
    for policy, result, measured in zip(policies, timed, values.run(count), strict=True):
        rows = result.operations
        if period_of(policy.activations):
            own = settled_steps(
                network, stream.batch, policy.activations, hardware, measured.looked
            )
            rows = timed_step(own, policy, hardware, Timings())
        rows = tuple(replace(row, numerics=measured.numerics[row.node]) for row in rows)
        told = _told(result, network, stream)
        results.append(replace(told, operations=rows, outputs=measured.outputs))
    return tuple(results)


def _trained(
    network: Network,
    hardware: Hardware,
    policies: Sequence[Policy],
    asked: _Asked,
    options: TrainingOptions,
    progress: Progress,
) -> tuple[NetworkResult, ...]:
    """Time and bytes as without values; beside them the values of every step of a training."""
    stream = asked.stream(network, training=True)
    plans = [planned_steps(network, stream.batch, one, hardware, options) for one in policies]
    all_jobs = [own.measured for own in plans]
    values = TrainingValues(network, stream, policies, all_jobs, hardware, options, asked.seed)
    count = Count(progress, sum(own.pieces for own in plans) + values.pieces)
    timed = _timed(
        network, stream.batch, policies, hardware, options, plans, count, asked.processes
    )
    results = []
    for result, jobs, trained in zip(timed, all_jobs, values.run(count), strict=True):
        rows = tuple(
            replace(row, numerics=_numerics(job, trained))
            for job, row in zip(jobs, result.operations, strict=True)
        )
        told = _told(result, network, stream)
        outputs, steps = trained.measured.outputs, trained.steps
        results.append(replace(told, operations=rows, outputs=outputs, steps=steps))
    return tuple(results)


def _told(result: NetworkResult, network: Network, stream: InputStream) -> NetworkResult:
    """The result, which says what flowed."""
    return replace(
        result,
        step=stream.count - 1,
        data=stream.source,
        weights=weights_source(network),
        drift=stream.drift,
        calibration_batches=stream.calibration_batches,
    )


def _numerics(job: Job, trained: Trained) -> Numerics | None:
    """Of what a job of a training stores: the first of its tensors that was held against float."""
    if job.phase == FORWARD and job.kind != BLOCKS:
        return trained.measured.numerics[job.node]
    names = [use.tensor for use in job.writes if use.tensor in trained.tensors]
    return trained.tensors[names[0]] if names else None
