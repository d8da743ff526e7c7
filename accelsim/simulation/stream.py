"""The tensors of a sequence in order: batches to calibrate with, then numbered steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from accelsim.errors import AccelsimError, shown, whole
from accelsim.network import ACTIVATION, KINDS, Drift, Layer, StepTensors, Synthetic

Data = Literal["synthetic"] | StepTensors | Sequence[StepTensors] | None
Drifts = Drift | float | str | Iterable[str]


@dataclass(frozen=True)
class Stream:
    """What a sequence runs on. Tensors are made when they are asked for, and asked for anew."""

    source: str
    kind: str
    """What they are: activations or gradients."""
    calibration_batches: int
    first: int
    count: int
    _calibration: Callable[[], Iterable[StepTensors]]
    _steps: Callable[[], Iterable[StepTensors]]
    drift: str | None = None
    past_drift: str | None = None
    """What of the drift acted before `first`: a run that goes on may add disturbances."""
    disturbances: tuple[int, ...] = ()
    batch: int | None = None
    """Samples per step of a made-up sequence."""

    @classmethod
    def synthetic(
        cls,
        layer: Layer,
        batch: int,
        steps: int,
        seed: int,
        drift: Drifts,
        kind: str,
        calibrate: int,
        first: int,
    ) -> "Stream":
        """Made-up steps from `first` on."""
        made = Synthetic(layer, batch, seed, drift, kind)
        steps = whole("steps", steps, 1, 2**20)
        calibrate = whole("calibrate", calibrate, 0, 2**20)
        made.drift.check(first + steps)
        inside = tuple(at for at in made.drift.disturbances if at >= first)
        return cls(
            "synthetic", kind, calibrate, first, steps,
            lambda: made.calibration(calibrate), lambda: made.steps(steps, first),
            made.drift.label, made.drift.before(first).label, inside, batch,
        )  # fmt: skip

    @classmethod
    def given(
        cls, data: StepTensors | Sequence[StepTensors], kind: str, calibrate: int, first: int
    ) -> "Stream":
        """The tensors of a user: the first ones calibrate, the others are the steps."""
        if kind not in KINDS:
            raise AccelsimError(f"kind = {shown(kind)}: must be one of {', '.join(KINDS)}")
        tensors = list(data) if isinstance(data, Sequence) else [data]
        if not tensors:
            raise AccelsimError("data=[]: must hold at least one step")
        for tensor in tensors:
            if not isinstance(tensor, StepTensors):
                raise AccelsimError(
                    f"data: holds {type(tensor).__name__}: must be StepTensors, of one step or of "
                    "several"
                )
        calibrate = whole("calibrate", calibrate, 0, len(tensors) - 1)
        before, steps = tensors[:calibrate], tensors[calibrate:]
        return cls(
            "given", kind, calibrate, first, len(steps), lambda: before, lambda: steps
        )  # fmt: skip

    def calibration(self) -> Iterator[StepTensors]:
        """The batches that come before step 0."""
        return iter(self._calibration())

    def steps(self) -> Iterator[tuple[int, StepTensors]]:
        """Each step's number and tensors."""
        return enumerate(self._steps(), start=self.first)


def stream_of(
    layer: Layer,
    data: Data,
    *,
    batch: int = 1,
    steps: int = 2,
    seed: int = 0,
    drift: Drifts = 0.05,
    kind: str = ACTIVATION,
    calibrate: int = 0,
    first: int = 0,
) -> Stream:
    """The tensors that `data` names or holds."""
    if isinstance(data, str):
        if data != "synthetic":
            raise AccelsimError(f"{data=}: must be 'synthetic', tensors, or None for timing only")
        return Stream.synthetic(layer, batch, steps, seed, drift, kind, calibrate, first)
    return Stream.given(() if data is None else data, kind, calibrate, first)
