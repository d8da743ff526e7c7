"""Commands one after the other, and what is done in turns that are alike."""

from collections.abc import Callable
from typing import Any

from accelsim.program import Command
from accelsim.program.listing import Commands, Repeat, alike, growing

WRITTEN = 4
"""Turns at most that are written one by one: the first three, and the last."""


class Turns:
    """Writes a list of commands; of many turns that are alike it writes a few."""

    def __init__(self) -> None:
        self.written: list[Command] = []
        self.next_id = 0
        self._repeats: list[Repeat] = []
        self._within = False

    @property
    def commands(self) -> Commands:
        """All of them."""
        return Commands(self.written, self._repeats)

    def since(self, written: int) -> Commands:
        """Those from this one of the written ones on, before which a turn begins."""
        later = (repeat for repeat in self._repeats if repeat.stop > written)
        return Commands(self.written[written:], (r._replace(stop=r.stop - written) for r in later))

    def _append(self, command: Command) -> int:
        """Append a command, whose id must be the next, and give that."""
        self.written.append(command)
        self.next_id += 1
        return command.id

    def turns(self, count: int, write: Callable[[int], None], *, even: bool = True) -> None:
        """Write turn after turn; where they are `even`, all after the first, but the last, alike.

        From one of those to the next every number in them grows by the same, and so does every
        number that is remembered from one turn to the next. The first differs, as nothing comes
        before it, and the last, as nothing comes after it. Turns within turns are all written.
        """
        if count <= WRITTEN or self._within or not even:
            for turn in range(count):
                write(turn)
            return
        self._within = True
        starts, left = [], []
        for turn in range(WRITTEN - 1):
            starts.append(len(self.written))
            write(turn)
            left.append(self._remembered())
        rest = range(WRITTEN - 1, count)
        _, first, second = starts
        if alike(self.written[first:second], self.written[second:]):
            times, length = count - WRITTEN, len(self.written) - second
            self._repeats.append(Repeat(len(self.written), length, times))
            self.next_id += times * length
            self._remember(growing(left[1], left[2])(times))
            rest = range(count - 1, count)
        for turn in rest:
            write(turn)
        self._within = False

    def _remembered(self) -> tuple[Any, ...]:
        """What one turn leaves to the next: numbers, and tuples of them."""
        return ()

    def _remember(self, numbers: tuple[Any, ...]) -> None:
        """Go on as if a turn had left these."""
