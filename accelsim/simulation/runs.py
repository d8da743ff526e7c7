"""`simulate` and `compare`: a layer, a machine and a scheme become a Result."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware, load_hardware
from accelsim.machine import actions_of
from accelsim.network import ACTIVATION, GRADIENT, Layer, load_layer, operation_of_layer
from accelsim.program import FORWARD
from accelsim.quant import Estimator, Policy, Scheme, bins_of, counted
from accelsim.result import (
    Amortised,
    Comparison,
    Result,
    Roofline,
    Trace,
    ValueHistogram,
    ValueRange,
)  # fmt: skip
from accelsim.simulation.amortised import amortised
from accelsim.simulation.blocks import check_blocks
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.programs import Programs
from accelsim.simulation.step import Step, planned, timed_step
from accelsim.simulation.stream import Data, Drifts, Stream, stream_of
from accelsim.simulation.track import Track, next_step

Progress = Callable[[int, int], None]
"""Told how many steps are done, of how many, over all schemes."""

DEFAULT_SCHEMES = ("in-hindsight", "current")
"""What `compare` holds against each other: the static program, and the dynamic one by a spill."""

ALL_SCHEMES = "all"
"""Stands for every estimator with all that makes sense to do about its range."""


def simulate(
    layer: Layer | str,
    hardware: Hardware | str | Path = "edge",
    scheme: Scheme | str = "in-hindsight",
    data: Data = "synthetic",
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: Drifts = 0.05,
    kind: str = ACTIVATION,
    calibrate: int = 0,
    resume: Result | None = None,
    operation: str = FORWARD,
    progress: Progress = lambda done, total: None,
) -> Result:
    """Run the steps of one layer in order and return the last one; the others are its past.

    `layer` is a Layer or `network.layer`; `hardware` a Hardware, a preset or a YAML file; `scheme`
    a Scheme or `estimator/realisation`. `data` is one step's tensors, several steps', or
    "synthetic", which draws `steps` seeded steps of activations or gradients, as `kind` says,
    that move by `drift` (`network.Synthetic`); None times the steady state without values, in the
    same cycles. A step whose range is not known yet (the first one of in-hindsight) runs as a
    spill, unless `calibrate` batches come before it: further draws, or the first of the given
    steps; they leave the estimator a past and are not in the result. `resume` goes on after an
    earlier result: its estimator's state, and its next step's number; synthetic steps go on too.
    `operation` is forward, grad-input or grad-weight (`network.Gradient`); a gradient's output is
    quantized as the scheme says, and its tensors are those of `Gradient`.
    """
    past = None if resume is None else Comparison((resume,))
    return compare(
        layer, hardware, [scheme], data, batch=batch, steps=steps, seed=seed, drift=drift,
        kind=kind, calibrate=calibrate, resume=past, operation=operation, progress=progress,
    ).baseline  # fmt: skip


def compare(
    layer: Layer | str,
    hardware: Hardware | str | Path = "edge",
    schemes: Sequence[Scheme | str] = DEFAULT_SCHEMES,
    data: Data = "synthetic",
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: Drifts = 0.05,
    kind: str = ACTIVATION,
    calibrate: int = 0,
    resume: Comparison | None = None,
    operation: str = FORWARD,
    progress: Progress = lambda done, total: None,
) -> Comparison:
    """Run the same steps under each scheme; the first scheme is what the others are held against.

    `schemes` may hold "all", every combination that makes sense (`Scheme.every`) for this layer and
    machine; `left_out` of the Comparison says which of them do not, and why. It may hold
    `activations=...,gradients=...`, of which `kind` picks one. The other arguments are those of
    `simulate`.
    """
    layer = load_layer(layer) if isinstance(layer, str) else layer
    layer = operation_of_layer(layer, operation)
    kind = kind if layer.operation == FORWARD else GRADIENT
    programs = Programs(load_hardware(hardware))
    parsed, left_out = _schemes(schemes, kind, seed, layer, programs)
    if data is None:
        timed = tuple(_timed(layer, batch, scheme, programs) for scheme in parsed)
        return Comparison(timed, left_out)
    stream = stream_of(
        layer, data, batch=batch, steps=steps, seed=seed, drift=drift, kind=kind,
        calibrate=calibrate, first=0 if resume is None else next_step(resume),
    )  # fmt: skip
    tracks = [Track(layer, scheme, programs) for scheme in parsed]
    for track in tracks:
        if resume is None:
            track.calibrate(stream.calibration())
        else:
            track.resume(resume, stream)
        track.check_past(stream)
    return Comparison(_along(stream, tracks, progress), left_out)


def _schemes(
    given: Sequence[Scheme | str], kind: str, seed: int, layer: Layer, programs: Programs
) -> tuple[list[Scheme], tuple[str, ...]]:
    """The schemes that were named, each once; "all" brings all others, the default one first.

    Beside them, why of all some are left out; one that was named is never.
    """
    if not given:
        raise AccelsimError("schemes=[]: must name at least one scheme")
    found: dict[Scheme, None] = {}
    left_out: dict[Scheme, str] = {}
    for one in given:
        if isinstance(one, Scheme):
            found[one] = None
        elif one == ALL_SCHEMES:
            found[Scheme.parse(DEFAULT_SCHEMES[0], seed=seed)] = None
            every = Scheme.every(seed=seed)
            left_out = _unfit(every, layer, programs)
            found |= dict.fromkeys(scheme for scheme in every if scheme not in left_out)
        else:
            found[Policy.parse(one, seed=seed).scheme_of(kind)] = None
    for scheme in found:
        check_blocks(layer, scheme, programs.hardware)
    by_reason: dict[str, list[str]] = {}
    for scheme, why in left_out.items():
        if scheme not in found:
            by_reason.setdefault(why, []).append(scheme.label)
    return list(found), tuple(f"{', '.join(names)}: {why}" for why, names in by_reason.items())


def _unfit(schemes: Iterable[Scheme], layer: Layer, programs: Programs) -> dict[Scheme, str]:
    """The schemes that have ranges of parts which cannot be programmed here, and why.

    Only parts make a difference: a layer that fits with one range fits with one of any origin.
    """
    reasons = {}
    for scheme in schemes:
        if scheme.new_estimator().extent(layer.nest(1).output_shape, 1) is None:
            continue
        try:
            check_blocks(layer, scheme, programs.hardware)
            programs.program(*planned(layer, 1, scheme))
        except AccelsimError as error:
            reasons[scheme] = str(error).removeprefix(f"scheme '{scheme.label}': ")
    return reasons


def _along(stream: Stream, tracks: Sequence[Track], progress: Progress) -> tuple[Result, ...]:
    """Every step under each scheme before the next step: its tensors are made ready once."""
    taken, all_steps = 0, stream.count * len(tracks)
    for number, tensors in stream.steps():
        operands = StepOperands(tracks[0].layer, tensors)
        for track in tracks:
            track.take(number, operands)
            taken += 1
            progress(taken, all_steps)
    return tuple(_valued(track, operands, stream) for track in tracks)


def _valued(track: Track, operands: StepOperands, stream: Stream) -> Result:
    assert track.last is not None
    number, step = track.last
    update = _update_cost(track.scheme, track.estimator, step, track.passes, track.programs)
    return _result(
        track.layer, operands.batch, track.scheme, number, step, track.programs.hardware, update,
        stream, Trace(tuple(track.trace), stream.disturbances), track.state(number + 1),
        _values(step, operands),
    )  # fmt: skip


def _values(step: Step, operands: StepOperands) -> ValueHistogram:
    """The step's outputs before and after quantization."""
    assert step.grid is not None and step.real is not None
    bins = bins_of(step.grid)
    before, below, above = counted(operands.float_output, bins)
    after, _, _ = counted(step.real, bins)
    return ValueHistogram(
        bins.lowest, bins.width, tuple(before.tolist()), tuple(after.tolist()), below, above,
        ValueRange(step.grid.minimum, step.grid.maximum),
    )  # fmt: skip


