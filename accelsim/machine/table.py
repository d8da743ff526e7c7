"""A program as a table, the form in which the compiled machine takes it."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from accelsim.hardware import Hardware
from accelsim.kernels import timing_layout as on
from accelsim.machine.account import BLOCKED, BUSY, STARVED
from accelsim.machine.pace import ArrayPace, DrainPace
from accelsim.program import (
    ACCUMULATOR_BUFFER,
    INPUT_BUFFER,
    OUTPUT_BUFFER,
    WEIGHT_BUFFER,
    Barrier,
    Commands,
    Compute,
    Drain,
    Load,
    Map,
    Mix,
    Program,
    Store,
)

BUFFERS = {
    name: place
    for place, name in enumerate((INPUT_BUFFER, WEIGHT_BUFFER, ACCUMULATOR_BUFFER, OUTPUT_BUFFER))
}
STATES = {BUSY: on.BUSY, STARVED: on.STARVED, BLOCKED: on.BLOCKED}
KINDS = {
    Load: on.LOADS, Compute: on.COMPUTES, Drain: on.DRAINS, Barrier: on.REDUCES, Map: on.MAPS,
    Mix: on.MAPS, Store: on.STORES,
}  # fmt: skip


class Table(NamedTuple):
    """The arrays of `timing_layout.Clockwork` that hold the program."""

    command: np.ndarray
    after: np.ndarray
    give: np.ndarray
    held_cycles: int
    """For which the statistics unit alone holds the drain, whatever else happens."""
    written_at: np.ndarray
    """For each command its place among those that are written, or of the one it comes again of."""

    def of(self, *kinds: int) -> np.ndarray:
        """The commands of some kinds, in issue order."""
        return np.flatnonzero(np.isin(self.command[:, on.KIND], kinds))


def table_of(program: Program, hardware: Hardware) -> Table | None:
    """The program's table; None where its commands are not numbered by their place."""
    spread = _Spread(program.commands)
    ids = np.array([command.id for command in program.commands.written], np.int64)
    if not np.array_equal(spread.of(ids), np.arange(len(program.commands))):
        return None
    return _Tabulator(program, hardware, spread).table


class _Spread:
    """From the commands that are written to all of them."""

    def __init__(self, commands: Commands) -> None:
        self.repeats = commands.repeats
        places, turns, at = [], [], 0
        for stop, length, times in self.repeats:
            places += [np.arange(at, stop), np.tile(np.arange(stop - length, stop), times)]
            turns += [np.zeros(stop - at, int), np.repeat(np.arange(1, times + 1), length)]
            at = stop
        rest = np.arange(at, len(commands.written))
        self.places = np.concatenate([*places, rest])
        """Of all commands, those that are written or come again."""
        self.turns = np.concatenate([*turns, np.zeros(len(rest), int)])
        """How often they have come again."""

    def of(self, column: np.ndarray, starts: np.ndarray | None = None) -> np.ndarray:
        """A number of each written command, for all commands: where they come again it grows.

        With `starts`, a row of numbers: those of one command begin at its start.
        """
        growth = np.zeros_like(column)
        starts = np.arange(len(column) + 1) if starts is None else starts
        for stop, length, _ in self.repeats:
            first, second, end = starts[[stop - 2 * length, stop - length, stop]]
            growth[second:end] = column[second:end] - column[first:second]
        counts = np.diff(starts)[self.places]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        at = np.repeat(starts[self.places], counts) + within
        return np.asarray(column[at] + np.repeat(self.turns, counts) * growth[at])


