"""What a program makes the parts of a machine do, counted command by command in closed forms.

The only place where actions are counted. Operands stream through the array as its dataflow has it
(`Array.fold_shape`), so a buffer is read once for every fold that needs the operand:

    weight-stationary   inputs once per fold over columns, weights once, sums written per row fold
    input-stationary    inputs once, weights once per fold over columns, sums as above
    output-stationary   inputs once per column fold, weights once per row fold, sums written once

A sum that continues an earlier one is read first. Padding counts like any operand, as it does for
MACs. Registers inside the array and the wires between its cells are not counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, assert_never

from accelsim.hardware import (
    SUM_BITS,
    Arithmetic,
    Array,
    BlockProduct,
    BlockRescale,
    Dataflow,
    Hardware,
    fold_rounds,
    rescaled_sums,
)
from accelsim.machine.ending import Run
from accelsim.numerics import RequantizationMode
from accelsim.program import (
    ACCUMULATOR_BUFFER,
    BIAS,
    INPUT,
    INPUT_BUFFER,
    INPUT_SCALES,
    OUTPUT,
    OUTPUT_BUFFER,
    SEARCH,
    WEIGHT_BUFFER,
    WEIGHT_SCALES,
    WEIGHTS,
    Barrier,
    Command,
    Compute,
    Drain,
    Load,
    Map,
    Mix,
    Program,
    Shape,
    Store,
)
from accelsim.result import (
    ADD,
    ADD_FLOAT,
    ARRAY,
    CHAIN_MEMORY,
    COMPARE,
    DRAM,
    MULTIPLY,
    MULTIPLY_FLOAT,
    OPERATE,
    PADDING,
    READ,
    REQUANTIZER,
    STATISTICS,
    VECTOR_UNIT,
    WRITE,
    Action,
)

BYTE = 8
MULTIPLIER_BITS = 32
LANE_BITS = 32
"""Of the vector unit's lanes."""


def actions_of(program: Program, hardware: Hardware, run: Run) -> tuple[Action, ...]:
    """All actions of a program that ran."""
    return count_actions(program, hardware) + _chain_actions(run) + _dram_actions(run)


def count_actions(program: Program, hardware: Hardware) -> tuple[Action, ...]:
    """The actions on the chip."""
    counter = _Counter(program, hardware)
    groups = []
    for commands, times in program.commands.counted:
        of_kind: dict[type, list[Any]] = {}
        for command in commands:
            of_kind.setdefault(type(command), []).append(command)
        for kind, ones in of_kind.items():
            groups += [(first, times * count) for first, count in counter.groups(kind, ones)]
    for first, times in sorted(groups, key=_place):
        counter.count(first, times)
    return counter.actions


def _place(group: tuple[Command, int]) -> int:
    """Of the first command of a group."""
    return group[0].id


def _chain_actions(run: Run) -> tuple[Action, ...]:
    """Bytes through the port of the on-chip memory."""
    counts = {READ: 0, WRITE: 0}
    for row in run.chain_traffic:
        counts[READ if row.direction == "load" else WRITE] += row.bytes
    return tuple(Action(CHAIN_MEMORY, name, (BYTE,), n) for name, n in counts.items() if n)


def _dram_actions(run: Run) -> tuple[Action, ...]:
    """Bytes at the DRAM interface, and those that partly used bursts move beside them."""
    counts = {READ: 0, WRITE: 0}
    for row in run.traffic:
        counts[READ if row.direction == "load" else WRITE] += row.bytes
    counts[PADDING] = max(0, run.bus_bytes - sum(counts.values()))
    return tuple(Action(DRAM, name, (BYTE,), count) for name, count in counts.items() if count)


