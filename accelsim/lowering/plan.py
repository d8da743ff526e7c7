"""From a network to the operations of a machine, in order, with the tensors that each moves.

A view (a reshape, a folded batch normalization) is no operation: its result is its operand under
another name. An activation that follows an operation and is the only reader of its result is
applied by that operation, where the machine's `fusion` allows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from accelsim import program
from accelsim.hardware import Fusion, Hardware, Statistic
from accelsim.lowering.data import Data, Scales, scales_of
from accelsim.lowering.operation import Operation, Ranges, place
from accelsim.lowering.realisations import REALISATIONS
from accelsim.lowering.vector import PARAMETER_BITS, Stream, VectorTask, parameter_shape
from accelsim.network import Layer, MatMul, Network, Node, VectorOperation
from accelsim.network.vector import (
    Activation,
    Add,
    BatchNorm,
    LayerNorm,
    Mul,
    Opaque,
    RangeBatchNorm,
    Relu,
    Relu6,
    Scale,
    VectorWork,
)
from accelsim.numerics import RequantizationMode
from accelsim.program import FORWARD
from accelsim.quant import Scheme

DRAINED = (Relu, Relu6, Scale)
"""Activations that a requantizer applies by its clamp and its multiplier."""

CLAMPED = (Relu, Relu6)
"""Those that it applies where sums only find their block's scale: there is no multiplier."""

MAPPED = (*DRAINED, Activation)
"""Activations that a vector operation applies to its results."""

CHANNEL_NORMS = (BatchNorm, RangeBatchNorm)
"""Each channel of their result is one line through its operand: extremes come of extremes."""

EXTREMES_OPERATIONS = 2
"""Comparisons for each element, where a pass finds its channel's minimum and maximum."""

DRAIN_STATISTICS = frozenset({Statistic.EXTREMES, Statistic.SUM, Statistic.CHANNELS})
"""What the statistics unit keeps of a product for a norm that takes its statistics from there."""

OWN_RANGE = (Add, Mul, BatchNorm, RangeBatchNorm, LayerNorm, Opaque)
"""Operations whose results have a range of their own; that of others follows from the operands'."""


@dataclass(frozen=True)
class Look:
    """How the range of one tensor is found in one step, and how wide its integers are."""

    known: bool
    """Before the tensor; otherwise the tensor is looked at first."""
    passes: int
    """How often the finished tensor is read where the range waits for it."""
    bits: int

    @classmethod
    def steady(cls, scheme: Scheme) -> "Look":
        """A step in the steady state: between two updates, where there are such."""
        return cls(not scheme.new_estimator().needs_current, 1, scheme.output_bits)

    @classmethod
    def updating(cls, scheme: Scheme) -> "Look":
        """A step that looks for the range in the tensor, as far as it can be planned."""
        return cls(False, scheme.new_estimator().planned_passes, scheme.output_bits)


@dataclass(frozen=True)
class Use:
    """A tensor of the network, by the name under which an operation moves it."""

    role: str
    tensor: str


@dataclass(frozen=True)
class Job:
    """One operation of the machine: a product, or vector work."""

    node: str
    kind: str
    phase: str
    work: Operation | VectorTask
    realisation: str
    reads: tuple[Use, ...]
    writes: tuple[Use, ...]
    applies: tuple[str, ...] = ()
    """Nodes after it whose work it does on the way."""
    applied_kinds: tuple[str, ...] = ()
    """What they are."""
    passes: int = 1
    """How often a product reads its finished output where the range waits for it."""
    statistics: frozenset[Statistic] = frozenset()
    """What is asked of the statistics unit beside what its scheme needs."""

    @property
    def is_product(self) -> bool:
        """Whether it runs on the array."""
        return isinstance(self.work, Operation)

    def bytes_of(self, role: str, hardware: Hardware) -> int:
        """Bytes that one of its tensors takes."""
        if isinstance(self.work, VectorTask):
            return self.work.tensors[role].total_bytes
        stored = REALISATIONS[self.realisation].bits_stored(hardware.accumulator.bits)
        return place(self.work, stored)[role].total_bytes


def plan_inference(
    network: Network,
    batch: int,
    scheme: Scheme,
    hardware: Hardware,
    look: Look | None = None,
    looks: Mapping[str, Look] = MappingProxyType({}),
) -> tuple[Job, ...]:
    """The operations of one inference; ranges are found as `Planner` says."""
    return Planner(network, batch, scheme, hardware, look=look, looks=looks).forward()


