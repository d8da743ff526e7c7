"""Tensors in blocks that share a power of two, and their copies in blocks of samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from accelsim.lowering import Operation
from accelsim.lowering.plan import Job
from accelsim.lowering.turned import BLOCKS, TURNED
from accelsim.program import GRAD_WEIGHT, INPUT, WEIGHTS
from accelsim.quant import Grid, Microscaled, Range, Scheme, microscaled
from accelsim.simulation.flow import Array, Held, channels_last


@dataclass(frozen=True, eq=False)
class HeldBlocks(Held):
    """A tensor in blocks: its elements, and what they stand for. No grid holds for all of it."""

    stored: Array | None = None
    turned: "HeldBlocks | None" = None
    """The same in blocks of samples, where a gradient to weights reads it so."""

    @classmethod
    def of(cls, made: Microscaled, source: Array, scheme: Scheme) -> "HeldBlocks":
        """A tensor of the shape of its source that was brought into blocks."""
        limits = Range.of(source)
        shape = np.shape(source)
        return cls(
            made.elements.reshape(shape), scheme.output_grid(limits), limits, limits,
            made.saturated_count, stored=made.reals.reshape(shape),
        )  # fmt: skip

    @property
    def reals(self) -> Array:
        """What elements and scales stand for."""
        assert self.stored is not None
        return self.stored

    @property
    def shared_grid(self) -> Grid | None:
        """Every block has its own."""
        return None

    def mapped(self, move: Callable[[Array], Array]) -> "HeldBlocks":
        """The same numbers in other places, or under another shape; so the copy."""
        return replace(
            self,
            integers=move(self.integers).astype(np.int8, copy=False),
            stored=move(self.reals),
            turned=self.turned and self.turned.mapped(move),
        )


def in_blocks(reals: Array, scheme: Scheme) -> HeldBlocks:
    """A tensor (batch, ...) in blocks of its channels: axis 1 of images, else the last."""
    return HeldBlocks.of(microscaled(reals, 1 if reals.ndim == 4 else -1), reals, scheme)


class Turning:
    """Which tensors of a training are stored turned as well, and what their copies are made of."""

    def __init__(self, scheme: Scheme, jobs: Sequence[Job]) -> None:
        self.scheme = scheme
        self._samples: dict[str, int] = {}
        for job in jobs:
            if job.phase == GRAD_WEIGHT and isinstance(job.work, Operation):
                blocking = job.work.blocking
                for use in job.reads:
                    if use.role in (INPUT, WEIGHTS):
                        name = use.tensor.removesuffix(TURNED)
                        self._samples[name] = blocking[use.role].span
        self.of_stored = {
            use.tensor.removesuffix(TURNED)
            for job in jobs if job.kind == BLOCKS
            for use in job.writes
        }  # fmt: skip
        """Tensors of products, whose copies are made of what is stored."""

    def both(self, name: str, held: HeldBlocks, made: Array) -> HeldBlocks:
        """A tensor with its copy: of what vector work has made, or of what a product has stored."""
        samples = self._samples.get(name)
        if samples is None:
            return held
        source = held.reals if name in self.of_stored else made
        last = channels_last(source)
        blocks = microscaled(last.reshape(samples, -1), axis=0)
        turned = HeldBlocks.of(blocks, last, self.scheme)
        if source.ndim == 4:
            turned = turned.mapped(lambda array: np.ascontiguousarray(np.moveaxis(array, -1, 1)))
        return replace(held, turned=turned)
