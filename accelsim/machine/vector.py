"""The vector unit: element-wise work on what the load engine brought, one command at a time."""

from collections.abc import Mapping, Sequence

import simpy

from accelsim.hardware import Hardware
from accelsim.machine.account import BUSY, Account, Scoreboard, Waiting
from accelsim.machine.buffers import Buffer
from accelsim.program import OUTPUT_BUFFER, Map
from accelsim.result import Recorder


class VectorUnit:
    """Runs maps in order, `ceil(operations / lanes)` cycles each.

    Results are in the output buffer when they have left the pipeline; the next map may enter it
    before that.
    """

    def __init__(
        self,
        env: simpy.Environment,
        hardware: Hardware,
        commands: Sequence[Map],
        scoreboard: Scoreboard,
        buffers: Mapping[str, Buffer],
        recorder: Recorder | None,
    ) -> None:
        self.env, self.hardware, self.commands = env, hardware, commands
        self.account = Account(env, "vector unit", recorder)
        self.scoreboard, self.buffers = scoreboard, buffers
        env.process(self._run())

    def _run(self) -> Waiting:
        for command in self.commands:
            yield from self.scoreboard.wait(self.account, command.after)
            yield from self.buffers[OUTPUT_BUFFER].take(self.account, command.output_bytes)
            start = int(self.env.now)
            cycles = -(-command.operations // self.hardware.vector_lanes)
            yield from self.account.wait(self.env.timeout(cycles), BUSY, "map")
            self.account.worked("map", command.phase, start, int(self.env.now))
            for buffer, released_bytes in command.releases:
                self.buffers[buffer].give_back(released_bytes)
            self.scoreboard.complete_after(command.id, self.hardware.vector_unit.stages)
