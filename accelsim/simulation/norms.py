"""What range batch normalization saves: the norms of the same step with BatchNorm in its place."""

from collections.abc import Sequence

from accelsim.hardware import Hardware
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.network import Network, batch_normalized
from accelsim.network.vector import BatchNorm, RangeBatchNorm
from accelsim.quant import Policy
from accelsim.result import NormCost
from accelsim.simulation.network_steps import planned_steps
from accelsim.simulation.network_time import job_pieces
from accelsim.simulation.timings import Piece, Timings


def norm_pieces(
    network: Network,
    batch: int,
    policy: Policy,
    hardware: Hardware,
    training: TrainingOptions | None,
) -> list[Piece]:
    """Both directions of every BatchNorm that stands where a training has range batch norms."""
    ranged = {node.name for node in network.nodes if isinstance(node.work, RangeBatchNorm)}
    if training is None or not ranged:
        return []
    jobs = planned_steps(batch_normalized(network), batch, policy, hardware, training).measured
    pieces = zip(jobs, job_pieces(jobs, policy, hardware), strict=True)
    return [piece for job, piece in pieces if job.node in ranged and job.kind == BatchNorm.kind]


def norm_cost(pieces: Sequence[Piece], timings: Timings) -> NormCost | None:
    """Their bytes and cycles; None where there are no such norms."""
    if not pieces:
        return None
    accounts = [timings.of(piece)[0] for piece in pieces]
    return NormCost(
        bytes=sum(row.bytes for account in accounts for row in account.traffic),
        cycles=sum(account.total_cycles for account in accounts),
    )
