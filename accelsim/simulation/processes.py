"""Processes of this machine that work beside this one."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker

MOST_PROCESSES = 1024


@contextmanager
def processes(count: int, *loaded: str) -> Iterator[ProcessPoolExecutor]:
    """So many of them; these modules are loaded before they part, while this process waits.

    At the end what was not begun is dropped, and what was is waited for. A script whose processes
    these are must ask `if __name__ == "__main__"`, as they load it.
    """
    _start_tracker()
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if isinstance(context, multiprocessing.context.ForkServerContext):
        context.set_forkserver_preload(list(loaded))
        _start_server()
    executor = ProcessPoolExecutor(count, context, initializer=_begin)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_tracker() -> None:
    """Start Python's keeper of semaphores, if need be, with a warning of its own switched off.

    When this process is killed it removes what was left and warns of it: nothing is left to do.
    """
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


def _start_server() -> None:
    """Start the process that parts into the others, if need be; none of them hears Ctrl-C."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _begin() -> None:
    """Ctrl-C is for the parent; and without the parent there is nothing left to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
