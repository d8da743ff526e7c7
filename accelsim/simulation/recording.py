"""The same run once more, told to a recorder while it happens."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from accelsim.hardware import Hardware, load_hardware
from accelsim.machine import Run, run
from accelsim.network import Layer, load_layer
from accelsim.quant import Scheme
from accelsim.result import Recorder
from accelsim.simulation.programs import Programs
from accelsim.simulation.step import planned


def record(
    layer: Layer | str,
    hardware: Hardware | str | Path,
    schemes: Sequence[Scheme | str],
    recorder: Recorder,
    *,
    batch: int = 1,
    settled: Callable[[int], None] = lambda cycles: None,
) -> list[Run]:
    """Time a step of the steady state under each scheme and tell the recorder all that happens.

    Time depends neither on values nor on who listens: these are the cycles of `compare`. A
    bootstrap step, whose range is not known yet, takes those of `current/spill`. `settled` hears
    how many cycles have been told, of all runs together.
    """
    layer = load_layer(layer) if isinstance(layer, str) else layer
    machine = load_hardware(hardware)
    programs = Programs(machine)
    parsed = [Scheme.parse(s) if isinstance(s, str) else s for s in schemes]
    runs: list[Run] = []
    for scheme in parsed:
        program = programs.program(planned(layer, batch, scheme))
        before = sum(earlier.total_cycles for earlier in runs)
        name = f"{layer.name} {scheme.label} on {machine.name}"
        named = _Named(recorder, name, partial(_add, settled, before))
        runs.append(run(program, machine, recorder=named))
    return runs


def _add(settled: Callable[[int], None], before: int, cycle: int) -> None:
    settled(before + cycle)


class _Named:
    """A recorder that hears the scheme's name in place of the program's; others hear the time."""

    def __init__(self, recorder: Recorder, name: str, settled: Callable[[int], None]) -> None:
        self._name, self._recorder, self._told = name, recorder, settled

    def begin(
        self, name: str, clock_mhz: float, tracks: Sequence[str], buffers: Mapping[str, int]
    ) -> None:
        """A run begins: under its own name."""
        self._recorder.begin(self._name, clock_mhz, tracks, buffers)
        self.state, self.level = self._recorder.state, self._recorder.level
        self.end = self._recorder.end

    def settled(self, cycle: int) -> None:
        """See `Recorder`."""
        self._told(cycle)
        self._recorder.settled(cycle)
