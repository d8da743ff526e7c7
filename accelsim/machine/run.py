"""One run: build the machine of a description, hand it a program, let time pass till the end."""

import simpy

from accelsim.errors import AccelsimError
from accelsim.hardware import BlockRescale, CommandDram, Hardware
from accelsim.machine.account import Account, Scoreboard
from accelsim.machine.array import MacArray
from accelsim.machine.banks import bank_names
from accelsim.machine.block_values import BlockOperands, values_of
from accelsim.machine.buffers import Buffer
from accelsim.machine.chain import ChainMemory
from accelsim.machine.compiled import run_compiled
from accelsim.machine.dma import LoadEngine, StoreEngine
from accelsim.machine.drain import DrainPath
from accelsim.machine.dram import Dram
from accelsim.machine.ending import Ending, Run, in_order
from accelsim.machine.memory import memory_of
from accelsim.machine.operands import Operands
from accelsim.machine.pace import ArrayPace, DrainPace
from accelsim.machine.vector import VectorUnit
from accelsim.program import (
    ACCUMULATOR_BUFFER,
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
from accelsim.result import Recorder


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
        pace = ArrayPace(hardware, program)
        self.array = MacArray(env, pace, list(program.of(Compute)), *shared, self.vector.account)
        drains = [c for c in program.commands if isinstance(c, Drain | Barrier)]
        self.drain = DrainPath(env, hardware, drains, *shared, DrainPace(hardware, program))
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

    def run(self, keep_spans: bool = True) -> Run:
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
        if self.values is not None:
            self.values.finish()
        spans = (span for account in self.accounts for span in account.spans)
        return self._ending(total).run(
            self.accounts,
            in_order(spans if keep_spans else ()),
            self.values.outcome if self.values else None,
        )

    def _ending(self, total_cycles: int) -> Ending:
        ends: dict[str, int] = {}
        for command in self.program.commands:
            done = self.scoreboard.completed_at[command.id]
            ends[command.phase] = max(done, ends.get(command.phase, 0))
        return Ending(
            total_cycles=total_cycles,
            load=self.load.account,
            store=self.store.account,
            dram=self.dram.account,
            memory=self.dram.memory,
            meter=self.dram.meter,
            traffic=self.dram.traffic,
            chain_traffic=self.chain.traffic,
            chain_cycles=self.chain.busy_cycles,
            phase_ends=ends,
            folds=self.array.folds,
            held_cycles=self.drain.held_cycles,
        )

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
    if operands is None and recorder is None:
        finished = run_compiled(program, hardware, spans)
        if finished is not None:
            return finished
    return Machine(program, hardware, operands, recorder).run(spans)
