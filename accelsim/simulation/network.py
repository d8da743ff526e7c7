"""A whole network, a machine and a scheme become a NetworkResult: operation after operation."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware, load_hardware
from accelsim.lowering import Operation, VectorTask
from accelsim.lowering.plan import Job, kept_on_chip, plan_inference
from accelsim.lowering.training_plan import TrainingOptions, plan_training
from accelsim.machine import Run, actions_of, run
from accelsim.network import Network, load_network
from accelsim.program import FORWARD, GRAD_INPUT
from accelsim.quant import Policy, Scheme, Statistic
from accelsim.result import Action, Move, NetworkComparison, NetworkResult, OperationResult, Traffic
from accelsim.result.network import CHIP, DRAM
from accelsim.simulation.lowered import lowered
from accelsim.simulation.network_values import (
    Inputs,
    InputStream,
    NetworkValues,
    weights_source,
)
from accelsim.simulation.runs import DEFAULT_SCHEMES, Progress
from accelsim.simulation.stream import Drifts


def compare_networks(
    network: Network | str | Path,
    hardware: Hardware | str | Path = "edge",
    schemes: Sequence[Policy | Scheme | str] = DEFAULT_SCHEMES,
    data: Inputs = None,
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: Drifts = 0.05,
    calibrate: int = 0,
    file_grids: bool = False,
    training: TrainingOptions | None = None,
    progress: Progress = lambda done, total: None,
) -> NetworkComparison:
    """The same network under each scheme; the first is what the others are held against.

    With `training` it is a whole step (forward, both gradients of every layer, the update), else
    an inference. A scheme may be a policy, `activations=SCHEME,gradients=SCHEME`.

    `data` sends values through an inference: the network's input arrays (batch, ...) by name, of
    one step or of several, or "synthetic", which draws `steps` seeded steps that move by `drift`
    (`SyntheticInputs`). The last step is measured, the others are its past; `calibrate` batches
    come before them: further draws, or the first of the given steps. Weights are the network's, or
    made up (`with_parameters`). None is timing only; cycles and bytes are the same. `file_grids`
    takes the grids that a quantized model's file gives instead of the estimators' and the scheme's.
    """
    network = network if isinstance(network, Network) else load_network(network)
    hardware = load_hardware(hardware)
    if not schemes:
        raise AccelsimError("schemes=[]: must name at least one scheme")
    policies = list(dict.fromkeys(network_policy(scheme, seed) for scheme in schemes))
    if data is not None and training is not None:
        raise AccelsimError("data: must be None in a training step, which is timed without values")
    if data is None:
        return NetworkComparison(
            tuple(_timed(network, batch, policy, hardware, training) for policy in policies)
        )
    if file_grids and not network.grids:
        raise AccelsimError(f"file_grids=True: network {network.name!r} comes without grids")
    asked = _Asked(data, batch, steps, seed, drift, calibrate)
    return _valued(network, hardware, policies, asked, file_grids, progress)


def simulate_network(
    network: Network | str | Path,
    hardware: Hardware | str | Path = "edge",
    scheme: Policy | Scheme | str = "in-hindsight",
    data: Inputs = None,
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: Drifts = 0.05,
    calibrate: int = 0,
    file_grids: bool = False,
    training: TrainingOptions | None = None,
) -> NetworkResult:
    """A network under one scheme; the arguments are those of `compare_networks`."""
    return compare_networks(
        network, hardware, [scheme], data, batch=batch, steps=steps, seed=seed, drift=drift,
        calibrate=calibrate, file_grids=file_grids, training=training,
    ).baseline  # fmt: skip


def network_policy(scheme: Policy | Scheme | str, seed: int = 0) -> Policy:
    """The policy that a scheme means for a network; one that cannot be run for one is refused."""
    if isinstance(scheme, Scheme):
        policy = Policy(scheme, scheme)
    else:
        policy = scheme if isinstance(scheme, Policy) else Policy.parse(scheme, seed=seed)
    for one in (policy.activations, policy.gradients):
        estimator = one.new_estimator()
        parts = estimator.extent((2, 2, 2, 2), 2) is not None
        if estimator.planned_passes > 1 or parts or estimator.period is not None:
            what = "gives parts of a tensor ranges of their own" if parts else "reads tensors again"
            raise AccelsimError(
                f"scheme '{one.label}': {estimator.name} {what}, which is run for a single layer "
                "only; name a layer, such as resnet18.layer1"
            )
    return policy


def _timed(
    network: Network,
    batch: int,
    policy: Policy,
    hardware: Hardware,
    training: TrainingOptions | None,
) -> NetworkResult:
    if training is None:
        jobs = plan_inference(network, batch, policy.activations, hardware)
    else:
        jobs = plan_training(network, batch, policy, hardware, training)
    needs = {
        phase: scheme.new_estimator().needs
        for phase, scheme in ((FORWARD, policy.activations), (GRAD_INPUT, policy.gradients))
    }
    rows = [
        operation_result(job, on_chip, hardware, needs.get(job.phase, frozenset()))
        for job, on_chip in zip(jobs, kept_on_chip(jobs, hardware), strict=True)
    ]
    return NetworkResult(
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
        operations=tuple(rows),
        machine=hardware.model_dump(mode="json"),
    )


@dataclass(frozen=True)
class _Asked:
    """Which tensors flow."""

    data: Inputs
    batch: int
    steps: int
    seed: int
    drift: Drifts
    calibrate: int


def _valued(
    network: Network,
    hardware: Hardware,
    policies: Sequence[Policy],
    asked: _Asked,
    file_grids: bool,
    progress: Progress,
) -> NetworkComparison:
    """Time and bytes as without values; beside them what the last step's values came to."""
    stream = InputStream.of(network, **vars(asked))
    schemes = [policy.activations for policy in policies]
    jobs = [plan_inference(network, stream.batch, scheme, hardware) for scheme in schemes]
    values = NetworkValues(network, stream, schemes, jobs, hardware, asked.seed, file_grids)
    timed = [_timed(network, stream.batch, policy, hardware, None) for policy in policies]
    return NetworkComparison(
        tuple(
            replace(
                result,
                step=stream.count - 1,
                data=stream.source,
                weights=weights_source(network),
                drift=stream.drift,
                options={"file_grids": True} if file_grids else {},
                calibration_batches=stream.calibration_batches,
                operations=tuple(
                    replace(row, numerics=measured.numerics[row.node]) for row in result.operations
                ),
                outputs=measured.outputs,
            )
            for result, measured in zip(timed, values.run(progress), strict=True)
        )
    )


