"""Real tensors in the machine, in blocks that share a power of two.

As `Values`: the same commands move the data at the same cycles. Operands are elements with scale
bytes beside them, accumulators are float32, and what is drained finds its own scales.
"""

from dataclasses import dataclass

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import Accumulator
from accelsim.kernels.block_product import add_blocks
from accelsim.machine.operands import Operands, Outcome
from accelsim.machine.parts import RECORD
from accelsim.machine.values import NEVER_LOADED, Tile, Values
from accelsim.program import (
    BIAS,
    INPUT,
    INPUT_SCALES,
    OUTPUT,
    RANGES,
    WEIGHT_SCALES,
    WEIGHTS,
    Barrier,
    Compute,
    Drain,
    Load,
    Mix,
    Program,
    Store,
)
from accelsim.quant import Microscaled, microscaled, steps_of


@dataclass(frozen=True, eq=False)
class BlockOperands:
    """What a program in blocks runs on, channels last; the bias is float32."""

    input: Microscaled
    weights: Microscaled
    bias: np.ndarray | None = None


class BlockValues:
    """DRAM contents, on-chip copies and float32 accumulators of one program."""

    def __init__(self, program: Program, operands: BlockOperands) -> None:
        assert program.block is not None and program.window is not None
        self.block, self.window = program.block, program.window
        shape = program.tensors[OUTPUT].shape
        self.dram: dict[str, np.ndarray] = {
            INPUT: operands.input.elements,
            INPUT_SCALES: np.moveaxis(operands.input.scales, -1, 0),
            WEIGHTS: operands.weights.elements,
            WEIGHT_SCALES: np.moveaxis(operands.weights.scales, -1, 0),
            OUTPUT: np.zeros(shape, np.int32),
            RANGES: np.zeros(program.tensors[RANGES].shape, np.uint8),
        }
        if operands.bias is not None:
            self.dram[BIAS] = operands.bias.reshape(1, 1, 1, -1)
        self._chip = {
            name: np.full(array.shape, NEVER_LOADED, np.float32 if name == BIAS else np.int32)
            for name, array in self.dram.items()
        }
        for name in (INPUT_SCALES, WEIGHT_SCALES):
            self._chip[name] = np.full(self.dram[name].shape, np.nan)
        self._tiles: dict[int, Tile] = {}
        self._drained: dict[int, Microscaled] = {}
        self.outcome = Outcome(self.dram[OUTPUT], extent=program.extent)

    def load(self, command: Load) -> None:
        """Data has arrived; a scale is kept as the step that it stands for."""
        source = self.dram[command.tensor][command.box.slices]
        if command.tensor in (INPUT_SCALES, WEIGHT_SCALES):
            source = steps_of(source)
        self._chip[command.tensor][command.box.slices] = source

    def compute(self, command: Compute) -> None:
        """Add the blocks of one chunk to the tile's sums, which begin with the bias."""
        box, window = command.box, self.window
        if command.first:
            sums: np.ndarray = np.zeros(box.shape, np.float32)
            if BIAS in self._chip:
                sums += self._chip[BIAS][..., box.starts[3] : box.stops[3]]
            self._tiles[command.tile] = Tile(box.starts, sums, sums.size)
        filters = slice(box.starts[3], box.stops[3])
        weights = np.ascontiguousarray(self._chip[WEIGHTS][filters].transpose(1, 2, 3, 0))
        steps = np.ascontiguousarray(self._chip[WEIGHT_SCALES][:, filters].transpose(0, 2, 3, 1))
        add_blocks(
            self._chip[INPUT], self._chip[INPUT_SCALES], weights, steps,
            self._tiles[command.tile].sums, *box.starts[:3],
            command.channel_start, command.channel_stop, self.block, *window.steps[:6],
        )  # fmt: skip

    def drain(self, command: Drain) -> None:
        """Find the scale of each block and bring its sums to it."""
        tile, box = self._tiles[command.tile], command.box
        tile.left -= box.elements
        if not tile.left:
            del self._tiles[command.tile]
        within = tuple(
            slice(start - first, stop - first)
            for start, stop, first in zip(box.starts, box.stops, tile.origin, strict=True)
        )
        sums = tile.sums[within]
        if not np.isfinite(sums).all():
            raise AccelsimError("accumulator: a sum left float32; operands must be smaller")
        lowest, highest = self.outcome.extremes
        self.outcome.extremes = min(lowest, float(sums.min())), max(highest, float(sums.max()))
        leaving = microscaled(sums)
        self.outcome.saturated_count += leaving.saturated_count
        self._drained[command.id] = leaving

    def store(self, command: Store) -> None:
        """Elements or scales have left the chip; a drain's scales are stored after its elements."""
        box = command.box.slices
        if command.tensor == RANGES:
            self.dram[RANGES][box] = np.moveaxis(self._drained.pop(command.source).scales, -1, 0)
        else:
            self.dram[OUTPUT][box] = self._drained[command.source].elements

    def settle(self, command: Barrier) -> None:
        """No range waits for the whole tensor."""
        raise AssertionError("a program in blocks has no barrier")

    def mix(self, command: Mix) -> None:
        """Nothing is mixed."""
        raise AssertionError("a program in blocks mixes no samples")

    def finish(self) -> None:
        """Tell the scales as those of parts."""
        scales = np.moveaxis(self.dram[RANGES], 0, -1)
        records = np.zeros(scales.shape, RECORD)
        records["scale"] = steps_of(scales)
        self.outcome.ranges = records


AnyValues = Values | BlockValues


def values_of(
    program: Program, accumulator: Accumulator, operands: Operands | BlockOperands
) -> AnyValues:
    """The values of a program, by what it runs on."""
    if isinstance(operands, BlockOperands):
        return BlockValues(program, operands)
    return Values(program, accumulator, operands)