class _Counter:
    """Counts by component, action and operand widths."""

    def __init__(self, program: Program, hardware: Hardware) -> None:
        self.hardware, self.asked = hardware, program.statistics
        self.bits = {name: tensor.bits for name, tensor in program.tensors.items()}
        self.edge_bits = program.edge_bits
        self.sum_bits, self.blocking = hardware.accumulator.bits, program.blocking
        self._depends_on: dict[type, tuple[Callable[[Any], object], ...]] = {
            Compute: (attrgetter(*_OF_COMPUTE), _shape_over),
            Drain: (attrgetter(*_OF_DRAIN), attrgetter("box.shape")),
            Load: (attrgetter("buffer", "buffer_bytes"),),
            Map: (attrgetter("operations", "output_bytes"), self._read_bytes),
            Mix: (attrgetter("operations", "box.shape"),),
            Store: (attrgetter("output_bytes"),),
            Barrier: (attrgetter("output_bytes"),),
        }
        self._loaded_bytes = {
            load.id: load.buffer_bytes
            for load in program.commands.written
            if isinstance(load, Load)
        }
        self._counts: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
        self._times = 1

    @property
    def actions(self) -> tuple[Action, ...]:
        """What was counted, in order of first appearance."""
        return tuple(Action(*key, count) for key, count in self._counts.items() if count)

    def groups(self, kind: type, commands: Sequence[Any]) -> Iterator[tuple[Command, int]]:
        """Commands of one kind of whose actions all is the same: the first, and how many."""
        keys = zip(*(map(depends, commands) for depends in self._depends_on[kind]), strict=True)
        alike = list(keys)
        firsts = dict(zip(reversed(alike), reversed(commands), strict=True))
        return ((firsts[key], times) for key, times in Counter(alike).items())

    def count(self, command: Command, times: int) -> None:
        """Count the actions of so many commands like this one."""
        self._times = times
        match command:
            case Compute():
                self.compute(command)
            case Drain():
                self.drain(command)
            case Load():
                self.add(command.buffer, WRITE, BYTE, count=command.buffer_bytes)
            case Map():
                self.map(command)
            case Mix():
                self.mix(command)
            case Store():
                self.add(OUTPUT_BUFFER, READ, BYTE, count=command.output_bytes)
            case Barrier():
                self.barrier(command)
            case _:
                assert_never(command)

    def add(self, component: str, action: str, *bits: int, count: int) -> None:
        """Count an action of operands of these widths, for each of the commands that are alike."""
        self._counts[component, action, bits] += count * self._times

    def _read_bytes(self, command: Map) -> int:
        """All that the loads before it brought."""
        return sum(self._loaded_bytes.get(before, 0) for before in command.after)

    def map(self, command: Map) -> None:
        """Operations of the lanes on all that the loads before it brought."""
        self.add(VECTOR_UNIT, OPERATE, LANE_BITS, count=command.operations)
        self.add(INPUT_BUFFER, READ, BYTE, count=self._read_bytes(command))
        self.add(OUTPUT_BUFFER, WRITE, BYTE, count=command.output_bytes)

    def mix(self, command: Mix) -> None:
        """Accumulators are read for their group's sum and once more for the difference to it."""
        elements = command.box.elements
        self.add(VECTOR_UNIT, OPERATE, LANE_BITS, count=command.operations)
        self.add(ACCUMULATOR_BUFFER, READ, self.sum_bits, count=2 * elements)
        self.add(ACCUMULATOR_BUFFER, WRITE, self.sum_bits, count=elements)

    def compute(self, command: Compute) -> None:
        """The products of one chunk of a tile, and what streams past them."""
        array = self.hardware.array
        inputs, weights, writes, reads = _streamed(array, command)
        if self.blocking:
            product = command.in_blocks(self.blocking[INPUT])
            sums = command.m * command.n * command.groups
            passes = _passes(array, product)
            writes, reads = sums * passes, sums * (passes - command.first)
            self._rescale(product, inputs, weights)
        input_bits, weight_bits = self.bits[INPUT], self.bits[WEIGHTS]
        for tensor, streamed in ((INPUT, inputs), (WEIGHTS, weights)):
            if tensor in self.edge_bits:
                self._requantize(streamed)
        multiplied = self.edge_bits.get(INPUT, input_bits), self.edge_bits.get(WEIGHTS, weight_bits)
        self.add(ARRAY, MULTIPLY, *multiplied, count=command.macs)
        self.add(ARRAY, ADD, self.sum_bits, count=command.macs)
        self.add(INPUT_BUFFER, READ, input_bits, count=inputs)
        self.add(WEIGHT_BUFFER, READ, weight_bits, count=weights)
        self.add(ACCUMULATOR_BUFFER, WRITE, self.sum_bits, count=writes)
        self.add(ACCUMULATOR_BUFFER, READ, self.sum_bits, count=reads)
        if BIAS in self.bits and command.first:
            channels = command.n_count * command.groups
            self.add(WEIGHT_BUFFER, READ, self.bits[BIAS], count=channels)

    def _rescale(self, product: BlockProduct, inputs: int, weights: int) -> None:
        """Scale bytes beside the operands; then each partial sum is brought to one scale and added.

        That is an addition of exponents, or a float32 product, and an addition of float32 sums,
        wherever it is done.
        """
        array = self.hardware.array
        for tensor, buffer, read in (
            (INPUT_SCALES, INPUT_BUFFER, inputs),
            (WEIGHT_SCALES, WEIGHT_BUFFER, weights),
        ):
            of_blocks = read * product.blocks // (product.positions * product.channels)
            count = of_blocks * self.bits.get(tensor, 0) // BYTE
            self.add(buffer, READ, BYTE, count=count)
        sums = rescaled_sums(array, product)
        in_array = array.block_rescale is BlockRescale.IN_ARRAY
        where = ARRAY if in_array else VECTOR_UNIT
        if product.real_scales:
            self.add(where, MULTIPLY_FLOAT, LANE_BITS, LANE_BITS, count=sums)
        else:
            self.add(where, ADD, BYTE, count=sums)
        self.add(where, ADD_FLOAT, LANE_BITS, count=sums)

    def drain(self, command: Drain) -> None:
        """Finished accumulators past the statistics, through the requantizer, to the output."""
        elements = command.box.elements
        self.add(ACCUMULATOR_BUFFER, READ, self.sum_bits, count=elements * (1 + command.local))
        if command.local:
            self._reduce()
        if OUTPUT in self.blocking:
            self._find_scales(elements)
        elif command.phase == SEARCH:
            self._observe(elements, self.hardware.stat_unit.tried(self.asked))
        elif command.observe:
            self._observe(elements, self.hardware.stat_unit.observed(self.asked))
        if command.requantize and OUTPUT not in self.blocking:
            self._requantize(elements)
        self.add(OUTPUT_BUFFER, WRITE, BYTE, count=command.output_bytes)

    def _find_scales(self, elements: int) -> None:
        """The largest magnitude of a block; then each sum is shifted and rounded."""
        self.add(STATISTICS, COMPARE, self.sum_bits, count=elements)
        self.add(REQUANTIZER, ADD, self.sum_bits, count=elements)

    def _observe(self, elements: int, kept: Sequence[Arithmetic]) -> None:
        """What the lanes do with each accumulator, for all statistics that are kept."""
        widths = (self.sum_bits,), (self.sum_bits, self.sum_bits), (SUM_BITS,)
        for action, bits, counts in zip(
            (COMPARE, MULTIPLY, ADD), widths, zip(*kept, strict=True), strict=bool(kept)
        ):
            if any(counts):
                self.add(STATISTICS, action, *bits, count=sum(counts) * elements)

    def _requantize(self, elements: int) -> None:
        """Multiplier and shift, then the zero point; a shift is wires and costs nothing here."""
        if self.hardware.requantizer.mode is RequantizationMode.F32_RNE:
            self.add(REQUANTIZER, MULTIPLY_FLOAT, 32, 32, count=elements)
        else:
            self.add(REQUANTIZER, MULTIPLY, self.sum_bits, MULTIPLIER_BITS, count=elements)
        self.add(REQUANTIZER, ADD, self.sum_bits, count=elements)

    def barrier(self, command: Barrier) -> None:
        """The registers are reduced, and what is stored of the range goes to the output."""
        self._reduce()
        self.add(OUTPUT_BUFFER, WRITE, BYTE, count=command.output_bytes)

    def _reduce(self) -> None:
        """The registers of the columns become one minimum and one maximum, or what is compared."""
        pairs = self.hardware.array.columns - 1
        compares = sum(one.comparators for one in self.hardware.stat_unit.observed(()))
        self.add(STATISTICS, COMPARE, self.sum_bits, count=compares * pairs)


