"""The product of one sample: what its tiles load, what stays on chip of that, what they compute."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import NamedTuple

from accelsim import program
from accelsim.hardware import Hardware
from accelsim.lowering import weight_gradient
from accelsim.lowering.commands import CommandList
from accelsim.lowering.operation import Operation
from accelsim.lowering.schedule import Step, images, images_are_even, of_sample, slides_to, steps
from accelsim.lowering.tiling import Tiling
from accelsim.program import Box, Compute, Tensor


class Tile(NamedTuple):
    """A finished tile of outputs, and the compute that completes it."""

    number: int
    """Among all of the program."""
    place: int
    """In its product."""
    box: Box
    compute: int


SCALES = {program.INPUT: program.INPUT_SCALES, program.WEIGHTS: program.WEIGHT_SCALES}
"""What travels with an operand in blocks."""

Releases = tuple[tuple[str, int], ...]
"""Bytes of buffers."""

Leave = Callable[[Tile], None]
"""What becomes of the accumulators of a finished tile."""


class ProductWriter(CommandList):
    """Writes the product of one sample after the other; boxes are those of the one begun last."""

    def __init__(
        self,
        operation: Operation,
        hardware: Hardware,
        tensors: dict[str, Tensor],
        tiling: Tiling,
    ) -> None:
        super().__init__(operation, hardware, tensors)
        self.tiling = tiling
        self._tile = -1
        self._operands: list[_Held] = []
        self._keeps_operands, self._place = False, 0
        self.begin(0, keep_operands=False)

    def begin(self, sample: int, *, keep_operands: bool) -> None:
        """Go on with this sample; its operands may stay on chip for the next, made once only."""
        self._sample = sample
        last = sample + 1 == self.whole.samples
        self._next_sample = self._steps_of(sample + 1)[0] if keep_operands and not last else None
        self._walk = self._steps_of(sample)

    def _steps_of(self, sample: int) -> list[Step]:
        if sample == 0:
            return self._first_walk
        return [of_sample(step, self.whole, sample) for step in self._first_walk]

    @cached_property
    def _first_walk(self) -> list[Step]:
        if self.operation.direction == program.GRAD_WEIGHT:
            return list(weight_gradient.steps(self.operation, self.tiling))
        return list(steps(self.operation, self.tiling))

    def product(
        self, leave: Leave, phase: str = program.PRODUCT, *, all_leave_alike: bool = True
    ) -> None:
        """Loads and computes of every tile; `leave` says what becomes of its accumulators.

        Where it says the same of all, images are turns that are alike.
        """
        if not self._keeps_operands:
            self._operands = [
                _Held(program.INPUT, program.INPUT_BUFFER),
                _Held(program.WEIGHTS, program.WEIGHT_BUFFER),
                *self._no_ranges_held(),
            ]
        self._keeps_operands, self._place = self._next_sample is not None, 0
        turns, steps = images(self.operation, self.tiling)
        even = all_leave_alike and images_are_even(self.operation, self.tiling)
        for start in range(0, len(self._walk), turns * steps):
            self.turns(turns, partial(self._image, leave, phase, start, steps), even=even)

    def _image(self, leave: Leave, phase: str, start: int, steps: int, turn: int) -> None:
        """The steps of an image, or of as many as a tile has, from this step of the walk on."""
        first = start + turn * steps
        own = self._walk[first : first + steps]
        after = self._walk[first + steps] if first + steps < len(self._walk) else self._next_sample
        for step, following in zip(own, [*own[1:], after], strict=True):
            compute = self._step(step, following, phase)
            if step.last:
                self._place += 1
                leave(Tile(self._tile, self._place - 1, step.output, compute))

    def _step(self, step: Step, following: Step | None, phase: str) -> int:
        """Load what a step needs and compute it; give back what the following one does not need."""
        inputs, weights, *ranges = self._operands
        self._take(inputs, step.input, phase)
        for beside in ranges:
            self._take(beside, self._ranges_of(beside, step), phase)
        if self._take(weights, step.weights, phase) and self.operation.bias and step.first:
            self._take_bias(weights, phase)
        self._tile += step.first
        released = self._released(inputs, following.input if following else None)
        released += self._released(weights, following.weights if following else None)
        loads = inputs.loads + weights.loads
        for beside in ranges:
            met = self._ranges_of(beside, following) if following else None
            released += self._released(beside, met)
            loads += beside.loads
        stationary = self._stationary(inputs, weights)
        stays = stationary.loads[-1] if stationary and stationary.loads else -1
        return self._compute(step, tuple(sorted(loads)), stays, released, phase)

    @property
    def tile_boxes(self) -> list[Box]:
        """The output tiles in the order in which `product` completes them."""
        return [step.output for step in self._walk if step.last]

    def _take(self, held: "_Held", wanted: Box, phase: str) -> bool:
        """Load what of `wanted` the buffer does not hold; whether that was anything."""
        if wanted == held.box:
            return False
        fresh = wanted
        if held.slides:
            assert held.box is not None
            fresh = Box((wanted.starts[0], held.box.stops[1], *wanted.starts[2:]), wanted.stops)
        held.box = wanted
        if not fresh.elements:
            return False
        load, taken = self._load(held.tensor, fresh, held.buffer, phase)
        held.loads, held.bytes = (load,), held.bytes + taken
        scales = self._scales_of(held.tensor, fresh)
        if scales is not None:
            self._take_beside(held, SCALES[held.tensor], scales, phase)
        return True

    def _scales_of(self, tensor: str, box: Box) -> Box | None:
        """Where the scales of an operand's blocks lie; None where it is in none."""
        return None if self.operation.block is None else self.blocking[tensor].of(box)

    def _no_ranges_held(self) -> list["_Held"]:
        """For the ranges of operands whose parts have one each."""
        buffers = {program.INPUT: program.INPUT_BUFFER, program.WEIGHTS: program.WEIGHT_BUFFER}
        ranged = (one for one in buffers if self.operation.ranges_of(one) is not None)
        return [_Held(SCALES[one], buffers[one]) for one in ranged]

    def _ranges_of(self, held: "_Held", step: Step) -> Box:
        """Where the ranges of an operand's parts lie that a step meets."""
        of_input = held.tensor == program.INPUT_SCALES
        ranges = self.operation.ranges_of(program.INPUT if of_input else program.WEIGHTS)
        assert ranges is not None
        return (step.input if of_input else step.weights).shrunk(ranges.extent)

    def _take_beside(self, held: "_Held", tensor: str, box: Box, phase: str) -> None:
        """Load what travels with an operand."""
        load, taken = self._load(tensor, box, held.buffer, phase)
        held.loads, held.bytes = (*held.loads, load), held.bytes + taken

    def _take_bias(self, weights: "_Held", phase: str) -> None:
        """The bias travels with its weights."""
        assert weights.box is not None
        box = Box((0, 0, 0, weights.box.starts[0]), (1, 1, 1, weights.box.stops[0]))
        self._take_beside(weights, program.BIAS, box, phase)

    def _compute(
        self, step: Step, after: tuple[int, ...], stationary: int, released: Releases, phase: str
    ) -> int:
        return self._append(
            Compute(
                id=self.next_id,
                after=after,
                phase=phase,
                tile=self._tile,
                box=step.output,
                copy=step.copy,
                group_start=step.groups[0],
                groups=step.groups[1] - step.groups[0],
                n_start=step.out_channels[0],
                n_count=step.out_channels[1] - step.out_channels[0],
                channel_start=step.in_channels[0],
                channel_stop=step.in_channels[1],
                first=step.first,
                last=step.last,
                m=step.m,
                k=step.k,
                n=step.n,
                stationary=stationary,
                accumulator_bytes=self.accumulator_bytes(step.output),
                releases=released,
                over=step.over,
            )
        )

    def _stationary(self, inputs: "_Held", weights: "_Held") -> "_Held | None":
        """The operand that stays in the cells: of k x n (weight-stationary) or m x k.

        In a gradient to the weights the input is the one of k x n, and streams where weights stay.
        """
        over_m, over_n = inputs, weights
        if self.operation.direction == program.GRAD_WEIGHT:
            over_m, over_n = weights, inputs
        held = {"weight-stationary": over_n, "input-stationary": over_m}
        return held.get(self.hardware.array.dataflow)

    def _released(self, held: "_Held", wanted: Box | None) -> Releases:
        """Bytes that nothing reads after this step; overlapping rows stay for the next."""
        box, done = held.box, held.bytes
        assert box is not None
        if wanted == box:
            return ()
        held.slides = wanted is not None and slides_to(box, wanted)
        if wanted is not None and held.slides:
            passed = Box(box.starts, (box.stops[0], wanted.starts[1], *box.stops[2:]))
            done = self._bytes_of(held, passed) if passed.elements else 0
        held.bytes -= done
        return ((held.buffer, done),) if done else ()

    def _bytes_of(self, held: "_Held", box: Box) -> int:
        """What a part of an operand takes in its buffer, scale bytes of blocks included."""
        size = self.tensors[held.tensor].region(box).total_bytes
        if self.operation.block is None:
            return size
        scales = self.blocking[held.tensor].of(box)
        return size + self.tensors[SCALES[held.tensor]].region(scales).total_bytes


class _Held:
    """What a buffer holds of an operand: the box, the loads that brought the last of it, bytes."""

    def __init__(self, tensor: str, buffer: str) -> None:
        self.tensor, self.buffer = tensor, buffer
        self.box: Box | None = None
        self.slides = False
        """Whether what the next step needs continues the box down the rows."""
        self.loads: tuple[int, ...] = ()
        self.bytes = 0
