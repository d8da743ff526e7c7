"""Python's collector of cycles, held while a program is written and timed."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for cycles in the meantime; afterwards the collector is as it was.

    A program is commands by the hundred thousand, none of them in a cycle. The collector would walk
    over all of them again and again while they are made, to find nothing to free. What is dropped
    is freed as ever, by the count of its references.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
