"""The on-chip memory for whole tensors: transfers that never reach the DRAM."""

from collections import Counter

import simpy

from accelsim.hardware import Hardware
from accelsim.machine.dram import Transfer
from accelsim.machine.memory import ENGINES
from accelsim.program import Load, Store
from accelsim.result import Traffic


class ChainMemory:
    """One port that both engines share, first come, first served; no latency of its own.

    It looks to an engine like the DRAM: `submit`, then `issued` and `complete`, here at once.
    """

    def __init__(self, env: simpy.Environment, hardware: Hardware) -> None:
        self.env = env
        self.bytes_per_cycle = hardware.sram.chain_bytes_per_cycle
        self.busy_cycles = [0, 0]
        self._free_at = 0
        self._bytes: Counter[tuple[str, str, str]] = Counter()

    def submit(self, engine: int, command: Load | Store) -> Transfer:
        """Move the command's bytes through the port, a whole number of cycles."""
        now = int(self.env.now)
        cycles = -(-command.region.total_bytes // self.bytes_per_cycle)
        start = max(now, self._free_at)
        self._free_at = start + cycles
        self.busy_cycles[engine] += cycles
        self._bytes[command.tensor, ENGINES[engine], command.phase] += command.region.total_bytes
        moved = self.env.timeout(self._free_at - now)
        return Transfer(f"{ENGINES[engine]} {command.tensor}", moved, moved)

    @property
    def traffic(self) -> tuple[Traffic, ...]:
        """What was moved, by tensor, direction and phase, in order of first request."""
        return tuple(Traffic(*key, count) for key, count in self._bytes.items())
