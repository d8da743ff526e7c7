"""The commands. Each parses, calls one function of the package, and hands on what came back."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from accelsim.cli.output import Output, working
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.hardware import Hardware
    from accelsim.result import Comparison

app = typer.Typer(
    name="accelsim",
    help="Cycle-level simulator of a fixed-point neural-network accelerator: what static and "
    "dynamic quantization ranges cost in bits, bytes and cycles.",
    epilog="Start with: accelsim compare resnet18.layer1",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    pretty_exceptions_enable=False,
)

Number = TypeVar("Number", int, float)

DEFAULT_DRIFT = 0.05
"""That of `simulate` and `compare`, for the sentence that names it."""

LayerName = Annotated[
    str,
    typer.Argument(
        metavar="LAYER",
        help="NETWORK.LAYER from the shelf (a prefix such as resnet18.layer1 means its first "
        "layer), or PATH.yaml:LAYER.",
        show_default=False,
    ),
]
HardwareName = Annotated[
    str, typer.Option("--hardware", "-H", metavar="NAME|FILE", help="A preset or a YAML file.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Override fields of the hardware: --set array.rows=64 sram.input_kib=256.",
        show_default=False,
    ),
]
Batch = Annotated[
    str | None, typer.Option(metavar="N", help="Samples per step (1).", show_default=False)
]
Steps = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="Steps to run; the last is measured, the others are its past (2).",
        show_default=False,
    ),
]  # fmt: skip
Seed = Annotated[str, typer.Option(metavar="N", help="Seed of tensors and stochastic rounding.")]
Drift = Annotated[
    str | None,
    typer.Option(
        metavar="X", help="How far synthetic ranges drift per step, 0 to 1 (0.05).",
        show_default=False,
    ),
]  # fmt: skip
Tensors = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.npz",
        help="Real tensors: input, weights and bias with a leading axis of steps, or input.0, "
        "input.1, ...",
        show_default=False,
    ),
]
TimingOnly = Annotated[
    bool, typer.Option("--timing-only", help="Bytes and cycles of the steady state, no values.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write there instead of to the terminal.",
        show_default=False,
    ),
]  # fmt: skip
PlotFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png|svg|pdf", help="Draw traffic and time as well.", show_default=False
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from accelsim import __version__

        typer.echo(f"accelsim {__version__}")
        raise typer.Exit


@app.callback()
def accelsim(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an internal error.")
    ] = False,
) -> None:
    """The options before the command. `--debug` is taken by `main`, wherever it stands."""


# Without a help of its own a callback's docstring would be the help of the whole program.
app.registered_callback.help = app.info.help  # type: ignore[union-attr]


@app.command()
def compare(
    layer: LayerName,
    scheme: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="As accelsim schemes explains; repeat it. The others are held against the first "
            "(in-hindsight, current).",
            show_default=False,
        ),
    ] = None,
    hardware: HardwareName = "edge",
    set_: Overrides = None,
    batch: Batch = None,
    steps: Steps = None,
    seed: Seed = "0",
    drift: Drift = None,
    tensors: Tensors = None,
    timing_only: TimingOnly = False,
    as_json: AsJson = False,
    output: OutputFile = None,
    plot: PlotFile = None,
) -> None:
    """One layer under several schemes, side by side: bytes, cycles and accuracy."""
    out = Output(as_json, output)
    _check_files(out, plot)
    run = _Run(layer, hardware, set_, batch, steps, seed, drift, tensors, timing_only)
    if scheme:
        run.arguments["schemes"] = scheme
    from accelsim.simulation import compare as run_compare

    with working("simulating (the very first run compiles its kernels)"):
        comparison = run_compare(run.layer, run.hardware, **run.arguments)
    _draw(comparison, plot)

    def text() -> Any:
        from accelsim.report.text import comparison_text

        return comparison_text(comparison, run.title(comparison), run.notes)

    out.give(text, comparison.to_dict)


@app.command()
def simulate(
    layer: LayerName,
    scheme: Annotated[
        str,
        typer.Option(metavar="NAME", help="As accelsim schemes explains."),
    ] = "in-hindsight",
    hardware: HardwareName = "edge",
    set_: Overrides = None,
    batch: Batch = None,
    steps: Steps = None,
    seed: Seed = "0",
    drift: Drift = None,
    tensors: Tensors = None,
    timing_only: TimingOnly = False,
    as_json: AsJson = False,
    output: OutputFile = None,
    plot: PlotFile = None,
) -> None:
    """One layer under one scheme."""
    out = Output(as_json, output)
    _check_files(out, plot)
    run = _Run(layer, hardware, set_, batch, steps, seed, drift, tensors, timing_only)
    from accelsim.result import Comparison
    from accelsim.simulation import simulate as run_simulate

    with working("simulating (the very first run compiles its kernels)"):
        result = run_simulate(run.layer, run.hardware, scheme, **run.arguments)
    alone = Comparison((result,))
    _draw(alone, plot)

    def text() -> Any:
        from accelsim.report.text import result_text

        return result_text(result, run.title(alone), run.notes)

    out.give(text, result.to_dict)


@app.command()
def table5(
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            "--hardware", "-H", metavar="NAME|FILE",
            help="A machine to simulate on; repeat it (table5, edge).", show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """Table 5 of the in-hindsight paper: published, closed form, simulated."""
    out = Output(as_json, output)
    out.check()
    arguments: dict[str, Any] = {}
    if hardware:
        arguments["machines"] = [_hardware(name) for name in hardware]
    from accelsim.simulation import table5 as run_table5

    with working("simulating five layers, static and dynamic, on each machine"):
        table = run_table5(**arguments)

    def text() -> Any:
        from accelsim.report.paper_table import table5_text

        return table5_text(table)

    out.give(text, table.to_dict)


@app.command()
def hardware(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE", help="A preset or a YAML file.", show_default=False),
    ] = None,
    set_: Overrides = None,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:
    """Print a machine as YAML to start from; without a name, list the presets."""
    out = Output(as_json, output)
    out.check()
    from accelsim.hardware import load_hardware, preset_names
    from accelsim.report import catalogue

    if name is not None:
        machine = _hardware(name, set_)
        out.give(machine.to_yaml, lambda: catalogue.hardware_document(machine))
        return
    if set_:
        known = ", ".join(preset_names())
        raise AccelsimError(f"--set {set_[0]}: needs the NAME of a machine, such as {known}")
    machines = [load_hardware(preset) for preset in preset_names()]
    out.give(
        lambda: catalogue.machines_text(machines), lambda: catalogue.machines_document(machines)
    )


@app.command()
def networks(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE", help="A network of the shelf or a YAML file.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """List the networks of the shelf, or the layers of one."""
    out = Output(as_json, output)
    out.check()
    from accelsim.network import load_network, network_names
    from accelsim.report import catalogue

    if name is not None:
        network = load_network(name)
        out.give(
            lambda: catalogue.network_text(network), lambda: catalogue.network_document(network)
        )
        return
    shelf = [load_network(known) for known in network_names()]
    out.give(lambda: catalogue.networks_text(shelf), lambda: catalogue.networks_document(shelf))


@app.command()
def schemes(as_json: AsJson = False, output: OutputFile = None) -> None:
    """List the range estimators, their parameters and what may be done with each."""
    out = Output(as_json, output)
    out.check()
    from accelsim.report import catalogue

    out.give(catalogue.schemes_text, catalogue.schemes_document)


class _Run:
    """The options that `simulate` and `compare` share, as arguments of these functions."""

    def __init__(
        self,
        reference: str,
        hardware: str,
        overrides: Sequence[str] | None,
        batch: str | None,
        steps: str | None,
        seed: str,
        drift: str | None,
        tensors: Path | None,
        timing_only: bool,
    ) -> None:
        from accelsim.network import load_layer

        self.reference = reference
        self.tensors, self.timing_only = tensors, timing_only
        given = {"--batch": batch, "--steps": steps, "--drift": drift, "--tensors": tensors}
        if timing_only:
            _refuse(given, ("--steps", "--drift", "--tensors"), "--timing-only has no values")
        if tensors is not None:
            _refuse(given, ("--batch", "--steps", "--drift"), f"{tensors} brings its own")
        numbers = {
            "batch": _whole("--batch", batch),
            "steps": _whole("--steps", steps),
            "seed": _whole("--seed", seed),
            "drift": _real("--drift", drift),
        }
        self.layer = load_layer(reference)
        self.hardware = _hardware(hardware, overrides)
        self.arguments: dict[str, Any] = {
            name: value for name, value in numbers.items() if value is not None
        }
        self.arguments |= self._data()

    def _data(self) -> dict[str, Any]:
        if self.timing_only:
            return {"data": None}
        if self.tensors is None:
            return {}
        from accelsim.network import load_steps

        return {"data": load_steps(self.tensors)}

    def title(self, comparison: "Comparison") -> str:
        """The layer's full name and shape, the machine and its clock."""
        from accelsim.report.catalogue import layer_sentence

        batch = comparison.baseline.batch
        machine = f"{self.hardware.name} at {self.hardware.clock_mhz:g} MHz"
        return (
            f"{_full_name(self.reference, self.layer.name)} on {machine}, batch {batch}\n"
            f"{layer_sentence(self.layer, batch)}"
        )

    @property
    def notes(self) -> list[str]:
        """Where the tensors came from."""
        if self.timing_only:
            return []
        if self.tensors is not None:
            return [f"Tensors: {self.tensors}."]
        seed, drift = self.arguments["seed"], self.arguments.get("drift", DEFAULT_DRIFT)
        return [f"Tensors: synthetic, seeded, drifting (seed {seed}, drift {drift:g})."]


