"""A memory device: how it is organised, how long it takes; the presets that ship, YAML files."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.errors import AccelsimError
from accelsim.hardware.part import Part, close_match, show, whole
from accelsim.hardware.text import read_yaml, write_yaml

_CLOCKS = 1_000_000
_SUFFIX = ".yaml"
_ORGANISATION_LIMITS = {
    "bus_bits": (8, 4096, "width of a channel's data bus in bits"),
    "burst_length": (1, 256, "beats of a burst; with the bus width this is the transaction"),
    "ranks": (1, 16, "ranks on a channel; they share its buses"),
    "bank_groups": (1, 64, "bank groups of a rank; 1 where the standard has none"),
    "banks_per_group": (1, 64, "banks of a group"),
    "rows": (1, 1 << 24, "rows of a bank"),
    "columns": (1, 1 << 20, "columns of a row, each as wide as the bus"),
}
_TIMING_LIMITS = {
    "clock_ps": (1, "clock period in ps"),
    "BL": (1, "clocks of a burst on the data bus"),
    "CL": (1, "read command to first data"),
    "CWL": (1, "write command to first data"),
    "RCD": (1, "activate to column command"),
    "RP": (1, "precharge to activate"),
    "RAS": (1, "activate to precharge"),
    "RC": (1, "activate to activate of a bank"),
    "CCD_S": (1, "column to column command, other bank group"),
    "CCD_L": (1, "column to column command, same bank group"),
    "RRD_S": (1, "activate to activate, other bank group"),
    "RRD_L": (1, "activate to activate, same bank group"),
    "FAW": (1, "window that holds at most four activates of a rank"),
    "WTR_S": (0, "end of write data to read command, other bank group"),
    "WTR_L": (0, "end of write data to read command, same bank group"),
    "RTP": (1, "read command to precharge"),
    "WR": (1, "end of write data to precharge"),
    "RFC": (1, "all-bank refresh to activate"),
    "REFI": (1, "interval of all-bank refreshes"),
}
_OPTIONAL_LIMITS = {
    "BL_MAX": (1, "clocks a burst holds its bank group, for WTR_L; null is BL"),
    "RCD_WR": (1, "activate to write command; null is RCD"),
    "RP_ALL": (1, "precharge of all banks to activate; null is RP"),
    "PPD": (0, "precharge to precharge of a rank; null is no rule"),
    "RTW_GAP": (0, "idle clocks on the bus between read and write data of a rank; null is 2"),
    "CS": (0, "idle clocks on the bus between data of two ranks; null is 2"),
    "RD_WR_RANK": (1, "read to write of another rank; null keeps the bus free for CS clocks"),
    "WR_RD_RANK": (1, "write to read of another rank; null keeps the bus free for CS clocks"),
    "AAD": (2, "an activate is two commands at most this far apart; null is one command"),
    "WCKPST": (0, "clocks WCK runs on after a burst; null is no WCK to synchronise"),
    "RFC_BANK": (1, "per-bank refresh to activate of the bank; null is no per-bank refresh"),
    "REFI_BANK": (1, "interval of per-bank refreshes; null is REFI over the banks of a rank"),
    "REF_BANK_TO_ACT": (0, "per-bank refresh to activate of another bank; null is RRD_S"),
    "REF_BANK_TO_REF": (
        1,
        "per-bank refresh to that of another bank of the rank; null is RFC_BANK",
    ),
}


class OrganisationChange(Part):
    """What differs from the preset's organisation, powers of two; null is as in the preset."""

    bus_bits: int | None = whole(None, *_ORGANISATION_LIMITS["bus_bits"])
    burst_length: int | None = whole(None, *_ORGANISATION_LIMITS["burst_length"])
    ranks: int | None = whole(None, *_ORGANISATION_LIMITS["ranks"])
    bank_groups: int | None = whole(None, *_ORGANISATION_LIMITS["bank_groups"])
    banks_per_group: int | None = whole(None, *_ORGANISATION_LIMITS["banks_per_group"])
    rows: int | None = whole(None, *_ORGANISATION_LIMITS["rows"])
    columns: int | None = whole(None, *_ORGANISATION_LIMITS["columns"])


def _clocks(name: str) -> Any:
    low, description = (_TIMING_LIMITS | _OPTIONAL_LIMITS)[name]
    return whole(None, low, _CLOCKS, description)


class TimingChange(Part):
    """What differs from the preset's timing, in clocks; null is as in the preset."""

    clock_ps: int | None = _clocks("clock_ps")
    BL: int | None = _clocks("BL")
    CL: int | None = _clocks("CL")
    CWL: int | None = _clocks("CWL")
    RCD: int | None = _clocks("RCD")
    RP: int | None = _clocks("RP")
    RAS: int | None = _clocks("RAS")
    RC: int | None = _clocks("RC")
    CCD_S: int | None = _clocks("CCD_S")
    CCD_L: int | None = _clocks("CCD_L")
    RRD_S: int | None = _clocks("RRD_S")
    RRD_L: int | None = _clocks("RRD_L")
    FAW: int | None = _clocks("FAW")
    WTR_S: int | None = _clocks("WTR_S")
    WTR_L: int | None = _clocks("WTR_L")
    RTP: int | None = _clocks("RTP")
    WR: int | None = _clocks("WR")
    RFC: int | None = _clocks("RFC")
    REFI: int | None = _clocks("REFI")
    BL_MAX: int | None = _clocks("BL_MAX")
    RCD_WR: int | None = _clocks("RCD_WR")
    RP_ALL: int | None = _clocks("RP_ALL")
    PPD: int | None = _clocks("PPD")
    RTW_GAP: int | None = _clocks("RTW_GAP")
    CS: int | None = _clocks("CS")
    RD_WR_RANK: int | None = _clocks("RD_WR_RANK")
    WR_RD_RANK: int | None = _clocks("WR_RD_RANK")
    AAD: int | None = _clocks("AAD")
    WCKPST: int | None = _clocks("WCKPST")
    RFC_BANK: int | None = _clocks("RFC_BANK")
    REFI_BANK: int | None = _clocks("REFI_BANK")
    REF_BANK_TO_ACT: int | None = _clocks("REF_BANK_TO_ACT")
    REF_BANK_TO_REF: int | None = _clocks("REF_BANK_TO_REF")


