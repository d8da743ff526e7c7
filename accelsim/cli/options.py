"""The options that commands share: their types, and how a layer's run comes out of them."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from accelsim.cli import complete
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.hardware import EnergyTable, Hardware
    from accelsim.result import Comparison

Number = TypeVar("Number", int, float)

_UNIT_SHIFTS = {"b": 0, "kib": 10, "mib": 20, "gib": 30}

LayerName = Annotated[
    str,
    typer.Argument(
        metavar="LAYER",
        help="NETWORK.LAYER from the shelf (a prefix such as resnet18.layer1 means its first "
        "layer), PATH.yaml:LAYER, or a whole network: NETWORK, PATH.yaml, an ONNX "
        "model PATH.onnx or a SCALE-Sim topology PATH.csv.",
        autocompletion=complete.layers,
        show_default=False,
    ),
]
Schemes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="As accelsim schemes explains; repeat it. The others are held against the first "
        "(in-hindsight, current; of a training step current/all). NAME/all: all that can be done "
        "about a range; all: every combination that makes sense, in one table.",
        autocompletion=complete.schemes,
        show_default=False,
    ),
]
SchemeName = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="As accelsim schemes explains.", autocompletion=complete.schemes
    ),
]
HardwareName = Annotated[
    str,
    typer.Option(
        "--hardware", "-H", metavar="NAME|FILE", help="A preset or a YAML file.",
        autocompletion=complete.machines,
    ),
]  # fmt: skip
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
    list[str] | None,
    typer.Option(
        metavar="PART",
        help="How synthetic tensors move, repeat it: walk:0.05 (also 0.05), "
        "spike:at=50,factor=10, shift:at=100,factor=4,mean=0, shrink:0.97 (walk:0.05).",
        show_default=False,
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="What the tensors are, activation or gradient (activation).",
        show_default=False, autocompletion=complete.contents,
    ),
]  # fmt: skip
Calibrate = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Batches that the estimator sees before the first step (0); of --tensors, the first.",
        show_default=False,
    ),
]
Tensors = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.npz|safetensors",
        help="Real tensors: input, weights and bias with a leading axis of steps, or input.0, "
        "input.1, ...; of a whole network its inputs by name, with a batch.",
        show_default=False,
    ),
]
NetworkWeights = Annotated[
    Path | None,
    typer.Option(
        "--weights", metavar="FILE.npz|safetensors",
        help="All parameters of a network, by the names of PyTorch's state_dict: conv1.weight, "
        "bn1.running_mean, ...",
        show_default=False,
    ),
]  # fmt: skip
Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json", help="Go on after the run that this --json document is of.",
        show_default=False,
    ),
]  # fmt: skip
OperationName = Annotated[
    str,
    typer.Option(
        "--operation", metavar="NAME",
        help="forward, or a gradient of the layer: grad-input or grad-weight.",
        autocompletion=complete.operations,
    ),
]  # fmt: skip
TimingOnly = Annotated[
    bool, typer.Option("--timing-only", help="Bytes and cycles of the steady state, no values.")
]
SkipUnsupported = Annotated[
    bool,
    typer.Option(
        "--skip-unsupported",
        help="Of an ONNX model: what is not known here counts its bytes, without values.",
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option(
        "--jobs", "-j", metavar="N",
        help="Processes; 1 is none beside this one (all cores).", show_default=False,
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write there instead of to the terminal.",
        show_default=False,
    ),
]  # fmt: skip
EnergyTables = Annotated[
    list[str] | None,
    typer.Option(
        "--energy", metavar="NAME|FILE",
        help="Energy table, as accelsim energy lists them; repeat it to see several side by side "
        "(accelergy-45nm). NAME:dram=hbm2 chooses the DRAM of an ideal one.",
        show_default=False, autocompletion=complete.energies,
    ),
]  # fmt: skip
PlotFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png|svg|pdf or DIR",
        show_default=False,
        help="Draw traffic and time as well, into a file; into a folder (a name without ending) "
        "also what happens over time, the values, and the ranges of a sequence. Of a whole network "
        "always a folder.",
    ),
]
PlotFormat = Annotated[
    str | None,
    typer.Option(
        metavar="png|svg|pdf", help="Of the pictures in a folder (png).", show_default=False,
        autocompletion=complete.formats,
    ),
]  # fmt: skip
TraceFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json|vcd",
        help="Write every unit, buffer and bank over a step of the steady state as well: for "
        "ui.perfetto.dev, or for GTKWave and Surfer; a process or scope for each scheme.",
        show_default=False,
    ),
]


class LayerRun:
    """The options that `simulate` and `compare` share, as arguments of these functions."""

    def __init__(
        self,
        reference: str,
        hardware: str,
        overrides: Sequence[str] | None,
        *,
        batch: str | None,
        steps: str | None,
        seed: str,
        drift: list[str] | None,
        kind: str | None,
        calibrate: str | None,
        tensors: Path | None,
        resume: Path | None,
        timing_only: bool,
        skip_unsupported: bool,
        operation: str,
    ) -> None:
        from accelsim.network import load_layer, operation_of_layer

        self.reference = reference
        self.tensors, self.timing_only = tensors, timing_only
        of_values = {
            "--steps": steps, "--drift": " ".join(drift) if drift else None, "--kind": kind,
            "--calibrate": calibrate, "--tensors": tensors, "--resume": resume,
        }  # fmt: skip
        if timing_only:
            refuse(of_values, tuple(of_values), "--timing-only has no values")
        if tensors is not None:
            own = {"--batch": batch, **of_values}
            refuse(own, ("--batch", "--steps", "--drift"), f"{tensors} brings its own")
        given = {
            "batch": whole("--batch", batch),
            "steps": whole("--steps", steps),
            "seed": whole("--seed", seed),
            "drift": drift or None,
            "kind": kind,
            "calibrate": whole("--calibrate", calibrate),
        }
        self.past = None if resume is None else resumed(resume)
        self.layer = operation_of_layer(load_layer(reference, skip_unsupported), operation)
        self.hardware, self.overrides = hardware_of(hardware, overrides), list(overrides or ())
        self.arguments: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        self.arguments |= self._data()

    def _data(self) -> dict[str, Any]:
        if self.timing_only:
            return {"data": None}
        if self.tensors is None:
            return {}
        from accelsim.network import load_steps

        return {"data": load_steps(self.tensors, self.layer)}

    def title(self, comparison: "Comparison") -> str:
        """The layer's full name and shape, the machine and its clock."""
        from accelsim.report.catalogue import layer_sentence

        batch = comparison.baseline.batch
        changed = f" ({', '.join(self.overrides)})" if self.overrides else ""
        machine = f"{self.hardware.name}{changed} at {self.hardware.clock_mhz:g} MHz"
        return (
            f"{_full_name(self.reference, self.layer.name)} on {machine}, batch {batch}\n"
            f"{layer_sentence(self.layer, batch)}"
        )

    def notes(self, comparison: "Comparison") -> list[str]:
        """What is unlike in a network, and where the tensors came from."""
        from accelsim.program import GRAD_WEIGHT

        first, found = comparison.baseline, []
        if self.layer.operation == GRAD_WEIGHT:
            found.append(
                f"The weight gradient leaves in {first.output_bits} bits here; a training step of "
                "a network keeps it in float32, unless --weight-gradient-bits says otherwise."
            )
        if self.timing_only:
            return found
        if self.tensors is not None:
            return [*found, f"Tensors: {self.tensors}."]
        drawn = f"Tensors: synthetic {first.kind}s (seed {first.seed}, drift {first.drift})."
        return [*found, drawn]


