"""What becomes of finished tiles until the statistics of the output are complete."""

from accelsim import program
from accelsim.hardware import Hardware
from accelsim.lowering.operation import Operation
from accelsim.lowering.product import ProductWriter, Tile
from accelsim.lowering.tiling import Tiling
from accelsim.program import Barrier, Box, Drain, Tensor


class FinishedTiles(ProductWriter):
    """Finished tiles leave, are shown to the statistics unit, or both; then comes the barrier.

    `searches`: passes over the finished tensor that look for its range, before the last one.
    """

    def __init__(
        self,
        operation: Operation,
        hardware: Hardware,
        tensors: dict[str, Tensor],
        tiling: Tiling,
        searches: int = 0,
    ) -> None:
        super().__init__(operation, hardware, tensors, tiling)
        self.searches = searches
        self._barrier = -1

    def begin(self, sample: int, *, keep_operands: bool) -> None:
        """Go on with this sample, none of whose barriers was reached."""
        super().begin(sample, keep_operands=keep_operands)
        self._barriers = 0

    def store_tile(
        self, tile: Tile, tensor: str, *, observe: bool, phase: str = program.PRODUCT
    ) -> None:
        """Drain a tile in blocks that fit half the output buffer, and store each in `tensor`."""
        for block in self._output_blocks(tile.box, self._widest(tensor)):
            self._store_block(block, tile.number, (tile.compute,), phase, tensor, observe)

    def observe_tile(self, tile: Tile, *, keep: bool, phase: str = program.PRODUCT) -> None:
        """Show a tile to the statistics unit only; its accumulators are kept, or dropped."""
        self._observe(tile.box, tile.number, (tile.compute,), phase, keep)

    def _observe(self, box: Box, tile: int, after: tuple[int, ...], phase: str, keep: bool) -> None:
        freed = 0 if keep else self.accumulator_bytes(box)
        self._last_drain = self._append(
            Drain(self.next_id, after, phase, tile, box, None, True, keep, 0, freed)
        )

    def barrier(self, phase: str = program.PRODUCT) -> None:
        """The point at which the statistics of all observed accumulators are complete."""
        self._barriers += 1
        # The last barrier before the range is used is the one that finds it.
        found = self._barriers == self.searches + 1
        ranges, mixed = self.tensors.get(program.RANGES), self.whole.mixed_samples
        if ranges is None or self.whole.region is not None or (mixed and not found):
            self._barrier = self._append(Barrier(self.next_id, (self._last_drain,), phase))
            return
        part = None if mixed else self._sample
        box = Box((self._sample, 0, 0, 0), (self._sample + (mixed or 1), 1, 1, 1))
        region = ranges.region(box)
        taken = region.total_bytes if found else 0
        self._barrier = self._append(
            Barrier(self.next_id, (self._last_drain,), phase, part, output_bytes=taken)
        )
        if found:
            self._store(program.RANGES, box, region, self._barrier, taken, phase)

    def store_regions(self, tile: Tile) -> None:
        """Drain a tile region by region, each with the range that it finds for itself."""
        extent, ranges = self.whole.region, self.tensors[program.RANGES]
        assert extent is not None
        records = tile.box.shrunk(extent)
        region = ranges.region(records)
        record_bytes = region.total_bytes  # room for all of the tile's, taken with its first region
        for box in tile.box.cut(extent):
            self._store_block(
                box, tile.number, (tile.compute,), program.PRODUCT, program.OUTPUT, True,
                local=True, record_bytes=record_bytes,
            )  # fmt: skip
            record_bytes = 0
        self._store(
            program.RANGES, records, region, self._last_drain, region.total_bytes, program.PRODUCT
        )

    def store_blocks(self, tile: Tile) -> None:
        """Drain a tile whose channels come in blocks; each finds its scale on the way out."""
        ranges, blocking = self.tensors[program.RANGES], self.blocking[program.OUTPUT]
        bits = 8 * self.operation.output_scale_bytes(tile.box.shape[3])
        for box in self._output_blocks(tile.box, self._widest(program.OUTPUT), beside_bits=bits):
            records = blocking.of(box)
            region = ranges.region(records)
            self._store_once(
                box, tile.number, (tile.compute,), program.PRODUCT, program.OUTPUT, True,
                keep=False, record_bytes=region.total_bytes,
            )  # fmt: skip
            self._store(
                program.RANGES, records, region, self._last_drain, region.total_bytes,
                program.PRODUCT,
            )  # fmt: skip
