"""`accelsim compare` and `simulate` where a whole network is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli.options import (
    AsJson,
    OutputFile,
    hardware_of,
    job_count,
    real,
    refuse,
    whole,
)
from accelsim.cli.output import SIMULATING, Output, working
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.cli.pictures import Pictures
    from accelsim.hardware import EnergyTable
    from accelsim.lowering import TrainingOptions
    from accelsim.network import Network
    from accelsim.result import NetworkComparison


def names_network(reference: str) -> bool:
    """Whether a reference names a whole network, not a layer of one."""
    from accelsim.network import names_network as decide

    return decide(reference)


Training = Annotated[
    bool,
    typer.Option(
        "--training",
        help="Networks: a training step (forward, both gradients, update), not an inference.",
    ),
]
Bifurcate = Annotated[
    bool, typer.Option("--bifurcate", help="Training: gradients also in 16 bits, for the weights.")
]
Momentum = Annotated[
    bool, typer.Option("--momentum", help="Training: the update keeps a momentum in float32.")
]
WeightGradientBits = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="Training: weight gradients of so many bits (float32).",
        show_default=False,
    ),
]  # fmt: skip
GradientBits = Annotated[
    str | None,
    typer.Option(metavar="N", help="Training: gradients of so many bits (8).", show_default=False),
]
LearningRate = Annotated[
    str | None,
    typer.Option(
        metavar="X", help="Training: how far the update follows a gradient (0.01).",
        show_default=False,
    ),
]  # fmt: skip
NetworkJobs = Annotated[
    str | None,
    typer.Option(
        "--jobs", "-j", metavar="N",
        help="Networks: processes that time operations, this one included (all cores).",
        show_default=False,
    ),
]  # fmt: skip
RangeNorm = Annotated[
    bool,
    typer.Option(
        "--range-norm",
        help="Networks: Range BatchNorm, fed by the statistics unit, in place of BatchNorm.",
    ),
]


@dataclass(frozen=True)
class TrainingFlags:
    """What was asked for of a training step, and of a network's norms."""

    training: bool
    bifurcate: bool
    momentum: bool
    gradient_bits: str | None
    weight_gradient_bits: str | None
    learning_rate: str | None
    range_norm: bool

    def options(self) -> "TrainingOptions | None":
        """The options of a training step, or None for an inference."""
        given = {
            "--bifurcate": self.bifurcate or None,
            "--momentum": self.momentum or None,
            "--gradient-bits": self.gradient_bits,
            "--weight-gradient-bits": self.weight_gradient_bits,
            "--learning-rate": self.learning_rate,
        }
        if not self.training:
            refuse(given, tuple(given), "only --training has gradients")
            ranges = {"--range-norm": self.range_norm or None}
            refuse(ranges, tuple(ranges), "only --training has statistics of a batch")
            return None
        from accelsim.lowering import TrainingOptions

        numbers = {
            "gradient_bits": whole("--gradient-bits", self.gradient_bits),
            "weight_gradient_bits": whole("--weight-gradient-bits", self.weight_gradient_bits),
            "learning_rate": real("--learning-rate", self.learning_rate),
        }
        chosen: dict[str, Any] = {k: v for k, v in numbers.items() if v is not None}
        return TrainingOptions(bifurcation=self.bifurcate, momentum=self.momentum, **chosen)

    def refuse_for_a_layer(self) -> None:
        """None of it is for a single layer."""
        given = {
            "--training": self.training or None,
            "--bifurcate": self.bifurcate or None,
            "--momentum": self.momentum or None,
            "--gradient-bits": self.gradient_bits,
            "--weight-gradient-bits": self.weight_gradient_bits,
            "--learning-rate": self.learning_rate,
            "--range-norm": self.range_norm or None,
        }
        refuse(given, tuple(given), "it is for whole networks")


@dataclass(frozen=True)
class ValueFlags:
    """Which tensors flow, as texts."""

    steps: str | None
    drift: list[str] | None
    calibrate: str | None
    tensors: Path | None
    weights: Path | None
    timing_only: bool

    def arguments(self, network: "Network", batch: str | None, training: bool) -> dict[str, Any]:
        """As `compare` takes them."""
        given = {
            "--steps": self.steps, "--drift": " ".join(self.drift) if self.drift else None,
            "--calibrate": self.calibrate, "--tensors": self.tensors, "--weights": self.weights,
        }  # fmt: skip
        if self.timing_only:
            refuse(given, tuple(given), "--timing-only has no values")
            return {"data": None}
        if any(node.kind == "opaque" for node in network.nodes):
            refuse(given, tuple(given), "an opaque operation has bytes but no values")
            return {"data": None}
        calibrate = whole("--calibrate", self.calibrate)
        if self.tensors is not None:
            own = {"--batch": batch, **given}
            refuse(own, ("--batch", "--steps", "--drift"), f"{self.tensors} brings its own")
            from accelsim.network import load_inputs, target_shapes

            targets = target_shapes(network) if training else {}
            data = load_inputs(self.tensors, network.inputs, targets)
            return {"data": data, "calibrate": calibrate or 0}
        numbers = {
            "steps": whole("--steps", self.steps), "drift": self.drift or None,
            "calibrate": calibrate,
        }  # fmt: skip
        chosen = {name: value for name, value in numbers.items() if value is not None}
        return {"data": "synthetic", **chosen}