def resumed(path: Path) -> "Comparison":
    """The earlier run in a JSON document of `compare` or `simulate`."""
    from accelsim.report import saved
    from accelsim.result import Comparison

    (found,) = saved.runs([saved.load(path)])
    return found if isinstance(found, Comparison) else Comparison((found,))


def energy_tables(names: Sequence[str] | None) -> "tuple[EnergyTable, ...]":
    """The tables of these names or files, or the default one."""
    from accelsim.hardware import DEFAULT_TABLE, load_energy_tables

    return load_energy_tables(names or [DEFAULT_TABLE])


def refuse(options: dict[str, Any], names: Sequence[str], why: str) -> None:
    """Raise for the first of these options that was given."""
    for name in names:
        if options[name] is not None:
            given = "" if options[name] is True else f"={options[name]}"
            raise AccelsimError(f"{name}{given}: must be left out, {why}")


def whole(option: str, text: str | None) -> int | None:
    """The number in an option's text; its bounds are checked where it is used."""
    return None if text is None else _number(option, text, int, "a whole number")


def job_count(text: str | None) -> int:
    """What `--jobs` says; without it, a process for each core."""
    count = whole("--jobs", text)
    if count is not None:
        return count
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def real(option: str, text: str | None) -> float | None:
    """The same for any number."""
    return None if text is None else _number(option, text, float, "a number")


def byte_count(option: str, text: str | None) -> int | None:
    """The same for bytes, which may be given in KiB, MiB or GiB."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,18}) ?(B|KiB|MiB|GiB)?", text, re.IGNORECASE)
    if match is None:
        raise AccelsimError(f"{option}={text[:60]}: must be whole bytes, such as 4096 or 64MiB")
    return int(match[1]) << _UNIT_SHIFTS[(match[2] or "b").lower()]


def _number(option: str, text: str, kind: Callable[[str], Number], name: str) -> Number:
    try:
        return kind(text)
    except ValueError:
        raise AccelsimError(f"{option}={text[:60]}: must be {name}") from None


def _full_name(reference: str, layer: str) -> str:
    """The layer's whole name in place of a prefix of it, and the file without its folder."""
    for separator in (".yaml:", ".yml:", "."):
        if separator in reference:
            network = reference.partition(separator)[0]
            return f"{Path(network).name}{separator}{layer}"
    return layer


def hardware_of(name: str, overrides: Sequence[str] | None = None) -> "Hardware":
    """The machine of this name or file, with the `--set` overrides."""
    from accelsim.hardware import load_hardware

    return load_hardware(name, overrides or ())