class Planner:
    """Writes the jobs of a network one after another, and knows where each tensor lies.

    The range of a node's result is found by its own `looks`, otherwise by `look`: in the steady
    state, where neither says.
    """

    def __init__(
        self,
        network: Network,
        batch: int,
        scheme: Scheme,
        hardware: Hardware,
        training: bool = False,
        look: Look | None = None,
        looks: Mapping[str, Look] = MappingProxyType({}),
    ) -> None:
        self.network, self.batch, self.scheme = network, batch, scheme
        self._look, self._looks = look or Look.steady(scheme), looks
        self.hardware, self.training = hardware, training
        self.jobs: list[Job] = []
        self.lies: dict[str, Data] = {
            name: self.result(name, scheme.input_bits) for name in network.inputs
        }
        """Where the result of each node lies: its own tensor, or that of another node."""
        self._maker: dict[str, int] = {}

    def look(self, name: str) -> Look:
        """How the range of a node's result is found."""
        return self._looks.get(name, self._look)

    def realisation(self, name: str) -> str:
        """What is done about it."""
        return self.scheme.realisation_of(known=self.look(name).known)

    def forward(self) -> tuple[Job, ...]:
        """Every node in order."""
        for node in self.network.nodes:
            if isinstance(node.work, Layer):
                self._product(node, node.work)
            else:
                self._vector(node, node.work)
        return tuple(self.jobs)

    def result(self, name: str, bits: int, scheme: Scheme | None = None) -> Data:
        """A tensor of the shape of this node's result, under its scheme or another one."""
        shape = self.network.shape_of(name)
        scales = Scales.of(scheme or self.scheme, shape, self.batch)
        return replace(Data.of(name, shape, self.batch, bits), scales=scales)

    def _product(self, node: Node, layer: Layer) -> None:
        operands = [self.lies[name] for name in node.inputs]
        weights_name = f"{node.name}.weights"
        both_flow = isinstance(layer, MatMul)
        block, look, realisation = (
            self.scheme.block, self.look(node.name), self.realisation(node.name)
        )  # fmt: skip
        weights = operands[1] if both_flow else Data(weights_name, 1, 1, self.scheme.weight_bits)
        operation = read_by(
            Operation(
                nest=layer.nest(self.batch),
                name=node.name,
                output_bits=look.bits,
                bias=layer.has_bias or self._folds_a_norm(node),
                ranges=self._ranges(layer),
                block=block,
            ),
            operands[0], weights, self.batch,
        )  # fmt: skip
        how = REALISATIONS[realisation]
        stored = how.bits_stored(self.hardware.accumulator.bits)
        made = self.result(node.name, look.bits)
        if how.outcome == program.ACCUMULATORS and stored:
            made = replace(made, bits=stored, edge_bits=look.bits)
        reads = product_reads(operation, operands[0], weights)
        writes = [Use(how.outcome, node.name)]
        if operation.ranges is not None:
            writes.append(Use(program.RANGES, scales_of(node.name)))
        if operation.bias:
            reads.append(Use(program.BIAS, f"{node.name}.bias"))
        self._add(
            Job(
                node.name, node.kind, FORWARD, operation, realisation,
                tuple(reads), tuple(writes), passes=passes_of(look, realisation),
                statistics=DRAIN_STATISTICS if self._feeds_a_norm(node) else frozenset(),
            ),
            made,
        )  # fmt: skip

    def _ranges(self, layer: Layer) -> Ranges | None:
        """Of the parts of a layer's output, where they have one each."""
        return Ranges.of(self.scheme, layer.nest(self.batch).output_shape, self.batch)

    def _folds_a_norm(self, node: Node) -> bool:
        """Whether a batch normalization goes into the weights, and its shift into a bias."""
        if self.training:
            return False
        readers = [self.network.node(name).work for name in self.network.consumers_of(node.name)]
        return any(isinstance(r, BatchNorm | RangeBatchNorm) and r.folds for r in readers)

    def _feeds_a_norm(self, node: Node) -> bool:
        """Whether a norm takes the statistics of a batch from this product's drain."""
        readers = [self.network.node(name).work for name in self.network.consumers_of(node.name)]
        return self.training and any(
            isinstance(r, RangeBatchNorm) and r.from_drain for r in readers
        )

    def _vector(self, node: Node, operation: VectorOperation) -> None:
        work = operation.work(self.batch, self.training)
        operands = [self.lies[name] for name in node.inputs]
        if work.is_nothing:
            # The same bytes under another shape.
            self.lies[node.name] = operands[0]
            if operands[0].name in self._maker:
                self._maker[node.name] = self._maker[operands[0].name]
            return
        if self._absorbed(node, operation, sum(work.operations)):
            return
        own = isinstance(operation, OWN_RANGE)
        bits = self.look(node.name).bits if own else self.scheme.output_bits
        result = self.result(node.name, bits)
        loads = [data.stream(numbered(program.INPUT, i)) for i, data in enumerate(operands)]
        reads = [Use(s.name, data.name) for s, data in zip(loads, operands, strict=True)]
        stores, writes = [result.stream(program.OUTPUT)], [Use(program.OUTPUT, node.name)]
        for i, data in enumerate(operands):
            if data.scales:
                loads.append(data.scales.stream(f"{numbered(program.INPUT, i)} scales"))
                reads.append(Use(loads[-1].name, scales_of(data.name)))
        if result.scales:
            stores.append(result.scales.stream(program.RANGES))
            writes.append(Use(program.RANGES, scales_of(node.name)))
        if work.parameters:
            shape = parameter_shape(work.parameters, result.width)
            loads.append(Stream("parameters", *shape, PARAMETER_BITS))
            reads.append(Use("parameters", f"{node.name}.parameters"))
        sweeps, operations = self._sweeps(node, operation, work) if own else (1, work.operations)
        by_channel = isinstance(operation, CHANNEL_NORMS)
        task = VectorTask(
            name=node.name,
            loads=tuple(loads),
            stores=tuple(stores),
            operations=operations,
            groups=work.groups if work.passes > 1 else 1,
            by_channel=by_channel,
            sweeps=sweeps,
            samples=samples_apart(self.scheme, sweeps, self.batch, by_channel),
        )
        self._add(Job(node.name, node.kind, FORWARD, task, "", tuple(reads), tuple(writes)), result)

    def _sweeps(
        self, node: Node, operation: VectorOperation, work: VectorWork
    ) -> tuple[int, tuple[int, ...]]:
        """How often work whose result has a range of its own goes over its operands, and for what.

        The extremes of a norm of channels follow from those of its operand's channels, which its
        product's drain has seen, or a pass for statistics finds as well.
        """
        sweeps = sweeps_of(self.look(node.name), self.realisation(node.name))
        of_extremes = self.scheme.new_estimator().of_extremes
        if sweeps == 1 or not of_extremes or not isinstance(operation, CHANNEL_NORMS):
            return sweeps, work.operations
        if self._drain_knows(node):
            return 1, work.operations
        if work.passes == 1:
            return sweeps, work.operations
        first, *later = work.operations
        known = EXTREMES_OPERATIONS * work.outputs * isinstance(operation, BatchNorm)
        return 1, (first + known, *later)

    def _drain_knows(self, node: Node) -> bool:
        """Whether the integers' extremes are known for each channel that this node reads.

        The statistics unit sees sums; rounding keeps their order, but for rounding at random.
        """
        unit, mode = self.hardware.stat_unit, self.hardware.requantizer.mode
        return (
            self.network.reads_sums(node)
            and not unit.lacking({Statistic.EXTREMES, Statistic.CHANNELS})
            and mode is not RequantizationMode.STOCHASTIC
        )

    def _absorbed(self, node: Node, operation: VectorOperation, operations: int) -> bool:
        """Let the operation before it apply an activation, if the machine and the graph allow."""
        maker = self._maker.get(node.inputs[0])
        if self.hardware.fusion is Fusion.NONE or maker is None:
            return False
        job = self.jobs[maker]
        kinds: tuple[type, ...] = DRAINED if job.is_product else MAPPED
        if self.training:
            # The gradient of a GELU needs its operand, which would not be there.
            kinds = DRAINED
        if self.scheme.block and job.is_product:
            kinds = CLAMPED
        if not isinstance(operation, kinds) or self._readers(job.writes[0].tensor) != {node.name}:
            return False
        work = job.work
        if isinstance(work, VectorTask):
            *before, last = work.operations
            work = replace(work, operations=(*before, last + operations))
            if not isinstance(operation, DRAINED) and isinstance(
                self.network.node(job.node).work, CHANNEL_NORMS
            ):
                # What falls and rises moves the extremes: they are seen in the result alone.
                sweeps = sweeps_of(self.look(job.node), self.realisation(job.node))
                work = replace(work, sweeps=sweeps)
        made, *beside = job.writes
        self.jobs[maker] = replace(
            job,
            work=work,
            writes=(
                Use(made.role, node.name),
                *(Use(use.role, scales_of(node.name)) for use in beside),
            ),
            applies=(*job.applies, node.name),
            applied_kinds=(*job.applied_kinds, node.kind),
        )
        self.lies[node.name] = replace(self.lies[node.inputs[0]], name=node.name)
        self._maker[node.name] = maker
        return True

    def _readers(self, name: str) -> set[str]:
        """The nodes that read a node's result, also through views; "" for the world outside."""
        found = set() if self.network.consumers_of(name) else {""}
        for reader in self.network.consumers_of(name):
            found |= self._readers(reader) if self._is_view(reader) else {reader}
        return found

    def _is_view(self, name: str) -> bool:
        work = self.network.node(name).work
        return isinstance(work, VectorOperation) and work.work(1, self.training).is_nothing

    def _add(self, job: Job, result: Data) -> None:
        self.lies[job.node] = result
        self._maker[job.node] = len(self.jobs)
        self.jobs.append(job)


