"""`accelsim dram`: patterns and traces straight into a DRAM."""

from pathlib import Path
from typing import Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.options import AsJson, OutputFile, byte_count, real, refuse, whole
from accelsim.cli.output import SIMULATING, Output, working
from accelsim.errors import AccelsimError

DEFAULT_PRESET = "ddr4-2400"


def dram(
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", "-p", metavar="NAME|FILE.yaml",
            help=f"A device that ships, or one of your own ({DEFAULT_PRESET}).",
            autocompletion=complete.devices, show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="seq, stride:BYTES, random or mix:SHARE_WRITTEN (seq). Repeated, each has a port "
            "and a span of its own.",
            show_default=False,
        ),
    ] = None,
    trace: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.csv",
            help="A line per request: an address in bytes, decimal or with 0x, and R or W. "
            "Repeated, each has a port.",
            show_default=False,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE",
            help="Override fields: --set channels=2 mapping=RoBaRaCoCh timing.RCD=20 "
            "page_policy=closed row_hit_cap=4.",
            show_default=False,
        ),
    ] = None,
    requests: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Requests of 64 bytes of each pattern (65536).", show_default=False
        ),
    ] = None,
    span: Annotated[
        str | None,
        typer.Option(
            metavar="BYTES",
            help="Where a pattern keeps to, such as 1GiB (random and mix 64MiB, others all).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="N", help="Seed of patterns (1).", show_default=False)
    ] = None,
    write_share: Annotated[
        str | None,
        typer.Option(
            metavar="X", help="Share of a pattern's requests that write, 0 to 1 (0).",
            show_default=False,
        ),
    ] = None,
    in_flight: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Requests each port has in flight at most (64).", show_default=False
        ),
    ] = None,
    lines_per_clock: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Transactions each port offers in a clock (1).", show_default=False
        ),
    ] = None,
    arbitration: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Between ports: round-robin, load-first or store-first (round-robin).",
            show_default=False,
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the device as YAML to start your own from.")
    ] = False,
    presets: Annotated[
        bool, typer.Option("--presets", help="List the presets, as without any option.")
    ] = False,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """Drive a pattern or a trace into a DRAM by itself: bandwidth, rows, latencies."""
    out = Output(as_json, output)
    out.check()
    of_patterns = {
        "--requests": requests, "--span": span, "--seed": seed, "--write-share": write_share,
    }  # fmt: skip
    of_ports = {
        "--in-flight": in_flight, "--lines-per-clock": lines_per_clock,
        "--arbitration": arbitration,
    }  # fmt: skip
    of_a_run: dict[str, Any] = {
        "--pattern": None if pattern is None else " ".join(pattern),
        "--trace": None if trace is None else " ".join(map(str, trace)),
        **of_patterns,
        **of_ports,
    }
    of_a_device: dict[str, Any] = {
        "--preset": preset,
        "--set": None if set_ is None else " ".join(set_),
    }
    device = DEFAULT_PRESET if preset is None else preset
    given = {name: value for name, value in (of_a_device | of_a_run).items() if value is not None}
    if presets or not (given or show):
        refuse(given, tuple(given), "--presets lists all of them")
        _list(out)
        return
    if show:
        refuse(given, tuple(of_a_run.keys() & given), "--show runs nothing")
        _show(out, device, set_ or [])
        return
    if trace and not pattern:
        refuse(given, tuple(name for name in of_patterns if name in given), "a trace has its own")
    numbers = {
        "requests": whole("--requests", requests),
        "span_bytes": byte_count("--span", span),
        "seed": whole("--seed", seed),
        "write_share": real("--write-share", write_share),
        "in_flight": whole("--in-flight", in_flight),
        "lines_per_clock": whole("--lines-per-clock", lines_per_clock),
        "arbitration": arbitration,
    }
    arguments: dict[str, Any] = {k: v for k, v in numbers.items() if v is not None}
    from accelsim.hardware import load_dram

    description = load_dram(device, set_ or [])
    from accelsim.simulation import drive_dram

    with working(SIMULATING) as progress:
        traffic = [*(pattern or ()), *(trace or ())]
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
