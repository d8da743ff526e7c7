"""A whole network on one machine: its operations one after another, and their sums."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from accelsim.errors import AccelsimError
from accelsim.hardware import DEFAULT_TABLE, EnergyTable, load_energy_table, load_hardware
from accelsim.result.actions import Action, merged
from accelsim.result.cost import Amortised, Phase
from accelsim.result.drawing import Drawing
from accelsim.result.energy import Energy, energy_of
from accelsim.result.numerics import Numerics
from accelsim.result.record import Record
from accelsim.result.run import UnitTime
from accelsim.result.selection import of_schemes

if TYPE_CHECKING:
    import pandas as pd

DRAM, CHIP = "dram", "chip"
"""Where a tensor lies: outside, or in the on-chip memory between two operations."""

SEARCH = "search"
"""The phase of a pass that only tries ranges on a finished tensor."""

UNITS = ("load", "array", "statistics", "requantizer", "vector unit", "store", "dram")
"""In the order in which data passes them."""


@dataclass(frozen=True, slots=True)
class Move(Record):
    """Bytes of one tensor of the network, in one direction, by one operation."""

    tensor: str
    """Its name in the network: the node that made it, `node.weights`, ..."""
    role: str
    """What the operation calls it: input, weights, output, ..."""
    direction: str
    memory: str
    """"dram", or "chip" where it stays on chip."""
    bytes: int


@dataclass(frozen=True, slots=True)
class OperationResult(Record):
    """One operation of a network: a product on the array, or work of the vector unit."""

    later: ClassVar[Mapping[str, Any]] = {"applied_kinds": [], "useful_macs": 0}

    node: str
    kind: str
    phase: str
    """forward, grad-input, grad-weight or update."""
    realisation: str
    """Empty for vector work."""
    applies: tuple[str, ...]
    """Nodes after it whose work it does on the way."""
    macs: int
    total_cycles: int
    bus_bytes: int
    units: tuple[UnitTime, ...]
    moves: tuple[Move, ...]
    actions: tuple[Action, ...] = ()
    """How often which part did what."""
    statistics_held_cycles: int = 0
    """Cycles for which the drain was held by the statistics unit alone."""
    run_phases: tuple[Phase, ...] = ()
    """Its passes one after another (product, search, requantize; gather, search, apply)."""
    amortised: Amortised | None = None
    """Over a period, where updates change what it costs: by its own range, or what it loads."""
    applied_kinds: tuple[str, ...] = ()
    """What those nodes are: `relu6`, `silu`, ..."""
    useful_macs: int = 0
    """Of the MACs, those with an element of the input: no padding, no zero inserted by a stride."""
    numerics: Numerics | None = None
    """What it stores against the float network on the same inputs, so errors of earlier operations
    included; in training a step in float64 from the same weights. None without values."""

    @property
    def total_bytes(self) -> int:
        """DRAM bytes."""
        return self.bytes_of()

    @property
    def bytes_per_step(self) -> float:
        """DRAM bytes, on average over a period where steps differ."""
        return self.amortised.bytes_per_step if self.amortised else self.total_bytes

    @property
    def differs_from_plain(self) -> bool:
        """Whether it is as in an update step: its range is searched, or what it loads waited."""
        return self.amortised is not None and self.run_phases != self.amortised.plain.phases

    @property
    def cycles_per_step(self) -> float:
        """Cycles, on average over a period where steps differ."""
        return self.amortised.cycles_per_step if self.amortised else self.total_cycles

    def bytes_of(
        self, role: str | None = None, direction: str | None = None, memory: str = DRAM
    ) -> int:
        """Bytes by role and direction; None means all."""
        return sum(
            move.bytes
            for move in self.moves
            if role in (None, move.role)
            and direction in (None, move.direction)
            and memory == move.memory
        )


@dataclass(frozen=True, slots=True)
class OutputAccuracy(Record):
    """An output of the network against that of the float network on the same inputs."""

    node: str
    samples: int
    sqnr_db: float
    cosine: float
    top1_agreement: float | None
    """Share of the samples whose largest element is the same; None but for vectors."""


@dataclass(frozen=True, slots=True)
class TrainingStep(Record):
    """One step of a training with values."""

    step: int
    loss: float
    """Of the machine's outputs, before the update."""
    float_loss: float
    """Of the same network trained in float64 beside it, on the same inputs from the same start."""


