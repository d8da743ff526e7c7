"""The machine without values, compiled: the same Run as `Machine` gives, to the last cycle.

What it does not do is left to that one: to hold values, to tell a recorder, and to say what is
wrong with a program that cannot end.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import simpy

from accelsim.hardware import BlockRescale, Hardware
from accelsim.kernels import dram, timing
from accelsim.kernels import timing_layout as on
from accelsim.machine.account import Account
from accelsim.machine.ending import Ending, Run, in_order
from accelsim.machine.memory import CommandMemory, IdealMemory, memory_of
from accelsim.machine.meter import Meter
from accelsim.machine.table import STATES, Table, table_of
from accelsim.program import Barrier, Command, Compute, Drain, Load, Map, Program, Store
from accelsim.result import Span, Traffic

MOST_CYCLES = 1 << 61
"""Beyond which cycles and the clocks they stand for might leave 64 bits."""

UNITS = ("load", "array", "statistics", "requantizer", "vector unit", "store", "dram")


DIRECTIONS = {Load: "load", Store: "store"}


class _Role(NamedTuple):
    """What a command counts for: a phase, and, of a transfer, a tensor and a direction."""

    phase: str
    tensor: str
    direction: str


def run_compiled(program: Program, hardware: Hardware, spans: bool = True) -> Run | None:
    """Run a program without values; None where it cannot end, or not in this machine."""
    table = table_of(program, hardware)
    memory = memory_of(hardware)
    assert isinstance(memory, CommandMemory | IdealMemory)
    if table is None or (isinstance(memory, CommandMemory) and not _lies_in(memory, table)):
        return None
    clockwork = _clockwork(table, hardware, memory, 2 * len(table.command) if spans else 0)
    if _status(clockwork, memory) != on.FINISHED:
        return None
    return _Reading(program, hardware, memory, clockwork, table).run()


def _lies_in(memory: CommandMemory, table: Table) -> bool:
    """Whether the DRAM has all bytes that are moved."""
    rows = table.command[table.of(on.LOADS, on.STORES)]
    rows = rows[rows[:, on.PORT_CYCLES] < 0]
    counts, strides = (rows[:, first : first + 3] for first in (on.COUNTS, on.STRIDES))
    steps = (counts - 1) * strides
    first = rows[:, on.ADDRESS] + np.minimum(steps, 0).sum(axis=1)
    stops = rows[:, on.ADDRESS] + rows[:, on.RUN_BYTES] + np.maximum(steps, 0).sum(axis=1)
    within = (first >= 0) & (stops <= dram.capacity_bytes(memory.state))
    return bool((within & (rows[:, on.RUN_BYTES] > 0) & (counts > 0).all(axis=1)).all())


def _clockwork(
    table: Table, hardware: Hardware, memory: CommandMemory | IdealMemory, most_spans: int
) -> on.Clockwork:
    """The machine before its first cycle."""
    commands, sram = len(table.command), hardware.sram
    clock = np.zeros(on.CLOCK, np.int64)
    clock[[on.TICK_AT, on.N_READINGS, on.APART_CYCLES]] = on.NOTHING, 1, 1
    clock[on.REMAINING], clock[on.LAST_CYCLE] = commands, MOST_CYCLES
    clock[on.STATUS] = on.RUNS if commands else on.FINISHED
    clock[on.ASKED], places = on.NOTHING, memory.places
    if isinstance(memory, CommandMemory):
        clock[on.DRAM_CLOCKS], clock[on.MACHINE_CYCLES] = memory.ratio
        clock[on.LAST_CYCLE] = MOST_CYCLES // max(memory.ratio)
    unit, queue = _units(table)
    capacities = sram.input_bytes, sram.weight_bytes, sram.accumulator_bytes, sram.output_bytes
    return on.Clockwork(
        command=table.command,
        after=table.after,
        give=table.give,
        queue=queue,
        unit=unit,
        buffer=np.array([[size, 0] for size in capacities]),
        done=np.full((commands, on.DONE), on.NOTHING, np.int64),
        event=np.zeros((commands + on.UNITS + 1, on.EVENT), np.int64),
        span=np.zeros((most_spans, on.SPAN), np.int64),
        reading=np.zeros((on.READINGS, 3), np.int64),
        untold=np.zeros((4 * places, 3), np.int64),
        holder=np.zeros(places, np.int64),
        clock=clock,
    )


def _status(clockwork: on.Clockwork, memory: CommandMemory | IdealMemory) -> int:
    """How it went: let time pass."""
    if isinstance(memory, CommandMemory):
        return int(timing.run_with_channels(clockwork, memory.state))
    return int(timing.run_with_even(clockwork, memory.state))


def _units(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Every unit at its first command, and the commands of all of them."""
    takes = {
        on.LOAD: (on.LOADS,), on.ARRAY: (on.COMPUTES,), on.STATISTICS: (on.DRAINS, on.REDUCES),
        on.VECTOR: (on.MAPS,), on.STORE: (on.STORES,),
    }  # fmt: skip
    queues = [table.of(*takes.get(unit, ())) for unit in range(on.UNITS)]
    unit = np.zeros((on.UNITS, on.UNIT), np.int64)
    unit[:, on.LAST] = np.cumsum([len(queue) for queue in queues])
    unit[1:, on.NEXT] = unit[:-1, on.LAST]
    unit[:, on.AWAITED] = on.NOTHING
    drains = table.command[table.of(on.DRAINS)]
    unit[on.STATISTICS, on.LEFT] = drains[:, on.OBSERVES].sum() + len(table.of(on.REDUCES))
    unit[on.REQUANTIZER, on.LEFT] = drains[:, on.REQUANTIZES].sum()
    return unit, np.concatenate(queues)


