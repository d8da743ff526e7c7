"""`simulate` and `compare`: a layer, a machine and a scheme become a Result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware, load_hardware
from accelsim.machine import actions_of
from accelsim.network import Layer, StepTensors, load_layer, synthetic_steps
from accelsim.quant import Estimator, Scheme
from accelsim.result import Amortised, Comparison, Result, Roofline, Trace, TraceStep
from accelsim.simulation.amortised import amortised
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.programs import Programs
from accelsim.simulation.step import Step, timed_step, valued_step

Data = Literal["synthetic"] | StepTensors | Sequence[StepTensors] | None

DEFAULT_SCHEMES = ("in-hindsight", "current")
"""What `compare` holds against each other: the static program, and the dynamic one by a spill."""


def simulate(
    layer: Layer | str,
    hardware: Hardware | str | Path = "edge",
    scheme: Scheme | str = "in-hindsight",
    data: Data = "synthetic",
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: float = 0.05,
) -> Result:
    """Run the steps of one layer in order and return the last one; the others are its past.

    `layer` is a Layer or `network.layer`; `hardware` a Hardware, a preset or a YAML file; `scheme`
    a Scheme or `estimator/realisation`. `data` is one step's tensors, several steps', or
    "synthetic", which draws `steps` seeded, drifting steps (`network.synthetic_steps`); None times
    the steady state without values, in the same cycles. A step whose range is not known yet (the
    first one of in-hindsight) runs as a spill.
    """
    one = compare(layer, hardware, [scheme], data, batch=batch, steps=steps, seed=seed, drift=drift)
    return one.baseline


def compare(
    layer: Layer | str,
    hardware: Hardware | str | Path = "edge",
    schemes: Sequence[Scheme | str] = DEFAULT_SCHEMES,
    data: Data = "synthetic",
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: float = 0.05,
) -> Comparison:
    """Run the same steps under each scheme; the first scheme is what the others are held against.

    The arguments are those of `simulate`.
    """
    layer = load_layer(layer) if isinstance(layer, str) else layer
    programs = Programs(load_hardware(hardware))
    if not schemes:
        raise AccelsimError("schemes=[]: must name at least one scheme")
    parsed = [Scheme.parse(s, seed=seed) if isinstance(s, str) else s for s in schemes]
    if data is None:
        return Comparison(tuple(_timed(layer, batch, scheme, programs) for scheme in parsed))
    tensors = _Tensors.of(layer, data, batch, steps, seed, drift)
    return Comparison(_sequences(layer, parsed, tensors, programs))


@dataclass(frozen=True)
class _Tensors:
    """The steps to run, and where they came from."""

    steps: Sequence[StepTensors]
    source: str
    drift: float | None = None

    @classmethod
    def of(
        cls, layer: Layer, data: Data, batch: int, steps: int, seed: int, drift: float
    ) -> "_Tensors":
        """The tensors that `data` names or holds."""
        if isinstance(data, str):
            if data != "synthetic":
                raise AccelsimError(
                    f"{data=}: must be 'synthetic', tensors, or None for timing only"
                )
            return cls(synthetic_steps(layer, batch, steps, seed, drift), "synthetic", drift)
        given = [data] if isinstance(data, StepTensors) else list(data or ())
        if not given:
            raise AccelsimError("data=[]: must hold at least one step")
        return cls(given, "given")


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


def _sequences(
    layer: Layer, schemes: Sequence[Scheme], tensors: _Tensors, programs: Programs
) -> tuple[Result, ...]:
    """Every step under each scheme before the next step: its tensors are made ready once."""
    estimators = [scheme.new_estimator() for scheme in schemes]
    for scheme, estimator in zip(schemes, estimators, strict=True):
        _check_past(scheme, estimator, len(tensors.steps))
    traces: list[list[TraceStep]] = [[] for _ in schemes]
    passes = [estimator.planned_passes for estimator in estimators]
    for number, step_tensors in enumerate(tensors.steps):
        operands = StepOperands(layer, step_tensors)
        done = []
        for which, (scheme, estimator) in enumerate(zip(schemes, estimators, strict=True)):
            looks = estimator.decision_for(number) is None
            step = valued_step(operands, scheme, estimator, number, programs)
            passes[which] = step.passes if looks else passes[which]
            assert step.observed is not None
            estimator.observe(step.observed)
            traces[which].append(step.traced(number))
            done.append(step)
    return tuple(
        _result(
            layer, operands.batch, scheme, number, step, programs.hardware,
            _update_cost(scheme, estimator, step, reads, programs), tensors, Trace(tuple(trace)),
        )
        for scheme, estimator, step, reads, trace in zip(
            schemes, estimators, done, passes, traces, strict=True
        )
    )  # fmt: skip


def _check_past(scheme: Scheme, estimator: Estimator, steps: int) -> None:
    bootstraps = scheme.realisation_of(known=False) != scheme.realisation
    if bootstraps and estimator.decision_for(0) is None and steps < 2:
        raise AccelsimError(
            f"steps={steps}: scheme '{scheme.label}' needs a past, so it must be at "
            "least 2: the first step is its bootstrap"
        )


def _result(
    layer: Layer,
    batch: int,
    scheme: Scheme,
    number: int,
    step: Step,
    hardware: Hardware,
    update_cost: Amortised | None,
    tensors: _Tensors | None = None,
    trace: Trace | None = None,
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
        data=tensors.source if tensors else "none",
        seed=scheme.seed,
        drift=tensors.drift if tensors else None,
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
        roofline=_roofline(nest.macs, total_bytes, run.total_cycles, hardware),
        tiling=step.tiling,
        consumer_load_bytes=step.consumer_load_bytes,
        machine=hardware.model_dump(mode="json"),
        amortised=update_cost,
        actions=actions_of(step.program, hardware, run, step.statistics),
        dram=run.dram,
        numerics=step.numerics,
        bandwidth=run.bandwidth,
        trace=trace,
        spans=run.spans,
        output=step.output,
    )


def _roofline(macs: int, total_bytes: int, total_cycles: int, hardware: Hardware) -> Roofline:
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
