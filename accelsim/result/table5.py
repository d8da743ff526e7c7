"""The memory-movement table of the in-hindsight paper, held against closed form and simulation."""

from dataclasses import dataclass

from accelsim.result.record import Record


@dataclass(frozen=True, slots=True)
class Movement(Record):
    """DRAM bytes of one layer by the static and by the dynamic (spill) program."""

    source: str
    """"closed form", or the machine that was simulated."""
    static_bytes: int
    dynamic_bytes: int

    @property
    def delta_percent(self) -> float:
        """What dynamic moves more than static."""
        return 100 * (self.dynamic_bytes / self.static_bytes - 1)


@dataclass(frozen=True, slots=True)
class Table5Row(Record):
    """One layer: what the paper printed (KB of 1024 bytes), and what its dimensions give."""

    layer: str
    description: str
    published_static_kib: int
    published_dynamic_kib: int
    published_delta_percent: int
    movements: tuple[Movement, ...]
    """The closed form first, then each machine."""


@dataclass(frozen=True)
class Table5(Record):
    """All rows, and the faults of the source that its reader must know."""

    schema = "accelsim.table5/1"

    source: str
    weight_bits: int
    input_bits: int
    output_bits: int
    accumulator_bits: int
    rows: tuple[Table5Row, ...]
    faults: tuple[str, ...]
