"""On-chip buffers: bytes that are taken before data arrives, and given back when it is used up."""

from collections import deque

import simpy

from accelsim.errors import AccelsimError
from accelsim.machine.account import BLOCKED, Account, Waiting
from accelsim.result import Recorder


class Buffer:
    """Room for a number of bytes, handed out in the order of asking."""

    def __init__(
        self,
        env: simpy.Environment,
        name: str,
        capacity_bytes: int,
        recorder: Recorder | None = None,
    ) -> None:
        self.env, self.name, self.capacity_bytes = env, name, capacity_bytes
        self.recorder = recorder
        self.taken_bytes = 0
        self.peak_bytes = 0
        self._waiting: deque[tuple[int, simpy.Event]] = deque()

    def take(self, account: Account, size_bytes: int) -> Waiting:
        """Take room, waiting (blocked) until there is enough; never overtakes an earlier taker."""
        if size_bytes > self.capacity_bytes:
            raise AccelsimError(
                f"{self.name}: a command needs {size_bytes} bytes, "
                f"the buffer holds {self.capacity_bytes}"
            )
        if not self._waiting and self.taken_bytes + size_bytes <= self.capacity_bytes:
            self._grant(size_bytes)
            return
        event = self.env.event()
        self._waiting.append((size_bytes, event))
        yield from account.wait(event, BLOCKED, f"{size_bytes} bytes of the {self.name}")

    def give_back(self, size_bytes: int) -> None:
        """Free room and let those that wait for it go on."""
        self.taken_bytes -= size_bytes
        if self.taken_bytes < 0:
            raise AssertionError(f"{self.name}: gave back {-self.taken_bytes} bytes never taken")
        self._tell()
        while self._waiting and self.taken_bytes + self._waiting[0][0] <= self.capacity_bytes:
            size, event = self._waiting.popleft()
            self._grant(size)
            event.succeed()

    def _grant(self, size_bytes: int) -> None:
        self.taken_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.taken_bytes)
        self._tell()

    def _tell(self) -> None:
        if self.recorder is not None:
            self.recorder.level(self.name, int(self.env.now), self.taken_bytes)