@dataclass(frozen=True, slots=True)
class UpdateStep(Record):
    """A step of a network in which the range of every tensor is searched."""

    shortest_period_steps: int
    """From one update to the next, of the operation that looks most often."""
    longest_period_steps: int
    bytes: int
    cycles: int
    search_bytes: int
    """Of these, in phases that read a tensor only to try a range."""
    search_cycles: int


@dataclass(frozen=True, slots=True)
class NormCost(Record):
    """What the norms of a training step take, forward and back."""

    bytes: int
    cycles: int


@dataclass(frozen=True)
class NetworkResult(Record):
    """Every operation of a network in order. They follow one another: none overlaps the next."""

    schema = "accelsim.network/1"
    later: ClassVar[Mapping[str, Any]] = {"opaque": [], "batch_norms": None}
    derived = ("totals", "energy")

    network: str
    batch: int
    training: bool
    hardware: str
    clock_mhz: float
    scheme: str
    step: int
    """Index of the measured step; the steps before it are its past."""
    data: str
    """Where the tensors came from: "synthetic", "given", or "none" for a timing-only run."""
    seed: int
    accumulator_bits: int
    options: Mapping[str, Any]
    """What else was chosen of a training step; of an inference, nothing."""
    operations: tuple[OperationResult, ...]
    machine: Mapping[str, Any]
    """The whole description of the hardware, overrides included."""
    weights: str = "none"
    """Where they came from: "synthetic", "given" (the network's file), "given and synthetic", or
    "none" for a timing-only run."""
    drift: str | None = None
    """How synthetic inputs moved from step to step."""
    calibration_batches: int = 0
    outputs: tuple[OutputAccuracy, ...] = ()
    """Empty without values."""
    opaque: tuple[str, ...] = ()
    """Nodes of which the bytes alone are known: with such a network has no values."""
    steps: tuple[TrainingStep, ...] = ()
    """Those of a training with values, the measured one last."""
    batch_norms: NormCost | None = None
    """Of a training with range batch norms: BatchNorm in their place, with a pass of its own for
    its statistics."""

    plot = Drawing()
    """`result.plot.traffic(ax=axes)`: see `accelsim.report.plot`."""

    @property
    def total_cycles(self) -> int:
        """The operations one after another."""
        return sum(row.total_cycles for row in self.operations)

    @property
    def total_bytes(self) -> int:
        """All DRAM bytes."""
        return sum(row.total_bytes for row in self.operations)

    @property
    def bytes_per_step(self) -> float:
        """DRAM bytes, on average where steps differ."""
        return sum(row.bytes_per_step for row in self.operations)

    @property
    def cycles_per_step(self) -> float:
        """Cycles, on average where steps differ."""
        return sum(row.cycles_per_step for row in self.operations)

    @property
    def update_step(self) -> UpdateStep | None:
        """What a step costs that looks at every tensor; None where each step is like any other."""
        changed = [row.amortised for row in self.operations if row.amortised]
        if not changed:
            return None
        costs = [cost.update for cost in changed]
        searches = [p for cost in costs for p in cost.phases if p.phase == SEARCH]
        same = [row for row in self.operations if not row.amortised]
        return UpdateStep(
            shortest_period_steps=min(cost.period_steps for cost in changed),
            longest_period_steps=max(cost.period_steps for cost in changed),
            bytes=sum(c.bytes for c in costs) + sum(row.total_bytes for row in same),
            cycles=sum(c.cycles for c in costs) + sum(row.total_cycles for row in same),
            search_bytes=sum(phase.bytes for phase in searches),
            search_cycles=sum(phase.cycles for phase in searches),
        )

    @property
    def chip_bytes(self) -> int:
        """Bytes through the port of the on-chip memory."""
        return sum(row.bytes_of(memory=CHIP) for row in self.operations)

    @property
    def bus_bytes(self) -> int:
        """DRAM bytes in whole bursts."""
        return sum(row.bus_bytes for row in self.operations)

    @property
    def statistics_held_cycles(self) -> int:
        """Cycles for which a drain was held by the statistics unit alone."""
        return sum(row.statistics_held_cycles for row in self.operations)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all products."""
        return sum(row.macs for row in self.operations)

    @property
    def useful_macs(self) -> int:
        """Those with an element of the input."""
        return sum(row.useful_macs for row in self.operations)

    @property
    def latency_us(self) -> float:
        """The total cycles as time."""
        return self.total_cycles / self.clock_mhz

    @property
    def actions(self) -> tuple[Action, ...]:
        """How often which part did what, over all operations."""
        return merged(action for row in self.operations for action in row.actions)

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases there are, in order."""
        return tuple(dict.fromkeys(row.phase for row in self.operations))

    def phase(self, name: str) -> "NetworkResult":
        """The operations of one phase only."""
        rows = tuple(row for row in self.operations if row.phase == name)
        return replace(self, operations=rows)

    def bytes_by(self, *keys: str, memory: str = DRAM) -> dict[tuple[str, ...], int]:
        """Bytes summed by fields of the moves (tensor, role, direction), in order of appearance."""
        count: Counter[tuple[str, ...]] = Counter()
        for row in self.operations:
            for move in row.moves:
                if move.memory == memory:
                    count[tuple(getattr(move, key) for key in keys)] += move.bytes
        return dict(count)

    @property
    def units(self) -> tuple[UnitTime, ...]:
        """How each unit spent the total cycles; in an operation that has no use for it, idle."""
        total = self.total_cycles
        return tuple(self._unit(name, total) for name in UNITS if self._lists(name))

    def _lists(self, name: str) -> bool:
        return any(unit.unit == name for row in self.operations for unit in row.units)

    def _unit(self, name: str, total: int) -> UnitTime:
        rows = [unit for row in self.operations for unit in row.units if unit.unit == name]
        busy = sum(unit.busy_cycles for unit in rows)
        starved = sum(unit.starved_cycles for unit in rows)
        blocked = sum(unit.blocked_cycles for unit in rows)
        return UnitTime(name, busy, starved, blocked, total - busy - starved - blocked)

    def unit(self, name: str) -> UnitTime:
        """The time account of one unit."""
        for row in self.units:
            if row.unit == name:
                return row
        known = ", ".join(row.unit for row in self.units)
        raise AccelsimError(f"unit={name!r}: must be one of {known}")

    @property
    def range_norms(self) -> NormCost:
        """What its range batch norms take."""
        rows = [row for row in self.operations if row.kind == "range_batch_norm"]
        return NormCost(
            bytes=sum(row.total_bytes for row in rows),
            cycles=sum(row.total_cycles for row in rows),
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields, and the totals that follow from them."""
        totals = {
            "total_cycles": self.total_cycles,
            "latency_us": self.latency_us,
            "total_bytes": self.total_bytes,
            "chip_bytes": self.chip_bytes,
            "bus_bytes": self.bus_bytes,
            "statistics_held_cycles": self.statistics_held_cycles,
            "macs": self.macs,
            "useful_macs": self.useful_macs,
            "bytes_per_step": self.bytes_per_step,
            "cycles_per_step": self.cycles_per_step,
            "update_step": self.update_step.to_dict() if self.update_step else None,
        }
        return super().to_dict() | {"totals": totals}

    def energy(self, table: EnergyTable | str | Path = DEFAULT_TABLE) -> Energy:
        """All operations by an energy table; `phase(name).energy()` has those of one phase."""
        hardware = load_hardware(self.machine)
        return energy_of(self.actions, hardware, load_energy_table(table), self.scheme)

    def energy_pj_per_step(self, table: EnergyTable | str | Path = DEFAULT_TABLE) -> float:
        """Energy of a step by a table, on average over a period where steps differ."""
        hardware, table = load_hardware(self.machine), load_energy_table(table)
        same = merged(a for row in self.operations if not row.amortised for a in row.actions)
        costs = [row.amortised for row in self.operations if row.amortised]
        return energy_of(same, hardware, table).total_pj + sum(
            cost.energy_pj_per_step(hardware, table) for cost in costs
        )

    def to_frame(self) -> "pd.DataFrame":
        """A pandas frame, one row per operation, tensor and direction."""
        return network_frame([self])


@dataclass(frozen=True, slots=True)
class NetworkRatio(Record):
    """One network result over the baseline of its comparison."""

    scheme: str
    baseline: str
    bytes_ratio: float
    cycles_ratio: float
    bytes_per_step_ratio: float
    """Update steps included; the ratio of bytes, where no step differs."""
    cycles_per_step_ratio: float

    @classmethod
    def of(cls, result: NetworkResult, baseline: NetworkResult) -> "NetworkRatio":
        """Computed from two results."""
        return cls(
            result.scheme,
            baseline.scheme,
            result.total_bytes / baseline.total_bytes,
            result.total_cycles / baseline.total_cycles,
            result.bytes_per_step / baseline.bytes_per_step,
            result.cycles_per_step / baseline.cycles_per_step,
        )


@dataclass(frozen=True)
class NetworkComparison(Record):
    """The same network under several schemes; the others are held against the first."""

    schema = "accelsim.network-comparison/1"
    derived = ("ratios", "energy", "overview")
    later: ClassVar[Mapping[str, Any]] = {"left_out": []}

    results: tuple[NetworkResult, ...]
    left_out: tuple[str, ...] = ()
    """Of all schemes, those that this network or machine cannot have: "scheme, scheme: why"."""

    plot = Drawing()
    """`comparison.plot.traffic(ax=axes)`: see `accelsim.report.plot`."""

    @property
    def baseline(self) -> NetworkResult:
        """The first result."""
        return self.results[0]

    @property
    def ratios(self) -> tuple[NetworkRatio, ...]:
        """Every other result over the baseline."""
        return tuple(NetworkRatio.of(result, self.baseline) for result in self.results[1:])

    def only(self, *schemes: str) -> "NetworkComparison":
        """The network under these schemes; an estimator stands for all its realisations."""
        return NetworkComparison(of_schemes(self.results, lambda result: result.scheme, schemes))

    def to_dict(self) -> dict[str, Any]:
        """The results, and the ratios that follow from them."""
        return {
            "schema": self.schema,
            "results": [result.to_dict() for result in self.results],
            "left_out": list(self.left_out),
            "ratios": [ratio.to_dict() for ratio in self.ratios],
        }

    def to_frame(self) -> "pd.DataFrame":
        """A pandas frame, one row per scheme, operation, tensor and direction."""
        return network_frame(self.results)


def network_frame(results: Iterable[NetworkResult]) -> "pd.DataFrame":
    """A pandas frame, one row per result, operation, tensor and direction."""
    try:
        import pandas as pd
    except ImportError:
        raise AccelsimError("to_frame needs pandas: pip install 'accelsim[pandas]'") from None
    rows = []
    for result in results:
        for row in result.operations:
            head = {
                "network": result.network,
                "batch": result.batch,
                "hardware": result.hardware,
                "scheme": result.scheme,
                "node": row.node,
                "kind": row.kind,
                "phase": row.phase,
                "macs": row.macs,
                "total_cycles": row.total_cycles,
            }
            if row.numerics:
                head["sqnr_db"] = row.numerics.sqnr_db
            rows += [head | move.to_dict() for move in row.moves]
    return pd.DataFrame(rows)
