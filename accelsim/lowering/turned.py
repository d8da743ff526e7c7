"""Tensors in blocks along a second axis, for the products that sum along another than the forward.

Elements of a block share a power of two, so blocks lie along what a product sums over. Between
nodes that is the channels. The gradient to weights sums over samples: what it reads is stored a
second time, in blocks of samples. The gradient to the input sums over filters: the update stores
the weights in blocks of filters as well. Such a copy is called turned.

It is vector work that writes a copy, with the tensor itself where it makes that. What a product
leaves is loaded again for it: a block of 32 samples is complete where 32 images of a position have
been seen, and accumulators of so many images are no tile that a product is made in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from accelsim import program
from accelsim.lowering.data import SCALE_BITS, Data, Scales
from accelsim.lowering.plan import Job, streamed
from accelsim.lowering.vector import VectorTask
from accelsim.network import Nest

TURNED = ".turned"
"""Ends the name of the copy of a tensor in blocks along its other axis."""

BLOCKS = "blocks"
"""The kind of vector work that does nothing but bring a tensor into blocks of samples."""


@dataclass(frozen=True)
class Turned:
    """A tensor that is stored in blocks of so many of its `samples`, too.

    Samples are what the blocks lie along: images, rows of a sequence, rows of a single image.
    """

    data: Data
    samples: int
    block: int

    @property
    def copy(self) -> Data:
        """The second copy."""
        blocks = -(-self.samples // self.block)
        each = self.data.vectors // self.samples
        scales = Scales(blocks * each, self.data.width, SCALE_BITS, samples=blocks)
        name = f"{self.data.name}{TURNED}"
        return replace(self.data, name=name, scales=scales, samples=self.samples)


def turned_weights(name: str, nest: Nest, block: int) -> tuple[Data, Data]:
    """The weights of a layer in blocks of input channels, and of output channels (turned).

    Their samples are the filters; those of each group begin a block.
    """
    filters, area = nest.weight_vectors, nest.kernel_height * nest.kernel_width
    along = Scales(filters, area * -(-nest.in_channels // block), SCALE_BITS, samples=filters)
    blocks = filters // nest.out_channels * -(-nest.out_channels // block)
    across = Scales(blocks, nest.reduction, SCALE_BITS, samples=blocks)
    weights = Data(name, filters, nest.reduction, SCALE_BITS, scales=along, samples=filters)
    return weights, replace(weights, name=f"{name}{TURNED}", scales=across)


def with_turned(jobs: Sequence[Job], wanted: Mapping[str, Turned]) -> Iterator[Job]:
    """The jobs, and who makes a tensor makes its copy; those from outside come in both."""
    for job in jobs:
        found = [wanted[use.tensor] for use in job.writes if use.tensor in wanted]
        if found and isinstance(job.work, VectorTask) and _in_step(job.work, found):
            yield _writes_both(job, job.work, found)
        else:
            yield job
            yield from (_brought_into_blocks(job, one) for one in found)


def _in_step(task: VectorTask, found: Sequence[Turned]) -> bool:
    """Whether all that the work moves falls into the samples of the copies."""
    samples = {stream.samples for stream in (*task.loads, *task.stores)} - {None}
    return samples == {one.samples for one in found}


def _writes_both(job: Job, task: VectorTask, found: Sequence[Turned]) -> Job:
    stores, written = streamed(f"turned {program.OUTPUT}", [one.copy for one in found])
    task = replace(task, stores=(*task.stores, *stores), block=found[0].block)
    return replace(job, work=task, writes=(*job.writes, *written))


def _brought_into_blocks(job: Job, one: Turned) -> Job:
    """Vector work that loads a tensor and stores its copy: a move of each element."""
    data = replace(one.data, samples=one.samples)
    if data.scales:
        data = replace(data, scales=replace(data.scales, samples=one.samples))
    loads, read = streamed(program.INPUT, [data])
    stores, written = streamed(program.OUTPUT, [one.copy])
    task = VectorTask(job.node, loads, stores, (data.vectors * data.width,), block=one.block)
    return Job(job.node, BLOCKS, job.phase, task, "", read, written)