def operation_result(
    job: Job,
    on_chip: frozenset[str],
    hardware: Hardware,
    statistics: frozenset[Statistic] = frozenset(),
) -> OperationResult:
    """What one job costs, its bytes by the names that the network gives its tensors."""
    timed, actions = timed_run(job.work, job.realisation, on_chip, hardware, statistics)
    names = {use.role: use.tensor for use in (*job.reads, *job.writes)}
    macs = job.work.nest.macs if isinstance(job.work, Operation) else 0
    moves = (*_moves(timed.traffic, names, DRAM), *_moves(timed.chain_traffic, names, CHIP))
    return OperationResult(
        node=job.node,
        kind=job.kind,
        phase=job.phase,
        realisation=job.realisation,
        applies=job.applies,
        macs=macs,
        total_cycles=timed.total_cycles,
        bus_bytes=timed.bus_bytes,
        units=timed.units,
        moves=moves,
        actions=actions,
    )


@lru_cache(maxsize=4096)
def timed_run(
    work: Operation | VectorTask,
    realisation: str,
    on_chip: frozenset[str],
    hardware: Hardware,
    statistics: frozenset[Statistic],
) -> tuple[Run, tuple[Action, ...]]:
    """The machine's account of an operation without values; equal operations are run once."""
    program = replace(lowered(work, realisation, hardware), on_chip=on_chip)
    timed = run(program, hardware, spans=False)
    return timed, actions_of(program, hardware, timed, statistics)


def _moves(traffic: Sequence[Traffic], names: dict[str, str], memory: str) -> list[Move]:
    """Bytes by tensor and direction; what is no tensor of the network keeps its role's name."""
    count: dict[tuple[str, str], int] = {}
    for row in traffic:
        key = row.tensor, row.direction
        count[key] = count.get(key, 0) + row.bytes
    return [
        Move(names.get(role, role), role, direction, memory, moved)
        for (role, direction), moved in count.items()
    ]