@dataclass(frozen=True)
class NetworkOptions:
    """What was asked for, as texts."""

    network: str
    schemes: Sequence[str] | None
    hardware: str
    overrides: Sequence[str] | None
    batch: str | None
    seed: str
    training: "TrainingFlags"
    values: "ValueFlags"
    jobs: str | None = None
    skip_unsupported: bool = False

    def compare(self) -> "NetworkComparison":
        """Run the network under each scheme."""
        numbers = {"batch": whole("--batch", self.batch), "seed": whole("--seed", self.seed)}
        arguments: dict[str, Any] = {k: v for k, v in numbers.items() if v is not None}
        arguments["jobs"] = job_count(self.jobs)
        if self.schemes:
            arguments["schemes"] = self.schemes
        machine = hardware_of(self.hardware, self.overrides)
        training = arguments["training"] = self.training.options()
        from accelsim.network import load_network, range_normalized, with_weights
        from accelsim.simulation import compare

        network = load_network(self.network, self.skip_unsupported)
        if self.values.weights is not None:
            network = with_weights(network, self.values.weights)
        if self.training.range_norm:
            network = range_normalized(network)
        arguments |= self.values.arguments(network, self.batch, training is not None)
        with working(SIMULATING) as progress:
            return compare(network, machine, progress=progress, **arguments)


def run_network(
    options: NetworkOptions,
    out: Output,
    pictures: "Pictures",
    tables: "Sequence[EnergyTable]",
    *,
    alone: bool = False,
) -> None:
    """Compare, or with `alone` simulate one scheme; then print and draw."""
    pictures.check(out, network=True)
    if "all" in (options.schemes or ()) and len(tables) > 1:
        raise AccelsimError(f"--energy {tables[1].name}: must be given once with --scheme all")
    comparison = options.compare()
    pictures.make_of_network(comparison)

    if "all" in (options.schemes or ()):
        give_network_overview(out, comparison, tables)
        return

    def text() -> Any:
        from accelsim.report.network import network_text

        return network_text(comparison, tables)

    def document() -> dict[str, Any]:
        rows = [r.energy(table).to_dict() for r in comparison.results for table in tables]
        record = comparison.baseline if alone else comparison
        return record.to_dict() | ({"energy": rows} if tables else {})

    out.give_record(text, document)


def give_network_overview(
    out: Output, comparison: "NetworkComparison", tables: "Sequence[EnergyTable]"
) -> None:
    """A line for each of many schemes."""
    from accelsim.report.network import conditions, network_title
    from accelsim.report.overview import overview_text
    from accelsim.result import overview_of

    overview = overview_of(comparison, tables[0])
    title, notes = network_title(comparison.baseline), conditions(comparison.baseline)
    out.give_record(
        lambda: overview_text(overview, title, notes, comparison.left_out, of_network=True),
        lambda: comparison.to_dict() | {"overview": overview.to_dict()},
    )


def mlp(
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            "--hardware", "-H", metavar="NAME|FILE",
            help="A machine, run with a quarter, all and four times its bandwidth; repeat it (mcu, "
            "edge, server).",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        list[str] | None,
        typer.Option(metavar="N", help="Samples; repeat it (1, 16, 256).", show_default=False),
    ] = None,
    network: Annotated[
        str, typer.Option(metavar="NETWORK", help="A perceptron of your own.")
    ] = "mlp",
    as_json: AsJson = False,
    output: OutputFile = None,
) -> None:  # fmt: skip
    """What dynamic ranges cost a perceptron at inference: the paper's 20 %, machine by machine."""
    out = Output(as_json, output)
    out.check()
    arguments: dict[str, Any] = {}
    if hardware:
        arguments["machines"] = [hardware_of(name) for name in hardware]
    if batch:
        arguments["batches"] = [whole("--batch", text) for text in batch]
    from accelsim.simulation import mlp_statement

    with working(SIMULATING) as progress:
        statement = mlp_statement(network, **arguments, progress=progress)

    def text() -> Any:
        from accelsim.report.mlp import mlp_text

        return mlp_text(statement)

    out.give_record(text, statement.to_dict)
