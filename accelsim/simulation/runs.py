"""A layer, a machine and schemes become Results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware, load_hardware
from accelsim.machine import actions_of
from accelsim.network import ACTIVATION, GRADIENT, Layer, load_layer, operation_of_layer
from accelsim.network.gradient import TENSORS
from accelsim.program import FORWARD
from accelsim.quant import Estimator, Policy, Scheme, bins_of, counted
from accelsim.result import (
    Amortised,
    Comparison,
    Consumer,
    Result,
    Roofline,
    Trace,
    Traffic,
    ValueHistogram,
    ValueRange,
)  # fmt: skip
from accelsim.simulation.amortised import amortised
from accelsim.simulation.blocks import check_blocks
from accelsim.simulation.choice import AnyScheme, choose
from accelsim.simulation.consumer import consumer_of
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.programs import Plan, Programs
from accelsim.simulation.progress import Progress
from accelsim.simulation.statistics import check_unit, layer_needs
from accelsim.simulation.step import Step, planned, timed_step
from accelsim.simulation.stream import Data, Drifts, Stream, stream_of
from accelsim.simulation.track import Track, next_step, tracks_of


def compare_layer(
    layer: Layer | str,
    hardware: Hardware | str | Path,
    schemes: Sequence[AnyScheme],
    data: Data,
    *,
    batch: int,
    steps: int,
    seed: int,
    drift: Drifts,
    calibrate: int,
    kind: str,
    resume: Comparison | None,
    operation: str,
    progress: Progress,
) -> Comparison:
    """`compare`, of a layer."""
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
    tracks = tracks_of(layer, parsed, programs)
    for track in tracks:
        if resume is None:
            track.calibrate(stream.calibration())
        else:
            track.resume(resume, stream)
        track.check_past(stream)
    results = _along(stream, tracks, progress)
    return Comparison(tuple(results[scheme] for scheme in parsed), left_out)


def _schemes(
    given: Sequence[AnyScheme], kind: str, seed: int, layer: Layer, programs: Programs
) -> tuple[list[Scheme], tuple[str, ...]]:
    """Those that a layer is run under, and why some of all are left out."""

    def parse(one: AnyScheme) -> Scheme:
        if isinstance(one, Scheme):
            return one
        policy = one if isinstance(one, Policy) else Policy.parse(one, seed=seed)
        return policy.scheme_of(kind)

    def check(scheme: Scheme) -> None:
        if scheme.from_file:
            raise AccelsimError(
                f"scheme '{scheme.label}': the grids of a file are those of a whole network; name "
                "one, such as model.onnx"
            )
        check_unit(scheme, layer_needs(layer, scheme), programs.hardware)
        check_blocks(scheme, programs.hardware)

    def fit(scheme: Scheme) -> None:
        # Only parts make a difference: a layer fits with one range of any origin, or with none.
        if scheme.new_estimator().extent(layer.nest(1).output_shape, 1) is not None:
            programs.program(planned(layer, 1, scheme))

    return choose(given, seed, parse, check, fit)


def _along(stream: Stream, tracks: Sequence[Track], progress: Progress) -> dict[Scheme, Result]:
    """Every step under each scheme before the next step: its tensors are made ready once."""
    taken, all_steps = 0, stream.count * sum(len(track.schemes) for track in tracks)
    for number, tensors in stream.steps():
        operands = StepOperands(tracks[0].layer, tensors)
        for track in tracks:
            track.take(number, operands)
            taken += len(track.schemes)
            progress(taken, all_steps)
    return {
        scheme: result for track in tracks for scheme, result in _valued(track, operands, stream)
    }


def _valued(
    track: Track, operands: StepOperands, stream: Stream
) -> Iterator[tuple[Scheme, Result]]:
    """The last step of a track under each of its schemes."""
    assert track.last is not None
    number, steps = track.last
    values = _values(steps[track.scheme], operands)
    for scheme, step in steps.items():
        update = _update_cost(scheme, track.estimator, step, track.passes, track.programs)
        trace = Trace(tuple(track.traces[scheme]), stream.disturbances)
        yield scheme, _result(
            track.layer, operands.batch, scheme, number, step, track.programs.hardware, update,
            stream, trace, track.state(number + 1), values,
            consumer=consumer_of(step.plan, scheme, track.programs),
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


def _named(traffic: Sequence[Traffic], operation: str) -> tuple[Traffic, ...]:
    """The bytes by what their tensors are in this operation."""
    names = TENSORS[operation]
    return tuple(replace(row, tensor=names.get(row.tensor, row.tensor)) for row in traffic)


def _timed(layer: Layer, batch: int, scheme: Scheme, programs: Programs) -> Result:
    step, estimator = timed_step(layer, batch, scheme, programs), scheme.new_estimator()
    update = _update_cost(scheme, estimator, step, estimator.planned_passes, programs)
    return _result(
        layer, batch, scheme, 0, step, programs.hardware, update,
        consumer=consumer_of(step.plan, scheme, programs),
    )  # fmt: skip


def _update_cost(
    scheme: Scheme, estimator: Estimator, step: Step, passes: int, programs: Programs
) -> Amortised | None:
    """What updates cost per step, of an estimator that makes them with so many passes."""
    if estimator.period is None:
        return None
    update = Plan(step.operation, scheme.realisation, passes, estimator.needs)
    return amortised(update, scheme, programs, estimator.period)


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
    consumer: Consumer | None = None,
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
        traffic=_named(run.traffic, layer.operation),
        phases=run.phases,
        statistics_held_cycles=run.statistics_held_cycles,
        bus_bytes=run.bus_bytes,
        roofline=Roofline.of(nest.macs, total_bytes, run.total_cycles, hardware),
        tiling=step.tiling,
        consumer_load_bytes=step.consumer_load_bytes,
        consumer_range_bytes=step.consumer_range_bytes,
        machine=hardware.model_dump(mode="json"),
        amortised=update_cost,
        consumer=consumer,
        actions=actions_of(step.program, hardware, run),
        dram=run.dram,
        numerics=step.numerics,
        values=values,
        bandwidth=run.bandwidth,
        trace=trace,
        state=state,
        spans=run.spans,
        output=step.output,
    )
