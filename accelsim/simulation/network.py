"""A whole network, a machine and a scheme become a NetworkResult: operation after operation."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from accelsim.errors import AccelsimError, whole
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
from accelsim.simulation.float_network import (
    float_network,
    synthetic_inputs,
    with_synthetic_parameters,
)
from accelsim.simulation.lowered import lowered
from accelsim.simulation.network_values import Arrays, NetworkValues


def compare_networks(
    network: Network | str | Path,
    hardware: Hardware | str | Path = "edge",
    schemes: Sequence[Policy | Scheme | str] = ("in-hindsight", "current"),
    *,
    batch: int = 1,
    seed: int = 0,
    training: TrainingOptions | None = None,
    data: Literal["synthetic"] | None = None,
    steps: int = 2,
    drift: float = 0.05,
) -> NetworkComparison:
    """The same network under each scheme; the first is what the others are held against.

    With `training` it is a whole step (forward, both gradients of every layer, the update), else
    an inference. A scheme may be a policy, `activations=SCHEME,gradients=SCHEME`. `data`
    "synthetic" runs values through an inference, `steps` times on inputs that drift, and holds
    the last results against the float network; weights are the network's own or made up
    (`float_network.py`). None is timing only; cycles and bytes are the same.
    """
    network = network if isinstance(network, Network) else load_network(network)
    hardware = load_hardware(hardware)
    if not schemes:
        raise AccelsimError("schemes=[]: must name at least one scheme")
    policies = [_policy(scheme, seed) for scheme in schemes]
    results = [_timed(network, batch, policy, hardware, training) for policy in policies]
    if data is not None:
        if training is not None or data != "synthetic":
            raise AccelsimError(f"{data=}: must be 'synthetic' and an inference, or None")
        inputs = synthetic_inputs(
            network, batch, whole("steps", steps, 2, 10_000), whole("seed", seed, 0, 2**63 - 1),
            drift,
        )  # fmt: skip
        valued = with_synthetic_parameters(network, inputs[0], seed)
        exact = float_network(valued, inputs[-1])
        results = [
            _valued(result, valued, policy.activations, hardware, inputs, exact)
            for result, policy in zip(results, policies, strict=True)
        ]
    return NetworkComparison(tuple(results))


def _valued(
    result: NetworkResult,
    network: Network,
    scheme: Scheme,
    hardware: Hardware,
    inputs: Sequence[Arrays],
    exact: Arrays,
) -> NetworkResult:
    """The result with what became of the values in the last step."""
    jobs = plan_inference(network, result.batch, scheme, hardware)
    values = NetworkValues(network, jobs, scheme, hardware)
    for number, arrays in enumerate(inputs):
        held = values.step(arrays, number)
    found = held.numerics(exact)
    rows = tuple(replace(row, numerics=found[row.node]) for row in result.operations)
    return replace(result, operations=rows, step=len(inputs) - 1, data="synthetic")


def simulate_network(
    network: Network | str | Path,
    hardware: Hardware | str | Path = "edge",
    scheme: Policy | Scheme | str = "in-hindsight",
    *,
    batch: int = 1,
    seed: int = 0,
    training: TrainingOptions | None = None,
    data: Literal["synthetic"] | None = None,
    steps: int = 2,
    drift: float = 0.05,
) -> NetworkResult:
    """A network under one scheme; the arguments are those of `compare_networks`."""
    one = compare_networks(
        network, hardware, [scheme], batch=batch, seed=seed, training=training, data=data,
        steps=steps, drift=drift,
    )  # fmt: skip
    return one.baseline


def _policy(scheme: Policy | Scheme | str, seed: int) -> Policy:
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
    timed = replace(run(program, hardware), spans=())
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
