"""What dynamic ranges cost a multilayer perceptron at inference, machine by machine."""

from dataclasses import dataclass

from accelsim.result.record import Record


@dataclass(frozen=True, slots=True)
class MlpPoint(Record):
    """One machine and batch: the static program and a dynamic one, in bytes and cycles."""

    hardware: str
    dram_gb_per_s: float
    batch: int
    static_cycles: int
    dynamic_cycles: int
    static_bytes: int
    dynamic_bytes: int

    @property
    def latency_percent(self) -> float:
        """What dynamic takes longer than static."""
        return 100 * (self.dynamic_cycles / self.static_cycles - 1)

    @property
    def bytes_percent(self) -> float:
        """What dynamic moves more than static."""
        return 100 * (self.dynamic_bytes / self.static_bytes - 1)


@dataclass(frozen=True)
class MlpStatement(Record):
    """The statement of the in-hindsight paper, and what this model says of it."""

    schema = "accelsim.mlp/1"

    claim: str
    network: str
    static: str
    dynamic: str
    points: tuple[MlpPoint, ...]

    @property
    def reached(self) -> tuple[MlpPoint, ...]:
        """The points at which dynamic ranges cost at least the claimed 20 %."""
        return tuple(point for point in self.points if point.latency_percent >= 20)
