"""`compare` and `simulate`: a layer or a network, a machine and schemes become results."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypedDict, Unpack, overload

from accelsim.errors import AccelsimError, shown
from accelsim.hardware import Hardware
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.network import ACTIVATION, Layer, Network, names_network
from accelsim.program import FORWARD
from accelsim.result import Comparison, NetworkComparison, NetworkResult, Result
from accelsim.simulation.choice import (
    DEFAULT_SCHEMES,
    DEFAULT_TRAINING_SCHEMES,
    AnyScheme,
    check_one,
)
from accelsim.simulation.collector import collector_paused
from accelsim.simulation.network import compare_networks
from accelsim.simulation.network_values import Inputs
from accelsim.simulation.progress import Progress, untold
from accelsim.simulation.runs import compare_layer
from accelsim.simulation.stream import Data, Drifts

Machine = Hardware | str | Path


class Options(TypedDict, total=False):
    """What `compare` takes by name, for who checks types."""

    batch: int
    steps: int
    seed: int
    drift: Drifts
    calibrate: int
    kind: str
    operation: str
    training: TrainingOptions | None
    jobs: int
    progress: Progress


@overload
def compare(
    work: Layer, hardware: Machine = ..., schemes: Sequence[AnyScheme] | None = ...,
    data: Data = ..., *, resume: Comparison | None = ..., **options: Unpack[Options],
) -> Comparison: ...  # fmt: skip
@overload
def compare(
    work: Network | Path, hardware: Machine = ..., schemes: Sequence[AnyScheme] | None = ...,
    data: Inputs = ..., *, resume: Comparison | None = ..., **options: Unpack[Options],
) -> NetworkComparison: ...  # fmt: skip
@overload
def compare(
    work: str, hardware: Machine = ..., schemes: Sequence[AnyScheme] | None = ...,
    data: Data | Inputs = ..., *, resume: Comparison | None = ..., **options: Unpack[Options],
) -> Any: ...  # fmt: skip
def compare(
    work: Layer | Network | str | Path,
    hardware: Machine = "edge",
    schemes: Sequence[AnyScheme] | None = None,
    data: Any = "synthetic",
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: Drifts = 0.05,
    calibrate: int = 0,
    kind: str = ACTIVATION,
    resume: Comparison | None = None,
    operation: str = FORWARD,
    training: TrainingOptions | None = None,
    jobs: int = 1,
    progress: Progress = untold,
) -> Comparison | NetworkComparison:
    """Run the same steps under each scheme; the first scheme is what the others are held against.

    `work` is a Layer or `network.layer`, and a Comparison comes back; or a Network, its name on the
    shelf or its file, and a NetworkComparison does. `hardware` is a Hardware, a preset or a file; a
    scheme a Scheme, `estimator/realisation`, or `activations=SCHEME,gradients=SCHEME`. `schemes`
    may hold "all", every combination that makes sense (`Scheme.every`), or `estimator/all`
    (`Scheme.realised`); `left_out` of the comparison says which do not, and why. None is
    DEFAULT_SCHEMES, and of a training step DEFAULT_TRAINING_SCHEMES.

    `data` is "synthetic", which draws `steps` seeded steps that move by `drift` (`Synthetic`,
    `SyntheticInputs`); tensors of your own, of one step or of several; or None, which times the
    steady state without values, in the same cycles and bytes. A layer's tensors are StepTensors, a
    network's are its input arrays (batch, ...) by name. The last step is measured, the others are
    its past. A step whose range is not known yet (the first one of in-hindsight) runs as a spill,
    unless `calibrate` batches come before it: further draws, or the first of the given steps; they
    leave the estimator a past and are not in the result.

    Of a layer alone: `kind` says what is drawn, activations or gradients; `operation` is forward,
    grad-input or grad-weight (`network.Gradient`; a gradient's output is quantized as the scheme
    says); `resume` goes on after an earlier Comparison, with its estimators' states and step
    numbers. Of a network alone: `training` makes it a whole training step (forward, both gradients
    of every layer, the update) in place of an inference; what takes longer than a second to time is
    shared by `jobs` processes, with the same results (a script that asks for more than this one
    must start with `if __name__ == "__main__"`, as the others load it).
    """
    if not isinstance(work, Layer | Network | str | Path):
        raise AccelsimError(
            f"work = {shown(work)}: must be a Layer or a Network, or the name or file of one"
        )
    if schemes is None:
        schemes = DEFAULT_SCHEMES if training is None else DEFAULT_TRAINING_SCHEMES
    if isinstance(schemes, str):
        raise AccelsimError(f"schemes = {shown(schemes)}: must be a list, such as [{schemes!r}]")
    common: dict[str, Any] = {
        "batch": batch, "steps": steps, "seed": seed, "drift": drift, "calibrate": calibrate,
        "progress": progress,
    }  # fmt: skip
    if isinstance(work, Network | Path) or (isinstance(work, str) and names_network(work)):
        layers = {"kind": kind == ACTIVATION, "resume": resume is None}
        _refuse(layers | {"operation": operation == FORWARD}, "it is for a single layer")
        return compare_networks(
            work, hardware, schemes, data, training=training, jobs=jobs, **common
        )
    _refuse({"training": training is None, "jobs": jobs == 1}, "it is for a whole network")
    with collector_paused() if data is None else nullcontext():
        return compare_layer(
            work, hardware, schemes, data, kind=kind, resume=resume, operation=operation, **common
        )


@overload
def simulate(
    work: Layer, hardware: Machine = ..., scheme: AnyScheme = ..., data: Data = ...,
    *, resume: Result | None = ..., **options: Unpack[Options],
) -> Result: ...  # fmt: skip
@overload
def simulate(
    work: Network | Path, hardware: Machine = ..., scheme: AnyScheme = ..., data: Inputs = ...,
    *, resume: Result | None = ..., **options: Unpack[Options],
) -> NetworkResult: ...  # fmt: skip
@overload
def simulate(
    work: str, hardware: Machine = ..., scheme: AnyScheme = ..., data: Data | Inputs = ...,
    *, resume: Result | None = ..., **options: Unpack[Options],
) -> Any: ...  # fmt: skip
def simulate(
    work: Layer | Network | str | Path,
    hardware: Machine = "edge",
    scheme: AnyScheme = "in-hindsight",
    data: Any = "synthetic",
    *,
    resume: Result | None = None,
    **options: Unpack[Options],
) -> Result | NetworkResult:
    """A layer or a network under one scheme; the arguments and options are those of `compare`.

    `resume` is an earlier Result.
    """
    check_one(scheme)
    past = None if resume is None else Comparison((resume,))
    comparison: Any = compare(work, hardware, [scheme], data, resume=past, **options)
    found: Result | NetworkResult = comparison.baseline
    return found


def _refuse(unused: Mapping[str, bool], why: str) -> None:
    for name, left_out in unused.items():
        if not left_out:
            raise AccelsimError(f"{name}: must be left out, {why}")