class _Reading:
    """What stands in the arrays when all commands are complete."""

    def __init__(
        self,
        program: Program,
        hardware: Hardware,
        memory: CommandMemory | IdealMemory,
        clockwork: on.Clockwork,
        table: Table,
    ) -> None:
        self.table = table
        self.program, self.hardware, self.memory = program, hardware, memory
        self.at_work, self.now = clockwork, int(clockwork.clock[on.NOW])

    def run(self) -> Run:
        """The account of the run."""
        clock = self.at_work.clock
        self.memory.go_on_from_kernel()
        accounts = self._accounts()
        ending = Ending(
            total_cycles=self.memory.settled_at(self.now),
            load=accounts[on.LOAD],
            store=accounts[on.STORE],
            dram=accounts[on.DRAM],
            memory=self.memory,
            meter=Meter(self.memory, self.at_work.reading[: clock[on.N_READINGS]].tolist()),
            traffic=self._traffic(on_chip=False),
            chain_traffic=self._traffic(on_chip=True),
            chain_cycles=clock[[on.PORT_LOAD_CYCLES, on.PORT_STORE_CYCLES]].tolist(),
            phase_ends=self._phase_ends(),
            folds=int(clock[on.FOLDS_DONE]),
            held_cycles=self.table.held_cycles,
        )
        if not self._uses_vector_unit:
            del accounts[on.VECTOR]
        return ending.run(accounts.values(), self._spans(), None)

    @property
    def _uses_vector_unit(self) -> bool:
        rescales = self.hardware.array.block_rescale is BlockRescale.VECTOR_UNIT
        blocks = bool(self.program.blocking) and rescales
        return blocks or bool((self.at_work.command[:, on.KIND] == on.MAPS).any())

    def _accounts(self) -> dict[int, Account]:
        env = simpy.Environment(self.now)
        accounts = {}
        for unit, (name, row) in enumerate(zip(UNITS, self.at_work.unit.tolist(), strict=True)):
            cycles = {state: row[column] for state, column in STATES.items()}
            accounts[unit] = Account.of(env, name, cycles, row[on.IN_HAND_CYCLES])
        return accounts

    def _traffic(self, *, on_chip: bool) -> tuple[Traffic, ...]:
        """What was moved, by tensor, direction and phase, in order of first request."""
        rows, done = self.at_work.command, self.at_work.done
        moves = np.isin(rows[:, on.KIND], (on.LOADS, on.STORES))
        places = np.flatnonzero(moves & ((rows[:, on.PORT_CYCLES] >= 0) == on_chip))
        sizes = rows[places, on.RUN_BYTES] * rows[places, on.COUNTS : on.COUNTS + 3].prod(axis=1)
        roles, which = self._roles
        moved, first = np.zeros(len(roles), np.int64), np.full(len(roles), on.NEVER)
        np.add.at(moved, which[places], sizes)
        np.minimum.at(first, which[places], done[places, on.SUBMITTED])
        return tuple(
            Traffic(roles[at].tensor, roles[at].direction, roles[at].phase, int(moved[at]))
            for at in np.argsort(first)
            if first[at] < on.NEVER
        )

    def _phase_ends(self) -> dict[str, int]:
        roles, which = self._roles
        ends = np.zeros(len(roles), np.int64)
        np.maximum.at(ends, which, self.at_work.done[:, on.DONE_AT])
        found: dict[str, int] = {}
        for role, end in zip(roles, ends.tolist(), strict=True):
            found[role.phase] = max(end, found.get(role.phase, 0))
        return found

    @cached_property
    def _roles(self) -> tuple[list["_Role"], np.ndarray]:
        """The roles that commands have, in order of issue, and which each command has."""
        roles = [
            (c.phase, c.tensor, DIRECTIONS[type(c)])
            if isinstance(c, Load | Store)
            else (c.phase, "", "")
            for c in self.program.commands.written
        ]
        places = {role: place for place, role in enumerate(dict.fromkeys(roles))}
        written = np.array([places[role] for role in roles], np.int64)
        return [_Role(*role) for role in places], written[self.table.written_at]

    def _spans(self) -> tuple[Span, ...]:
        rows = self.at_work.span[: self.at_work.clock[on.N_SPANS]].tolist()
        commands = self.program.commands
        return in_order(
            Span(UNITS[unit], _label(unit, commands[at]), commands[at].phase, start, stop)
            for unit, at, start, stop in rows
        )


def _label(unit: int, command: Command) -> str:
    """What a unit does at a command, in the words of the units of `Machine`."""
    match command:
        case Load() | Store():
            return f"{UNITS[unit]} {command.tensor}"
        case Compute():
            return "rescale" if unit == on.VECTOR else f"tile {command.tile}"
        case Drain():
            return f"drain {command.tensor or 'past'}"
        case Barrier():
            return "reduce"
        case Map():
            return "map"
    return "mix"
