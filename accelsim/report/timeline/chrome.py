"""The trace-event JSON that Chrome defined and Perfetto opens (ui.perfetto.dev).

One process for each run, one thread for each unit or bank, whose states are complete events ("X")
that follow one another; the buffers are counters ("C"). Times are microseconds with three digits:
Perfetto keeps nothing finer than nanoseconds, and drops slices that then overlap. The exact cycles
stand beside them. The format is described in "Trace Event Format" (Google); events may come in any
order, those of a thread must nest.
"""

import json
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from accelsim.result.recorder import CLOSED, IDLE

QUIET = (IDLE, CLOSED)
"""States in which nothing is drawn."""

FIRST_THREAD = 1001
"""Beyond the numbers of runs: a thread that has its process's number is shown as its main one."""


class ChromeTrace:
    """Writes each event as soon as it is over; keeps what each track does now, and no more."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._runs = 0
        self._threads: dict[str, int] = {}
        self._now: dict[str, tuple[int, str, str]] = {}
        self._clock_mhz = 1.0
        file.write(b'{"displayTimeUnit": "ns", "traceEvents": [')
        self._separator = b"\n"

    def begin(
        self, name: str, clock_mhz: float, tracks: Sequence[str], buffers: Mapping[str, int]
    ) -> None:
        """See `Recorder`."""
        self._runs += 1
        self._clock_mhz = clock_mhz
        self._threads = {track: number for number, track in enumerate(tracks, FIRST_THREAD)}
        self._now = dict.fromkeys(tracks, (0, IDLE, ""))
        self._name("process_name", {"name": name})
        for track, number in self._threads.items():
            self._name("thread_name", {"name": track}, number)
            self._name("thread_sort_index", {"sort_index": number}, number)
        for buffer in buffers:
            self.level(buffer, 0, 0)

    def _name(self, what: str, arguments: Mapping[str, object], thread: int = 0) -> None:
        self._write(
            f'{{"ph": "M", "pid": {self._runs}, "tid": {thread}, "name": "{what}", '
            f'"args": {json.dumps(arguments)}}}'
        )

    def state(self, track: str, cycle: int, state: str, label: str = "") -> None:
        """See `Recorder`."""
        since, before, what = self._now[track]
        self._now[track] = (cycle, state, label)
        if before in QUIET or cycle <= since:
            return
        start_ns, end_ns = self._ns(since), self._ns(cycle)
        self._write(
            f'{{"ph": "X", "pid": {self._runs}, "tid": {self._threads[track]}, '
            f'"ts": {_us(start_ns)}, "dur": {_us(end_ns - start_ns)}, '
            f'"name": {json.dumps(what or before)}, "cat": "{before}", '
            f'"args": {{"state": "{before}", "cycle": {since}, "cycles": {cycle - since}}}}}'
        )

    def level(self, buffer: str, cycle: int, taken_bytes: int) -> None:
        """See `Recorder`."""
        self._write(
            f'{{"ph": "C", "pid": {self._runs}, "tid": 0, "ts": {_us(self._ns(cycle))}, '
            f'"name": {json.dumps(buffer)}, "args": {{"bytes": {taken_bytes}}}}}'
        )

    def settled(self, cycle: int) -> None:
        """See `Recorder`; events may come in any order."""

    def end(self, cycle: int) -> None:
        """See `Recorder`."""
        for track in self._threads:
            self.state(track, cycle, IDLE)

    def close(self) -> None:
        """Write what makes the file whole."""
        self._file.write(b"\n]}\n")

    def _ns(self, cycle: int) -> int:
        """When a cycle begins."""
        return round(cycle * 1000 / self._clock_mhz)

    def _write(self, event: str) -> None:
        self._file.write(self._separator)
        self._file.write(event.encode())
        self._separator = b",\n"


def _us(whole_ns: int) -> str:
    """Nanoseconds as microseconds, all digits."""
    return f"{whole_ns // 1000}.{whole_ns % 1000:03}"
