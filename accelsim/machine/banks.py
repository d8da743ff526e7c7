"""What the banks of a DRAM do, told from the log of its commands."""

from collections.abc import Iterable

from accelsim.hardware import CommandDram
from accelsim.hardware.dram import ClockRatio
from accelsim.result import Recorder
from accelsim.result.recorder import CLOSED, OPEN, READING, REFRESHING, WRITING

LOG_ENTRIES = 1 << 14
COMMANDS_PER_CLOCK = 2
"""Most commands of a channel in a clock: one on each of its buses."""


def bank_names(description: CommandDram) -> list[str]:
    """A track for each bank of each channel."""
    return [
        _name(channel, bank)
        for channel in range(description.channels)
        for bank in range(description.shape.banks)
    ]


def _name(channel: int, bank: int) -> str:
    return f"channel {channel} bank {bank}"


class Banks:
    """Tells a recorder of every command, in machine cycles.

    A bank is open from its activate to its precharge, reads or writes while the data of a column
    command takes the bus, counted from the command, and refreshes until it may be activated again.
    """

    log_entries = LOG_ENTRIES

    def __init__(self, description: CommandDram, ratio: ClockRatio, recorder: Recorder) -> None:
        self.ratio, self.recorder = ratio, recorder
        self.clocks_per_log = LOG_ENTRIES // (COMMANDS_PER_CLOCK * description.channels)
        self.banks_per_rank = description.shape.banks_per_rank
        distances = description.distances
        self.burst = distances["BURST"]
        self.refresh = {"REF": distances["REF_ACT"], "REFpb": distances["REF_BANK_ACT"]}

    def hear(self, commands: Iterable[tuple[int, str, int, int, int]]) -> None:
        """Pass on (clock, command, channel, bank, row), in order."""
        for clock, command, channel, bank, row in commands:
            name = _name(channel, bank)
            if command in ("RD", "RDA", "WR", "WRA"):
                self._column(name, clock, command, row)
            elif command == "ACT":
                self._tell(name, clock, OPEN, f"row {row}")
            elif command == "PRE":
                self._tell(name, clock, CLOSED)
            elif command in ("REF", "PREA"):
                self._rank(channel, bank, clock, command)
            elif command == "REFpb":
                self._refreshes(name, clock, command)

    def _column(self, name: str, clock: int, command: str, row: int) -> None:
        self._tell(name, clock, READING if command.startswith("RD") else WRITING, f"row {row}")
        closes = command.endswith("A")
        self._tell(
            name, clock + self.burst, CLOSED if closes else OPEN, "" if closes else f"row {row}"
        )

    def _rank(self, channel: int, first: int, clock: int, command: str) -> None:
        for bank in range(first, first + self.banks_per_rank):
            if command == "REF":
                self._refreshes(_name(channel, bank), clock, command)
            else:
                self._tell(_name(channel, bank), clock, CLOSED)

    def _refreshes(self, name: str, clock: int, command: str) -> None:
        self._tell(name, clock, REFRESHING)
        self._tell(name, clock + self.refresh[command], CLOSED)

    def _tell(self, name: str, clock: int, state: str, label: str = "") -> None:
        self.recorder.state(name, self.ratio.cycle_at(clock), state, label)
