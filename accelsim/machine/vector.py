"""The vector unit: element-wise work on what the load engine brought, one command at a time."""

from collections.abc import Mapping, Sequence

import simpy

from accelsim.hardware import Hardware
from accelsim.machine.account import BUSY, Account, Scoreboard, Waiting
from accelsim.machine.block_values import AnyValues
from accelsim.machine.buffers import Buffer
from accelsim.program import OUTPUT_BUFFER, Map, Mix
from accelsim.result import Recorder


class VectorUnit:
    """Runs maps and mixes in order, `ceil(operations / lanes)` cycles each.

    Results are in their buffer when they have left the pipeline; the next command may enter it
    before that.
    """

    def __init__(
        self,
        env: simpy.Environment,
        hardware: Hardware,
        commands: Sequence[Map | Mix],
        scoreboard: Scoreboard,
        buffers: Mapping[str, Buffer],
        values: AnyValues | None,
        recorder: Recorder | None,
    ) -> None:
        self.env, self.hardware, self.commands = env, hardware, commands
        self.account = Account(env, "vector unit", recorder)
        self.scoreboard, self.buffers, self.values = scoreboard, buffers, values
        env.process(self._run())

    def _run(self) -> Waiting:
        for command in self.commands:
            yield from self.scoreboard.wait(self.account, command.after)
            label = "map"
            if isinstance(command, Map):
                yield from self.buffers[OUTPUT_BUFFER].take(self.account, command.output_bytes)
            else:
                label = "mix"
                if self.values is not None:
                    self.values.mix(command)
            start = int(self.env.now)
            cycles = -(-command.operations // self.hardware.vector_lanes)
            yield from self.account.wait(self.env.timeout(cycles), BUSY, label)
            self.account.worked(label, command.phase, start, int(self.env.now))
            for buffer, released_bytes in command.releases if isinstance(command, Map) else ():
                self.buffers[buffer].give_back(released_bytes)
            self.scoreboard.complete_after(command.id, self.hardware.vector_unit.stages)
