"""What a run tells while it happens, to those who want more than its Result."""

from collections.abc import Mapping, Sequence
from typing import Protocol

IDLE = "idle"

IN_FLIGHT = "in flight"
"""State of a DMA engine or the DRAM with transfers under way: its own bursts are on the bus
(busy), or it waits for them (starved)."""

OPEN, CLOSED, READING, WRITING, REFRESHING = "open", "closed", "read", "write", "refresh"
"""States of a bank."""


class Recorder(Protocol):
    """Hears of one run after the other.

    Calls about one track come in order of their cycles, calls about several tracks need not: a
    call may be about a cycle to come. What is told changes nothing in the run.
    """

    def begin(
        self, name: str, clock_mhz: float, tracks: Sequence[str], buffers: Mapping[str, int]
    ) -> None:
        """A run begins with all tracks (units and banks) idle and all buffers empty.

        `buffers` has their capacities in bytes.
        """

    def state(self, track: str, cycle: int, state: str, label: str = "") -> None:
        """From this cycle on the track is in this state; the label says at what, or for what."""

    def level(self, buffer: str, cycle: int, taken_bytes: int) -> None:
        """From this cycle on so many bytes of the buffer are taken."""

    def settled(self, cycle: int) -> None:
        """All that happened before this cycle has been told."""

    def end(self, cycle: int) -> None:
        """The run ends at this cycle."""