_OF_COMPUTE = "m", "k", "n", "groups", "n_count", "first", "channel_start", "channel_stop"
_OF_DRAIN = "tensor", "phase", "observe", "local", "output_bytes"
"""What the actions of a command depend on, beside the extents of its box."""


def _shape_over(command: Compute) -> Shape | None:
    return None if command.over is None else command.over.shape


def _passes(array: Array, product: BlockProduct) -> int:
    """How often a running sum is written: when pieces of it have left the array."""
    rounds = fold_rounds(array, product.positions, product.channels, product.block)
    return int(rounds)


def _streamed(array: Array, command: Compute) -> tuple[int, int, int, int]:
    """Input reads, weight reads, accumulator writes and accumulator reads of a compute.

    In a gradient to the weights the input is the operand of k x n.
    """
    m, k, n, groups = command.m, command.k, command.n, command.groups
    shape = array.fold_shape(m, k, n)
    inputs, weights, writes, continued = m * k, k * n, m * n, not command.first
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        inputs *= shape.column_folds
        weights *= shape.row_folds
        reads = m * n * continued
    else:
        if array.dataflow is Dataflow.WEIGHT_STATIONARY:
            inputs *= shape.column_folds
        else:
            weights *= shape.column_folds
        writes *= shape.row_folds
        reads = m * n * (shape.row_folds - 1 + continued)
    if command.over is not None:
        inputs, weights = weights, inputs
    return inputs * groups, weights * groups, writes * groups, reads * groups
