"""How far a run is, told while it goes."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Hears how many pieces of work are done, and of how many."""


def untold(done: int, total: int) -> None:
    """For who does not want to know."""


class Count:
    """So many pieces of work; each that is done is told."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        progress(0, total)

    def one(self) -> None:
        """One more is done."""
        self._done += 1
        self._progress(self._done, self._total)
