"""What is lowered: one product with its bit widths, and where its tensors lie in DRAM."""

from dataclasses import dataclass, field

from accelsim import program
from accelsim.errors import AccelsimError
from accelsim.network import Nest
from accelsim.program import FORWARD, GRAD_INPUT, Shape, Tensor

DIRECTIONS = (FORWARD, GRAD_INPUT)

ADDRESS_ALIGNMENT_BYTES = 4096
"""Tensors start on a page of this size, so that no two share a burst or a DRAM line."""

BIAS_BITS = 32


@dataclass(frozen=True)
class Operation:
    """One accelerator operation: a loop nest and the bits of each tensor it moves.

    A gradient to the input has the nest `Nest.input_gradient` and reads the output's gradient as
    its input; its weights lie in DRAM as the forward pass left them.
    """

    nest: Nest
    name: str = field(default="", compare=False)
    input_bits: int = 8
    weight_bits: int = 8
    output_bits: int = 8
    bias: bool = False
    direction: str = FORWARD

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise AccelsimError(
                f"direction={self.direction!r}: must be one of {', '.join(DIRECTIONS)}"
            )
        if self.bias and self.direction != FORWARD:
            raise AccelsimError(f"bias=True: must be False in a {self.direction} operation")

    @property
    def weight_shape(self) -> Shape:
        """In DRAM, as the forward pass has it: (filters, kernel height, kernel width, channels)."""
        nest = self.nest
        if self.direction == FORWARD:
            return nest.weight_shape
        filters = nest.copies * nest.groups * nest.in_channels
        return filters, nest.kernel_height, nest.kernel_width, nest.out_channels


def place(operation: Operation, stored_bits: int | None) -> dict[str, Tensor]:
    """Tensors one after the other from address 0; accumulators where they are stored, so wide."""
    nest = operation.nest
    shapes = [
        (program.INPUT, nest.input_shape, operation.input_bits, 1),
        (program.WEIGHTS, operation.weight_shape, operation.weight_bits, 3),
        (program.OUTPUT, nest.output_shape, operation.output_bits, 1),
    ]
    if operation.bias:
        shapes.append((program.BIAS, (1, 1, 1, operation.weight_shape[0]), BIAS_BITS, 1))
    if stored_bits is not None:
        shapes.append((program.ACCUMULATORS, nest.output_shape, stored_bits, 1))
    tensors: dict[str, Tensor] = {}
    address = 0
    for name, shape, bits, packed_axes in shapes:
        tensors[name] = Tensor(name, shape, bits, address, packed_axes)
        pages = -(-tensors[name].total_bytes // ADDRESS_ALIGNMENT_BYTES)
        address += pages * ADDRESS_ALIGNMENT_BYTES
    return tensors
