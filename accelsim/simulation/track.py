"""An estimator on its way through a sequence, and what each scheme does about its ranges."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.network import Layer, StepTensors
from accelsim.quant import Estimator, Observation, Scheme
from accelsim.result import Comparison, TraceStep
from accelsim.simulation.blocks import step_under
from accelsim.simulation.operands import StepOperands
from accelsim.simulation.programs import Programs
from accelsim.simulation.sharing import values_key
from accelsim.simulation.step import Step, as_under
from accelsim.simulation.stream import Stream


class Track:
    """Takes the steps of a sequence in order, under schemes that leave the same values.

    What a program does about a range changes no bit, so the values are those of the first scheme;
    of each other one the program is lowered and timed.
    """

    def __init__(self, layer: Layer, schemes: Sequence[Scheme], programs: Programs) -> None:
        self.layer, self.schemes, self.programs = layer, tuple(schemes), programs
        self.scheme = self.schemes[0]
        self.estimator: Estimator = self.scheme.new_estimator()
        self.passes = self.estimator.planned_passes
        """How often the last step that waited for its range read the finished tensor."""
        self.traces: dict[Scheme, list[TraceStep]] = {scheme: [] for scheme in self.schemes}
        self.last: tuple[int, dict[Scheme, Step]] | None = None
        """The last step's number, and what it came to under each scheme."""

    def calibrate(self, batches: Iterable[StepTensors]) -> None:
        """Show the estimator batches from before the first step."""
        self.estimator.calibrate(self._observations(batches))

    def _observations(self, batches: Iterable[StepTensors]) -> Iterator[Observation]:
        """What is seen of each batch, run as a step whose other figures nobody keeps."""
        for number, tensors in enumerate(batches):
            # `calibrate` moves the estimator on; this run must not, so it has one of its own.
            stand_in = self.scheme.new_estimator()
            stand_in.restore(self.estimator.state())
            operands = StepOperands(self.layer, tensors)
            step = step_under(operands, self.scheme, stand_in, number, self.programs)
            assert step.observed is not None
            yield step.observed

    def resume(self, past: Comparison, stream: Stream) -> None:
        """Go on from where these schemes were left in an earlier run of the same sequence."""
        first, *others = (self._left(scheme, past, stream) for scheme in self.schemes)
        for scheme, other in zip(self.schemes[1:], others, strict=True):
            if other != first:
                raise AccelsimError(
                    f"resume: {scheme.label}: must have the state of {self.scheme.label}, as both "
                    "have the same ranges"
                )
        self.estimator.restore(first["estimator"])
        self.passes = first["passes"]

    def _left(self, scheme: Scheme, past: Comparison, stream: Stream) -> Mapping[str, Any]:
        """The state in which a scheme was left, if that run was of the same sequence."""
        left = [result for result in past.results if result.scheme == scheme.label]
        if not left or left[0].state is None:
            known = ", ".join(result.scheme for result in past.results)
            raise AccelsimError(f"resume: holds no state of {scheme.label}, but of {known}")
        same = {
            "layer": self.layer.name, "seed": scheme.seed, "data": stream.source,
            "kind": stream.kind, "drift": stream.past_drift,
            "calibration_batches": stream.calibration_batches,
        }  # fmt: skip
        if stream.batch is not None:
            same["batch"] = stream.batch
        for field, value in same.items():
            was = getattr(left[0], field)
            if was != value:
                raise AccelsimError(f"resume: {field}={value}: must be as it was, {was}")
        return left[0].state

    def state(self, next_step: int) -> Mapping[str, Any]:
        """Plain JSON data from which `resume` goes on."""
        estimator = self.estimator.state()
        return {"next_step": next_step, "passes": self.passes, "estimator": estimator}

    def check_past(self, stream: Stream) -> None:
        """Raise where the one step would be no more than the bootstrap of a static scheme."""
        unknown = self.estimator.decision_for(stream.first) is None
        for scheme in self.schemes:
            bootstraps = scheme.realisation_of(known=False) != scheme.realisation
            if bootstraps and unknown and stream.count < 2:
                raise AccelsimError(
                    f"steps={stream.count}: scheme '{scheme.label}' needs a past, so it must be "
                    "at least 2 (the first step is its bootstrap), or calibrate at least 1"
                )

    def take(self, number: int, operands: StepOperands) -> None:
        """Run one step."""
        waits = self.estimator.decision_for(number) is None
        valued = step_under(operands, self.scheme, self.estimator, number, self.programs)
        self.passes = valued.plan.passes if waits else self.passes
        assert valued.observed is not None
        self.estimator.observe(valued.observed)
        steps = {self.scheme: valued} | {
            scheme: as_under(valued, scheme, known=not waits, programs=self.programs)
            for scheme in self.schemes[1:]
        }
        for scheme, step in steps.items():
            self.traces[scheme].append(step.traced(number))
        self.last = number, steps


def tracks_of(layer: Layer, schemes: Sequence[Scheme], programs: Programs) -> list[Track]:
    """Schemes that leave the same values on one track; tracks in order of their first schemes."""
    together: dict[tuple[object, ...], list[Scheme]] = {}
    for scheme in schemes:
        together.setdefault(values_key(scheme), []).append(scheme)
    return [Track(layer, group, programs) for group in together.values()]


def next_step(past: Comparison) -> int:
    """The number of the step that comes after these results."""
    numbers = {result.state["next_step"] for result in past.results if result.state}
    if len(numbers) != 1:
        raise AccelsimError("resume: must hold results of one sequence, with values")
    return int(numbers.pop())
