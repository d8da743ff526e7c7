"""Value change dump (IEEE 1364, clause 18) through pyvcd, for GTKWave and Surfer.

States are strings, which both viewers read; buffers are integers. Time is in picoseconds.
"""

import heapq
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

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
    """A scope for each run, all beginning at time 0, so that viewers show them under each other.

    The format wants all changes in order of their times, so those of each run wait in a temporary
    file, among the `spools`, until all are told.
    """

    def __init__(self, file: BinaryIO, spools: ExitStack) -> None:
        self._text = io.TextIOWrapper(file, "ascii", errors="backslashreplace", newline="\n")
        self._spools = spools
        self._runs: list[_Run] = []

    def begin(
        self, name: str, clock_mhz: float, tracks: Sequence[str], buffers: Mapping[str, int]
    ) -> None:
        """See `Recorder`."""
        spool = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - the stack closes it
        self._spools.enter_context(spool)
        run = _Run(name, PICOSECONDS / clock_mhz, tracks, buffers, spool)
        self._runs.append(run)
        self.state, self.level = run.state, run.level
        self.settled, self.end = run.settled, run.end

    def close(self) -> None:
        """Write the file whole; it is closed by who opened it."""
        comment = ", ".join(run.name for run in self._runs)
        writer = need_vcd().VCDWriter(self._text, timescale="1 ps", comment=comment, date="")
        scopes = _scopes([run.name for run in self._runs])
        variables = [
            run.register(writer, scope) for run, scope in zip(self._runs, scopes, strict=True)
        ]
        for ps, number, name, value in heapq.merge(
            *(run.changes(number) for number, run in enumerate(self._runs))
        ):
            writer.change(variables[number][name], ps, value)
        writer.close()
        self._text.flush()
        self._text.detach()


class _Run:
    """What one run told: a change is held back until all before it are told, then spooled."""

    def __init__(
        self,
        name: str,
        ps_per_cycle: float,
        tracks: Sequence[str],
        buffers: Mapping[str, int],
        spool: IO[str],
    ) -> None:
        self.name = name
        self._ps_per_cycle, self._spool = ps_per_cycle, spool
        self._tracks, self._buffers = list(tracks), list(buffers)
        self._numbers = {name: number for number, name in enumerate([*tracks, *buffers])}
        self._waiting: list[tuple[int, int, int, str]] = []
        self._told = 0

    def state(self, track: str, cycle: int, state: str, label: str = "") -> None:
        """See `Recorder`."""
        shown = IDLE if state in (IDLE, CLOSED) else f"{state}: {label}" if label else state
        self._hold(cycle, track, _word(shown))

    def level(self, buffer: str, cycle: int, taken_bytes: int) -> None:
        """See `Recorder`."""
        self._hold(cycle, buffer, str(taken_bytes))

    def _hold(self, cycle: int, variable: str, value: str) -> None:
        self._told += 1  # of two changes in a cycle the later told stands
        heapq.heappush(self._waiting, (cycle, self._told, self._numbers[variable], value))

    def settled(self, cycle: int) -> None:
        """See `Recorder`: what lies before is spooled."""
        while self._waiting and self._waiting[0][0] < cycle:
            now = self._waiting[0][0]
            changes: dict[int, str] = {}
            while self._waiting and self._waiting[0][0] == now:
                _, _, variable, value = heapq.heappop(self._waiting)
                changes[variable] = value
            for variable, value in changes.items():
                self._spool.write(f"{round(now * self._ps_per_cycle)} {variable} {value}\n")

    def end(self, cycle: int) -> None:
        """See `Recorder`; where other runs go on, this one is idle."""
        for track in self._tracks:
            self.state(track, cycle, IDLE)
        self.settled(cycle + 1)

    def register(self, writer: Any, scope: str) -> list[Any]:
        """The variables of the run in a file, in its scope."""
        units = [
            writer.register_var(("accelsim", scope), _word(track), "string", init=IDLE)
            for track in self._tracks
        ]
        levels = [
            writer.register_var(
                ("accelsim", scope), f"{_word(buffer)}_bytes", "integer", size=BITS, init=0
            )
            for buffer in self._buffers
        ]
        return units + levels

    def changes(self, number: int) -> Iterator[tuple[int, int, int, str | int]]:
        """What was spooled, in order: time, number of the run, its variable, the value."""
        self._spool.seek(0)
        for line in self._spool:
            ps, variable, value = line.split()
            is_level = int(variable) >= len(self._tracks)
            yield int(ps), number, int(variable), int(value) if is_level else value


def _scopes(names: Sequence[str]) -> list[str]:
    """Each name of letters, digits and underscores, and no two the same."""
    scopes: list[str] = []
    for name in names:
        scope = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
        scopes.append(scope if scope not in scopes else f"{scope}_{len(scopes)}")
    return scopes


def _word(text: str) -> str:
    """A name or a value in one word, as the format has them."""
    return "_".join(text.split())
