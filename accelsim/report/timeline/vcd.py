"""Value change dump (IEEE 1364, clause 18) through pyvcd, for GTKWave and Surfer.

States are strings, which both viewers read; buffers are integers. Time is in picoseconds.
"""

import heapq
import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from accelsim.errors import AccelsimError
from accelsim.result.recorder import CLOSED, IDLE

PICOSECONDS = 1_000_000
"""In a microsecond."""
BITS = 64


def need_vcd() -> Any:
    """pyvcd, or one line that says how to get it."""
    try:
        import vcd
    except ImportError:
        raise AccelsimError("a .vcd trace needs pyvcd: pip install 'accelsim[vcd]'") from None
    return vcd


class VcdTrace:
    """Holds a change back until all before it are told, as the format wants them in order.

    One file holds one run: its time starts once.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, "ascii", errors="backslashreplace", newline="\n")
        self._writer: Any = None
        self._variables: dict[str, Any] = {}
        self._waiting: list[tuple[int, int, str, str | int]] = []
        self._told = 0
        self._ps_per_cycle = 1.0

    def begin(
        self, name: str, clock_mhz: float, tracks: Sequence[str], buffers: Mapping[str, int]
    ) -> None:
        """See `Recorder`."""
        if self._writer is not None:
            raise AccelsimError("trace: a .vcd holds one run; several need a .json")
        vcd = need_vcd()
        self._ps_per_cycle = PICOSECONDS / clock_mhz
        self._writer = vcd.VCDWriter(self._text, timescale="1 ps", comment=name, date="")
        for track in tracks:
            self._variables[track] = self._writer.register_var(
                "accelsim", _word(track), "string", init=IDLE
            )
        for buffer in buffers:
            self._variables[buffer] = self._writer.register_var(
                "accelsim", f"{_word(buffer)}_bytes", "integer", size=BITS, init=0
            )

    def state(self, track: str, cycle: int, state: str, label: str = "") -> None:
        """See `Recorder`."""
        shown = IDLE if state in (IDLE, CLOSED) else f"{state}: {label}" if label else state
        self._hold(cycle, track, _word(shown))

    def level(self, buffer: str, cycle: int, taken_bytes: int) -> None:
        """See `Recorder`."""
        self._hold(cycle, buffer, taken_bytes)

    def _hold(self, cycle: int, variable: str, value: str | int) -> None:
        self._told += 1  # of two changes in a cycle the later told stands
        heapq.heappush(self._waiting, (cycle, self._told, variable, value))

    def settled(self, cycle: int) -> None:
        """See `Recorder`: what lies before is written."""
        while self._waiting and self._waiting[0][0] < cycle:
            now = self._waiting[0][0]
            changes: dict[str, str | int] = {}
            while self._waiting and self._waiting[0][0] == now:
                _, _, variable, value = heapq.heappop(self._waiting)
                changes[variable] = value
            for variable, value in changes.items():
                self._writer.change(self._variables[variable], self._ps(now), value)

    def end(self, cycle: int) -> None:
        """See `Recorder`."""
        self.settled(cycle + 1)
        self._writer.close(self._ps(cycle))

    def close(self) -> None:
        """Write what makes the file whole; the file itself is closed by who opened it."""
        self._text.flush()
        self._text.detach()

    def _ps(self, cycle: int) -> int:
        return round(cycle * self._ps_per_cycle)


def _word(text: str) -> str:
    """A name or a value in one word, as the format has them."""
    return "_".join(text.split())
