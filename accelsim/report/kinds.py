"""What the tensors of a training step are: bytes by kind, not by their place in an operation."""

from collections import Counter

from accelsim.program import ACCUMULATORS, FORWARD, WEIGHTS
from accelsim.result import Move, NetworkResult
from accelsim.result.network import DRAM

WIDE, TURNED = ".wide", ".turned"
"""End the names of second copies: of a gradient in more bits, of a tensor in other blocks."""

SCALES = ".scales"
"""Ends the name of what lies beside a tensor in parts."""

GRADIENTS_OF_PARAMETERS = (".weights.gradient", ".bias.gradient", ".parameters.gradient")
PARAMETERS = ("weights", "bias", "parameters", "master", "momentum")


def tensor_kind(move: Move, phase: str) -> str:
    """In the forward pass what the operation calls it, behind it what it is there.

    The second tensor of a product of two is an input, though the array holds it as weights.
    """
    if move.role == ACCUMULATORS:
        return move.role
    if phase == FORWARD:
        made = move.role.startswith(WEIGHTS) and not is_parameter(move)
        return move.role.replace(WEIGHTS, "input 2", 1) if made else move.role
    tensor = move.tensor.removesuffix(SCALES)
    beside = " scales" if tensor != move.tensor else ""
    first = tensor.removesuffix(TURNED)
    return ("turned " if tensor != first else "") + _kind(first, move.direction) + beside


def is_parameter(move: Move) -> bool:
    """Whether it is learned, or kept for that which is: no activation, and no gradient."""
    tensor = move.tensor.removesuffix(SCALES).removesuffix(TURNED)
    return tensor.rpartition(".")[2] in PARAMETERS


def _kind(tensor: str, direction: str) -> str:
    """What a tensor is behind the forward pass."""
    name = tensor.removesuffix(WIDE)
    if name.endswith(GRADIENTS_OF_PARAMETERS):
        return "weight-gradient"
    if ".gradient" in name:
        side = "output-gradient" if direction == "load" else "input-gradient"
        return side + (" wide" if name != tensor else "")
    ending = name.rpartition(".")[2]
    return ending if ending in PARAMETERS else "input"


def bytes_by_kind(result: NetworkResult) -> dict[tuple[str, str], int]:
    """DRAM bytes by kind and direction, in order of appearance, the forward pass's output last."""
    count: Counter[tuple[str, str]] = Counter()
    for row in result.operations:
        for move in row.moves:
            if move.memory == DRAM:
                count[tensor_kind(move, row.phase), move.direction] += move.bytes
    return dict(sorted(count.items(), key=lambda item: item[0][0] == "output"))
