"""Where tasks are run: in this process, in a pool of processes, on the workers of a Dask cluster.

All give the same outcomes, in whatever order they are done. Tasks are drawn as there is room for
them: in chunks that take about CHUNK_SECONDS, no more under way than keep every worker busy.
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.errors import whole as whole_number
from accelsim.simulation.processes import MOST_PROCESSES, processes
from accelsim.study.tasks import Task
from accelsim.study.work import Outcome, work

CHUNK_SECONDS = 0.2
LARGEST_CHUNK = 256
CHUNKS_PER_WORKER = 3
CONNECT_SECONDS = 10.0
MOST_BREAKDOWNS = 3
"""How often in a row a pool may break without having finished anything."""

Tasks = Iterable[Task]


@dataclass(frozen=True)
class Serial:
    """In this process, one after the other."""

    workers: int = 1

    def run(self, tasks: Tasks) -> Iterator[list[Outcome]]:
        """The outcomes, each as soon as it is there."""
        for task in tasks:
            yield work([task])


@dataclass(frozen=True)
class Pool:
    """Processes of this machine. One that dies is replaced, and what it had is run again."""

    workers: int

    def __post_init__(self) -> None:
        whole_number("jobs", self.workers, 1, MOST_PROCESSES)

    def run(self, tasks: Tasks) -> Iterator[list[Outcome]]:
        """The outcomes, in the order in which they are done.

        The first task is run here: what it needs is then compiled, and the processes find it in
        the kernel cache instead of each compiling it.
        """
        waiting = iter(tasks)
        first = list(islice(waiting, 1))
        if not first:
            return
        yield work(first)
        sent: dict[str, Task] = {}
        breakdowns = 0
        while True:
            drawn = _noted(chain(list(sent.values()), waiting), sent)
            try:
                with processes(self.workers, "accelsim.study.work") as executor:
                    for outcomes in _windowed(executor, drawn, self.workers):
                        for outcome in outcomes:
                            sent.pop(outcome.key, None)
                        breakdowns = 0
                        yield outcomes
                return
            except BrokenProcessPool:
                breakdowns += 1
                if breakdowns > MOST_BREAKDOWNS:
                    raise AccelsimError(
                        f"jobs={self.workers}: worker processes keep dying (out of memory?) over "
                        f"{len(sent)} simulations; try fewer with --jobs"
                    ) from None


def _noted(tasks: Tasks, sent: dict[str, Task]) -> Iterator[Task]:
    """The tasks, each noted as it is drawn."""
    for task in tasks:
        sent[task.key] = task
        yield task


@dataclass(frozen=True)
class Dask:
    """The workers of a Dask cluster: an address such as tcp://host:8786, or local:4."""

    address: str
    retries: int = 3

    @property
    def workers(self) -> int:
        """How many there are, for an estimate of time; unknown before the cluster is asked."""
        count = self.address.removeprefix("local:")
        return int(count) if count.isdigit() else 1

    def run(self, tasks: Tasks) -> Iterator[list[Outcome]]:
        """The outcomes, in the order in which they are done; a worker that dies is done without."""
        waiting = iter(tasks)
        first = list(islice(waiting, 1))
        if not first:
            return
        with self._client() as client:
            workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
            executor = client.get_executor(pure=False, retries=self.retries)
            try:
                yield from _windowed(executor, chain(first, waiting), workers)
            finally:
                executor.shutdown(wait=False)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from dask.distributed import Client, LocalCluster
        except ImportError:
            raise AccelsimError("--dask needs Dask: pip install 'accelsim[dask]'") from None
        if not self.address.startswith("local:"):
            with _connected(Client, self.address) as client:
                yield client
            return
        count = self.address.removeprefix("local:")
        if not count.isdigit() or not 1 <= int(count) <= MOST_PROCESSES:
            raise AccelsimError(
                f"--dask {shown(self.address)}: must be local:N with N from 1 to {MOST_PROCESSES}, "
                "or the address of a scheduler such as tcp://host:8786"
            )
        with (
            LocalCluster(
                n_workers=int(count), threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client


@contextmanager
def _connected(client: Any, address: str) -> Iterator[Any]:
    try:
        connected = client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise AccelsimError(
            f"--dask {shown(address)}: no scheduler answers there ({error}); is it running?"
        ) from None
    try:
        yield connected
    finally:
        connected.close()


def _windowed(executor: Executor, tasks: Tasks, workers: int) -> Iterator[list[Outcome]]:
    """Send tasks in chunks, a few for each worker; give each chunk's outcomes when it is done."""
    tasks = iter(tasks)
    waiting, size, drawn_out = set[Future[list[Outcome]]](), 1, False
    started: dict[Future[list[Outcome]], tuple[float, int]] = {}
    try:
        while True:
            while not drawn_out and len(waiting) < CHUNKS_PER_WORKER * workers:
                chunk = list(islice(tasks, size))
                drawn_out = not chunk
                if chunk:
                    future = executor.submit(work, chunk)
                    waiting.add(future)
                    started[future] = time.monotonic(), len(waiting)
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                outcomes = future.result()
                size = _next_size(size, *started.pop(future), len(outcomes), workers)
                yield outcomes
    finally:
        for future in waiting:
            future.cancel()


def _next_size(size: int, since: float, queued: int, tasks: int, workers: int) -> int:
    """A chunk of CHUNK_SECONDS, going by one that waited behind `queued` others; grows slowly."""
    seconds = (time.monotonic() - since) / max(1.0, queued / workers) / tasks
    fitting = int(CHUNK_SECONDS / max(seconds, 1e-9))
    return max(1, min(fitting, 2 * size, LARGEST_CHUNK))
