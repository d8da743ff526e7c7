"""`accelsim dram`: patterns and traces straight into a DRAM."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.options import AsJson, OutputFile, byte_count, real, refuse, whole
from accelsim.cli.output import SIMULATING, Output, working
from accelsim.errors import AccelsimError

DEFAULT_PRESET = "ddr4-2400"


Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", "-p", metavar="NAME|FILE.yaml",
        help=f"A device that ships, or one of your own ({DEFAULT_PRESET}).",
        autocompletion=complete.devices, show_default=False,
    ),
]  # fmt: skip
Patterns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="seq, stride:BYTES, random or mix:SHARE_WRITTEN (seq). Repeated, each has a port "
        "and a span of its own.",
        show_default=False,
    ),
]
Traces = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE.csv",
        help="A line per request: an address in bytes, decimal or with 0x, and R or W. "
        "Repeated, each has a port.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE",
        help="Override fields: --set channels=2 mapping=RoBaRaCoCh timing.RCD=20 "
        "page_policy=closed row_hit_cap=4.",
        show_default=False,
    ),
]  # fmt: skip
Requests = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="Requests of 64 bytes of each pattern (65536).", show_default=False
    ),
]
Span = Annotated[
    str | None,
    typer.Option(
        metavar="BYTES",
        help="Where a pattern keeps to, such as 1GiB (random and mix 64MiB, others all).",
        show_default=False,
    ),
]
Seed = Annotated[
    str | None, typer.Option(metavar="N", help="Seed of patterns (1).", show_default=False)
]
WriteShare = Annotated[
    str | None,
    typer.Option(
        metavar="X", help="Share of a pattern's requests that write, 0 to 1 (0).",
        show_default=False,
    ),
]  # fmt: skip
InFlight = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="Requests each port has in flight at most (64).", show_default=False
    ),
]
LinesPerClock = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="Transactions each port offers in a clock (1).", show_default=False
    ),
]
Arbitration = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Between ports: round-robin, load-first or store-first (round-robin).",
        show_default=False,
    ),
]
Show = Annotated[
    bool, typer.Option("--show", help="Print the device as YAML to start your own from.")
]
Presets = Annotated[
    bool, typer.Option("--presets", help="List the presets, as without any option.")
]


def dram(
    preset: Preset = None,
    pattern: Patterns = None,
    trace: Traces = None,
    set_: Overrides = None,
    requests: Requests = None,
    span: Span = None,
    seed: Seed = None,
    write_share: WriteShare = None,
    in_flight: InFlight = None,
    lines_per_clock: LinesPerClock = None,
    arbitration: Arbitration = None,
    show: Show = False,
    presets: Presets = False,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:
    """Drive a pattern or a trace into a DRAM by itself: bandwidth, rows, latencies."""
    out = Output(as_json, output)
    out.check()
    of_patterns = {
        "--requests": requests, "--span": span, "--seed": seed, "--write-share": write_share,
    }  # fmt: skip
    of_a_run = {
        "--pattern": pattern, "--trace": trace, **of_patterns, "--in-flight": in_flight,
        "--lines-per-clock": lines_per_clock, "--arbitration": arbitration,
    }  # fmt: skip
    asked = _Asked(preset, set_, of_a_run)
    if presets or not (asked.given or show):
        asked.refuse(asked.given, "--presets lists all of them")
        _list(out)
    elif show:
        asked.refuse(of_a_run, "--show runs nothing")
        _show(out, asked.device, set_ or [])
    else:
        if trace and not pattern:
            asked.refuse(of_patterns, "a trace has its own")
        _drive(out, asked, [*(pattern or ()), *(trace or ())])


class _Asked:
    """The options that were given, with their texts."""

    def __init__(
        self, preset: str | None, overrides: list[str] | None, of_a_run: Mapping[str, Any]
    ) -> None:
        options = {"--preset": preset, "--set": overrides, **of_a_run}
        self.device = DEFAULT_PRESET if preset is None else preset
        self.overrides = overrides or []
        self.given = {
            name: " ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in options.items()
            if value is not None
        }

    def refuse(self, names: Iterable[str], why: str) -> None:
        """Raise for the first of these that was given."""
        refuse(self.given, [name for name in names if name in self.given], why)

    def arguments(self) -> dict[str, Any]:
        """What `drive_dram` takes by name."""
        numbers = {
            "requests": whole("--requests", self.given.get("--requests")),
            "span_bytes": byte_count("--span", self.given.get("--span")),
            "seed": whole("--seed", self.given.get("--seed")),
            "write_share": real("--write-share", self.given.get("--write-share")),
            "in_flight": whole("--in-flight", self.given.get("--in-flight")),
            "lines_per_clock": whole("--lines-per-clock", self.given.get("--lines-per-clock")),
            "arbitration": self.given.get("--arbitration"),
        }
        return {name: value for name, value in numbers.items() if value is not None}


def _drive(out: Output, asked: _Asked, traffic: Sequence[str | Path]) -> None:
    arguments = asked.arguments()
    from accelsim.hardware import load_dram

    description = load_dram(asked.device, asked.overrides)
    from accelsim.simulation import drive_dram

    with working(SIMULATING) as progress:
        result = drive_dram(description, traffic or "seq", **arguments, progress=progress)

    def text() -> Any:
        from accelsim.report.dram import dram_text

        return dram_text(result)

    out.give_record(text, result.to_dict)


def _list(out: Output) -> None:
    from accelsim.hardware import load_dram
    from accelsim.hardware.dram import device_names
    from accelsim.report import dram as report

    known = [load_dram(name) for name in device_names()]
    out.give(lambda: report.presets_text(known), lambda: report.presets_document(known))


def _show(out: Output, preset: str, overrides: list[str]) -> None:
    from accelsim.hardware import load_dram
    from accelsim.report import dram as report

    for override in overrides:
        name = override.partition("=")[0].strip()
        if name.partition(".")[0] not in ("organisation", "timing"):
            raise AccelsimError(
                f"--set {override}: must be left out, --show prints the device, which has"
                " organisation and timing"
            )
    description = load_dram(preset, overrides)
    out.give(description.device.to_yaml, lambda: report.device_document(description))
