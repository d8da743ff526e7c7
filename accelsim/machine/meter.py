"""How much each DMA engine has moved by when: read now and then, and never too often."""

from collections.abc import Iterable

import numpy as np

from accelsim.kernels.timing_layout import READINGS
from accelsim.machine.memory import Memory
from accelsim.result import Bandwidth

STEPS = 128
"""Most steps of the outcome."""


class Meter:
    """Readings of a memory's counters; reading them changes nothing."""

    def __init__(
        self, memory: Memory, readings: Iterable[tuple[int, int, int]] = ((0, 0, 0),)
    ) -> None:
        self.memory = memory
        self._readings = [*readings]
        self.apart_cycles = 1

    def read(self, now: int) -> None:
        """Take down what has been moved until now, unless the last reading is too close."""
        if now - self._readings[-1][0] < self.apart_cycles:
            return
        self._readings.append((now, *self.memory.moved_bytes))
        if len(self._readings) == READINGS:
            del self._readings[1::2]
            self.apart_cycles *= 2

    def bandwidth(self, total_cycles: int) -> Bandwidth:
        """Bytes per step; between two readings they count as moved evenly."""
        times, loads, stores = zip(
            *self._readings, (total_cycles, *self.memory.moved_bytes), strict=True
        )
        step = max(1, -(-total_cycles // STEPS))
        edges = np.minimum(np.arange(0, total_cycles + step, step), total_cycles)
        return Bandwidth(step, _by_step(edges, times, loads), _by_step(edges, times, stores))


def _by_step(edges: np.ndarray, times: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...]:
    """Whole bytes between each two edges; they add up to the last count."""
    reached = np.floor(np.interp(edges, times, counts)).astype(np.int64)
    return tuple(int(count) for count in np.diff(reached))