def passes_of(look: Look, realisation: str) -> int:
    """How often a product reads its finished output."""
    return 1 if realisation == "static" else look.passes


def sweeps_of(look: Look, realisation: str) -> int:
    """The same of vector work: what is not stored before its range is known is made once more."""
    return 1 if realisation == "static" else 1 + look.passes


def samples_apart(scheme: Scheme, sweeps: int, batch: int, by_channel: bool) -> int:
    """Samples that vector work goes over one after another, as each has a range of its own.

    What is gathered by channel is so over all samples, whose ranges are then found at once.
    """
    estimator = scheme.new_estimator()
    of_samples = estimator.extent((batch, 1, 1, 1), batch) is not None and not estimator.local
    return batch if of_samples and sweeps > 1 and not by_channel else 1


def read_by(operation: Operation, first: Data, second: Data, batch: int) -> Operation:
    """A product that reads these two tensors as they lie."""
    operation = replace(
        operation, input_bits=first.bits, weight_bits=second.bits, edge_bits=first.edge_bits,
        weight_edge_bits=second.edge_bits,
    )  # fmt: skip
    if operation.block is not None:
        return operation
    shapes = operation.nest.input_shape, operation.weight_shape
    of_input, of_weights = (
        data.scales.ranges(shape, batch) if data.scales else None
        for data, shape in zip((first, second), shapes, strict=True)
    )
    return replace(operation, input_ranges=of_input, weight_ranges=of_weights)


