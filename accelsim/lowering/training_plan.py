"""The operations of a training step: forward, both gradients of every layer, the update.

Gradients go back node by node. A sum of operands hands its gradient on to each of them, a tensor
that several nodes read adds up what comes back. What backward work reads of the forward pass is the
tensor that was stored: an activation that was applied on the way is known by its result.
"""

from dataclasses import dataclass, replace

from accelsim import program
from accelsim.errors import AccelsimError, whole
from accelsim.hardware import Hardware
from accelsim.lowering.data import Data, scales_of
from accelsim.lowering.operation import Operation, Ranges
from accelsim.lowering.plan import (
    Job,
    Look,
    Planner,
    Use,
    numbered,
    passes_of,
    product_reads,
    read_by,
    samples_apart,
    streamed,
    sweeps_of,
)
from accelsim.lowering.realisations import REALISATIONS
from accelsim.lowering.training import TrainingBits, training_operations
from accelsim.lowering.turned import TURNED, Turned, turned_weights, with_turned
from accelsim.lowering.vector import PARAMETER_BITS, VectorTask, parameter_shape
from accelsim.network import Layer, MatMul, Nest, Network, Node, VectorOperation
from accelsim.network.vector import (
    AveragePool,
    BatchNorm,
    Concat,
    GlobalAveragePool,
    RangeBatchNorm,
    Relu,
    Relu6,
    Scale,
    Softmax,
    Transpose,
)
from accelsim.program import GRAD_INPUT, GRAD_WEIGHT, Blocking
from accelsim.quant import Policy

UPDATE = "update"

WIDE = ".wide"
"""Ends the name of the copy of a gradient for the way to the weights."""

FLOAT_BITS = 32
BIFURCATED_BITS = 16
"""Width of a gradient on its way to the weights (Banner et al. 2018)."""

MOST_RATE = 100.0

LONGEST_RUN = 512
"""Weights that an update moves as one vector, at most."""

SAME_RANGE = (Relu, Relu6, Scale, Concat, Transpose, AveragePool, GlobalAveragePool)
"""Operations whose gradient has a range that follows from that of their result's gradient."""

STEP_OPERATIONS, MOMENTUM_OPERATIONS, RANGE_OPERATIONS, REQUANTIZE_OPERATIONS = 2, 2, 2, 2
"""For each weight: w - rate * g; m * v + g; the two comparisons of a range; scale and round."""


@dataclass(frozen=True)
class TrainingOptions:
    """How a training step is done beside its scheme.

    Master weights are float32, as is their momentum where there is one. `weight_gradient_bits`
    None leaves weight gradients in float32. With `bifurcation` gradients are stored twice, the
    second time in 16 bits for the way to the weights. The `learning_rate` matters to values alone.
    """

    gradient_bits: int = 8
    bifurcation: bool = False
    weight_gradient_bits: int | None = None
    momentum: bool = False
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        rate = self.learning_rate
        number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not number or not 0 <= rate <= MOST_RATE:
            raise AccelsimError(f"learning_rate={rate!r}: must be a number from 0 to {MOST_RATE:g}")
        object.__setattr__(self, "learning_rate", float(rate))
        whole("gradient_bits", self.gradient_bits, 1, 16)
        if self.weight_gradient_bits is not None:
            whole("weight_gradient_bits", self.weight_gradient_bits, 1, 16)
        if self.bifurcation and self.gradient_bits >= BIFURCATED_BITS:
            raise AccelsimError(
                f"gradient_bits={self.gradient_bits}: must be below {BIFURCATED_BITS}, the width "
                "of the second copy that bifurcation stores"
            )


@dataclass(frozen=True)
class Gradient:
    """The gradient of a tensor, and its copy for the way to the weights where there is one."""

    data: Data
    wide: Data | None = None

    def to_weights(self, bits: int) -> Data:
        """What the product with the input reads; accumulators, to be requantized to so many."""
        if self.data.edge_bits is not None:
            return replace(self.data, edge_bits=bits)
        return self.wide or self.data

    @property
    def tensors(self) -> tuple[Data, ...]:
        """All that is stored of it."""
        return (self.data,) if self.wide is None else (self.data, self.wide)


