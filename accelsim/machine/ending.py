"""What a machine comes to, read from its accounts and its memory when all is complete."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from accelsim.machine.account import Account
from accelsim.machine.memory import Memory
from accelsim.machine.meter import Meter
from accelsim.machine.operands import Outcome
from accelsim.result import Bandwidth, DramActivity, Phase, Span, Traffic, UnitTime


@dataclass(frozen=True)
class Run:
    """What the machine counted, and what became of the values where there were any."""

    total_cycles: int
    units: tuple[UnitTime, ...]
    traffic: tuple[Traffic, ...]
    chain_traffic: tuple[Traffic, ...]
    """Bytes that moved between the buffers and the on-chip memory, beside the DRAM's."""
    phases: tuple[Phase, ...]
    bus_bytes: int
    """Bytes moved in whole bursts, those that nobody asked for included."""
    bandwidth: Bandwidth
    dram: DramActivity | None
    spans: tuple[Span, ...]
    folds: int
    statistics_held_cycles: int
    """Cycles for which the drain was held by the statistics unit alone."""
    outcome: Outcome | None


@dataclass(frozen=True)
class Ending:
    """A machine whose last command is complete; its memory may still have data to move."""

    total_cycles: int
    """Until all data has moved."""
    load: Account
    store: Account
    dram: Account
    memory: Memory
    meter: Meter
    traffic: tuple[Traffic, ...]
    chain_traffic: tuple[Traffic, ...]
    chain_cycles: Sequence[int]
    """In which bytes of the load and of the store engine passed the on-chip port."""
    phase_ends: Mapping[str, int]
    """The cycle at which the last command of each phase was complete."""
    folds: int
    held_cycles: int
    """In which the statistics unit alone held the drain."""

    def run(
        self, accounts: Iterable[Account], spans: tuple[Span, ...], outcome: Outcome | None
    ) -> Run:
        """All that was counted; the accounts are those of the units that have a row."""
        total = self.total_cycles
        load_cycles, store_cycles = self.memory.bus_cycles
        self.load.settle(load_cycles + self.chain_cycles[0], total)
        self.store.settle(store_cycles + self.chain_cycles[1], total)
        self.dram.settle(load_cycles + store_cycles, total)
        return Run(
            total_cycles=total,
            units=tuple(account.unit_time(total) for account in accounts),
            traffic=self.traffic,
            chain_traffic=self.chain_traffic,
            phases=self._phases(),
            bus_bytes=sum(self.memory.moved_bytes),
            bandwidth=self.meter.bandwidth(total),
            dram=self.memory.activity(total),
            spans=spans,
            folds=self.folds,
            statistics_held_cycles=self.held_cycles,
            outcome=outcome,
        )

    def _phases(self) -> tuple[Phase, ...]:
        """Each phase with its bytes, and the cycles between the end of the one before and its own.

        Phases may overlap; a phase ends with the last of its commands, the last one with the run.
        """
        ends = self.phase_ends
        in_order = sorted(ends, key=lambda phase: ends[phase])
        stops = [*(ends[phase] for phase in in_order[:-1]), self.total_cycles]
        moved = dict.fromkeys(in_order, 0)
        for row in self.traffic:
            moved[row.phase] += row.bytes
        return tuple(
            Phase(phase, moved[phase], stop - start)
            for phase, start, stop in zip(in_order, (0, *stops), stops, strict=False)
        )


def in_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans by their beginning."""
    return tuple(sorted(spans, key=lambda s: (s.start_cycle, s.unit, s.stop_cycle)))
