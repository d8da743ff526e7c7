"""The command-level DRAM as a machine description carries it: what a user writes, checked once."""

import math
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from accelsim.errors import AccelsimError
from accelsim.hardware.dram.device import (
    Device,
    Organisation,
    OrganisationChange,
    TimingChange,
    device,
)
from accelsim.hardware.dram.mapping import Mapping, make_mapping
from accelsim.hardware.dram.rules import (
    Timing,
    check_organisation,
    complete_timing,
    distances,
)
from accelsim.hardware.part import Part, choice, number, whole


class PagePolicy(StrEnum):
    """What happens to a row once it has been read or written."""

    OPEN = "open"
    CLOSED = "closed"


class Refresh(StrEnum):
    """How the device is refreshed."""

    ALL_BANK = "all-bank"
    PER_BANK = "per-bank"
    NONE = "none"


class Scheduler(StrEnum):
    """Which of the waiting requests goes first."""

    FR_FCFS = "fr-fcfs"


class WriteResponse(StrEnum):
    """When a write counts as done for the engine that asked for it."""

    WRITTEN = "written"
    ACCEPTED = "accepted"


class CommandDram(Part):
    """A DRAM simulated command by command: banks, rows, refreshes, queues."""

    model: Literal["command"] = Field(
        default="command", description="kind of DRAM; command simulates every DRAM command"
    )
    preset: str = Field(
        default="ddr4-2400",
        min_length=1,
        max_length=1000,
        strict=True,
        description="device: the name of a preset, or the path of a YAML file; ideal is that model",
    )
    organisation: OrganisationChange = Field(
        default=OrganisationChange(), description="what differs from the preset's organisation"
    )
    timing: TimingChange = Field(
        default=TimingChange(), description="what differs from the preset's timing"
    )
    channels: int = whole(
        1, 1, 256, "channels (HBM2: pseudo-channels), a power of two; each has its own buses"
    )
    interleave_bytes: int | None = whole(
        None, 1, 1 << 30, "bytes before the next channel's turn; null is a line, 64 at least"
    )
    mapping: str = Field(
        default="MOP4CLXOR",
        min_length=1,
        max_length=1000,
        strict=True,
        description="from address to bank: RoBaRaCoCh, MOP4CLXOR, or a bit order such as"
        " 'row bank column:5 bankgroup channel column:2', most significant first",
    )
    page_policy: PagePolicy = choice(
        PagePolicy.OPEN,
        "open keeps a row until another is wanted, closed precharges after the last waiting hit",
    )
    refresh: Refresh = choice(Refresh.ALL_BANK, "all-bank, per-bank or none")
    scheduler: Scheduler = choice(
        Scheduler.FR_FCFS, "fr-fcfs: the oldest of the requests whose next command is ready"
    )
    row_hit_cap: int | None = whole(
        None, 1, 1 << 20, "columns of an open row before an older row conflict wins; null is no cap"
    )
    read_queue: int = whole(32, 1, 1024, "reads a channel's controller holds")
    write_queue: int = whole(32, 1, 1024, "writes a channel's controller holds")
    write_high: float = number(0.8, 0, 1, "share of the write queue above which it is drained")
    write_low: float = number(
        0.2, 0, 1, "share of the write queue below which draining ends when a read waits"
    )
    write_response: WriteResponse = choice(
        WriteResponse.WRITTEN,
        "when a store is complete: written (data in the array) or accepted (in the write queue)",
    )

    def model_post_init(self, context: Any, /) -> None:
        """Refuse what no device could be, as soon as it is described."""
        if self.channels & (self.channels - 1):
            raise AccelsimError(f"dram.channels={self.channels}: must be a power of two")
        if self.write_low > self.write_high:
            raise AccelsimError(
                f"dram.write_low={self.write_low:g}: must be <= {self.write_high:g}, which is"
                " write_high"
            )
        if not self.write_low_count:
            raise AccelsimError(
                f"dram.write_low={self.write_low:g}: must be above 0, or draining would never end"
            )
        _ = self.distances, self.address_mapping

    @cached_property
    def device(self) -> Device:
        """The preset with what differs from it."""
        base = device(self.preset)
        shape = base.organisation._asdict() | self.organisation.model_dump(exclude_none=True)
        timing = base.timing | self.timing.model_dump(exclude_none=True)
        return base._replace(organisation=Organisation(**shape), timing=timing)

    @cached_property
    def shape(self) -> Organisation:
        """How one channel is organised, powers of two all."""
        shape = self.device.organisation
        check_organisation(shape)
        return shape

    @cached_property
    def clocks(self) -> Timing:
        """The timing of the device, every name with its number of clocks."""
        return complete_timing(self.device, self.refresh == Refresh.PER_BANK)

    @cached_property
    def distances(self) -> dict[str, int]:
        """The clocks between any two commands."""
        return distances(self.clocks)

    @cached_property
    def address_mapping(self) -> Mapping:
        """Where each line lies."""
        shape = self.shape
        interleave = self.interleave_bytes or max(64, shape.line_bytes)
        channel_bytes = shape.capacity_bytes
        if interleave & (interleave - 1) or not shape.line_bytes <= interleave <= channel_bytes:
            raise AccelsimError(
                f"dram.interleave_bytes={interleave}: must be a power of two >="
                f" {shape.line_bytes}, which is a line, and <= {channel_bytes}"
            )
        bits = {
            "column": shape.lines_per_row.bit_length() - 1,
            "rank": shape.ranks.bit_length() - 1,
            "bankgroup": shape.bank_groups.bit_length() - 1,
            "bank": shape.banks_per_group.bit_length() - 1,
            "row": shape.rows.bit_length() - 1,
            "channel": self.channels.bit_length() - 1,
        }
        channel_at = (interleave // shape.line_bytes).bit_length() - 1
        return make_mapping(self.mapping, bits, channel_at)

    @property
    def line_bytes(self) -> int:
        """Bytes of one transaction."""
        return self.shape.line_bytes

    @property
    def capacity_bytes(self) -> int:
        """Bytes of all channels together."""
        return self.channels * self.shape.capacity_bytes

    @property
    def peak_bytes_per_clock(self) -> float:
        """Bytes per DRAM clock with the data bus of every channel always busy."""
        return self.channels * self.line_bytes / self.clocks["BL"]

    @property
    def burst_bytes(self) -> int:
        """Bytes moved per access, under the name that every model of a DRAM has for it."""
        return self.line_bytes

    @property
    def peak_bytes_per_us(self) -> Fraction:
        """Bytes per microsecond with the data bus of every channel always busy."""
        per_clock = Fraction(self.channels * self.line_bytes, self.clocks["BL"])
        return per_clock * 1_000_000 / self.clocks["clock_ps"]

    @property
    def peak_gb_per_s(self) -> float:
        """The same in GB/s of 10^9 bytes."""
        return 1000 * self.peak_bytes_per_clock / self.clocks["clock_ps"]

    @property
    def write_high_count(self) -> int:
        """Writes are drained when more than this many wait."""
        return math.floor(round(self.write_high * self.write_queue, 6))

    @property
    def write_low_count(self) -> int:
        """Draining ends when fewer than this many wait and a read does."""
        return math.ceil(round(self.write_low * self.write_queue, 6))
