"""The runs of a network's operations without values: equal ones once, also beside this process."""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

from accelsim.errors import whole
from accelsim.hardware import Hardware, Statistic
from accelsim.lowering import Operation, VectorTask, lower, lower_vector
from accelsim.machine import Run, actions_of, run
from accelsim.result import Action
from accelsim.simulation.collector import collector_paused
from accelsim.simulation.processes import MOST_PROCESSES, processes

ALONE_SECONDS = 1.0
"""What takes no longer is not worth the start of a process."""
PIECES_AHEAD = 4
"""Given to each process beside this one, so that it has work while this one is at a long piece."""
MOST_KNOWN = 4096
"""Accounts that are kept for whoever asks again."""


class Piece(NamedTuple):
    """All that the account of an operation depends on."""

    work: Operation | VectorTask
    realisation: str
    passes: int
    on_chip: frozenset[str]
    hardware: Hardware
    statistics: frozenset[Statistic]


Timed = tuple[Run, tuple[Action, ...]]
"""The machine's account of an operation, and what its parts did."""

_known: dict[Piece, Timed] = {}


@collector_paused()
def timed(piece: Piece) -> Timed:
    """Write the program of an operation and run it."""
    if isinstance(piece.work, VectorTask):
        program = lower_vector(piece.work, piece.hardware)
    else:
        program = lower(piece.work, piece.hardware, piece.realisation, passes=piece.passes)
    program = replace(program, on_chip=piece.on_chip, statistics=piece.statistics)
    account = run(program, piece.hardware, spans=False)
    return account, actions_of(program, piece.hardware, account)


def forget() -> None:
    """Let every operation be run anew."""
    _known.clear()


class Timings:
    """Accounts of pieces that are asked for in this order, by so many processes, this one included.

    After ALONE_SECONDS the others begin with the last ones, and all meet on the way. Which process
    runs a piece changes nothing of it. One that dies is done without.
    """

    def __init__(self, pieces: Iterable[Piece] = (), jobs: int = 1) -> None:
        whole("jobs", jobs, 1, MOST_PROCESSES)
        self._coming, self._beside = dict.fromkeys(pieces), jobs - 1
        self._begun: dict[Piece, Future[Timed]] = {}
        self._executor: ProcessPoolExecutor | None = None
        self._started, self._open = time.monotonic(), ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def of(self, piece: Piece) -> Timed:
        """The account of a piece; it is run here, unless another process has it."""
        self._coming.pop(piece, None)
        if piece not in _known:
            if self._beside and time.monotonic() - self._started > ALONE_SECONDS:
                self._share()
            account = self._from_beside(piece) or timed(piece)
            if len(_known) >= MOST_KNOWN:
                del _known[next(iter(_known))]
            _known[piece] = account
        return _known[piece]

    def _share(self) -> None:
        """Keep the other processes at work, with what comes last."""
        waiting = sum(not future.done() for future in self._begun.values())
        while self._coming and waiting < PIECES_AHEAD * self._beside:
            piece, _ = self._coming.popitem()
            if piece in _known:
                continue
            if self._executor is None:
                self._executor = self._open.enter_context(processes(self._beside))
            try:
                self._begun[piece] = self._executor.submit(timed, piece)
            except BrokenProcessPool:
                self._beside = 0
                return
            waiting += 1

    def _from_beside(self, piece: Piece) -> Timed | None:
        """What another process has made of a piece, or is making of it."""
        future = self._begun.pop(piece, None)
        try:
            return None if future is None else future.result()
        except BrokenProcessPool:
            return None