def product_reads(operation: Operation, first: Data, second: Data) -> list[Use]:
    """The operands of a product, and what lies beside them."""
    reads = [Use(program.INPUT, first.name), Use(program.WEIGHTS, second.name)]
    if operation.block or operation.input_ranges:
        reads.append(Use(program.INPUT_SCALES, scales_of(first.name)))
    if operation.block or operation.weight_ranges:
        reads.append(Use(program.WEIGHT_SCALES, scales_of(second.name)))
    return reads


def streamed(role: str, tensors: Sequence[Data]) -> tuple[tuple[Stream, ...], tuple[Use, ...]]:
    """Tensors as vector work moves them, and behind them what lies beside them."""
    streams = [data.stream(numbered(role, i)) for i, data in enumerate(tensors)]
    uses = [Use(stream.name, data.name) for stream, data in zip(streams, tensors, strict=True)]
    for i, data in enumerate(tensors):
        if data.scales:
            streams.append(data.scales.stream(f"{numbered(role, i)} scales"))
            uses.append(Use(streams[-1].name, scales_of(data.name)))
    return tuple(streams), tuple(uses)


def numbered(role: str, index: int) -> str:
    """The role of the first, second, ... tensor of a kind."""
    return role if index == 0 else f"{role} {index + 1}"


def kept_on_chip(jobs: Sequence[Job], hardware: Hardware) -> tuple[frozenset[str], ...]:
    """The roles of each job whose tensors lie in the on-chip memory, with `fusion: chain`.

    A tensor takes its room when it is written and gives it back when it was read last. In order
    of writing each is kept that fits beside those kept already; what nobody reads after it is
    written leaves, as what an update leaves to the next step. So are accumulators, while the
    operation runs that stores them and loads them again.
    """
    if hardware.fusion is not Fusion.CHAIN:
        return (frozenset(),) * len(jobs)
    last_read = _last_reads(jobs)
    free_bytes, held = hardware.sram.chain_bytes, dict[str, int]()
    roles: list[frozenset[str]] = []
    for number, job in enumerate(jobs):
        found = {use.role for use in job.reads if use.tensor in held}
        for use in job.writes:
            size = job.bytes_of(use.role, hardware)
            if last_read.get(use.tensor, -1) <= number or size > free_bytes:
                continue
            held[use.tensor] = size
            free_bytes -= size
            found.add(use.role)
        if _spilled_bytes(job, hardware) and _spilled_bytes(job, hardware) <= free_bytes:
            found.add(program.ACCUMULATORS)
        for tensor in [name for name in held if last_read[name] <= number]:
            free_bytes += held.pop(tensor)
        roles.append(frozenset(found))
    return tuple(roles)


def _last_reads(jobs: Sequence[Job]) -> Mapping[str, int]:
    return {use.tensor: number for number, job in enumerate(jobs) for use in job.reads}


def _spilled_bytes(job: Job, hardware: Hardware) -> int:
    """Bytes of accumulators that a product stores for itself."""
    how = REALISATIONS.get(job.realisation)
    if how is None or not how.stores_accumulators or how.outcome == program.ACCUMULATORS:
        return 0
    return job.bytes_of(program.ACCUMULATORS, hardware)
