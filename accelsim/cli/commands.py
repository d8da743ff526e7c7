"""The commands. Each parses, calls one function of the package, and hands on what came back."""

from typing import Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.dram import dram
from accelsim.cli.energy import energy, energy_document
from accelsim.cli.explore import explore
from accelsim.cli.network import (
    Bifurcate,
    Momentum,
    NetworkOptions,
    RangeNorm,
    Training,
    TrainingFlags,
    ValueFlags,
    WeightGradientBits,
    mlp,
    names_network,
    run_network,
)
from accelsim.cli.options import (
    AsJson,
    Batch,
    Calibrate,
    Drift,
    EnergyTables,
    HardwareName,
    Kind,
    LayerName,
    LayerRun,
    OperationName,
    OutputFile,
    Overrides,
    PlotFile,
    Resume,
    Seed,
    SkipUnsupported,
    Steps,
    Tensors,
    TimingOnly,
    TraceFile,
    energy_tables,
    hardware_of,
    refuse,
)
from accelsim.cli.output import SIMULATING, Output, working
from accelsim.cli.pictures import Pictures
from accelsim.cli.plot import plot
from accelsim.cli.report import report
from accelsim.cli.sweep import results, sweep
from accelsim.errors import AccelsimError

app = typer.Typer(
    name="accelsim",
    help="Cycle-level simulator of a fixed-point neural-network accelerator: what static and "
    "dynamic quantization ranges cost in bits, bytes and cycles.",
    epilog="Start with: accelsim compare resnet18.layer1",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    pretty_exceptions_enable=False,
)


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
            "(in-hindsight, current). all: every combination that makes sense, in one table.",
            autocompletion=complete.schemes,
            show_default=False,
        ),
    ] = None,
    hardware: HardwareName = "edge",
    set_: Overrides = None,
    batch: Batch = None,
    steps: Steps = None,
    seed: Seed = "0",
    drift: Drift = None,
    kind: Kind = None,
    calibrate: Calibrate = None,
    tensors: Tensors = None,
    resume: Resume = None,
    timing_only: TimingOnly = False,
    skip_unsupported: SkipUnsupported = False,
    operation: OperationName = "forward",
    energy: EnergyTables = None,
    as_json: AsJson = False,
    output: OutputFile = None,
    plot: PlotFile = None,
    trace: TraceFile = None,
    training: Training = False,
    bifurcate: Bifurcate = False,
    momentum: Momentum = False,
    weight_gradient_bits: WeightGradientBits = None,
    range_norm: RangeNorm = False,
) -> None:
    """A layer or a network under several schemes, side by side: bytes, cycles and accuracy."""
    out, pictures = Output(as_json, output), Pictures(plot, trace)
    flags = TrainingFlags(training, bifurcate, momentum, weight_gradient_bits, range_norm)
    if names_network(layer):
        given = {
            "--kind": kind, "--resume": resume, "--trace": trace,
            "--operation": None if operation == "forward" else operation,
        }  # fmt: skip
        refuse(given, tuple(given), "it is for a single layer")
        values = ValueFlags(steps, drift, calibrate, tensors, timing_only)
        options = NetworkOptions(
            layer, scheme, hardware, set_, batch, seed, flags, values, skip_unsupported
        )
        run_network(options, out, plot, energy_tables(energy))
        return
    flags.refuse_for_a_layer()
    pictures.check(out)
    tables = energy_tables(energy)
    all_schemes = "all" in (scheme or ())
    if all_schemes and len(tables) > 1:
        raise AccelsimError(f"--energy {tables[1].name}: must be given once with --scheme all")
    run = LayerRun(
        layer, hardware, set_, batch=batch, steps=steps, seed=seed, drift=drift, kind=kind,
        calibrate=calibrate, tensors=tensors, resume=resume, timing_only=timing_only,
        skip_unsupported=skip_unsupported,
        operation=operation,
    )  # fmt: skip
    if scheme:
        run.arguments["schemes"] = scheme
    from accelsim.simulation import compare as run_compare

    with working(SIMULATING) as progress:
        comparison = run_compare(
            run.layer, run.hardware, resume=run.past, progress=progress, **run.arguments
        )
        pictures.make(run.layer, run.hardware, comparison, progress)

    title, notes = run.title(comparison), run.notes(comparison)
    if all_schemes:
        from accelsim.report.overview import overview_text
        from accelsim.result import overview_of

        overview = overview_of(comparison, tables[0])
        out.give_record(
            lambda: overview_text(overview, title, notes, comparison.left_out),
            lambda: comparison.to_dict() | {"overview": overview.to_dict()},
        )
        return

    def text() -> Any:
        from accelsim.report.text import comparison_text

        return comparison_text(comparison, title, notes, tables)

    out.give_record(
        text, lambda: comparison.to_dict() | energy_document(comparison.results, tables)
    )