class Organisation(NamedTuple):
    """How one channel is organised; every number is a power of two."""

    bus_bits: int
    burst_length: int
    ranks: int
    bank_groups: int
    banks_per_group: int
    rows: int
    columns: int

    @property
    def line_bytes(self) -> int:
        """Bytes of one transaction: one burst of the whole bus."""
        return self.bus_bits * self.burst_length // 8

    @property
    def lines_per_row(self) -> int:
        """Transactions that one open row of one bank serves."""
        return self.columns // self.burst_length

    @property
    def banks_per_rank(self) -> int:
        """Banks of one rank, over all its groups."""
        return self.bank_groups * self.banks_per_group

    @property
    def banks(self) -> int:
        """Banks of the channel, over all its ranks."""
        return self.ranks * self.banks_per_rank

    @property
    def capacity_bytes(self) -> int:
        """Bytes that the channel holds."""
        return self.banks * self.rows * self.lines_per_row * self.line_bytes


class Device(NamedTuple):
    """A device as a preset or a file gives it."""

    standard: str
    two_buses: bool
    organisation: Organisation
    timing: dict[str, int | None]
    """Every name of `TimingChange`; None only where that means something."""

    def to_yaml(self) -> str:
        """Write the device as YAML that loads back to an equal one, each field explained."""
        organisation = OrganisationChange(**self.organisation._asdict())
        return (
            "# the standard by its name; no effect on any number\n"
            f"standard: {json.dumps(self.standard, ensure_ascii=False)}\n"
            "# whether row and column commands have a bus each\n"
            f"two_buses: {str(self.two_buses).lower()}\n"
            "# how one channel is organised, powers of two\n"
            f"organisation:\n{write_yaml(organisation, '  ')}"
            "# in clocks but for clock_ps\n"
            f"timing:\n{write_yaml(TimingChange(**self.timing), '  ')}"
        )


@cache
def device_names() -> tuple[str, ...]:
    """Names of the DRAM presets that ship, sorted."""
    return tuple(sorted(_presets()))


@cache
def _presets() -> dict[str, Device]:
    presets = {}
    for file in sorted(files(__package__).joinpath("standards").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(_SUFFIX):
            continue
        content = read_yaml(file.read_text(encoding="utf-8"), file.name)
        for name, preset in content["presets"].items():
            organisation = content["organisations"][preset["organisation"]]
            common = {key: content.get(key, False) for key in ("standard", "two_buses")}
            presets[name] = _device(
                name, common | {"organisation": organisation, "timing": preset["timing"]}
            )
    return presets


def device(name: str) -> Device:
    """Give the device of a preset, or of a file when the name ends in .yaml."""
    presets = _presets()
    if name in presets:
        return presets[name]
    if not name.endswith((_SUFFIX, ".yml")):
        hint = close_match(name, list(presets))
        raise AccelsimError(
            f"dram.preset={show(name)}: must be a YAML file or one of"
            f" {', '.join(sorted(presets))}{hint}"
        )
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise AccelsimError(f"dram.preset={show(name)}: cannot be read: {reason}") from None
    content = read_yaml(text, name)
    if not isinstance(content, dict):
        raise AccelsimError(f"{name}: must be a mapping with organisation and timing")
    return _device(name, content)


def _device(where: str, content: dict[str, Any]) -> Device:
    """Check a device of a file: nothing missing, nothing unknown."""
    known = {"standard", "two_buses", "organisation", "timing"}
    for key in content:
        if key not in known:
            raise AccelsimError(
                f"{where}: {key}: unknown field (known: {', '.join(sorted(known))})"
            )
    two_buses = content.get("two_buses", False)
    if not isinstance(two_buses, bool):
        raise AccelsimError(f"{where}: two_buses={show(two_buses)}: must be true or false")
    organisation = _complete(
        where, "organisation", OrganisationChange, _ORGANISATION_LIMITS, content
    )
    timing = _complete(where, "timing", TimingChange, _TIMING_LIMITS, content)
    return Device(
        standard=str(content.get("standard", "custom")),
        two_buses=two_buses,
        organisation=Organisation(**organisation),
        timing=timing,
    )


def _complete(
    where: str, section: str, kind: type[Part], needed: dict[str, Any], content: dict[str, Any]
) -> dict[str, Any]:
    values = content.get(section)
    if not isinstance(values, dict):
        raise AccelsimError(f"{where}: {section}={show(values)}: must be a mapping of fields")
    try:
        complete = kind(**values).model_dump()
    except AccelsimError as error:
        raise AccelsimError(f"{where}: {section}.{error}") from None
    for name in needed:
        if complete[name] is None:
            raise AccelsimError(f"{where}: {section}.{name}: missing, must be a whole number")
    return complete
