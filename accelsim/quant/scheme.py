"""A quantization scheme: which range, what the program does about it, and how many bits."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError, shown, whole
from accelsim.quant.checks import one_of
from accelsim.quant.decision import Decision
from accelsim.quant.estimators import Estimator, estimator_names, make_estimator
from accelsim.quant.grid import ChannelGrid, Grid, Range
from accelsim.quant.microscaling import ELEMENT_BITS
from accelsim.quant.microscaling import SCALE_BITS as BLOCK_SCALE_BITS

REALISATIONS = ("static", "spill", "spill16", "lazy", "recompute", "resident")
"""What a program does about the range; `accelsim.lowering` writes the programs."""

SYMMETRIES = ("symmetric", "asymmetric")
SCALE_BITS = 32
"""Of the scale of a stored range, a float32."""

MIXING_BITS = 64
"""Of what is stored of a mixed sample beside its range: the number of its group's leader, 32 bits,
and the group's ratio, a float32."""

WEIGHT_SCALES = ("per-channel", "per-tensor")


@dataclass(frozen=True)
class Scheme:
    """How one layer is quantized. Grids are signed, but for asymmetric inputs and outputs.

    `estimator` picks the output's range and is stored in its shortest form. Inputs and weights are
    quantized with their own minimum and maximum, known beforehand. An estimator that needs the
    current tensor cannot be `static`; one that does not may still `spill`, to compare the two. One
    that looks at the tensor now and then is static in between, and its realisation is for the steps
    in which it looks. The first step of a static scheme spills, having no range yet. `mxint8` is a
    format of operands and output at once: 8 bits, and none of the grids below has a part in it.
    """

    estimator: str
    realisation: str
    weight_bits: int = 8
    input_bits: int = 8
    output_bits: int = 8
    weights: str = "symmetric"
    weight_scales: str = "per-channel"
    inputs: str = "asymmetric"
    outputs: str = "asymmetric"
    seed: int = 0

    def __post_init__(self) -> None:
        estimator = make_estimator(self.estimator)
        object.__setattr__(self, "estimator", estimator.specification)
        one_of("realisation", self.realisation, REALISATIONS)
        if _sees_tensors(estimator) and self.realisation == "static":
            raise AccelsimError(
                f"scheme '{self.estimator}/static': {estimator.name} takes its range from the "
                "finished tensor, so nothing can be quantized at the drain; "
                f"allowed: {self.estimator}/spill"
            )
        if estimator.local and self.realisation != "static":
            raise AccelsimError(
                f"scheme '{self.label}': {estimator.name} finds its ranges on chip while a region "
                f"is drained, so nothing waits for them; allowed: {self.estimator}/static"
            )
        if estimator.mixes and self.realisation == "recompute":
            raise AccelsimError(
                f"scheme '{self.label}': {estimator.name} mixes samples, so all accumulators "
                f"must be stored or kept; allowed: {self.estimator}/spill"
            )
        for field in ("weight_bits", "input_bits", "output_bits"):
            object.__setattr__(self, field, whole(field, getattr(self, field), 1, 16))
            if estimator.block and getattr(self, field) != ELEMENT_BITS:
                raise AccelsimError(
                    f"{field} = {getattr(self, field)}: must be {ELEMENT_BITS} for {estimator.name}"
                )
        for field in ("weights", "inputs", "outputs"):
            one_of(field, getattr(self, field), SYMMETRIES)
        one_of("weight_scales", self.weight_scales, WEIGHT_SCALES)
        object.__setattr__(self, "seed", whole("seed", self.seed, 0, 2**63 - 1))

    @classmethod
    def parse(cls, text: str, **fields: Any) -> "Scheme":
        """A scheme from `estimator` or `estimator/realisation`; other fields by keyword.

        Without a realisation it is `spill` where the estimator takes ranges from the current
        tensor, always or now and then, `static` where it does not.
        """
        if not isinstance(text, str):
            raise AccelsimError(
                f"scheme = {shown(text)}: must be a string like in-hindsight/static"
            )
        estimator, slash, realisation = text.partition("/")
        if not slash:
            realisation = "spill" if _sees_tensors(make_estimator(estimator)) else "static"
        return cls(estimator, realisation, **fields)

    @classmethod
    def every(cls, **fields: Any) -> "tuple[Scheme, ...]":
        """Each estimator with all that can be done about its range, parameters at their default.

        Grids of a file are those of one network, and left out.
        """
        names = [name for name in estimator_names() if not make_estimator(name).from_file]
        return tuple(scheme for name in names for scheme in cls.realised(name, **fields))

    @classmethod
    def realised(cls, estimator: str, **fields: Any) -> "tuple[Scheme, ...]":
        """An estimator with all that can be done about its range.

        One whose ranges are known before their tensors is only static here: whatever else a program
        did about them would leave the same values at a higher price.
        """
        waits, found = _sees_tensors(make_estimator(estimator)), []
        for realisation in REALISATIONS if waits else ("static",):
            try:
                found.append(cls(estimator, realisation, **fields))
            except AccelsimError:
                continue
        return tuple(found)

    @property
    def label(self) -> str:
        """The text that `parse` reads: estimator/realisation."""
        return f"{self.estimator}/{self.realisation}"

    def realisation_of(self, *, known: bool) -> str:
        """That of one step, by whether its range is known before its tensor."""
        estimator = self.new_estimator()
        if estimator.local or (known and estimator.period):
            return "static"
        return "spill" if self.realisation == "static" and not known else self.realisation

    def range_bits(self, decision: Decision) -> int:
        """Of one stored range: its scale, and its zero point in whole bytes where it has one.

        Where samples are mixed, how they are is stored too.
        """
        if self.block is not None:
            return BLOCK_SCALE_BITS
        bits = SCALE_BITS + (MIXING_BITS if self.new_estimator().mixes else 0)
        if decision.symmetric or self.outputs == "symmetric":
            return bits
        return bits + -(-self.output_bits // 8) * 8

    @property
    def block(self) -> int | None:
        """Channels that share a power of two, in the output and in both operands."""
        return self.new_estimator().block

    @property
    def from_file(self) -> bool:
        """Whether tensors and weights are on the grids of the network's file."""
        return self.new_estimator().from_file

    def new_estimator(self) -> Estimator:
        """A fresh estimator, for one tensor."""
        return make_estimator(self.estimator, self.output_bits)

    def input_grid(self, limits: Range) -> Grid:
        """The grid of an input of this range."""
        return _grid(self.inputs, limits, self.input_bits)

    def output_grid(self, decided: Range | Decision) -> Grid:
        """The grid of an output of this range, or as its estimator decided."""
        decision = Decision(decided) if isinstance(decided, Range) else decided
        return decision.grid(self.output_bits, self.outputs == "symmetric")

    def part_grid(self, decided: Decision) -> Grid:
        """The grid of a part of the output; its scale is stored as a float32, so it is one."""
        return self.stored_grid(self.output_grid(decided))

    @staticmethod
    def stored_grid(grid: Grid) -> Grid:
        """The grid with its scale as a float32."""
        with np.errstate(over="ignore"):  # the grid refuses a scale that is infinite
            stored = float(np.float32(grid.scale))
        return replace(grid, scale=stored)

    def weight_grid(self, weights: ArrayLike) -> ChannelGrid:
        """The grid of these weights, axis 0 being the output channel of the nest."""
        return ChannelGrid.over(
            weights,
            self.weight_bits,
            symmetric=self.weights == "symmetric",
            per_channel=self.weight_scales == "per-channel",
        )


def _sees_tensors(estimator: Estimator) -> bool:
    """Whether a range has to wait for the very tensor it is for, also beside a first step."""
    waits = estimator.needs_current and not estimator.local
    return waits or estimator.period is not None


def _grid(symmetry: str, limits: Range, bits: int) -> Grid:
    if symmetry == "symmetric":
        return Grid.symmetric(limits, bits)
    return Grid.affine(limits, bits)


KINDS = ("activations", "gradients")


@dataclass(frozen=True)
class Policy:
    """A scheme for each kind of tensor in training."""

    activations: Scheme
    gradients: Scheme

    @classmethod
    def parse(cls, text: str, **fields: Any) -> "Policy":
        """From `activations=SCHEME,gradients=SCHEME`, in either order, or one scheme for both."""
        pieces = re.split(rf"(?:^|,)\s*({'|'.join(KINDS)})\s*=", text)
        misnamed = re.match(r"\s*[\w-]+\s*=", pieces[0]) is not None
        if len(pieces) == 1 and not misnamed:
            both = Scheme.parse(text, **fields)
            return cls(both, both)
        names, schemes = pieces[1::2], pieces[2::2]
        if pieces[0].strip() or sorted(names) != sorted(KINDS):
            raise AccelsimError(
                f"policy = {shown(text)}: must be a scheme, or activations=SCHEME,gradients=SCHEME"
            )
        parsed = [Scheme.parse(scheme.strip(), **fields) for scheme in schemes]
        return cls(**dict(zip(names, parsed, strict=True)))

    @property
    def label(self) -> str:
        """The text that `parse` reads."""
        if self.activations == self.gradients:
            return self.activations.label
        return f"activations={self.activations.label},gradients={self.gradients.label}"

    def scheme_of(self, kind: str) -> Scheme:
        """That of an "activation" or a "gradient"."""
        one_of("kind", kind, ("activation", "gradient"))
        return self.activations if kind == "activation" else self.gradients
