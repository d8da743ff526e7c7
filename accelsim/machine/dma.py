"""DMA engines: one brings operands in, one takes results out."""

from collections.abc import Mapping, Sequence

import simpy

from accelsim.machine.account import BUSY, Account, Scoreboard, Waiting
from accelsim.machine.buffers import Buffer
from accelsim.machine.dram import Dram, Transfer
from accelsim.machine.memory import LOAD, STORE
from accelsim.machine.values import Values
from accelsim.program import Load, Store


class LoadEngine:
    """Takes room in the buffer, then moves the region; once all is issued, the next may start."""

    def __init__(
        self,
        env: simpy.Environment,
        commands: Sequence[Load],
        scoreboard: Scoreboard,
        dram: Dram,
        buffers: Mapping[str, Buffer],
        values: Values | None,
    ) -> None:
        self.env, self.account = env, Account(env, "load")
        self.scoreboard, self.dram, self.buffers, self.values = scoreboard, dram, buffers, values
        env.process(self._run(commands))

    def _run(self, commands: Sequence[Load]) -> Waiting:
        for command in commands:
            yield from self.scoreboard.wait(self.account, command.after)
            yield from self.buffers[command.buffer].take(self.account, command.buffer_bytes)
            start = int(self.env.now)
            transfer = self.dram.submit(LOAD, command)
            _when(transfer, lambda _, c=command: self._arrived(c))
            yield from self.account.wait(
                transfer.issued, BUSY, f"the DRAM to take {command.tensor}"
            )
            self.account.worked(f"load {command.tensor}", command.phase, start, int(self.env.now))

    def _arrived(self, command: Load) -> None:
        if self.values is not None:
            self.values.load(command)
        self.scoreboard.complete(command.id)


class StoreEngine:
    """Moves what a drain left in the output buffer, and frees the room when it has arrived."""

    def __init__(
        self,
        env: simpy.Environment,
        commands: Sequence[Store],
        scoreboard: Scoreboard,
        dram: Dram,
        output: Buffer,
        values: Values | None,
    ) -> None:
        self.env, self.account = env, Account(env, "store")
        self.scoreboard, self.dram, self.output, self.values = scoreboard, dram, output, values
        env.process(self._run(commands))

    def _run(self, commands: Sequence[Store]) -> Waiting:
        for command in commands:
            yield from self.scoreboard.wait(self.account, command.after)
            start = int(self.env.now)
            transfer = self.dram.submit(STORE, command)
            _when(transfer, lambda _, c=command: self._arrived(c))
            yield from self.account.wait(
                transfer.issued, BUSY, f"the DRAM to take {command.tensor}"
            )
            self.account.worked(f"store {command.tensor}", command.phase, start, int(self.env.now))

    def _arrived(self, command: Store) -> None:
        if self.values is not None:
            self.values.store(command)
        self.output.give_back(command.output_bytes)
        self.scoreboard.complete(command.id)


def _when(transfer: Transfer, callback: object) -> None:
    assert transfer.complete.callbacks is not None
    transfer.complete.callbacks.append(callback)  # type: ignore[arg-type]