def _timed(layer: Layer, batch: int, scheme: Scheme, programs: Programs) -> Result:
    step, estimator = timed_step(layer, batch, scheme, programs), scheme.new_estimator()
    update = _update_cost(scheme, estimator, step, estimator.planned_passes, programs)
    return _result(layer, batch, scheme, 0, step, programs.hardware, update)


def _update_cost(
    scheme: Scheme, estimator: Estimator, step: Step, passes: int, programs: Programs
) -> Amortised | None:
    """What updates cost per step, of an estimator that makes them with so many passes."""
    if estimator.period is None:
        return None
    return amortised(step.operation, programs, scheme.realisation, passes, estimator.period)


def _result(
    layer: Layer,
    batch: int,
    scheme: Scheme,
    number: int,
    step: Step,
    hardware: Hardware,
    update_cost: Amortised | None,
    stream: Stream | None = None,
    trace: Trace | None = None,
    state: Mapping[str, Any] | None = None,
    values: ValueHistogram | None = None,
) -> Result:
    nest, run = step.operation.nest, step.run
    peak = hardware.peak_macs_per_cycle
    busy_cycles = next(unit.busy_cycles for unit in run.units if unit.unit == "array")
    total_bytes = sum(row.bytes for row in run.traffic)
    return Result(
        layer=layer.name,
        batch=batch,
        hardware=hardware.name,
        clock_mhz=hardware.clock_mhz,
        scheme=scheme.label,
        realisation=step.realisation,
        step=number,
        data=stream.source if stream else "none",
        kind=stream.kind if stream else ACTIVATION,
        seed=scheme.seed,
        drift=stream.drift if stream else None,
        calibration_batches=stream.calibration_batches if stream else 0,
        input_bits=scheme.input_bits,
        weight_bits=scheme.weight_bits,
        output_bits=step.operation.output_bits,
        accumulator_bits=hardware.accumulator.bits,
        total_cycles=run.total_cycles,
        latency_us=hardware.cycles_to_us(run.total_cycles),
        macs=nest.macs,
        array_utilisation=nest.macs / (peak * run.total_cycles),
        array_busy_utilisation=nest.macs / (peak * busy_cycles),
        units=run.units,
        traffic=run.traffic,
        phases=run.phases,
        bus_bytes=run.bus_bytes,
        roofline=roofline_of(nest.macs, total_bytes, run.total_cycles, hardware),
        tiling=step.tiling,
        consumer_load_bytes=step.consumer_load_bytes,
        consumer_range_bytes=step.consumer_range_bytes,
        machine=hardware.model_dump(mode="json"),
        amortised=update_cost,
        actions=actions_of(step.program, hardware, run, step.statistics),
        dram=run.dram,
        numerics=step.numerics,
        values=values,
        bandwidth=run.bandwidth,
        trace=trace,
        state=state,
        spans=run.spans,
        output=step.output,
    )


def roofline_of(macs: int, total_bytes: int, total_cycles: int, hardware: Hardware) -> Roofline:
    """Where so much work and so many bytes lie under the roof of a machine."""
    peak, bandwidth = hardware.peak_macs_per_cycle, hardware.bandwidth_bytes_per_cycle
    compute_cycles = -(-macs // peak)
    memory_cycles = -(-total_bytes * bandwidth.denominator // bandwidth.numerator)
    return Roofline(
        macs_per_byte=macs / total_bytes,
        peak_macs_per_cycle=peak,
        peak_bytes_per_cycle=float(bandwidth),
        attained_macs_per_cycle=macs / total_cycles,
        compute_bound_cycles=compute_cycles,
        memory_bound_cycles=memory_cycles,
        bound="compute" if compute_cycles >= memory_cycles else "memory",
    )
