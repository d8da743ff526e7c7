"""What the operations of a network cost: each timed by itself, equal ones once."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from accelsim.hardware import SEARCHING, Hardware, Statistic
from accelsim.lowering import Operation
from accelsim.lowering.plan import Job, kept_on_chip
from accelsim.program import FORWARD, GRAD_INPUT, GRAD_WEIGHT
from accelsim.quant import Policy
from accelsim.result import Amortised, Move, OperationResult, StepCost, Traffic
from accelsim.result.network import CHIP, DRAM
from accelsim.simulation.network_steps import StepPlans
from accelsim.simulation.progress import Count
from accelsim.simulation.timings import Piece, Timed, Timings


def timed_step(
    plans: StepPlans,
    policy: Policy,
    hardware: Hardware,
    timings: Timings,
    count: Count | None = None,
) -> tuple[OperationResult, ...]:
    """The operations of the measured step, each with what it costs per step where steps differ."""
    rows, update, plain = (
        _rows(jobs, policy, hardware, timings, count)
        for jobs in (plans.measured, plans.update, plans.plain)
    )
    if not plans.update:
        return rows
    found = []
    for place, row in enumerate(rows):
        costs = (_cost(one[place]) for one in (update, plain))
        found.append(replace(row, amortised=_amortised(plans, place, *costs)))
    return tuple(found)


def _amortised(plans: StepPlans, place: int, update: StepCost, plain: StepCost) -> Amortised | None:
    """Over the period of an operation; None for one that no update changes."""
    if plans.update[place] == plans.plain[place]:
        return None
    return Amortised.over(plans.periods[place], plans.update[place].passes, update, plain)


def pieces_of(plans: StepPlans, policy: Policy, hardware: Hardware) -> Iterator[Piece]:
    """What `timed_step` asks for, in its order."""
    for jobs in (plans.measured, plans.update, plans.plain):
        yield from job_pieces(jobs, policy, hardware)


def job_pieces(jobs: Sequence[Job], policy: Policy, hardware: Hardware) -> Iterator[Piece]:
    """What is timed of the jobs of a step, in their order."""
    for job, on_chip in zip(jobs, kept_on_chip(jobs, hardware), strict=True):
        asked = _asked(job, policy) | job.statistics
        yield Piece(job.work, job.realisation, job.passes, on_chip, hardware, asked)


def _rows(
    jobs: Sequence[Job],
    policy: Policy,
    hardware: Hardware,
    timings: Timings,
    count: Count | None,
) -> tuple[OperationResult, ...]:
    rows = []
    for job, piece in zip(jobs, job_pieces(jobs, policy, hardware), strict=True):
        rows.append(_result(job, timings.of(piece)))
        if count is not None:
            count.one()
    return tuple(rows)


def _asked(job: Job, policy: Policy) -> frozenset[Statistic]:
    """What a job asks of the statistics unit; what only searches need, where it waits for one."""
    schemes = {
        FORWARD: policy.activations, GRAD_INPUT: policy.gradients, GRAD_WEIGHT: policy.gradients,
    }  # fmt: skip
    in_float = isinstance(job.work, Operation) and job.work.output_float
    if in_float or job.phase not in schemes:
        return frozenset()
    estimator = schemes[job.phase].new_estimator()
    if estimator.period is not None and job.realisation == "static":
        return estimator.needs - SEARCHING
    return estimator.needs


def _cost(row: OperationResult) -> StepCost:
    """What an operation costs in one kind of step."""
    return StepCost(row.realisation, row.total_bytes, row.total_cycles, row.run_phases, row.actions)


def _result(job: Job, timed: Timed) -> OperationResult:
    """What one job costs, its bytes by the names that the network gives its tensors."""
    account, actions = timed
    names = {use.role: use.tensor for use in (*job.reads, *job.writes)}
    nest = job.work.nest if isinstance(job.work, Operation) else None
    moves = (*_moves(account.traffic, names, DRAM), *_moves(account.chain_traffic, names, CHIP))
    return OperationResult(
        node=job.node,
        kind=job.kind,
        phase=job.phase,
        realisation=job.realisation,
        applies=job.applies,
        applied_kinds=job.applied_kinds,
        macs=nest.macs if nest else 0,
        useful_macs=nest.useful_macs if nest else 0,
        total_cycles=account.total_cycles,
        bus_bytes=account.bus_bytes,
        statistics_held_cycles=account.statistics_held_cycles,
        units=account.units,
        moves=moves,
        actions=actions,
        run_phases=account.phases,
    )


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
