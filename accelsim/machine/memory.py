"""The memories a DRAM interface can stand before: no clock of their own, advanced from outside."""

from collections import deque
from typing import NamedTuple, Protocol

from accelsim.hardware import CommandDram, Hardware, IdealDram
from accelsim.hardware.dram import ClockRatio
from accelsim.kernels import dram, dram_layout, ideal_memory
from accelsim.kernels.timing_layout import Ideal
from accelsim.machine.banks import Banks
from accelsim.program import Region
from accelsim.result import DramActivity, DramEngine, Recorder

LOAD, STORE = 0, 1
"""The engines, and the direction of all their transfers."""

ENGINES = ("load", "store")

FOREVER = int(ideal_memory.FOREVER)
"""A horizon that is never reached; what `advance` returns when nothing is left to happen."""


class News(NamedTuple):
    """Something the interface must know: a transfer's last burst was issued, or has returned."""

    slot: int
    complete: bool


class Memory(Protocol):
    """Transfers in, news out, in machine cycles. Calls come in order of time."""

    def start(self, engine: int, region: Region, now: int) -> int:
        """Begin a transfer whose engine has none left to issue; the slot its news will name."""

    def advance(self, now: int, horizon: int) -> int:
        """Go on from `now` to the first news or to `horizon`; the cycle reached."""

    def news(self, now: int) -> list[News]:
        """What has happened until `now` and has not been told, in order."""

    def settled_at(self, now: int) -> int:
        """When nothing more is asked for: the cycle at which the last data has moved."""

    @property
    def bus_cycles(self) -> tuple[int, int]:
        """Cycles in which each engine's data was on the bus (of all channels, on average)."""

    @property
    def moved_bytes(self) -> tuple[int, int]:
        """Bytes that each engine's bursts have moved, whole bursts."""

    def activity(self, total_cycles: int) -> DramActivity | None:
        """What banks and rows did in the run, where there are any."""


def memory_of(hardware: Hardware, recorder: Recorder | None = None) -> Memory:
    """The memory that the description names; a recorder hears of its banks, where it has any."""
    if isinstance(hardware.dram, CommandDram):
        return CommandMemory(hardware, hardware.dram, recorder)
    return IdealMemory(hardware, hardware.dram)


