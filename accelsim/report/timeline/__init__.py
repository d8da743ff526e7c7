"""Runs as files for viewers of timelines: trace JSON (Perfetto), and VCD (GTKWave, Surfer).

    with recording("run.json") as recorder:
        simulation.record(layer, hardware, ["current"], recorder)

What is told is written at once, of a VCD to temporary files that are merged in the end, so its
length needs no memory. The file is there when the block ends without an error.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.report.files import check_writable, writing
from accelsim.report.timeline.chrome import ChromeTrace
from accelsim.report.timeline.vcd import VcdTrace, need_vcd
from accelsim.result import Recorder

FORMATS = ("json", "vcd")


def check_trace_path(path: str | Path, field: str = "trace") -> str:
    """Raise unless a timeline can be written at `path`; returns the format its suffix names."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        allowed = ", ".join(f".{name}" for name in FORMATS)
        raise AccelsimError(f"{field}={path}: must end in one of {allowed}")
    if suffix == "vcd":
        need_vcd()
    check_writable(path, field)
    return suffix


@contextmanager
def recording(path: str | Path, field: str = "trace") -> Iterator[Recorder]:
    """A recorder that writes to `path` in the format its suffix names."""
    suffix = check_trace_path(path, field)
    with writing(path, field) as file, ExitStack() as spools:
        recorder = VcdTrace(file, spools) if suffix == "vcd" else ChromeTrace(file)
        yield recorder
        recorder.close()