@app.command()
def simulate(
    layer: LayerName,
    scheme: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="As accelsim schemes explains.", autocompletion=complete.schemes
        ),
    ] = "in-hindsight",
    hardware: HardwareName = "edge",
    set_: Overrides = None,
    batch: Batch = None,
    steps: Steps = None,
    seed: Seed = "0",
    drift: Drift = None,
    kind: Kind = None,
    calibrate: Calibrate = None,
    tensors: Tensors = None,
    resume: Resume = None,
    timing_only: TimingOnly = False,
    skip_unsupported: SkipUnsupported = False,
    operation: OperationName = "forward",
    energy: EnergyTables = None,
    as_json: AsJson = False,
    output: OutputFile = None,
    plot: PlotFile = None,
    trace: TraceFile = None,
    training: Training = False,
    bifurcate: Bifurcate = False,
    momentum: Momentum = False,
    weight_gradient_bits: WeightGradientBits = None,
    range_norm: RangeNorm = False,
) -> None:
    """A layer or a network under one scheme."""
    out, pictures = Output(as_json, output), Pictures(plot, trace)
    flags = TrainingFlags(training, bifurcate, momentum, weight_gradient_bits, range_norm)
    if names_network(layer):
        given = {
            "--kind": kind, "--resume": resume, "--trace": trace,
            "--operation": None if operation == "forward" else operation,
        }  # fmt: skip
        refuse(given, tuple(given), "it is for a single layer")
        values = ValueFlags(steps, drift, calibrate, tensors, timing_only)
        options = NetworkOptions(
            layer, [scheme], hardware, set_, batch, seed, flags, values, skip_unsupported
        )
        run_network(options, out, plot, energy_tables(energy), alone=True)
        return
    flags.refuse_for_a_layer()
    pictures.check(out)
    tables = energy_tables(energy)
    run = LayerRun(
        layer, hardware, set_, batch=batch, steps=steps, seed=seed, drift=drift, kind=kind,
        calibrate=calibrate, tensors=tensors, resume=resume, timing_only=timing_only,
        skip_unsupported=skip_unsupported,
        operation=operation,
    )  # fmt: skip
    from accelsim.result import Comparison
    from accelsim.simulation import simulate as run_simulate

    past = run.past.baseline if run.past else None
    with working(SIMULATING) as progress:
        result = run_simulate(
            run.layer, run.hardware, scheme, resume=past, progress=progress, **run.arguments
        )
        alone = Comparison((result,))
        pictures.make(run.layer, run.hardware, alone, progress)

    def text() -> Any:
        from accelsim.report.text import result_text

        return result_text(result, run.title(alone), run.notes(alone), tables)

    out.give_record(text, lambda: result.to_dict() | energy_document([result], tables))


@app.command()
def table5(
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            "--hardware", "-H", metavar="NAME|FILE",
            help="A machine to simulate on; repeat it (table5, edge).", show_default=False,
            autocompletion=complete.machines,
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
        arguments["machines"] = [hardware_of(name) for name in hardware]
    from accelsim.simulation import table5 as run_table5

    with working(SIMULATING) as progress:
        table = run_table5(**arguments, progress=progress)

    def text() -> Any:
        from accelsim.report.paper_table import table5_text

        return table5_text(table)

    out.give_record(text, table.to_dict)


@app.command()
def hardware(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE",
            help="A preset or a YAML file.",
            show_default=False,
            autocompletion=complete.machines,
        ),
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
        machine = hardware_of(name, set_)
        out.give(machine.to_yaml, lambda: catalogue.hardware_document(machine))
        return
    if set_:
        known = ", ".join(preset_names())
        raise AccelsimError(f"--set {set_[0]}: needs the NAME of a machine, such as {known}")
    machines = [load_hardware(preset) for preset in preset_names()]
    out.give(
        lambda: catalogue.machines_text(machines), lambda: catalogue.machines_document(machines)
    )


app.command()(mlp)
app.command()(dram)
app.command()(plot)
app.command()(report)
app.command()(energy)
app.command()(sweep)
app.command()(results)
app.command()(explore)


@app.command()
def networks(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE", help="A network of the shelf or a file (.yaml, .csv, .onnx).",
            autocompletion=complete.networks, show_default=False,
        ),
    ] = None,
    skip_unsupported: SkipUnsupported = False,
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """List the networks of the shelf, or the layers of one."""
    out = Output(as_json, output)
    out.check()
    from accelsim.network import load_network, network_names
    from accelsim.report import catalogue

    if name is not None:
        network = load_network(name, skip_unsupported)
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
