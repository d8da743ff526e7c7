"""DMA engines: one brings operands in, one takes results out.

An engine is busy while its own bursts are on the bus or its bytes pass the on-chip port; while a
transfer is under way without that (latency, or the other engine's turn) it is starved.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import simpy

from accelsim.machine.account import STARVED, Account, Scoreboard, Waiting
from accelsim.machine.block_values import AnyValues
from accelsim.machine.buffers import Buffer
from accelsim.machine.chain import ChainMemory
from accelsim.machine.dram import Dram
from accelsim.machine.memory import LOAD, STORE
from accelsim.program import Load, Store
from accelsim.result import Recorder


class Dma(ABC):
    """What both engines share: one transfer is issued after the other, several may be under way.

    Tensors of `chain` are moved from and to the on-chip memory instead of the DRAM.
    """

    def __init__(
        self,
        env: simpy.Environment,
        name: str,
        engine: int,
        scoreboard: Scoreboard,
        dram: Dram,
        chain: Mapping[str, ChainMemory],
        recorder: Recorder | None,
    ) -> None:
        self.env, self.account, self.engine = env, Account(env, name, recorder), engine
        self.scoreboard, self.dram, self.chain = scoreboard, dram, chain
        self._last_arrival = 0

    def _issue(self, command: Load | Store) -> Waiting:
        """Move the command's region; goes on when the last burst has been issued."""
        start = int(self.env.now)
        memory = self.chain.get(command.tensor, self.dram)
        transfer = memory.submit(self.engine, command)
        self.account.take_in_hand(command.tensor)
        assert transfer.complete.callbacks is not None
        transfer.complete.callbacks.append(lambda _: self._complete(command, start))
        yield from self.account.wait(transfer.issued, STARVED, f"{command.tensor} to be taken")

    def _complete(self, command: Load | Store, start: int) -> None:
        now = int(self.env.now)
        self.account.let_go(command.tensor)
        label = f"{self.account.unit} {command.tensor}"
        self.account.worked(label, command.phase, max(start, self._last_arrival), now)
        self._last_arrival = max(now, self._last_arrival)
        self._arrived(command)

    @abstractmethod
    def _arrived(self, command: Load | Store) -> None:
        """All of the command's data has moved."""


class LoadEngine(Dma):
    """Takes room in the buffer, then moves the region; once all is issued, the next may start."""

    def __init__(
        self,
        env: simpy.Environment,
        commands: Sequence[Load],
        scoreboard: Scoreboard,
        dram: Dram,
        chain: Mapping[str, ChainMemory],
        buffers: Mapping[str, Buffer],
        values: AnyValues | None,
        recorder: Recorder | None,
    ) -> None:
        super().__init__(env, "load", LOAD, scoreboard, dram, chain, recorder)
        self.buffers, self.values = buffers, values
        env.process(self._run(commands))

    def _run(self, commands: Sequence[Load]) -> Waiting:
        for command in commands:
            yield from self.scoreboard.wait(self.account, command.after)
            yield from self.buffers[command.buffer].take(self.account, command.buffer_bytes)
            yield from self._issue(command)

    def _arrived(self, command: Load | Store) -> None:
        assert isinstance(command, Load)
        if self.values is not None:
            self.values.load(command)
        self.scoreboard.complete(command.id)


class StoreEngine(Dma):
    """Moves what a drain left in the output buffer; the room is free when all of it has left."""

    def __init__(
        self,
        env: simpy.Environment,
        commands: Sequence[Store],
        scoreboard: Scoreboard,
        dram: Dram,
        chain: Mapping[str, ChainMemory],
        output: Buffer,
        values: AnyValues | None,
        recorder: Recorder | None,
    ) -> None:
        super().__init__(env, "store", STORE, scoreboard, dram, chain, recorder)
        self.output, self.values = output, values
        env.process(self._run(commands))

    def _run(self, commands: Sequence[Store]) -> Waiting:
        for command in commands:
            yield from self.scoreboard.wait(self.account, command.after)
            yield from self._issue(command)
            self.output.give_back(command.output_bytes)

    def _arrived(self, command: Load | Store) -> None:
        assert isinstance(command, Store)
        if self.values is not None:
            self.values.store(command)
        self.scoreboard.complete(command.id)