def plan_training(
    network: Network,
    batch: int,
    policy: Policy,
    hardware: Hardware,
    options: TrainingOptions | None = None,
    look: Look | None = None,
    gradient_look: Look | None = None,
) -> tuple[Job, ...]:
    """The operations of one step, activations and gradients each by their scheme.

    Ranges are found as a `look` says; otherwise as in the steady state.
    """
    options = options or TrainingOptions()
    return _TrainingPlanner(network, batch, policy, hardware, options, look, gradient_look).step()


class _TrainingPlanner(Planner):
    def __init__(
        self,
        network: Network,
        batch: int,
        policy: Policy,
        hardware: Hardware,
        options: TrainingOptions,
        look: Look | None,
        gradient_look: Look | None,
    ) -> None:
        super().__init__(network, batch, policy.activations, hardware, training=True, look=look)
        self.options, self.gradients = options, policy.gradients
        self._gradient_look = gradient_look or Look.steady(policy.gradients)
        self._arrived: dict[str, list[Gradient]] = {}
        self._updates: list[Job] = []
        self._turned: dict[str, Turned] = {}

    def step(self) -> tuple[Job, ...]:
        """Forward, backward, update."""
        self.forward()
        for name in self.network.outputs:
            self._arrived[name] = [self._new_gradient(name, f"{name}.gradient")]
        for node in reversed(self.network.nodes):
            if node.name in self._arrived:
                gradient = self._total(node)
                if isinstance(node.work, Layer):
                    self._layer_gradients(node, node.work, gradient)
                else:
                    self._vector_gradient(node, node.work, gradient)
        jobs = (*with_turned(self.jobs, self._turned), *self._updates)
        read = {use.tensor for job in jobs for use in job.reads}
        return tuple(_without_unread(job, read) for job in jobs)

    # Gradients -------------------------------------------------------------------------------

    @property
    def _how(self) -> str:
        return self.gradients.realisation_of(known=self._gradient_look.known)

    @property
    def _lazy_bits(self) -> int | None:
        """Width of gradients that a product leaves as accumulators."""
        how = REALISATIONS[self._how]
        if how.outcome != program.ACCUMULATORS:
            return None
        return how.bits_stored(self.hardware.accumulator.bits)

    @property
    def _bits_to_weights(self) -> int:
        """Width of gradients on their way to the weights."""
        return BIFURCATED_BITS if self.options.bifurcation else self.options.gradient_bits

    def _new_gradient(self, of: str, name: str, *, lazy: bool = False) -> Gradient:
        """Of a tensor of the network; a `lazy` one is left as accumulators, so not twice."""
        lazy_bits, bits = self._lazy_bits if lazy else None, self.options.gradient_bits
        data = replace(self.result(of, lazy_bits or bits, self.gradients), name=name)
        if lazy_bits:
            return Gradient(replace(data, edge_bits=bits))
        if not self.options.bifurcation:
            return Gradient(data)
        return Gradient(data, replace(data, name=f"{name}{WIDE}", bits=BIFURCATED_BITS))

    def _give(self, node: Node, place: int, gradient: Gradient) -> None:
        name = node.inputs[place]
        if name not in self.network.inputs:
            self._arrived.setdefault(name, []).append(gradient)

    def _wanted(self, node: Node, place: int = 0) -> bool:
        return node.inputs[place] not in self.network.inputs

    def _total(self, node: Node) -> Gradient:
        """The gradient of a node's result: what arrived, added up where it is several."""
        parts = self._arrived[node.name]
        if len(parts) == 1:
            return parts[0]
        total = self._new_gradient(node.name, f"{node.name}.gradient")
        elements = total.data.vectors * total.data.width
        self._vector_job(
            node, "add", tuple(part.data for part in parts), total.tensors,
            ((len(parts) - 1) * elements,),
        )  # fmt: skip
        return total

    def _vector_job(
        self,
        node: Node,
        kind: str,
        reads: tuple[Data, ...],
        writes: tuple[Data, ...],
        operations: tuple[int, ...],
        *,
        phase: str = GRAD_INPUT,
        own_range: bool = True,
        groups: int = 1,
        by_channel: bool = False,
    ) -> None:
        sweeps = sweeps_of(self._gradient_look, self._how) if own_range else 1
        loads, read = streamed(program.INPUT, reads)
        stores, written = streamed(program.OUTPUT, writes)
        samples = samples_apart(self.gradients, sweeps, self.batch, by_channel)
        task = VectorTask(
            node.name, loads, stores, operations, groups, by_channel, sweeps, samples,
        )  # fmt: skip
        self.jobs.append(Job(node.name, kind, phase, task, "", read, written))

    # Vector operations -----------------------------------------------------------------------

    def _vector_gradient(self, node: Node, operation: VectorOperation, gradient: Gradient) -> None:
        work = operation.backward_work(self.batch)
        if work.is_nothing:
            for place in range(len(node.inputs)):
                self._give(node, place, gradient)
            return
        wanted = [place for place in range(len(node.inputs)) if self._wanted(node, place)]
        if not wanted and not operation.trainable:
            return
        names = (node.name,) if isinstance(operation, Softmax) else node.inputs
        operands = [self._stored(name, node.name) for name in names]
        reads = [gradient.data, *operands[: len(work.inputs) - 1]]
        parameters = sum(_size(operation.parameter_shapes()[n]) for n in operation.trainable)
        given = {
            place: self._new_gradient(node.inputs[place], gradient_name(node, place))
            for place in wanted
        }
        writes = [tensor for one in given.values() for tensor in one.tensors]
        name, width = f"{node.name}.parameters", gradient.data.width
        if work.parameters:
            shape = parameter_shape(work.parameters, width)
            reads.append(Data(name, *shape, PARAMETER_BITS))
        if parameters:
            shape = parameter_shape(parameters, width)
            writes.append(Data(f"{name}.gradient", *shape, FLOAT_BITS))
        self._vector_job(
            node, node.kind, tuple(reads), tuple(writes), work.operations,
            own_range=not isinstance(operation, SAME_RANGE),
            groups=work.groups if work.passes > 1 else 1,
            by_channel=isinstance(operation, BatchNorm | RangeBatchNorm),
        )  # fmt: skip
        for place, one in given.items():
            self._give(node, place, one)
        if parameters:
            self._update_vector(node, f"{node.name}.parameters", parameters)

    def _stored(self, name: str, reader: str) -> Data:
        """Where an operand of the forward pass lies; where it was never stored, its activation."""
        data = self.lies[name]
        stored = {use.tensor for job in self.jobs for use in job.writes}
        if data.name in stored or data.name in self.network.inputs:
            return data
        return self.lies[reader]

    # Products --------------------------------------------------------------------------------

    def _layer_gradients(self, node: Node, layer: Layer, gradient: Gradient) -> None:
        bits = TrainingBits(
            weights=self.scheme.weight_bits,
            gradient=self.options.gradient_bits,
            gradient_to_weights=self._bits_to_weights,
            weight_gradient=self.options.weight_gradient_bits,
        )
        operations = training_operations(layer, self.batch, bits)
        if self._wanted(node):
            self._gradient_to_input(node, layer, operations[GRAD_INPUT], gradient)
        self._gradient_to_weights(node, layer, operations[GRAD_WEIGHT], gradient)

    def _gradient_to_input(
        self, node: Node, layer: Layer, operation: Operation, gradient: Gradient
    ) -> None:
        name = f"{node.name}.weights{TURNED if self.scheme.block else ''}"
        weights = Data(name, 1, 1, self.scheme.weight_bits)
        if isinstance(layer, MatMul):
            weights = self.lies[node.inputs[1]]
        given = self._new_gradient(node.inputs[0], gradient_name(node, 0), lazy=True)
        operation = replace(
            read_by(self._in_blocks(operation), gradient.data, weights, self.batch),
            second_output_bits=given.wide.bits if given.wide else None,
            ranges=Ranges.of(self.gradients, operation.output_shape, self.batch),
        )
        self._product_job(node, GRAD_INPUT, operation, gradient.data, weights, given)
        self._give(node, 0, given)

    def _gradient_to_weights(
        self, node: Node, layer: Layer, operation: Operation, gradient: Gradient
    ) -> None:
        operand = self.lies[node.inputs[0]]
        wide = gradient.to_weights(self._bits_to_weights)
        operation = self._in_blocks(operation)
        if operation.block:
            blocking = operation.blocking
            operand = self._along_samples(node, operand, blocking[program.INPUT])
            wide = self._along_samples(node, wide, blocking[program.WEIGHTS])
        operation = read_by(operation, operand, wide, self.batch)
        if isinstance(layer, MatMul):
            if not self._wanted(node, 1):
                return
            given = self._new_gradient(node.inputs[1], gradient_name(node, 1), lazy=True)
            operation = replace(
                operation,
                output_bits=self.options.gradient_bits,
                output_float=False,
                second_output_bits=given.wide.bits if given.wide else None,
                ranges=Ranges.of(self.gradients, operation.output_shape, self.batch),
            )
            self._product_job(node, GRAD_WEIGHT, operation, operand, wide, given)
            self._give(node, 1, given)
            return
        name = f"{node.name}.weights.gradient"
        bits = self.options.weight_gradient_bits or FLOAT_BITS
        made = Gradient(Data(name, 1, 1, bits))
        realisation = "static" if operation.output_float else self._how
        if REALISATIONS[realisation].outcome == program.ACCUMULATORS:
            bits = self._lazy_bits or bits
        self._product_job(node, GRAD_WEIGHT, operation, operand, wide, made, realisation)
        self._update_weights(node, layer, bits)
        if layer.has_bias:
            channels = layer.nest(self.batch).weight_vectors
            total = Data(f"{node.name}.bias.gradient", 1, channels, FLOAT_BITS)
            self._vector_job(
                node, "bias", (gradient.data,), (total,),
                (gradient.data.vectors * gradient.data.width,), phase=GRAD_WEIGHT, own_range=False,
            )  # fmt: skip
            self._update_vector(node, f"{node.name}.bias", channels)

    def _in_blocks(self, operation: Operation) -> Operation:
        """A product whose operands and result share scales in blocks, where the scheme has such."""
        block = self.scheme.block
        if block is None:
            return operation
        found = Ranges.of(self.gradients, operation.output_shape, self.batch)
        ranges = None if operation.output_float else found
        return replace(operation, block=block, ranges=ranges)

    def _along_samples(self, node: Node, data: Data, blocking: Blocking) -> Data:
        """The copy of a tensor in blocks of what a gradient to weights sums over."""
        made = self._turned.setdefault(data.name, Turned(data, blocking.span, blocking.size))
        if made.samples != blocking.span:
            raise AccelsimError(
                f"scheme '{self.scheme.label}': node {node.name!r} sums over {blocking.span} "
                f"vectors of {data.name!r}, another node over {made.samples}; it would have to be "
                "in blocks along three axes"
            )
        return made.copy

    def _product_job(
        self,
        node: Node,
        phase: str,
        operation: Operation,
        first: Data,
        second: Data,
        made: Gradient,
        realisation: str | None = None,
    ) -> None:
        realisation = self._how if realisation is None else realisation
        writes = [Use(REALISATIONS[realisation].outcome, made.data.name)]
        if made.wide:
            writes.append(Use(program.SECOND_OUTPUT, made.wide.name))
        if operation.ranges is not None:
            writes.append(Use(program.RANGES, scales_of(made.data.name)))
        reads = tuple(product_reads(operation, first, second))
        passes = passes_of(self._gradient_look, realisation)
        self.jobs.append(
            Job(
                node.name, node.kind, phase, operation, realisation, reads, tuple(writes),
                passes=passes,
            )
        )  # fmt: skip

    # The update ------------------------------------------------------------------------------

    def _update_weights(self, node: Node, layer: Layer, gradient_bits: int) -> None:
        """Master weights by their gradient, then the integers of the next step from them.

        A filter's range must be known before its integers; all of the tensor's, where its filters
        share one scale.
        """
        nest = layer.nest(self.batch)
        filters, reduction = nest.weight_vectors, nest.reduction
        name = f"{node.name}.weights"
        if self.scheme.block:
            self._update_blocks(node, nest, gradient_bits)
            return
        run = _run(reduction)
        vectors = filters * reduction // run
        gradient = Data(f"{name}.gradient", vectors, run, gradient_bits)
        master = Data(f"{name}.master", vectors, run, FLOAT_BITS)
        momentum = (replace(master, name=f"{name}.momentum"),) if self.options.momentum else ()
        integers = Data(name, vectors, run, self.scheme.weight_bits)
        elements = filters * reduction
        step = STEP_OPERATIONS + (MOMENTUM_OPERATIONS if momentum else 0)
        operations = (step + RANGE_OPERATIONS) * elements, REQUANTIZE_OPERATIONS * elements
        per_channel = self.scheme.weight_scales == "per-channel"
        self._update(
            node, (gradient, master, *momentum), (master, *momentum, integers),
            operations, filters if per_channel else 1,
        )  # fmt: skip

    def _update_blocks(self, node: Node, nest: Nest, gradient_bits: int) -> None:
        """The same in blocks, whose scales are found as they leave: along the channels, and turned.

        The first layers have no gradient to their input, so no turned weights either.
        """
        name = f"{node.name}.weights"
        integers, turned = turned_weights(name, nest, self.scheme.block or 1)
        master = replace(integers, name=f"{name}.master", bits=FLOAT_BITS, scales=None)
        gradient = replace(integers, name=f"{name}.gradient", bits=gradient_bits)
        if self.options.weight_gradient_bits is None:
            gradient = replace(gradient, scales=None)
        momentum = (replace(master, name=f"{name}.momentum"),) if self.options.momentum else ()
        copies = (integers, turned) if self._wanted(node) else (integers,)
        each = STEP_OPERATIONS + (MOMENTUM_OPERATIONS if momentum else 0)
        self._update(
            node, (gradient, master, *momentum), (master, *momentum, *copies),
            (each * nest.weight_elements,), 1, min(self.scheme.block or 1, nest.out_channels),
        )  # fmt: skip

    def _update_vector(self, node: Node, name: str, elements: int) -> None:
        """Parameters that stay in float32 (gamma, beta), or in the width of a sum (a bias)."""
        run = _run(elements)
        gradient = Data(f"{name}.gradient", elements // run, run, FLOAT_BITS)
        own = Data(name, elements // run, run, FLOAT_BITS)
        momentum = (replace(own, name=f"{name}.momentum"),) if self.options.momentum else ()
        each = STEP_OPERATIONS + (MOMENTUM_OPERATIONS if momentum else 0)
        self._update(node, (gradient, own, *momentum), (own, *momentum), (each * elements,), 1)

    def _update(
        self,
        node: Node,
        reads: tuple[Data, ...],
        writes: tuple[Data, ...],
        operations: tuple[int, ...],
        groups: int,
        block: int | None = None,
    ) -> None:
        loads, read = streamed(program.INPUT, reads)
        stores, written = streamed(program.OUTPUT, writes)
        task = VectorTask(node.name, loads, stores, operations, groups, block=block)
        self._updates.append(Job(node.name, UPDATE, UPDATE, task, "", read, written))


def gradient_name(node: Node, place: int) -> str:
    """The tensor in which a node hands its gradient back to its first, second, ... operand."""
    if isinstance(node.work, MatMul) and place == 1:
        return f"{node.name}.gradient-second"
    return f"{node.name}.gradient-{numbered(program.INPUT, place)}"


def _without_unread(job: Job, read: set[str]) -> Job:
    """The job without the copy of a gradient that nobody reads: one layer needs but one of them."""
    names = {use.tensor for use in job.writes}
    copies = {name for name in names if _has_another(name, names)}
    unread = {use.role for use in job.writes if use.tensor in copies - read}
    if not unread:
        return job
    writes = tuple(use for use in job.writes if use.role not in unread)
    if isinstance(job.work, VectorTask):
        stores = tuple(stream for stream in job.work.stores if stream.name not in unread)
        return replace(job, work=replace(job.work, stores=stores), writes=writes)
    bits = job.work.output_bits
    if program.OUTPUT in unread and job.work.second_output_bits is not None:
        bits = job.work.second_output_bits
        writes = tuple(replace(use, role=program.OUTPUT) for use in writes)
    work = replace(job.work, output_bits=bits, second_output_bits=None)
    return replace(job, work=work, writes=writes)


def _has_another(tensor: str, written: set[str]) -> bool:
    """Whether a tensor, or what lies beside one, is written twice: in other bits or blocks."""
    of = next((name for name in written if scales_of(name) == tensor), tensor)
    ends = WIDE, TURNED
    return of.endswith(ends) or any(f"{of}{end}" in written for end in ends)


def _run(reduction: int) -> int:
    """Weights that are moved together: the longest part of a filter of at most 512, whole bytes."""
    parts = [n for n in range(1, min(reduction, LONGEST_RUN) + 1) if reduction % n == 0]
    whole_bytes = [n for n in parts if n % 8 == 0]
    return max(whole_bytes or parts)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size
