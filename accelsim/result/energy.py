"""Joules and square micrometres of a run, from its counts and a table of the user's choice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accelsim.errors import AccelsimError
from accelsim.hardware import (
    BUFFERS,
    SUM_BITS,
    CommandDram,
    EnergyTable,
    Figure,
    Fusion,
    Hardware,
    StatUnit,
)
from accelsim.result.actions import (
    ADD,
    ADD_FLOAT,
    ARRAY,
    CHAIN_MEMORY,
    COMPARE,
    DRAM,
    MULTIPLY,
    MULTIPLY_FLOAT,
    OPERATE,
    REQUANTIZER,
    STATISTICS,
    VECTOR_UNIT,
    WRITE,
    Action,
)
from accelsim.result.record import Record

COMPONENTS = (ARRAY, *BUFFERS, STATISTICS, REQUANTIZER, VECTOR_UNIT, CHAIN_MEMORY, DRAM)
"""In the order in which reports show them."""


@dataclass(frozen=True, slots=True)
class ComponentEnergy(Record):
    """What all actions of one component cost."""

    component: str
    pj: float


@dataclass(frozen=True, slots=True)
class ComponentArea(Record):
    """The area of one component on the chip; None where the table has no figure for it."""

    component: str
    um2: float | None


@dataclass(frozen=True)
class Energy(Record):
    """A run by one table. Only the actions cost: no leakage, no clock tree, no control."""

    schema = "accelsim.energy/1"

    scheme: str
    table: str
    source: str
    technology_nm: float
    components: tuple[ComponentEnergy, ...]
    total_pj: float
    area: tuple[ComponentArea, ...]
    notes: tuple[str, ...]
    """What stood in for figures that the table lacks, and what was extrapolated."""

    def pj_of(self, *components: str) -> float:
        """The energy of some components together."""
        for name in components:
            if name not in COMPONENTS:
                raise AccelsimError(f"component={name!r}: must be one of {', '.join(COMPONENTS)}")
        return sum(row.pj for row in self.components if row.component in components)

    @property
    def known_area_um2(self) -> float:
        """The components with a figure, together."""
        return sum(row.um2 for row in self.area if row.um2 is not None)

    @property
    def without_area(self) -> tuple[str, ...]:
        """The components that the table has no area for."""
        return tuple(row.component for row in self.area if row.um2 is None)


def energy_of(
    actions: Iterable[Action], hardware: Hardware, table: EnergyTable, scheme: str = ""
) -> Energy:
    """The energy of these actions on this machine, and the area of the machine."""
    actions = tuple(actions)
    notes: dict[str, None] = {}
    picojoules = dict.fromkeys(COMPONENTS, 0.0)
    for action in actions:
        figure = _figure(action, hardware, table)
        picojoules[action.component] += figure.pj * action.count
        if figure.note:
            notes[figure.note] = None
    return Energy(
        scheme=scheme,
        table=table.name,
        source=table.source,
        technology_nm=table.technology_nm,
        components=tuple(
            ComponentEnergy(name, pj)
            for name, pj in picojoules.items()
            if pj or name != CHAIN_MEMORY  # a machine may well do without it
        ),
        total_pj=sum(picojoules.values()),
        area=area_of(hardware, table, _operand_bits(actions)),
        notes=tuple(notes),
    )


def area_of(
    hardware: Hardware, table: EnergyTable, operand_bits: tuple[int, int] = (8, 8)
) -> tuple[ComponentArea, ...]:
    """Arithmetic and memories of the chip: no registers, wires or control, and no DRAM."""
    bits, columns = hardware.accumulator.bits, hardware.array.columns
    cell = _sum(table.multiplier(*operand_bits).um2, table.adder(bits).um2)
    lane = _sum(table.multiplier(bits, 32).um2, table.adder(bits).um2)
    arithmetic: dict[str, float | None] = {
        VECTOR_UNIT: None,
        ARRAY: _times(cell, hardware.array.rows * columns),
        STATISTICS: _times(_statistics_lane(hardware.stat_unit, table, bits), hardware.stat_lanes),
        REQUANTIZER: _times(lane, hardware.requantizer_lanes),
    }
    memories = {
        name: table.memory(hardware.sram.kib_of(name), 8, write=False).um2 for name in BUFFERS
    }
    if hardware.fusion is Fusion.CHAIN:
        memories[CHAIN_MEMORY] = table.memory(hardware.sram.chain_kib, 8, write=False).um2
    areas: Mapping[str, float | None] = arithmetic | memories
    return tuple(ComponentArea(name, areas[name]) for name in COMPONENTS if name in areas)


def _statistics_lane(unit: StatUnit, table: EnergyTable, bits: int) -> float | None:
    """One lane: the largest `at_once` of the statistics that it can keep, for they share it."""
    kept = [
        _sum(
            *[table.comparator(bits).um2] * each.comparators,
            *[table.multiplier(bits, bits).um2] * each.multipliers,
            *[table.adder(SUM_BITS).um2] * each.adders,
        )
        for each in unit.possible
    ]
    if None in kept:
        return None
    largest = sorted((um2 for um2 in kept if um2 is not None), reverse=True)
    return sum(largest[: unit.at_once])


def _figure(action: Action, hardware: Hardware, table: EnergyTable) -> Figure:
    if action.component == DRAM:
        bit = table.dram_bit(_dram_technology(hardware))
        return bit._replace(pj=bit.pj * sum(action.bits))
    if action.component == CHAIN_MEMORY:
        return table.memory(hardware.sram.chain_kib, sum(action.bits), write=action.action == WRITE)
    if action.component in BUFFERS:
        kib = hardware.sram.kib_of(action.component)
        return table.memory(kib, sum(action.bits), write=action.action == WRITE)
    if action.action == MULTIPLY:
        return table.multiplier(*action.bits)
    if action.action == ADD:
        return table.adder(*action.bits)
    if action.action == COMPARE:
        return table.comparator(*action.bits)
    if action.action == OPERATE:
        note = f"{table.name} has no vector operation: its {action.bits[0]}-bit adder stands in"
        return table.adder(*action.bits)._replace(note=note)
    if action.action == ADD_FLOAT:
        return table.float_adder()
    assert action.action == MULTIPLY_FLOAT, action
    return table.float_multiplier()


def _dram_technology(hardware: Hardware) -> str:
    """What the machine says of its DRAM: lpddr4 of the preset lpddr4-3200; nothing when ideal."""
    if not isinstance(hardware.dram, CommandDram):
        return ""
    return hardware.dram.preset.partition("-")[0]


def _operand_bits(actions: Iterable[Action]) -> tuple[int, int]:
    """The widest operands that the array multiplied."""
    widths = [a.bits for a in actions if (a.component, a.action) == (ARRAY, MULTIPLY)]
    if not widths:
        return 8, 8
    return max(w[0] for w in widths), max(w[1] for w in widths)


def _sum(*areas: float | None) -> float | None:
    known = [area for area in areas if area is not None]
    return sum(known) if len(known) == len(areas) else None


def _times(area: float | None, count: int) -> float | None:
    return None if area is None else area * count
