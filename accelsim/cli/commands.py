"""The commands. Each parses, calls one function of the package, and hands on what came back."""

from typing import Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.dram import dram
from accelsim.cli.energy import energy
from accelsim.cli.explore import explore
from accelsim.cli.network import (
    Bifurcate,
    GradientBits,
    LearningRate,
    Momentum,
    NetworkJobs,
    RangeNorm,
    Training,
    TrainingFlags,
    WeightGradientBits,
    mlp,
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
    NetworkWeights,
    OperationName,
    OutputFile,
    Overrides,
    PlotFile,
    PlotFormat,
    Resume,
    SchemeName,
    Schemes,
    Seed,
    SkipUnsupported,
    Steps,
    Tensors,
    TimingOnly,
    TraceFile,
    hardware_of,
)
from accelsim.cli.output import SIMULATING, Output, working
from accelsim.cli.pictures import Pictures
from accelsim.cli.plot import plot
from accelsim.cli.report import report
from accelsim.cli.results import results
from accelsim.cli.sweep import sweep
from accelsim.cli.work import Work, compare_work, simulate_work
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
    scheme: Schemes = None,
    hardware: HardwareName = "edge",
    set_: Overrides = None,
    batch: Batch = None,
    steps: Steps = None,
    seed: Seed = "0",
    drift: Drift = None,
    kind: Kind = None,
    calibrate: Calibrate = None,
    tensors: Tensors = None,
    weights: NetworkWeights = None,
    resume: Resume = None,
    timing_only: TimingOnly = False,
    skip_unsupported: SkipUnsupported = False,
    operation: OperationName = "forward",
    energy: EnergyTables = None,
    as_json: AsJson = False,
    output: OutputFile = None,
    plot: PlotFile = None,
    plot_format: PlotFormat = None,
    trace: TraceFile = None,
    training: Training = False,
    bifurcate: Bifurcate = False,
    momentum: Momentum = False,
    gradient_bits: GradientBits = None,
    weight_gradient_bits: WeightGradientBits = None,
    learning_rate: LearningRate = None,
    range_norm: RangeNorm = False,
    jobs: NetworkJobs = None,
) -> None:
    """A layer or a network under several schemes, side by side: bytes, cycles and accuracy."""
    work = Work(
        layer, hardware, set_, batch, steps, seed, drift, kind, calibrate, tensors, weights,
        resume, timing_only, skip_unsupported, operation, energy,
        TrainingFlags(
            training, bifurcate, momentum, gradient_bits, weight_gradient_bits, learning_rate,
            range_norm,
        ),
        Output(as_json, output), Pictures(plot, plot_format, trace),
        jobs,
    )  # fmt: skip
    compare_work(work, scheme)


@app.command()
def simulate(
    layer: LayerName,
    scheme: SchemeName = "in-hindsight",
    hardware: HardwareName = "edge",
    set_: Overrides = None,
    batch: Batch = None,
    steps: Steps = None,
    seed: Seed = "0",
    drift: Drift = None,
    kind: Kind = None,
    calibrate: Calibrate = None,
    tensors: Tensors = None,
    weights: NetworkWeights = None,
    resume: Resume = None,
    timing_only: TimingOnly = False,
    skip_unsupported: SkipUnsupported = False,
    operation: OperationName = "forward",
    energy: EnergyTables = None,
    as_json: AsJson = False,
    output: OutputFile = None,
    plot: PlotFile = None,
    plot_format: PlotFormat = None,
    trace: TraceFile = None,
    training: Training = False,
    bifurcate: Bifurcate = False,
    momentum: Momentum = False,
    gradient_bits: GradientBits = None,
    weight_gradient_bits: WeightGradientBits = None,
    learning_rate: LearningRate = None,
    range_norm: RangeNorm = False,
    jobs: NetworkJobs = None,
) -> None:
    """A layer or a network under one scheme."""
    work = Work(
        layer, hardware, set_, batch, steps, seed, drift, kind, calibrate, tensors, weights,
        resume, timing_only, skip_unsupported, operation, energy,
        TrainingFlags(
            training, bifurcate, momentum, gradient_bits, weight_gradient_bits, learning_rate,
            range_norm,
        ),
        Output(as_json, output), Pictures(plot, plot_format, trace),
        jobs,
    )  # fmt: skip
    simulate_work(work, scheme)


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
