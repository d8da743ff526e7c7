"""Accounts of operations: equal ones once, and the same whichever process makes them."""

import multiprocessing
import signal
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import Operation
from accelsim.network import Linear, Nest
from accelsim.simulation import compare, timings
from accelsim.simulation.processes import processes
from accelsim.simulation.timings import Piece, Timings, timed

MACHINE = load_hardware("mcu")


def piece(rows):
    work = Operation(Nest(1, 1, 1, 24, 16, rows, 1), name="product")
    return Piece(work, "static", 1, frozenset(), MACHINE, frozenset())


@pytest.fixture
def eager(monkeypatch):
    """Share work at once, and know nothing from before."""
    monkeypatch.setattr(timings, "ALONE_SECONDS", -1.0)
    timings.forget()


class Given:
    """An executor that keeps what it is given; `answer` says what becomes of it."""

    def __init__(self, answer=None):
        self.pieces, self.answer = [], answer

    def submit(self, function, one):
        self.pieces.append(one)
        future = Future()
        if self.answer is not None:
            future.set_running_or_notify_cancel()
            self.answer(future, one)
        return future

    @contextmanager
    def processes(self, count):
        self.count = count
        yield self


def test_processes_share_a_network_and_change_nothing(eager):
    shared = compare("mlp", "edge", data=None, batch=2, jobs=3).to_dict()
    timings.forget()
    assert compare("mlp", "edge", data=None, batch=2).to_dict() == shared


def test_the_last_pieces_are_given_away_first_and_no_more_than_keep_processes_busy(
    eager, monkeypatch
):
    monkeypatch.setattr(timings, "PIECES_AHEAD", 1)
    beside = Given(lambda future, one: future.set_result(f"rows {one.work.nest.in_height}"))
    monkeypatch.setattr(timings, "processes", beside.processes)
    pieces = [piece(rows) for rows in (1, 2, 3, 4, 5)]
    with Timings([*pieces, pieces[1]], jobs=3) as found:
        assert found.of(pieces[0]) == timed(pieces[0])
        assert beside.count == 2
        assert beside.pieces == [pieces[4], pieces[3]]
        assert found.of(pieces[1]) == timed(pieces[1])
        assert beside.pieces == [pieces[4], pieces[3], pieces[2]]
        assert [found.of(one) for one in pieces[2:]] == ["rows 3", "rows 4", "rows 5"]
    timings.forget()


def test_a_pool_that_broke_is_given_nothing_more(eager, monkeypatch):
    beside = Given()

    def broken(function, one):
        raise BrokenProcessPool

    beside.submit = broken
    monkeypatch.setattr(timings, "processes", beside.processes)
    pieces = [piece(rows) for rows in (1, 2, 3)]
    with Timings(pieces, jobs=2) as found:
        assert [found.of(one) for one in pieces] == [timed(one) for one in pieces]


def test_what_another_process_has_begun_is_not_run_here(eager, monkeypatch):
    beside = Given(lambda future, one: future.set_result(one.work.nest.in_height))
    monkeypatch.setattr(timings, "processes", beside.processes)
    with Timings([piece(1), piece(2)], jobs=2) as found:
        assert found.of(piece(1)) == timed(piece(1))
        assert found.of(piece(2)) == 2
    timings.forget()


def test_a_process_that_dies_is_done_without(eager, monkeypatch):
    beside = Given(lambda future, one: future.set_exception(BrokenProcessPool()))
    monkeypatch.setattr(timings, "processes", beside.processes)
    with Timings([piece(1), piece(2)], jobs=2) as found:
        assert [found.of(piece(1)), found.of(piece(2))] == [timed(piece(1)), timed(piece(2))]


def test_what_is_soon_done_starts_no_process(monkeypatch):
    timings.forget()
    beside = Given()
    monkeypatch.setattr(timings, "processes", beside.processes)
    compare("mlp", data=None, jobs=8)
    assert not beside.pieces


def test_a_mistake_in_another_process_is_told_here(eager, monkeypatch):
    beside = Given(lambda future, one: future.set_exception(AccelsimError("no tile")))
    monkeypatch.setattr(timings, "processes", beside.processes)
    with Timings([piece(1), piece(2)], jobs=2) as found:
        found.of(piece(1))
        with pytest.raises(AccelsimError, match=r"^no tile$"):
            found.of(piece(2))


def test_processes_beside_this_one_hear_no_interrupt():
    with processes(1) as executor:
        blocked = executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
    assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_an_interrupt_leaves_no_process(eager):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare("mlp", data=None, jobs=2, progress=interrupt)
    assert not multiprocessing.active_children()


def test_no_more_accounts_are_known_than_are_kept(monkeypatch):
    timings.forget()
    monkeypatch.setattr(timings, "MOST_KNOWN", 2)
    for rows in (1, 2, 3):
        Timings().of(piece(rows))
    assert list(timings._known) == [piece(2), piece(3)]


@pytest.mark.parametrize("jobs", [0, 1025, 1.5])
def test_jobs_are_a_number_of_processes(jobs):
    with pytest.raises(AccelsimError, match=r"^jobs = .*: must be a whole number from 1 to 1024"):
        compare("mlp", data=None, jobs=jobs)


def test_a_single_layer_is_not_shared():
    with pytest.raises(AccelsimError, match=r"^jobs: must be left out, it is for a whole network"):
        compare(Linear("fc", 8, 8), data=None, jobs=2)