class _Tabulator:
    """Fills the columns of one kind of command after the other: of those that are written."""

    def __init__(self, program: Program, hardware: Hardware, spread: _Spread) -> None:
        self.program, self.hardware = program, hardware
        self.times = np.bincount(spread.places, minlength=len(program.commands.written))
        commands = program.commands.written
        self.rows = np.zeros((len(commands), on.COMMAND), np.int64)
        self.gifts: list[np.ndarray] = []
        self.gift_count = self.held_cycles = 0
        self.rows[:, on.TAKE_BUFFER] = on.NOTHING
        of_kind: dict[type, list[Any]] = {kind: [] for kind in KINDS}
        places: dict[type, list[int]] = {kind: [] for kind in KINDS}
        for place, command in enumerate(commands):
            of_kind[type(command)].append(command)
            places[type(command)].append(place)
        fillers: dict[Any, Any] = {
            Load: self._loads, Compute: self._computes, Drain: self._drains,
            Barrier: self._barriers, Map: self._maps, Mix: self._mixes, Store: self._stores,
        }  # fmt: skip
        for kind, fill in fillers.items():
            if of_kind[kind]:
                columns = dict(zip(kind._fields, zip(*of_kind[kind], strict=True), strict=True))
                self.at = np.array(places[kind])
                self.rows[self.at, on.KIND] = KINDS[kind]
                fill(of_kind[kind], columns)
        give = np.concatenate(self.gifts) if self.gifts else np.zeros((0, 2), np.int64)
        after = [command.after for command in commands]
        starts = np.cumsum([0, *map(len, after)])
        flat = _integers(chain.from_iterable(after))
        if spread.repeats:
            written, self.rows = self.rows, self.rows[spread.places]
            for column in (on.ADDRESS, on.STATIONARY):
                self.rows[:, column] = spread.of(written[:, column])
            flat = spread.of(flat, starts)
            starts = np.cumsum([0, *np.diff(starts)[spread.places]])
        self.rows[:, on.AFTER_START], self.rows[:, on.AFTER_STOP] = starts[:-1], starts[1:]
        self.table = Table(self.rows, flat, give, self.held_cycles, spread.places)

    def _set(self, **columns: Any) -> None:
        """Columns of the kind that is being filled."""
        for name, values in columns.items():
            self.rows[self.at, getattr(on, name)] = values

    def _give(self, counts: Any, buffers: Any, sizes: Any) -> None:
        """Room that these commands give back, so much each, one after the other."""
        stops = self.gift_count + np.cumsum(counts)
        self._set(GIVE_START=stops - counts, GIVE_STOP=stops)
        gifts = np.empty((len(sizes), 2), np.int64)
        gifts[:, 0], gifts[:, 1] = buffers, sizes
        self.gifts.append(gifts)
        self.gift_count += len(sizes)

    def _released(self, releases: Iterable[tuple[tuple[str, int], ...]]) -> None:
        given = list(chain.from_iterable(releases))
        buffers = _integers(BUFFERS[buffer] for buffer, _ in given)
        self._give(_integers(map(len, releases)), buffers, _integers(size for _, size in given))

    def _loads(self, commands: Sequence[Load], columns: dict[str, tuple]) -> None:
        self._transfers(columns)
        self._set(
            TAKE_BUFFER=[BUFFERS[name] for name in columns["buffer"]],
            TAKE_BYTES=columns["buffer_bytes"],
        )

    def _stores(self, commands: Sequence[Store], columns: dict[str, tuple]) -> None:
        self._transfers(columns)
        one_each = np.ones(len(commands), np.int64)
        self._give(one_each, BUFFERS[OUTPUT_BUFFER], columns["output_bytes"])

    def _transfers(self, columns: dict[str, tuple]) -> None:
        addresses, run_bytes, *triples = zip(*columns["region"], strict=True)
        counts, strides = (_integers(chain.from_iterable(t)).reshape(-1, 3) for t in triples)
        runs = _integers(run_bytes)
        self._set(ADDRESS=_integers(addresses), RUN_BYTES=runs, PORT_CYCLES=on.NOTHING)
        for axis in range(3):  # the innermost comes first
            self.rows[self.at, on.COUNTS + axis] = counts[:, 2 - axis]
            self.rows[self.at, on.STRIDES + axis] = strides[:, 2 - axis]
        if self.program.on_chip:
            through_port = np.array([name in self.program.on_chip for name in columns["tensor"]])
            cycles = -(-runs * counts.prod(axis=1) // self.hardware.sram.chain_bytes_per_cycle)
            self._set(PORT_CYCLES=np.where(through_port, cycles, on.NOTHING))

    def _computes(self, commands: Sequence[Compute], columns: dict[str, tuple]) -> None:
        timings = map(ArrayPace(self.hardware, self.program).of, commands)
        folds, reload, stream, period, hindered, drain, rescale = zip(*timings, strict=True)
        first = np.array(columns["first"])
        self._set(
            TAKE_BUFFER=np.where(first, BUFFERS[ACCUMULATOR_BUFFER], on.NOTHING),
            TAKE_BYTES=columns["accumulator_bytes"], LATER=drain, FOLDS=folds,
            RELOAD_CYCLES=reload, STREAM_CYCLES=stream, PERIOD_CYCLES=period,
            HINDERED_CYCLES=hindered, STATIONARY=columns["stationary"], RESCALE_CYCLES=rescale,
        )  # fmt: skip
        self._released(columns["releases"])

    def _drains(self, commands: Sequence[Drain], columns: dict[str, tuple]) -> None:
        pace = DrainPace(self.hardware, self.program)
        duration, observing, requantizing, requantized_from, wait, held = zip(
            *map(pace.of, commands), strict=True
        )
        self.held_cycles += int(np.dot(held, self.times[self.at]))
        requantizes = np.array([command.requantize for command in commands])
        self._set(
            TAKE_BUFFER=BUFFERS[OUTPUT_BUFFER], TAKE_BYTES=columns["output_bytes"],
            LATER=np.where(requantizes, self.hardware.requantizer.stages, 0),
            DURATION=duration, OBSERVING=observing, REQUANTIZING=requantizing,
            REQUANTIZED_FROM=requantized_from, STATISTICS_WAIT=[STATES[state] for state in wait],
            OBSERVES=columns["observe"], REQUANTIZES=requantizes,
        )  # fmt: skip
        one_each = np.ones(len(commands), np.int64)
        self._give(one_each, BUFFERS[ACCUMULATOR_BUFFER], columns["accumulator_bytes"])

    def _barriers(self, commands: Sequence[Barrier], columns: dict[str, tuple]) -> None:
        settle_cycles = self.hardware.stat_settle_cycles
        self.held_cycles += settle_cycles * int(self.times[self.at].sum())
        taken = np.array(columns["output_bytes"])
        self._set(
            TAKE_BUFFER=np.where(taken > 0, BUFFERS[OUTPUT_BUFFER], on.NOTHING),
            TAKE_BYTES=taken,
            CYCLES=settle_cycles,
        )

    def _maps(self, commands: Sequence[Map], columns: dict[str, tuple]) -> None:
        self._set(TAKE_BUFFER=BUFFERS[OUTPUT_BUFFER], TAKE_BYTES=columns["output_bytes"])
        self._mixes(commands, columns)
        self._released(columns["releases"])

    def _mixes(self, commands: Sequence[Map | Mix], columns: dict[str, tuple]) -> None:
        lanes, stages = self.hardware.vector_lanes, self.hardware.vector_unit.stages
        self._set(CYCLES=-(-np.array(columns["operations"]) // lanes), LATER=stages)


def _integers(values: Iterable[int]) -> np.ndarray:
    return np.fromiter(values, np.int64)