def _refuse(options: dict[str, Any], names: Sequence[str], why: str) -> None:
    for name in names:
        if options[name] is not None:
            raise AccelsimError(f"{name}={options[name]}: must be left out, {why}")


def _whole(option: str, text: str | None) -> int | None:
    """The number in an option's text; its bounds are checked where it is used."""
    return None if text is None else _number(option, text, int, "a whole number")


def _real(option: str, text: str | None) -> float | None:
    return None if text is None else _number(option, text, float, "a number")


def _number(option: str, text: str, kind: Callable[[str], Number], name: str) -> Number:
    try:
        return kind(text)
    except ValueError:
        raise AccelsimError(f"{option}={text[:60]}: must be {name}") from None


def _full_name(reference: str, layer: str) -> str:
    """The reference with the layer's whole name in place of a prefix of it."""
    for separator in (".yaml:", ".yml:", "."):
        if separator in reference:
            return f"{reference.partition(separator)[0]}{separator}{layer}"
    return layer


def _hardware(name: str, overrides: Sequence[str] | None = None) -> "Hardware":
    from accelsim.hardware import load_hardware

    return load_hardware(name, overrides or ())


def _check_files(out: Output, plot: Path | None) -> None:
    """Before the simulation runs: what cannot be written later is refused now."""
    out.check()
    if plot is None:
        return
    from accelsim.report.plots import check_figure_path

    check_figure_path(plot)
    if out.file is not None and out.file.resolve() == plot.resolve():
        raise AccelsimError(f"plot={plot}: must be another file than the output")


def _draw(comparison: "Comparison", plot: Path | None) -> None:
    if plot is not None:
        from accelsim.report.plots import plot_comparison, save_figure

        save_figure(plot_comparison(comparison), plot)
