"""One run: build the machine of a description, hand it a program, let time pass till the end."""

from collections import Counter
from dataclasses import dataclass
from itertools import chain

import simpy

from accelsim.errors import AccelsimError
from accelsim.hardware import BlockRescale, CommandDram, Hardware
from accelsim.machine.account import Account, Scoreboard
from accelsim.machine.array import Blocks, MacArray
from accelsim.machine.banks import bank_names
from accelsim.machine.block_values import BlockOperands, values_of
from accelsim.machine.buffers import Buffer
from accelsim.machine.chain import ChainMemory
from accelsim.machine.dma import LoadEngine, StoreEngine
from accelsim.machine.drain import DrainPath
from accelsim.machine.dram import Dram
from accelsim.machine.memory import LOAD, STORE, memory_of
from accelsim.machine.operands import Operands, Outcome
from accelsim.machine.vector import VectorUnit
from accelsim.program import (
    ACCUMULATOR_BUFFER,
    INPUT,
    INPUT_BUFFER,
    OUTPUT_BUFFER,
    WEIGHT_BUFFER,
    Barrier,
    Compute,
    Drain,
    Load,
    Map,
    Mix,
    Program,
    Store,
)
from accelsim.result import Bandwidth, DramActivity, Phase, Recorder, Span, Traffic, UnitTime


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


class Machine:
    """The units of one machine around one clock, with a program to run."""

    def __init__(
        self,
        program: Program,
        hardware: Hardware,
        operands: Operands | BlockOperands | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.env = env = simpy.Environment()
        self.program, self.hardware, self.recorder = program, hardware, recorder
        self.values = values_of(program, hardware.accumulator, operands) if operands else None
        self.scoreboard = Scoreboard(env, program.commands)
        sram = hardware.sram
        sizes = {
            INPUT_BUFFER: sram.input_bytes,
            WEIGHT_BUFFER: sram.weight_bytes,
            ACCUMULATOR_BUFFER: sram.accumulator_bytes,
            OUTPUT_BUFFER: sram.output_bytes,
        }
        self.buffers = {name: Buffer(env, name, size, recorder) for name, size in sizes.items()}
        shared = self.scoreboard, self.buffers, self.values, recorder
        self.dram = Dram(env, memory_of(hardware, recorder), recorder)
        self.chain = ChainMemory(env, hardware)
        memories = self.dram, dict.fromkeys(program.on_chip, self.chain)
        self.load = LoadEngine(
            env, list(program.of(Load)), self.scoreboard, *memories, self.buffers, self.values,
            recorder,
        )  # fmt: skip
        maps = [c for c in program.commands if isinstance(c, Map | Mix)]
        self.vector = VectorUnit(env, hardware, maps, *shared)
        blocks = None
        if program.blocking:
            blocks = Blocks(program.blocking[INPUT], hardware, self.vector.account)
        stages = hardware.requantizer.stages if program.edge_bits else 0
        computes = list(program.of(Compute))
        self.array = MacArray(env, hardware.array, computes, *shared, blocks, stages)
        drains = [c for c in program.commands if isinstance(c, Drain | Barrier)]
        self.drain = DrainPath(env, hardware, program, drains, *shared)
        self.store = StoreEngine(
            env, list(program.of(Store)), self.scoreboard, *memories,
            self.buffers[OUTPUT_BUFFER], self.values, recorder,
        )  # fmt: skip

    @property
    def _uses_vector_unit(self) -> bool:
        rescales = self.hardware.array.block_rescale is BlockRescale.VECTOR_UNIT
        return bool(self.vector.commands) or (bool(self.program.blocking) and rescales)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The units, in the order data passes them; the vector unit where it has a command."""
        return (
            self.load.account,
            self.array.account,
            self.drain.statistics,
            self.drain.requantizer,
            *([self.vector.account] if self._uses_vector_unit else []),
            self.store.account,
            self.dram.account,
        )

    def run(self, spans: bool = True) -> Run:
        """Let time pass until every command is complete."""
        self._begin()
        if not self.scoreboard.all_complete.triggered:
            try:
                self.env.run(until=self.scoreboard.all_complete)
            except RuntimeError as error:
                if "No scheduled events left" not in str(error):
                    raise
                raise AccelsimError(self._deadlock()) from None
        total = self.dram.memory.settled_at(int(self.env.now))
        if self.recorder is not None:
            self.recorder.end(total)
        load_cycles, store_cycles = self.dram.memory.bus_cycles
        self.load.account.settle(load_cycles + self.chain.busy_cycles[LOAD], total)
        self.store.account.settle(store_cycles + self.chain.busy_cycles[STORE], total)
        self.dram.account.settle(load_cycles + store_cycles, total)
        if self.values is not None:
            self.values.finish()
        return Run(
            total_cycles=total,
            units=tuple(account.unit_time(total) for account in self.accounts),
            traffic=self.dram.traffic,
            chain_traffic=self.chain.traffic,
            phases=self._phases(total),
            bus_bytes=sum(self.dram.memory.moved_bytes),
            bandwidth=self.dram.meter.bandwidth(total),
            dram=self.dram.memory.activity(total),
            spans=self._spans() if spans else (),
            folds=self.array.folds,
            statistics_held_cycles=self.drain.held_cycles,
            outcome=self.values.outcome if self.values else None,
        )

    def _spans(self) -> tuple[Span, ...]:
        found = chain.from_iterable(account.spans for account in self.accounts)
        return tuple(sorted(found, key=lambda s: (s.start_cycle, s.unit, s.stop_cycle)))

    def _begin(self) -> None:
        """Tell the recorder what there is to be seen."""
        if self.recorder is not None:
            described = self.hardware.dram
            banks = bank_names(described) if isinstance(described, CommandDram) else []
            tracks = [account.unit for account in self.accounts]
            sizes = {buffer.name: buffer.capacity_bytes for buffer in self.buffers.values()}
            self.recorder.begin(
                self.program.name, self.hardware.clock_mhz, [*tracks, *banks], sizes
            )

    def _phases(self, total_cycles: int) -> tuple[Phase, ...]:
        """Each phase with its bytes, and the cycles between the end of the one before and its own.

        Phases may overlap; a phase ends with the last of its commands, the last one with the run.
        """
        ends: dict[str, int] = {}
        for command in self.program.commands:
            done = self.scoreboard.completed_at[command.id]
            ends[command.phase] = max(done, ends.get(command.phase, 0))
        in_order = sorted(ends, key=lambda phase: ends[phase])
        stops = [*(ends[phase] for phase in in_order[:-1]), total_cycles]
        moved: Counter[str] = Counter()
        for row in self.dram.traffic:
            moved[row.phase] += row.bytes
        return tuple(
            Phase(phase, moved[phase], stop - start)
            for phase, start, stop in zip(in_order, (0, *stops), stops, strict=False)
        )

    def _deadlock(self) -> str:
        waits = [f"{a.unit} for {a.waits_for}" for a in self.accounts if a.waits_for]
        return (
            f"deadlock at cycle {int(self.env.now)} with {self.scoreboard.remaining} commands "
            f"left: waiting are {'; '.join(waits)}"
        )


def run(
    program: Program,
    hardware: Hardware,
    operands: Operands | BlockOperands | None = None,
    recorder: Recorder | None = None,
    spans: bool = True,
) -> Run:
    """Run a program; with operands, real values flow, in exactly the same cycles.

    A recorder hears of all that happens, and changes none of it. `spans` says whether the run
    keeps which unit worked when.
    """
    return Machine(program, hardware, operands, recorder).run(spans)
