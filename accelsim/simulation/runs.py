"""`simulate` and `compare`: a layer, a machine and a scheme become a Result."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware, load_hardware
from accelsim.network import Layer, StepTensors, load_layer, synthetic_steps
from accelsim.quant import Scheme
from accelsim.result import Comparison, Result, Roofline
from accelsim.simulation.step import Step, operation_of, timed_step, valued_step

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
    layer = load_layer(layer) if isinstance(layer, str) else layer
    hardware = load_hardware(hardware)
    scheme = Scheme.parse(scheme, seed=seed) if isinstance(scheme, str) else scheme
    if data is None:
        step = timed_step(layer, batch, hardware, scheme)
        return _result(layer, batch, hardware, scheme, scheme.realisation, "none", 0, step)
    if isinstance(data, str):
        if data != "synthetic":
            raise AccelsimError(f"{data=}: must be 'synthetic', tensors, or None for timing only")
        tensors: Sequence[StepTensors] = synthetic_steps(layer, batch, steps, seed, drift)
        source = "synthetic"
    else:
        tensors = [data] if isinstance(data, StepTensors) else list(data)
        source = "given"
    _check_past(scheme, len(tensors))
    return _last_step(layer, hardware, scheme, tensors, source)


def _check_past(scheme: Scheme, steps: int) -> None:
    if not steps:
        raise AccelsimError("data=[]: must hold at least one step")
    if scheme.realisation == "static" and steps < 2:
        raise AccelsimError(
            f"steps={steps}: scheme '{scheme.label}' needs a past, so it must be at least 2: "
            "the first step is its bootstrap"
        )


def _last_step(
    layer: Layer, hardware: Hardware, scheme: Scheme, tensors: Sequence[StepTensors], source: str
) -> Result:
    estimator = scheme.new_estimator()
    for number, step_tensors in enumerate(tensors):
        limits = estimator.range_for(number)
        realisation = "spill" if limits is None else scheme.realisation
        step = valued_step(layer, hardware, scheme, realisation, step_tensors, limits, number)
        assert step.observed is not None
        estimator.observe(step.observed)
    batch = layer.batch_of(tensors[-1].input)
    return _result(layer, batch, hardware, scheme, realisation, source, len(tensors) - 1, step)


def _result(
    layer: Layer,
    batch: int,
    hardware: Hardware,
    scheme: Scheme,
    realisation: str,
    source: str,
    number: int,
    step: Step,
) -> Result:
    nest, run = operation_of(layer, batch, scheme).nest, step.run
    peak = hardware.peak_macs_per_cycle
    busy_cycles = next(unit.busy_cycles for unit in run.units if unit.unit == "array")
    total_bytes = sum(row.bytes for row in run.traffic)
    return Result(
        layer=layer.name,
        batch=batch,
        hardware=hardware.name,
        clock_mhz=hardware.clock_mhz,
        scheme=scheme.label,
        realisation=realisation,
        step=number,
        data=source,
        total_cycles=run.total_cycles,
        latency_us=hardware.cycles_to_us(run.total_cycles),
        macs=nest.macs,
        array_utilisation=nest.macs / (peak * run.total_cycles),
        array_busy_utilisation=nest.macs / (peak * busy_cycles),
        units=run.units,
        traffic=run.traffic,
        roofline=_roofline(nest.macs, total_bytes, run.total_cycles, hardware),
        tiling=step.tiling | {"folds": run.folds},
        numerics=step.numerics,
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
    hardware = load_hardware(hardware)
    if not schemes:
        raise AccelsimError("schemes=[]: must name at least one scheme")
    if isinstance(data, str) and data == "synthetic":
        given: Data = synthetic_steps(layer, batch, steps, seed, drift)
    else:
        given = data
    results = [
        simulate(layer, hardware, scheme, given, batch=batch, seed=seed) for scheme in schemes
    ]
    return Comparison(tuple(results))
