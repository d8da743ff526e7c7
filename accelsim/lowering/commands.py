"""Single commands in issue order, and how much of an output one of them may hold."""

from functools import lru_cache
from math import prod

from accelsim import program
from accelsim.hardware import Hardware
from accelsim.lowering.operation import Operation
from accelsim.lowering.parts import fills_bytes
from accelsim.lowering.schedule import blocks
from accelsim.lowering.turns import Turns
from accelsim.program import Box, Drain, Load, Region, Shape, Store, Tensor


class CommandList(Turns):
    """The commands of one operation, appended one by one.

    Where samples have a range each, `operation` is what is to be done for one, `whole` for all.
    """

    def __init__(
        self, operation: Operation, hardware: Hardware, tensors: dict[str, Tensor]
    ) -> None:
        super().__init__()
        self.whole, self.operation, self.hardware = operation, operation.of_sample(), hardware
        self.tensors, self.blocking = tensors, operation.blocking
        self._widths = self.operation.stored_bits(hardware.accumulator.bits)
        self._channels = self.operation.output_shape[3]
        self._last_drain = -1

    def accumulator_bytes(self, box: Box) -> int:
        """Bytes that the accumulators of these outputs take on chip."""
        axes, bits = self.tensors[program.OUTPUT].packed_axes, self.hardware.accumulator.bits
        return _packed_bytes(box.shape, axes, bits)

    def _output_blocks(
        self, box: Box, bits: int, most_elements: int | None = None, beside_bits: int = 0
    ) -> list[Box]:
        """Blocks whose integers fit half the output buffer, cut between whole bytes.

        `beside_bits`: what is stored beside each vector of channels.
        """
        half_bytes = self.hardware.sram.output_bytes // 2
        vector = self._whole_bytes(box)
        vectors = max(1, half_bytes // -(-(vector * bits + beside_bits) // 8))
        if most_elements is not None:
            vectors = max(1, min(vectors, most_elements // vector))
        return list(blocks(box, vectors * vector))

    def _whole_bytes(self, box: Box) -> int:
        """Elements of `box` that no cut may part: a vector of channels, or all that is packed."""
        shape = box.shape
        if fills_bytes(shape[3], self._channels, self._widths):
            return shape[3]
        return prod(shape[4 - self.tensors[program.OUTPUT].packed_axes :])

    def _store_block(
        self,
        block: Box,
        tile: int,
        after: tuple[int, ...],
        phase: str,
        tensor: str,
        observe: bool,
        local: bool = False,
        record_bytes: int = 0,
    ) -> None:
        """Drain and store a block; outputs that are stored twice are drained twice.

        A `local` one finds its own range; `record_bytes` is room for ranges beside the output.
        """
        twice = tensor == program.OUTPUT and program.SECOND_OUTPUT in self.tensors
        if twice:
            self._store_once(block, tile, after, phase, program.SECOND_OUTPUT, observe, keep=True)
        self._store_once(
            block, tile, after, phase, tensor, observe and not twice, keep=False,
            local=local, record_bytes=record_bytes,
        )  # fmt: skip

    def _store_once(
        self,
        block: Box,
        tile: int,
        after: tuple[int, ...],
        phase: str,
        tensor: str,
        observe: bool,
        *,
        keep: bool,
        local: bool = False,
        record_bytes: int = 0,
    ) -> None:
        region = self.tensors[tensor].region(block)
        taken = region.total_bytes
        freed = 0 if keep else self.accumulator_bytes(block)
        drain = Drain(
            self.next_id, after, phase, tile, block, tensor, observe, keep,
            taken + record_bytes, freed, local,
        )  # fmt: skip
        self._last_drain = self._append(drain)
        self._store(tensor, block, region, self._last_drain, taken, phase)

    def _store(
        self, tensor: str, box: Box, region: Region, source: int, taken: int, phase: str
    ) -> None:
        self._append(Store(self.next_id, (source,), phase, tensor, box, region, source, taken))

    def _load(
        self,
        tensor: str,
        box: Box,
        buffer: str,
        phase: str,
        after: tuple[int, ...] = (),
        buffer_bytes: int | None = None,
    ) -> tuple[int, int]:
        """The load's id, and the bytes it takes in the buffer: those it moves, unless given."""
        region = self.tensors[tensor].region(box)
        taken = region.total_bytes if buffer_bytes is None else buffer_bytes
        load = Load(self.next_id, after, phase, tensor, box, region, buffer, taken)
        return self._append(load), taken

    def _widest(self, tensor: str) -> int:
        """Bits of what leaves for `tensor`, and for its second copy where there is one."""
        second = self.operation.second_output_bits or 0
        return max(self.tensors[tensor].bits, second if tensor == program.OUTPUT else 0)


@lru_cache(maxsize=65536)
def _packed_bytes(shape: Shape, axes: int, bits: int) -> int:
    """Bytes of a box of which the last axes fill whole bytes together."""
    packed = prod(shape[4 - axes :])
    return prod(shape[: 4 - axes]) * -(-packed * bits // 8)
