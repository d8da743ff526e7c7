"""Operation + Hardware + realisation -> Program.

`static` quantizes each accumulator as it drains. `spill` (the dynamic program of the paper) drains
accumulators to DRAM, waits at the barrier until the range is known, loads them again, requantizes
and stores the output.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict

from accelsim import program
from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.lowering.operation import Operation, place
from accelsim.lowering.schedule import (
    Step,
    blocks,
    input_box,
    output_box,
    slides_to,
    steps,
    weight_box,
)
from accelsim.lowering.tiling import Tiling, best_tiling
from accelsim.program import (
    LOADED,
    Barrier,
    Box,
    Command,
    Compute,
    Drain,
    Load,
    Program,
    Store,
    Tensor,
    Window,
)


def lower(
    operation: Operation, hardware: Hardware, realisation: str, tiling: Tiling | None = None
) -> Program:
    """The program of `operation`; without a `tiling`, the best one is searched."""
    if realisation not in REALISATIONS:
        known = ", ".join(REALISATIONS)
        raise AccelsimError(f"realisation={realisation!r}: must be one of {known}")
    spill = realisation == "spill"
    chosen = tiling or best_tiling(operation, hardware, spill)
    tensors = place(operation, hardware.accumulator.bits, spill)
    writer = _Writer(operation, hardware, tensors, chosen)
    REALISATIONS[realisation](writer)
    nest = operation.nest
    window = Window(
        stride_h=nest.stride_h,
        stride_w=nest.stride_w,
        dilation_h=nest.dilation_h,
        dilation_w=nest.dilation_w,
        pad_top=nest.pad_top,
        pad_left=nest.pad_left,
        out_channels=nest.out_channels,
        depthwise=nest.is_depthwise,
    )
    return Program(
        name=operation.name,
        realisation=realisation,
        tensors=tensors,
        window=window,
        commands=tuple(writer.commands),
        notes=asdict(chosen),
    )


def _static(writer: "_Writer") -> None:
    writer.write_product(program.OUTPUT)
    writer.write_barrier()


def _spill(writer: "_Writer") -> None:
    writer.write_product(program.ACCUMULATORS)
    writer.write_barrier()
    writer.write_requantization()


REALISATIONS: dict[str, Callable[["_Writer"], None]] = {"static": _static, "spill": _spill}


class _Writer:
    """Appends commands in issue order, and knows what each buffer holds at that point."""

    def __init__(
        self, operation: Operation, hardware: Hardware, tensors: dict[str, Tensor], tiling: Tiling
    ) -> None:
        self.operation, self.hardware = operation, hardware
        self.tensors, self.tiling = tensors, tiling
        self.commands: list[Command] = []
        self._drains: list[int] = []
        self._stores: list[int] = []
        self._barrier = -1

    def _add(self, kind: type, after: tuple[int, ...], **fields: object) -> int:
        identity = len(self.commands)
        self.commands.append(kind(id=identity, after=after, **fields))
        return identity

    def _load(
        self, tensor: str, box: Box, buffer: str, phase: str, after: tuple[int, ...] = ()
    ) -> tuple[int, int]:
        """The load's id and bytes."""
        region = self.tensors[tensor].region(box)
        identity = self._add(
            Load, after, phase=phase, tensor=tensor, box=box, region=region, buffer=buffer
        )
        return identity, region.total_bytes

    def write_product(self, drained: str) -> None:
        """Loads, computes and drains of every tile; the drains leave as tensor `drained`."""
        walk = list(steps(self.operation.nest, self.tiling))
        nest = self.operation.nest
        inputs, weights = _Held(), _Held()
        tile = -1
        for index, step in enumerate(walk):
            following = walk[index + 1] if index + 1 < len(walk) else None
            self._take_input(inputs, input_box(nest, step))
            self._take_weights(weights, weight_box(nest, step), step)
            first, last = step.in_channels[0] == 0, step.in_channels[1] == nest.in_channels
            tile += first
            compute = self._compute(step, tile, first, last, inputs, weights, following)
            if last:
                self._drain(output_box(nest, step), tile, compute, drained)

    def _take_input(self, held: "_Held", wanted: Box) -> None:
        if wanted == held.box:
            return
        if held.box is not None and slides_to(held.box, wanted):
            fresh = Box((wanted.starts[0], held.box.stops[1], *wanted.starts[2:]), wanted.stops)
        else:
            fresh = wanted
        held.box = wanted
        if fresh.elements:
            load, _ = self._load(program.INPUT, fresh, program.INPUT_BUFFER, program.PRODUCT)
            held.loads = (load,)

    def _take_weights(self, held: "_Held", wanted: Box, step: Step) -> None:
        if wanted == held.box:
            return
        load, load_bytes = self._load(
            program.WEIGHTS, wanted, program.WEIGHT_BUFFER, program.PRODUCT
        )
        held.box, held.loads, held.bytes = wanted, (load,), load_bytes
        if self.operation.bias and step.in_channels[0] == 0:
            box = Box((0, 0, 0, wanted.starts[0]), (1, 1, 1, wanted.stops[0]))
            load, load_bytes = self._load(program.BIAS, box, program.WEIGHT_BUFFER, program.PRODUCT)
            held.loads = (*held.loads, load)
            held.bytes += load_bytes

    def _compute(
        self,
        step: Step,
        tile: int,
        first: bool,
        last: bool,
        inputs: "_Held",
        weights: "_Held",
        following: Step | None,
    ) -> int:
        nest = self.operation.nest
        box = output_box(nest, step)
        shape = box.shape
        releases = self._released_input(inputs, following) + self._released_weights(
            weights, following
        )
        held = {"weight-stationary": weights, "input-stationary": inputs}
        stationary = held.get(self.hardware.array.dataflow)
        return self._add(
            Compute,
            tuple(sorted({*inputs.loads, *weights.loads})),
            phase=program.PRODUCT,
            tile=tile,
            box=box,
            copy=step.copy,
            group_start=step.groups[0],
            groups=step.groups[1] - step.groups[0],
            n_start=step.out_channels[0],
            n_count=step.out_channels[1] - step.out_channels[0],
            channel_start=step.in_channels[0],
            channel_stop=step.in_channels[1],
            first=first,
            last=last,
            m=shape[0] * shape[1] * shape[2],
            k=nest.kernel_height * nest.kernel_width * (step.in_channels[1] - step.in_channels[0]),
            stationary=max(stationary.loads, default=-1) if stationary else -1,
            accumulator_bytes=self._accumulator_bytes(box),
            releases=tuple(releases),
        )

    def _released_input(self, held: "_Held", following: Step | None) -> list[tuple[str, int]]:
        """Input bytes that nothing reads after this step; overlapping rows stay for the next."""
        assert held.box is not None
        box, done = held.box, held.box
        if following is not None:
            wanted = input_box(self.operation.nest, following)
            if wanted == box:
                return []
            if slides_to(box, wanted):
                done = Box(box.starts, (box.stops[0], wanted.starts[1], *box.stops[2:]))
        if not done.elements:
            return []
        row_bytes = self.tensors[program.INPUT].region(_one_row(box)).total_bytes
        return [(program.INPUT_BUFFER, row_bytes * done.shape[0] * done.shape[1])]

    def _released_weights(self, held: "_Held", following: Step | None) -> list[tuple[str, int]]:
        stays = following is not None and weight_box(self.operation.nest, following) == held.box
        return [] if stays else [(program.WEIGHT_BUFFER, held.bytes)]

    def _accumulator_bytes(self, box: Box) -> int:
        bits = self.hardware.accumulator.bits
        return box.elements // box.shape[3] * -(-box.shape[3] * bits // 8)

    def _drain(self, box: Box, tile: int, compute: int, drained: str) -> None:
        """Drain a finished tile in blocks that fit half the output buffer, and store each."""
        for block in self._output_blocks(box, self.tensors[drained].bits):
            self._drain_block(
                block, tile, (compute,), program.PRODUCT, drained,
                observe=True, requantize=drained == program.OUTPUT,
            )  # fmt: skip

    def _output_blocks(self, box: Box, bits: int, most_elements: int | None = None) -> list[Box]:
        """Blocks whose integers fit half the output buffer, cut between whole bytes."""
        half_bytes = self.hardware.sram.output_bytes // 2
        vector_bytes = -(-box.shape[3] * bits // 8)
        vectors = max(1, half_bytes // vector_bytes)
        if most_elements is not None:
            vectors = max(1, min(vectors, most_elements // box.shape[3]))
        return list(blocks(box, vectors * box.shape[3]))

    def _drain_block(
        self,
        block: Box,
        tile: int,
        after: tuple[int, ...],
        phase: str,
        drained: str,
        observe: bool,
        requantize: bool,
    ) -> None:
        region = self.tensors[drained].region(block)
        drain = self._add(
            Drain,
            after,
            phase=phase,
            tile=tile,
            box=block,
            tensor=drained,
            observe=observe,
            requantize=requantize,
            output_bytes=region.total_bytes,
            accumulator_bytes=self._accumulator_bytes(block),
        )
        self._drains.append(drain)
        store = self._add(
            Store,
            (drain,),
            phase=phase,
            tensor=drained,
            box=block,
            region=region,
            source=drain,
            output_bytes=region.total_bytes,
        )
        self._stores.append(store)

    def write_barrier(self) -> None:
        """The point at which the statistics of all drained accumulators are complete."""
        self._barrier = self._add(Barrier, (self._drains[-1],), phase=program.PRODUCT)

    def write_requantization(self) -> None:
        """The spill's second pass: load the accumulators, requantize, store the output.

        The first load waits for the barrier and for every store; the load engine takes its
        commands in order, so the others wait with it.
        """
        after: tuple[int, ...] = (self._barrier, *self._stores)
        for slab in self._slabs():
            for block in self._output_blocks(slab, self.operation.output_bits, self._half_sums):
                load, _ = self._load(
                    program.ACCUMULATORS, block, program.ACCUMULATOR_BUFFER,
                    program.REQUANTIZE, after,
                )  # fmt: skip
                after = ()
                self._drain_block(
                    block, LOADED, (load,), program.REQUANTIZE, program.OUTPUT,
                    observe=False, requantize=True,
                )  # fmt: skip

    @property
    def _half_sums(self) -> int:
        """Accumulators that half the accumulator buffer holds."""
        half_bytes = self.hardware.sram.accumulator_bytes // 2
        return half_bytes * 8 // self.hardware.accumulator.bits

    def _slabs(self) -> Iterator[Box]:
        """The output copy by copy; all channels where their vector fits, else the tile's."""
        images, height, width, channels = self.operation.nest.output_shape
        vector_bytes = -(-channels * self.operation.output_bits // 8)
        fits = channels <= self._half_sums and vector_bytes <= self.hardware.sram.output_bytes // 2
        step = channels if fits else self.tiling.groups * self.tiling.out_channels
        batch = self.operation.nest.batch
        for first in range(0, images, batch):
            for start in range(0, channels, step):
                stop = min(start + step, channels)
                yield Box((first, 0, 0, start), (first + batch, height, width, stop))


class _Held:
    """What a buffer holds of an operand: the box, the loads that brought it, its weight bytes."""

    def __init__(self) -> None:
        self.box: Box | None = None
        self.loads: tuple[int, ...] = ()
        self.bytes = 0


def _one_row(box: Box) -> Box:
    """The first row of the first image of `box`."""
    a, b = box.starts, box.stops
    return Box(a, (a[0] + 1, a[1] + 1, b[2], b[3]))