class IdealMemory:
    """Constant bandwidth and latency."""

    def __init__(self, hardware: Hardware, description: IdealDram) -> None:
        bandwidth = hardware.bandwidth_bytes_per_cycle
        priorities = {
            "round-robin": ideal_memory.ROUND_ROBIN, "load-first": LOAD, "store-first": STORE
        }  # fmt: skip
        self.state = Ideal(*ideal_memory.new_memory(
            engines=2,
            in_flight_bursts=hardware.dma.in_flight_bursts,
            burst_bytes=description.burst_bytes,
            ticks_per_cycle=bandwidth.numerator,
            ticks_per_byte=bandwidth.denominator,
            latency_cycles=description.latency_cycles(hardware.clock_mhz),
            priority=priorities[hardware.dma.arbitration],
        ))  # fmt: skip
        self._table, self._engines, self._bus, self._queue = self.state

    @property
    def places(self) -> int:
        """Transfers that can be outstanding at once."""
        return int(self.state.transfers.shape[1])

    def go_on_from_kernel(self) -> None:
        """A kernel has used the arrays of `state`, in which all is that there is."""

    def start(self, engine: int, region: Region, now: int) -> int:
        """See `Memory`."""
        state = self._table[ideal_memory.STATE]
        slot = int((state == ideal_memory.FREE).argmax())
        if state[slot] != ideal_memory.FREE or self._engines[ideal_memory.SLOT, engine] >= 0:
            raise AssertionError(f"{engine=} started a transfer before the last one was issued")
        row = self._table[:, slot]
        row[:] = 0
        row[ideal_memory.STATE], row[ideal_memory.ENGINE] = ideal_memory.ISSUING, engine
        row[ideal_memory.ADDRESS] = region.address
        row[ideal_memory.RUN_BYTES] = region.run_bytes
        row[ideal_memory.COUNTS : ideal_memory.COUNTS + 3] = region.counts
        row[ideal_memory.STRIDES : ideal_memory.STRIDES + 3] = region.strides_bytes
        self._engines[ideal_memory.SLOT, engine] = slot
        return slot

    def advance(self, now: int, horizon: int) -> int:
        """See `Memory`."""
        return int(
            ideal_memory.advance(self._table, self._engines, self._bus, self._queue, now, horizon)
        )

    def news(self, now: int) -> list[News]:
        """See `Memory`; this one stops for one piece of news at a time."""
        slot = int(self._bus[ideal_memory.NEWS])
        if slot < 0:
            return []
        self._bus[ideal_memory.NEWS] = -1
        complete = bool(self._table[ideal_memory.STATE, slot] == ideal_memory.COMPLETE)
        if complete:
            self._table[ideal_memory.STATE, slot] = ideal_memory.FREE
        return [News(slot, complete)]

    def settled_at(self, now: int) -> int:
        """See `Memory`: data has moved when its transfer is complete."""
        return now

    @property
    def bus_cycles(self) -> tuple[int, int]:
        """See `Memory`."""
        ticks = self._engines[ideal_memory.BUS_TICKS]
        loads, stores = (int(t) // int(self._bus[ideal_memory.TICKS_PER_CYCLE]) for t in ticks)
        return loads, stores

    @property
    def moved_bytes(self) -> tuple[int, int]:
        """See `Memory`."""
        loads, stores = self._engines[ideal_memory.BUS_TICKS].tolist()
        per_byte = int(self._bus[ideal_memory.TICKS_PER_BYTE])
        return loads // per_byte, stores // per_byte

    def activity(self, total_cycles: int) -> DramActivity | None:
        """See `Memory`: it has no banks."""
        return None


class CommandMemory:
    """Channels of banks, command by command, in clocks of their own.

    What the machine does in a cycle, the channels see at their first clock not before it; what they
    do at a clock, the machine sees in its first cycle not before that.
    """

    def __init__(
        self, hardware: Hardware, description: CommandDram, recorder: Recorder | None = None
    ) -> None:
        self.ratio = ClockRatio.of(hardware.clock_mhz, description.clocks["clock_ps"])
        self._banks = None if recorder is None else Banks(description, self.ratio, recorder)
        self.state = dram.create(
            description,
            [hardware.dma.in_flight_bursts] * 2,
            arbitration=str(hardware.dma.arbitration),
            lines_per_clock=description.channels,
            log_entries=0 if self._banks is None else self._banks.log_entries,
        )
        self._description = description
        self._clock = 0
        self._untold: deque[tuple[int, News]] = deque()
        self._started = 0
        self._slots: dict[int, int] = {}

    @property
    def places(self) -> int:
        """Transfers that can be outstanding at once."""
        return len(self.state.transfer)

    def go_on_from_kernel(self) -> None:
        """A kernel has used the arrays of `state`: go on from the clock where it left them."""
        self._clock = int(self.state.port[dram_layout.CLOCK])

    def start(self, engine: int, region: Region, now: int) -> int:
        """See `Memory`."""
        self._catch_up(now)
        place = dram.submit(
            self.state,
            engine,
            base=region.address,
            run_bytes=region.run_bytes,
            write=engine == STORE,
            counts=region.counts[::-1],
            strides=region.strides_bytes[::-1],
        )
        # The kernel gives a place anew once its news is read, which may be before it is told here.
        self._started += 1
        self._slots[place] = self._started
        return self._started

    def advance(self, now: int, horizon: int) -> int:
        """See `Memory`."""
        if not self._untold and horizon < FOREVER:
            self._go_to(self.ratio.clock_at(horizon))
        # All news until `now` is told at once, so what comes first must not stop the rest.
        self._catch_up(now)
        if not self._untold and horizon >= FOREVER:
            self._go_to_news()
        return min(self._untold[0][0], horizon) if self._untold else horizon

    def _go_to_news(self) -> None:
        """Go on to the first news, or until no data has moved for long: refreshes never end."""
        moved, before = -1, -2
        while not self._untold and moved > before:
            self._go_to(self._clock + dram.PATIENCE_CLOCKS)
            if not self._untold:
                moved, before = dram.bus_bytes(self.state), moved

    def _catch_up(self, now: int) -> None:
        target = self.ratio.clock_at(now)
        while self._clock < target:
            self._go_to(target)

    def _go_to(self, clock: int) -> None:
        """Go on to the first news or to a clock."""
        self._clock = self._advanced(clock)
        news = dram.news(self.state)
        if news:
            cycle = self.ratio.cycle_at(self._clock)
            self._untold.extend((cycle, News(self._slots[at], done)) for at, done in news)

    def _advanced(self, clock: int) -> int:
        """The clock reached; when it is recorded, in steps of which the log holds every command."""
        if self._banks is None:
            return dram.advance(self.state, self._clock, clock)
        reached = self._clock
        while True:
            stop = min(clock, reached + self._banks.clocks_per_log)
            reached = dram.advance(self.state, reached, stop)
            self._banks.hear(dram.take_log(self.state))
            if reached < stop or stop == clock:
                return reached

    def news(self, now: int) -> list[News]:
        """See `Memory`."""
        untold, told = self._untold, []
        while untold and untold[0][0] <= now:
            told.append(untold.popleft()[1])
        return told

    def settled_at(self, now: int) -> int:
        """See `Memory`: writes that were only accepted may still wait in a queue."""
        self._catch_up(now)
        self._clock = dram.drain(self.state, self._clock)
        if self._banks is not None:
            self._banks.hear(dram.take_log(self.state))
        return max(now, self.ratio.cycle_at(self._clock))

    @property
    def bus_cycles(self) -> tuple[int, int]:
        """See `Memory`."""
        loads, stores = dram.bus_clocks(self.state)
        clocks, cycles = self.ratio
        return loads * cycles // clocks, stores * cycles // clocks

    @property
    def moved_bytes(self) -> tuple[int, int]:
        """See `Memory`."""
        return dram.moved_bytes(self.state)

    def activity(self, total_cycles: int) -> DramActivity | None:
        """See `Memory`."""
        clocks = self.ratio.clock_at(total_cycles)
        counted = dram.statistics(self.state, self._description, clocks)
        clock_ns = self._description.clocks["clock_ps"] / 1000
        same = ("bandwidth_gb_per_s", "peak_gb_per_s", "bus_busy_share", "row_hits",
                "row_hit_rate", "activates", "precharges", "refreshes")  # fmt: skip
        return DramActivity(
            **{name: counted[name] for name in same},
            read_latency_mean_ns=counted["read_latency_mean"] * clock_ns,
            read_latency_max_ns=counted["read_latency_max"] * clock_ns,
            latency_bin_ns=counted["latency_bin_clocks"] * clock_ns,
            latency_histogram_lines=tuple(counted["latency_histogram"]),
            engines=tuple(
                DramEngine(
                    name,
                    requester["bytes_read"],
                    requester["bytes_written"],
                    requester["read_latency_mean"] * clock_ns,
                    requester["read_latency_max"] * clock_ns,
                )
                for name, requester in zip(ENGINES, counted["requesters"], strict=True)
            ),
        )
