"""What a kind of step costs, on average over a period, and whoever reads what it leaves."""

from dataclasses import dataclass
from functools import partial
from typing import Optional

from accelsim.errors import AccelsimError
from accelsim.hardware import EnergyTable, Hardware
from accelsim.result.actions import Action
from accelsim.result.energy import energy_of
from accelsim.result.record import Record


@dataclass(frozen=True, slots=True)
class Phase(Record):
    """One pass of a run. The cycles of all phases add up to the run's, and so do their bytes."""

    phase: str
    bytes: int
    """DRAM bytes."""
    cycles: int
    """From the end of the phase before, where phases overlap, to the end of this one."""


@dataclass(frozen=True, slots=True)
class StepCost(Record):
    """What one kind of step costs."""

    realisation: str
    bytes: int
    cycles: int
    phases: tuple[Phase, ...]
    actions: tuple[Action, ...] = ()
    consumer: Optional["Consumer"] = None
    """What reading its output costs; None where that is plain static integers, and in networks,
    whose readers are there themselves."""

    def energy_pj(self, hardware: Hardware, table: EnergyTable) -> float:
        """Energy by a table."""
        return energy_of(self.actions, hardware, table).total_pj


@dataclass(frozen=True, slots=True)
class ConsumerPrice(Record):
    """What a consumer pays beyond one of plain static integers."""

    bytes: float = 0.0
    cycles: float = 0.0
    energy_pj: float = 0.0


@dataclass(frozen=True, slots=True)
class Consumer(Record):
    """What a stated operation that reads the output costs beyond one of plain static integers.

    That one is as cheap as it is on the tile that suits it best or on the other's tile, in bytes,
    cycles and energy each by itself: a price is that of what is read, and not of a tile.
    """

    work: str
    own: StepCost | None
    """Reading the output as it lies: as accumulators, with ranges of parts, in blocks."""
    static: tuple[StepCost, ...]
    """The same operation on integers of one range that is known before, on either tile."""
    bytes_beyond_static: int
    cycles_beyond_static: int
    refused: str
    """Why it cannot be run, where it cannot: then there are no costs."""

    @classmethod
    def of(cls, work: str, own: StepCost, static: tuple[StepCost, ...]) -> "Consumer":
        """From what the programs cost."""
        more_bytes = own.bytes - min(cost.bytes for cost in static)
        more_cycles = own.cycles - min(cost.cycles for cost in static)
        return cls(work, own, static, more_bytes, more_cycles, refused="")

    def price(self, hardware: Hardware, table: EnergyTable) -> ConsumerPrice:
        """Bytes, cycles, and energy by a table."""
        if self.own is None:
            raise AccelsimError(f"consumer: has no cost: {self.refused}")
        least_pj = min(cost.energy_pj(hardware, table) for cost in self.static)
        more_pj = self.own.energy_pj(hardware, table) - least_pj
        return ConsumerPrice(self.bytes_beyond_static, self.cycles_beyond_static, more_pj)


@dataclass(frozen=True, slots=True)
class Amortised(Record):
    """The cost of a scheme that looks at the tensor now and then, over one period."""

    period_steps: int
    """From one update to the next."""
    passes: int
    """How often an update reads the finished tensor, the read that quantizes included."""
    update: StepCost
    plain: StepCost
    """Every other step of the period."""

    bytes_per_step: float
    cycles_per_step: float

    @classmethod
    def over(cls, period_steps: int, passes: int, update: StepCost, plain: StepCost) -> "Amortised":
        """An update in `passes` reads, and plain steps until the next one."""
        moved = mean_over(period_steps, update.bytes, plain.bytes)
        taken = mean_over(period_steps, update.cycles, plain.cycles)
        return cls(period_steps, passes, update, plain, moved, taken)

    def energy_pj_per_step(self, hardware: Hardware, table: EnergyTable) -> float:
        """Energy by a table."""
        costs = (cost.energy_pj(hardware, table) for cost in (self.update, self.plain))
        return mean_over(self.period_steps, *costs)

    def consumer_price(self, hardware: Hardware, table: EnergyTable) -> ConsumerPrice:
        """What reading the outputs costs per step."""
        update, plain = (
            price_of(cost.consumer, hardware, table) for cost in (self.update, self.plain)
        )
        mean = partial(mean_over, self.period_steps)
        return ConsumerPrice(
            mean(update.bytes, plain.bytes), mean(update.cycles, plain.cycles),
            mean(update.energy_pj, plain.energy_pj),
        )  # fmt: skip


def mean_over(period_steps: int, update: float, plain: float) -> float:
    """Per step: (update + (period - 1) * plain) / period."""
    return (update + (period_steps - 1) * plain) / period_steps


def price_of(consumer: Consumer | None, hardware: Hardware, table: EnergyTable) -> ConsumerPrice:
    """Nothing where the output is plain static integers."""
    return ConsumerPrice() if consumer is None else consumer.price(hardware, table)
