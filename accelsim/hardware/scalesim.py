"""Configuration files of SCALE-Sim (.cfg), as the fields of a machine."""

import configparser
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware.part import show

DATAFLOWS = {"ws": "weight-stationary", "is": "input-stationary", "os": "output-stationary"}

_ARCHITECTURE = "architecture_presets"
_RUN = "run_presets"
_NUMBERS = ("ArrayHeight", "ArrayWidth", "IfmapSramSzkB", "FilterSramSzkB", "OfmapSramSzkB")
_WITHOUT_EFFECT = (
    "IfmapOffset", "FilterOffset", "OfmapOffset", "MemoryBanks", "ReadRequestBuffer",
    "WriteRequestBuffer",
)  # fmt: skip
_REFUSED = {
    ("sparsity", "SparsitySupport"): "sparse layers are not simulated here",
    ("layout", "IfmapCustomLayout"): "bank conflicts on chip are not simulated here",
    ("layout", "FilterCustomLayout"): "bank conflicts on chip are not simulated here",
    (_RUN, "UseRamulatorTrace"): "give the DRAM of the machine instead (--set dram.preset=...)",
}
"""What would change the outcome there and has no counterpart here, when it is switched on."""

SUMS_PER_WORD = 4
"""An accumulator is 32 bits, a word of SCALE-Sim one byte."""

INTERFACES = 3
"""SCALE-Sim's `Bandwidth` is that of each of ifmap, filter and ofmap."""


def machine_of(text: str, where: str) -> dict[str, Any]:
    """The fields of the machine that a .cfg describes, on top of the preset `scalesim`.

    Buffers have the sizes given, in words of one byte: the ofmap buffer becomes the output buffer,
    and as many accumulators of four bytes. `InterfaceBandwidth: USER` gives `Bandwidth` words per
    cycle for each of three interfaces, here together for the one memory; `CALC` waits for nothing.
    """
    config = _parsed(text, where)
    for (section, option), why in _REFUSED.items():
        if config.get(section, option, fallback="false").strip().lower() == "true":
            raise AccelsimError(f"{where}: [{section}] {option} = true: {why}")
    known = {name.lower() for name in (*_NUMBERS, *_WITHOUT_EFFECT, "Dataflow", "Bandwidth")}
    for option in config.options(_ARCHITECTURE):
        if option not in known:
            allowed = ", ".join((*_NUMBERS, "Dataflow", "Bandwidth", *_WITHOUT_EFFECT))
            raise AccelsimError(f"{where}: unknown option {show(option)}; known: {allowed}")
    rows, columns, ifmap, filters, ofmap = (_number(config, where, name) for name in _NUMBERS)
    return {
        "base": "scalesim",
        "array": {"rows": rows, "columns": columns, "dataflow": _dataflow(config, where)},
        "sram": {
            "input_kib": ifmap,
            "weight_kib": filters,
            "accumulator_kib": SUMS_PER_WORD * ofmap,
            "output_kib": ofmap,
        },
        **_dram(config, where),
    }


def _parsed(text: str, where: str) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    try:
        config.read_string(text)
    except configparser.Error as error:
        reason = " ".join(str(error).split())
        raise AccelsimError(f"{where}: not a SCALE-Sim configuration: {reason[:150]}") from None
    if not config.has_section(_ARCHITECTURE):
        raise AccelsimError(f"{where}: not a SCALE-Sim configuration: no [{_ARCHITECTURE}]")
    return config


def _text(config: configparser.RawConfigParser, where: str, name: str) -> str:
    value = config.get(_ARCHITECTURE, name, fallback=None)
    if value is None:
        raise AccelsimError(f"{where}: [{_ARCHITECTURE}] {name} is missing")
    return value.strip()


def _number(config: configparser.RawConfigParser, where: str, name: str) -> int:
    value = _text(config, where, name)
    if not value.isascii() or not value.isdigit() or not 1 <= len(value) <= 9 or int(value) < 1:
        raise AccelsimError(f"{where}: {name} = {show(value)}: must be a whole number above 0")
    return int(value)


def _dataflow(config: configparser.RawConfigParser, where: str) -> str:
    value = _text(config, where, "Dataflow").lower()
    if value not in DATAFLOWS:
        raise AccelsimError(f"{where}: Dataflow = {show(value)}: must be one of ws, is, os")
    return DATAFLOWS[value]


def _dram(config: configparser.RawConfigParser, where: str) -> dict[str, Any]:
    """The bandwidth in words per cycle; the preset's clock makes one a GB/s."""
    mode = config.get(_RUN, "InterfaceBandwidth", fallback="CALC").strip()
    if mode not in ("USER", "CALC"):
        raise AccelsimError(
            f"{where}: InterfaceBandwidth = {show(mode)}: must be one of USER, CALC"
        )
    if mode == "CALC":
        return {}
    first = _text(config, where, "Bandwidth").split(",")[0].strip()
    if not first.isascii() or not first.isdigit() or not 1 <= len(first) <= 9 or int(first) < 1:
        raise AccelsimError(f"{where}: Bandwidth = {show(first)}: must be a whole number above 0")
    return {"dram": {"bandwidth_gb_per_s": INTERFACES * int(first)}}
