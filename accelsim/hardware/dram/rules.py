"""The distances between commands that a device's timing implies: every rule of the channel by name.

Each name reads `from_to`: the clocks from one command to the first clock at which the other may
issue. _S is the same rank, _L the same bank group, _RANK another rank, nothing the same bank (or,
for ALL and REF, the rank). Sources: JESD79-4, JESD209-4, JESD209-5, JESD235, and the constraint
tables of Ramulator 2.1, against which the channel is held.

Two distances to another rank differ from those, so that two ranks never drive the bus at once:
Ramulator 2.1 asks BL + CS from a read to another rank's write, and on LPDDR5 CL + BL + CS - CWL
from a write to another rank's read. timing.RD_WR_RANK and timing.WR_RD_RANK set them as there.
"""

from accelsim.errors import AccelsimError
from accelsim.hardware.dram.device import Device, Organisation
from accelsim.hardware.part import show

Timing = dict[str, int]


def complete_timing(device: Device, per_bank: bool) -> Timing:
    """Give every timing a number, its stated default where null; refuse contradictions."""
    t = {name: value for name, value in device.timing.items() if value is not None}
    t.setdefault("BL_MAX", t["BL"])
    t.setdefault("RCD_WR", t["RCD"])
    t.setdefault("RP_ALL", t["RP"])
    t.setdefault("PPD", 0)
    t.setdefault("RTW_GAP", 2)
    t.setdefault("CS", 2)
    t.setdefault("AAD", 0)
    t.setdefault("WCKPST", -1)
    t.setdefault("REFI_BANK", max(1, t["REFI"] // device.organisation.banks_per_rank))
    t.setdefault("REF_BANK_TO_ACT", t["RRD_S"])
    if per_bank and "RFC_BANK" not in t:
        raise AccelsimError(
            "dram.refresh='per-bank': must be all-bank or none, the device has no timing.RFC_BANK"
        )
    t.setdefault("RFC_BANK", t["RFC"])
    t.setdefault("REF_BANK_TO_REF", t["RFC_BANK"])
    _check(t, per_bank)
    _check_device(t, per_bank, device)
    return t


def _check_device(t: Timing, per_bank: bool, device: Device) -> None:
    """Refuse timings that this device could not have."""
    banks = device.organisation.banks_per_rank
    round_clocks = t["RFC_BANK"] + t["RP"] + t["RC"] + 1
    if per_bank and t["REFI_BANK"] * banks < round_clocks:
        raise AccelsimError(
            f"dram.timing.REFI_BANK={t['REFI_BANK']}: must be >= {-(-round_clocks // banks)}, so "
            f"that a bank is refreshed no sooner than after RFC_BANK + RP + RC + 1 = {round_clocks}"
        )
    for name, single in (("AAD", 0), ("WCKPST", -1)):
        if device.two_buses and t[name] != single:
            raise AccelsimError(
                f"dram.timing.{name}={t[name]}: must be null for a device of two command buses"
            )


def _check(t: Timing, per_bank: bool) -> None:
    """Refuse timings that no device could have."""
    for name, least, why in (
        ("RC", t["RAS"] + t["RP"], "RAS + RP"),
        ("RAS", max(t["RCD"], t["RCD_WR"]), "RCD"),
        ("BL_MAX", t["BL"], "BL"),
        ("RP_ALL", t["RP"], "RP"),
        ("CCD_L", t["CCD_S"], "CCD_S"),
        ("RRD_L", t["RRD_S"], "RRD_S"),
        ("WTR_L", t["WTR_S"], "WTR_S"),
        ("FAW", t["RRD_S"], "RRD_S"),
        ("REFI", t["RFC"] + t["RP_ALL"] + t["RC"] + 1, "RFC + RP_ALL + RC + 1"),
    ):
        if t[name] < least:
            raise AccelsimError(f"dram.timing.{name}={t[name]}: must be >= {least}, which is {why}")
    if per_bank and t["REFI_BANK"] <= t["REF_BANK_TO_REF"]:
        raise AccelsimError(
            f"dram.timing.REFI_BANK={t['REFI_BANK']}: must be > {t['REF_BANK_TO_REF']}, which is"
            " REF_BANK_TO_REF"
        )
    if t["AAD"] >= t["RCD"]:
        raise AccelsimError(f"dram.timing.AAD={t['AAD']}: must be < {t['RCD']}, which is RCD")
    if t["CL"] + t["BL"] + t["RTW_GAP"] <= t["CWL"]:
        raise AccelsimError(
            f"dram.timing.CWL={t['CWL']}: must be < {t['CL'] + t['BL'] + t['RTW_GAP']}, which is"
            " CL + BL + RTW_GAP"
        )


def check_organisation(organisation: Organisation) -> None:
    """Refuse sizes that are no powers of two, and rows shorter than a burst."""
    for name, value in organisation._asdict().items():
        if value & (value - 1):
            raise AccelsimError(f"dram.organisation.{name}={show(value)}: must be a power of two")
    if organisation.columns < organisation.burst_length:
        raise AccelsimError(
            f"dram.organisation.columns={organisation.columns}: must be >="
            f" {organisation.burst_length}, which is burst_length"
        )
    if organisation.banks > 1 << 12:
        raise AccelsimError(
            f"dram.organisation: {organisation.banks} banks on a channel, must be <= {1 << 12}"
        )


def distances(t: Timing) -> dict[str, int]:
    """Every distance between two commands, from a complete timing."""
    read_end = t["CL"] + t["BL"]
    write_end = t["CWL"] + t["BL"]
    return {
        "READ_END": read_end,
        "WRITE_END": write_end,
        "BURST": t["BL"],
        "RD_RD_S": max(t["BL"], t["CCD_S"]),
        "RD_RD_L": max(t["BL"], t["CCD_L"]),
        "WR_WR_S": max(t["BL"], t["CCD_S"]),
        "WR_WR_L": max(t["BL"], t["CCD_L"]),
        "RD_WR": read_end + t["RTW_GAP"] - t["CWL"],
        "WR_RD_S": write_end + t["WTR_S"],
        "WR_RD_L": t["CWL"] + t["BL_MAX"] + t["WTR_L"],
        # Another rank: only the data bus counts, with CS idle clocks where its driver changes.
        "RD_RD_RANK": t["BL"] + t["CS"],
        "RD_WR_RANK": t.get("RD_WR_RANK", max(1, read_end + t["CS"] - t["CWL"])),
        "WR_WR_RANK": t["BL"],
        "WR_RD_RANK": t.get("WR_RD_RANK", max(1, write_end + t["CS"] - t["CL"])),
        "RD_PRE": t["RTP"],
        "WR_PRE": write_end + t["WR"],
        "ACT_RD": t["RCD"],
        "ACT_WR": t["RCD_WR"],
        "ACT_PRE": t["RAS"],
        "ACT_ACT": t["RC"],
        "ACT_ACT_S": t["RRD_S"],
        "ACT_ACT_L": t["RRD_L"],
        "FOUR_ACT": t["FAW"],
        "PRE_ACT": t["RP"],
        "PRE_ALL_ACT": t["RP_ALL"],
        "PRE_PRE": t["PPD"],
        "PRE_REF": t["RP"],
        "ACT_REF": t["RC"],
        "REF_ACT": t["RFC"],
        "REF_BANK_ACT": t["RFC_BANK"],
        "REF_BANK_ACT_OTHER": t["REF_BANK_TO_ACT"],
        "REF_BANK_REF_OTHER": t["REF_BANK_TO_REF"],
        "SPLIT_ACT": t["AAD"],
        "WCK": int(t["WCKPST"] >= 0),
        "WCK_AFTER_RD": read_end + max(0, t["WCKPST"]),
        "WCK_AFTER_WR": write_end + max(0, t["WCKPST"]),
    }
