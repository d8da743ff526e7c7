"""What one run came to: cycles by unit, bytes by tensor, the fate of the values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import (
    DEFAULT_TABLE,
    EnergyTable,
    Hardware,
    load_energy_table,
    load_hardware,
)
from accelsim.result.actions import VECTOR_UNIT, Action
from accelsim.result.cost import Amortised, Consumer, ConsumerPrice, Phase, price_of
from accelsim.result.drawing import Drawing
from accelsim.result.energy import Energy, energy_of
from accelsim.result.numerics import Numerics, ValueHistogram
from accelsim.result.record import Record, need_pandas
from accelsim.result.trace import Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class UnitTime(Record):
    """How one unit spent the run. The four parts add up to the total cycles."""

    unit: str
    busy_cycles: int
    """It worked."""
    starved_cycles: int
    """It had a command and waited for what the command needs."""
    blocked_cycles: int
    """It had a command and waited for room to put the outcome, or for a slower unit after it."""
    idle_cycles: int
    """It had nothing (more) to do."""


@dataclass(frozen=True, slots=True)
class Traffic(Record):
    """DRAM bytes of one tensor in one direction and phase, counted at the DRAM interface."""

    tensor: str
    direction: str
    phase: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Span(Record):
    """One unit at work on one thing: [start_cycle, stop_cycle)."""

    unit: str
    label: str
    phase: str
    start_cycle: int
    stop_cycle: int


@dataclass(frozen=True, slots=True)
class Roofline(Record):
    """Where the run stands against the two ceilings of the machine."""

    macs_per_byte: float
    peak_macs_per_cycle: int
    peak_bytes_per_cycle: float
    attained_macs_per_cycle: float
    compute_bound_cycles: int
    """Least cycles at the array's peak."""
    memory_bound_cycles: int
    """Least cycles at the DRAM's peak bandwidth."""
    bound: str
    """"compute" or "memory": the higher of the two."""

    @classmethod
    def of(cls, macs: int, total_bytes: int, total_cycles: int, hardware: Hardware) -> "Roofline":
        """Of what moved so many DRAM bytes in so many cycles."""
        peak, bandwidth = hardware.peak_macs_per_cycle, hardware.bandwidth_bytes_per_cycle
        compute_cycles = -(-macs // peak)
        memory_cycles = -(-total_bytes * bandwidth.denominator // bandwidth.numerator)
        return cls(
            macs_per_byte=macs / total_bytes,
            peak_macs_per_cycle=peak,
            peak_bytes_per_cycle=float(bandwidth),
            attained_macs_per_cycle=macs / total_cycles,
            compute_bound_cycles=compute_cycles,
            memory_bound_cycles=memory_cycles,
            bound="compute" if compute_cycles >= memory_cycles else "memory",
        )


@dataclass(frozen=True, slots=True)
class DramEngine(Record):
    """What one DMA engine had of a DRAM that is simulated by command."""

    engine: str
    bytes_read: int
    bytes_written: int
    """Whole lines, as the engine asked for them."""
    read_latency_mean_ns: float
    read_latency_max_ns: float


@dataclass(frozen=True, slots=True)
class DramActivity(Record):
    """What the banks of a DRAM that is simulated by command did in a run; GB are 10^9 bytes."""

    bandwidth_gb_per_s: float
    peak_gb_per_s: float
    bus_busy_share: float
    """Share of the run in which data moved, the mean of all channels."""
    row_hits: int
    row_hit_rate: float
    activates: int
    precharges: int
    refreshes: int
    read_latency_mean_ns: float
    read_latency_max_ns: float
    latency_bin_ns: float
    latency_histogram_lines: tuple[int, ...]
    """Lines read by latency, a bin after the other from 0; the last bin holds all longer ones."""
    engines: tuple[DramEngine, ...]


@dataclass(frozen=True, slots=True)
class Bandwidth(Record):
    """What was on the DRAM's bus over the run, in whole bursts, in steps of equal length."""

    step_cycles: int
    """Length of a step; the last one ends with the run."""
    load_bytes: tuple[int, ...]
    store_bytes: tuple[int, ...]


@dataclass(frozen=True)
class Result(Record):
    """One operation on one machine under one scheme: values, cycles and bytes of one run."""

    schema = "accelsim.result/1"
    derived = ("energy",)
    later: ClassVar[Mapping[str, Any]] = {"consumer": None}

    layer: str
    batch: int
    hardware: str
    clock_mhz: float
    scheme: str
    realisation: str
    step: int
    """Index of the measured step; the steps before it are its past."""
    data: str
    """Where the tensors came from: "synthetic", "given", or "none" for a timing-only run."""
    kind: str
    """What they are: "activation" or "gradient"."""
    seed: int
    """Of stochastic rounding, and of synthetic tensors."""
    drift: str | None
    """How synthetic tensors move from step to step; None for others."""
    input_bits: int
    weight_bits: int
    output_bits: int
    accumulator_bits: int
    total_cycles: int
    latency_us: float
    macs: int
    array_utilisation: float
    """MACs over what the array could do in the total cycles."""
    array_busy_utilisation: float
    """MACs over what the array could do while it was busy: the fit of the layer to the array."""
    units: tuple[UnitTime, ...]
    traffic: tuple[Traffic, ...]
    phases: tuple[Phase, ...]
    bus_bytes: int
    """DRAM bytes in whole bursts: the traffic, and what partly used bursts move beside it."""
    roofline: Roofline
    tiling: Mapping[str, Any]
    consumer_load_bytes: int
    """What the next operation loads of this one: the output, or (lazy) its accumulators."""
    machine: Mapping[str, Any]
    """The whole description of the hardware, overrides included."""
    consumer_range_bytes: int = 0
    """What it loads beside that: the ranges of samples or regions, the scales of blocks."""
    statistics_held_cycles: int = 0
    """Cycles for which the drain was held by the statistics unit alone: words that it took longer
    for than all beside it, regions observed before they were quantized, and ranges settled."""
    amortised: Amortised | None = None
    """Over update steps and those in between; None where every step is like this one."""
    consumer: Consumer | None = None
    """What reading the output of this step costs; None where it is plain static integers."""
    actions: tuple[Action, ...] = ()
    """How often which part did what; `energy` makes joules of it."""
    dram: DramActivity | None = None
    """Banks and rows; None where the DRAM is ideal."""
    numerics: Numerics | None = None
    values: ValueHistogram | None = None
    """The outputs of the measured step; None for a timing-only run."""
    bandwidth: Bandwidth | None = None
    """The DRAM's bus over time."""
    trace: Trace | None = None
    """All steps of the sequence, the measured one last; None for a timing-only run."""
    calibration_batches: int = 0
    """Batches that the estimator had seen before the first step."""
    state: Mapping[str, Any] | None = None
    """What is needed to go on after the last step: the next one's number, the estimator's state."""
    spans: tuple[Span, ...] = ()
    output: np.ndarray | None = field(
        default=None, repr=False, compare=False, metadata={"json": False}
    )
    """The output integers in the user's layout; not part of the JSON document."""

    plot = Drawing()
    """`result.plot.traffic(ax=axes)`: see `accelsim.report.plot`."""

    @property
    def total_bytes(self) -> int:
        """All DRAM bytes of the run."""
        return sum(row.bytes for row in self.traffic)

    @property
    def bytes_per_step(self) -> float:
        """DRAM bytes of a step of the scheme: amortised where its steps differ."""
        return self.amortised.bytes_per_step if self.amortised else self.total_bytes

    @property
    def cycles_per_step(self) -> float:
        """Cycles of a step of the scheme: amortised where its steps differ."""
        return self.amortised.cycles_per_step if self.amortised else self.total_cycles

    def energy_pj_per_step(self, table: EnergyTable | str | Path = DEFAULT_TABLE) -> float:
        """Energy of a step of the scheme by a table: amortised where its steps differ."""
        if self.amortised is None:
            return self.energy(table).total_pj
        return self.amortised.energy_pj_per_step(
            load_hardware(self.machine), load_energy_table(table)
        )

    @property
    def consumers(self) -> tuple[Consumer | None, ...]:
        """Of each kind of step that the scheme has."""
        if self.amortised is None:
            return (self.consumer,)
        return self.amortised.update.consumer, self.amortised.plain.consumer

    def consumer_price_per_step(
        self, table: EnergyTable | str | Path = DEFAULT_TABLE
    ) -> ConsumerPrice:
        """What reading the output of a step costs beyond plain static integers, energy by a table.

        Amortised where the scheme's steps differ; an error where it cannot be told.
        """
        hardware, table = load_hardware(self.machine), load_energy_table(table)
        if self.amortised is not None:
            return self.amortised.consumer_price(hardware, table)
        return price_of(self.consumer, hardware, table)

    def bytes_of(self, tensor: str | None = None, direction: str | None = None) -> int:
        """DRAM bytes of a tensor and direction; None means all."""
        return sum(
            row.bytes
            for row in self.traffic
            if tensor in (None, row.tensor) and direction in (None, row.direction)
        )

    def unit(self, name: str) -> UnitTime:
        """The time account of one unit; a vector unit without a command was idle."""
        for row in self.units:
            if row.unit == name:
                return row
        if name == VECTOR_UNIT:
            return UnitTime(name, 0, 0, 0, self.total_cycles)
        known = ", ".join(row.unit for row in self.units)
        raise AccelsimError(f"unit={name!r}: must be one of {known}")

    def energy(self, table: EnergyTable | str | Path = DEFAULT_TABLE) -> Energy:
        """The run by an energy table: a name, a YAML file or a table."""
        return energy_of(
            self.actions, load_hardware(self.machine), load_energy_table(table), self.scheme
        )

    def to_frame(self) -> "pd.DataFrame":
        """A pandas frame, one row per tensor, direction and phase."""
        return frame([self])


def frame(results: Iterable[Result]) -> "pd.DataFrame":
    """A pandas frame, one row per result, tensor, direction and phase."""
    pd = need_pandas()
    rows = []
    for result in results:
        head = {
            "layer": result.layer,
            "batch": result.batch,
            "hardware": result.hardware,
            "scheme": result.scheme,
            "realisation": result.realisation,
            "total_cycles": result.total_cycles,
            "latency_us": result.latency_us,
        }
        if result.numerics:
            head |= {
                "sqnr_db": result.numerics.sqnr_db,
                "cosine": result.numerics.cosine,
                "saturated_share": result.numerics.saturated_share,
            }
        rows += [head | row.to_dict() for row in result.traffic]
    return pd.DataFrame(rows)
