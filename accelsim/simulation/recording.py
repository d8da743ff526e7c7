"""The same run once more, told to a recorder while it happens."""

from collections.abc import Mapping, Sequence
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
) -> list[Run]:
    """Time a step of the steady state under each scheme and tell the recorder all that happens.

    Time depends neither on values nor on who listens: these are the cycles of `compare`.
    """
    layer = load_layer(layer) if isinstance(layer, str) else layer
    machine = load_hardware(hardware)
    programs = Programs(machine)
    parsed = [Scheme.parse(s) if isinstance(s, str) else s for s in schemes]
    runs = []
    for scheme in parsed:
        program = programs.program(planned(layer, batch, scheme))
        named = _Named(recorder, f"{layer.name} {scheme.label} on {machine.name}")
        runs.append(run(program, machine, recorder=named))
    return runs


class _Named:
    """A recorder that hears the scheme's name in place of the program's."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._name, self._recorder = name, recorder
        self.state, self.level = recorder.state, recorder.level
        self.settled, self.end = recorder.settled, recorder.end

    def begin(
        self, name: str, clock_mhz: float, tracks: Sequence[str], buffers: Mapping[str, int]
    ) -> None:
        """A run begins: under its own name."""
        self._recorder.begin(self._name, clock_mhz, tracks, buffers)
