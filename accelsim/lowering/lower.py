"""Operation + Hardware + realisation -> Program."""

from dataclasses import asdict

from accelsim.errors import AccelsimError, whole
from accelsim.hardware import Hardware
from accelsim.lowering.operation import Operation, place
from accelsim.lowering.realisations import MIXING, REALISATIONS
from accelsim.lowering.search import best_tiling, keeps_blocks, keeps_regions
from accelsim.lowering.tiling import Tiling
from accelsim.lowering.writer import Writer
from accelsim.network import Nest
from accelsim.program import GRAD_WEIGHT, Commands, Program, Window

MOST_PASSES = 1000
"""A search may read a tensor so often."""

MIXING_PASSES = 2
"""Over a tensor whose samples are mixed: for the ranges of the mixed samples, and to quantize."""


def lower(
    operation: Operation,
    hardware: Hardware,
    realisation: str,
    tiling: Tiling | None = None,
    passes: int = 1,
) -> Program:
    """The program of `operation`; without a `tiling`, the best one is searched.

    `passes`: how often the finished tensor is read where its range is not known before it, the read
    that quantizes included.
    """
    chosen = fit(operation, hardware, realisation, tiling, passes)
    how = REALISATIONS[realisation]
    stored_bits = how.bits_stored(hardware.accumulator.bits)
    writer = Writer(operation, hardware, place(operation, stored_bits), chosen, passes - 1)

    def of_sample(sample: int) -> None:
        writer.begin(sample, keep_operands=how.multiplies_once)
        how.write(writer)

    writer.turns(operation.samples, of_sample, even=_samples_are_even(operation))
    return Program(
        name=operation.name,
        realisation=realisation,
        tensors=writer.tensors,
        outcome=how.outcome,
        window=_window(operation.nest),
        commands=writer.commands,
        direction=operation.direction,
        extent=operation.ranges.extent if operation.ranges else None,
        blocking=operation.blocking,
        edge_bits=operation.edges,
        notes=asdict(chosen),
    )


def fit(
    operation: Operation,
    hardware: Hardware,
    realisation: str,
    tiling: Tiling | None = None,
    passes: int = 1,
) -> Tiling:
    """The tiling that `lower` takes; what it refuses is refused here, and no command is written.

    Only whether samples that are mixed have room together is seen as the program is written.
    """
    if realisation not in REALISATIONS:
        known = ", ".join(REALISATIONS)
        raise AccelsimError(f"realisation={realisation!r}: must be one of {known}")
    if operation.output_float and realisation != "static":
        raise AccelsimError(
            f"realisation={realisation!r}: must be static for {operation.name}, as an output in "
            "float32 needs no range"
        )
    most = MOST_PASSES if realisation != "static" else 1
    whole("passes", passes, 1, most)
    local = operation.ranges is not None and operation.ranges.local
    if local and realisation != "static":
        raise AccelsimError(
            f"realisation={realisation!r}: must be 'static' where regions find their own ranges"
        )
    if operation.mixed_samples and (realisation not in MIXING or passes != MIXING_PASSES):
        raise AccelsimError(
            f"realisation={realisation!r}, {passes=}: must be one of {', '.join(MIXING)} with "
            f"{MIXING_PASSES} passes where samples are mixed"
        )
    if tiling is not None:
        _check_tiling(operation, tiling)
        return tiling
    stored_bits = REALISATIONS[realisation].bits_stored(hardware.accumulator.bits)
    drained_bits = max(operation.output_bits, operation.second_output_bits or 0, stored_bits or 0)
    return best_tiling(operation.of_sample(), hardware, drained_bits)


def _samples_are_even(operation: Operation) -> bool:
    """Whether every sample meets as many parts of its operands, from the start of one on."""
    shapes = (operation.input_ranges, operation.nest.input_shape), (
        operation.weight_ranges, operation.weight_shape,
    )  # fmt: skip
    samples = operation.samples
    return all(
        ranges is None or shape[0] % samples == 0 == shape[0] // samples % ranges.extent[0]
        for ranges, shape in shapes
    )


def _check_tiling(operation: Operation, tiling: Tiling) -> None:
    """A given tiling must keep every region that has a range of its own in one tile."""
    nest, region = operation.nest, operation.region
    if operation.block is not None:
        _check_blocks(operation, tiling)
    if region is None:
        return
    pairs = zip(
        (tiling.batch, tiling.rows, tiling.columns),
        (nest.batch, nest.out_height, nest.out_width),
        region[:3],
        strict=True,
    )
    whole_regions = all(tile >= size or tile % step == 0 for tile, size, step in pairs)
    if not whole_regions or not keeps_regions(operation, tiling.groups, tiling.out_channels):
        raise AccelsimError(f"tiling={tiling}: must cut the output between its regions of {region}")


def _check_blocks(operation: Operation, tiling: Tiling) -> None:
    """A given tiling must cut no block that shares a scale."""
    nest, block = operation.nest, operation.block or 1
    if operation.direction == GRAD_WEIGHT:
        along = "batch" if operation.reduction_axis == 0 else "rows"
        sizes = {along: nest.batch if along == "batch" else nest.out_height}
        if not operation.output_float:
            sizes["in_channels"] = nest.in_channels
        if tiling.columns < nest.out_width:
            raise AccelsimError(
                f"tiling.columns={tiling.columns}: must be {nest.out_width}, as the sums "
                "of blocks have a fixed order"
            )
    else:
        sizes = {"in_channels": nest.in_channels, "out_channels": nest.out_channels}
    for field, whole_size in sizes.items():
        size = getattr(tiling, field)
        if size < whole_size and size % block:
            raise AccelsimError(
                f"tiling.{field}={size}: must be a multiple of {block}, or {whole_size}"
            )
    if not keeps_blocks(operation, tiling.groups, tiling.out_channels):
        raise AccelsimError(
            f"tiling.groups={tiling.groups}: must cut the channels between blocks of {block}"
        )


def outline(operation: Operation, hardware: Hardware, realisation: str) -> Program:
    """The program of `operation` without its commands: what its values depend on."""
    how = REALISATIONS[realisation]
    return Program(
        name=operation.name,
        realisation=realisation,
        tensors=place(operation, how.bits_stored(hardware.accumulator.bits)),
        outcome=how.outcome,
        window=_window(operation.nest),
        commands=Commands(),
        direction=operation.direction,
        extent=operation.ranges.extent if operation.block and operation.ranges else None,
        blocking=operation.blocking,
    )


def _window(nest: Nest) -> Window:
    return Window(
        stride_h=nest.stride_h,
        stride_w=nest.stride_w,
        dilation_h=nest.dilation_h,
        dilation_w=nest.dilation_w,
        pad_top=nest.pad_top,
        pad_left=nest.pad_left,
        in_channels=nest.in_channels,
        out_channels=nest.out_channels,
        depthwise=nest.is_depthwise,
        input_dilation_h=nest.input_dilation_h,
        input_dilation_w=nest.input_dilation_w,
        copies=nest.copies,
    )
