"""Columns in people's words: what an axis says, and the unit its figures are drawn in."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from accelsim.report.format import KB
from accelsim.result import COMPONENTS


@dataclass(frozen=True)
class Figure:
    """A number of a run that may be an axis: its name for people, and which way is better."""

    title: str
    unit: str = ""
    factor: float = 1.0
    """From the column to the unit."""
    lower_is_better: bool = True

    @property
    def short(self) -> str:
        """The name with its unit, for a table whose page says what a KB is."""
        unit = "KB" if self.unit == _KB else self.unit
        return f"{self.title}, {unit}" if unit else self.title

    @property
    def label(self) -> str:
        """The name with its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


UPDATES_APART = "\nof one step, updates not averaged in"
"""Under bars of one step each, where steps of a scheme differ."""

_KB = "KB of 1024 bytes"

FIGURES = {
    "total_bytes": Figure("DRAM traffic", _KB, 1 / KB),
    "bytes_per_step": Figure("DRAM traffic per step", _KB, 1 / KB),
    "cycles_per_step": Figure("cycles per step"),
    "latency_us_per_step": Figure("latency per step", "us"),
    "traffic_bytes": Figure("DRAM traffic", _KB, 1 / KB),
    "bytes_with_consumer": Figure("DRAM traffic with what the next layer loads", _KB, 1 / KB),
    "bandwidth_gb_per_s": Figure("DRAM bandwidth", "GB/s"),
    "bus_bytes": Figure("DRAM traffic in whole bursts", _KB, 1 / KB),
    "chip_bytes": Figure("traffic of the on-chip memory", _KB, 1 / KB),
    "total_cycles": Figure("cycles"),
    "latency_us": Figure("latency", "us"),
    "energy_uj": Figure("energy", "uJ"),
    "known_area_um2": Figure("area of what has a figure", "mm2", 1e-6),
    "statistics_held_cycles": Figure("cycles for which the statistics unit holds the drain"),
    "macs": Figure("multiply-accumulates"),
    "macs_per_byte": Figure("multiply-accumulates per DRAM byte", lower_is_better=False),
    "memory_bound": Figure("share bound by memory"),
    "sqnr_db": Figure("SQNR", "dB", lower_is_better=False),
    "cosine": Figure("cosine to float", lower_is_better=False),
    "mean_squared_error": Figure("mean squared error"),
    "saturated_share": Figure("saturated share of the outputs"),
    "overflow_count": Figure("accumulators that overflowed"),
    "array_utilisation": Figure("array utilisation", lower_is_better=False),
    "row_hit_rate": Figure("row hit rate", lower_is_better=False),
    "array_busy_utilisation": Figure("array utilisation while busy", lower_is_better=False),
}
"""The figures that a run comes to. Anything else is what it was made with, or made of these."""

_UNITS = {
    "_kib": "KiB", "_gb_per_s": "GB/s", "_mhz": "MHz", "_ns": "ns", "_us": "us", "_db": "dB",
    "_bytes": "bytes",
}  # fmt: skip
_GROUPS = {"stat_unit": "statistics unit", "statistics": "statistics unit", "dram": "DRAM"}


def figure_of(name: str) -> Figure:
    """What a column is to people; one that is no known figure is told by the parts of its name."""
    if name in FIGURES:
        return FIGURES[name]
    for pattern, made in _MADE.items():
        if found := re.fullmatch(pattern, name):
            return made(*found.groups())
    return _field(name)


def title_of(name: str) -> str:
    """A column's name for people, with its unit."""
    return figure_of(name).label


def _energy(table: str, component: str | None) -> Figure:
    what = f"energy of the {_GROUPS.get(component, component)}" if component else "energy"
    return Figure(f"{what}, {table}", "uJ", 1e-6)


def _of_phase(name: str, phase: str) -> Figure:
    whole = FIGURES[name]
    return replace(whole, title=f"{whole.title}, {phase}")


_PAID = {
    "bytes": Figure("DRAM traffic that the reader pays beyond static", _KB, 1 / KB),
    "cycles": Figure("cycles that the reader pays beyond static"),
}
_MADE: Mapping[str, Callable[..., Figure]] = {
    r"energy_pj_per_step\.(.+)": lambda table: Figure(f"energy per step, {table}", "uJ", 1e-6),
    r"consumer\.(bytes|cycles)_beyond_static": lambda what: _PAID[what],
    r"consumer\.energy_pj_beyond_static\.(.+)": lambda table: Figure(
        f"energy that the reader pays beyond static, {table}", "uJ", 1e-6
    ),
    rf"energy_pj\.(.+?)(?:\.({'|'.join(COMPONENTS)}))?": _energy,
    r"known_area_um2\.(.+)": lambda table: Figure(
        f"area of what has a figure, {table}", "mm2", 1e-6
    ),
    r"(total_bytes|total_cycles)\.(.+)": _of_phase,
    r"bytes\.(.+)\.(.+)": lambda tensor, way: Figure(f"{tensor}, {way}", _KB, 1 / KB),
    r"(.+)\.(busy|starved|blocked|idle)_cycles": lambda unit, state: Figure(
        f"cycles in which the {_GROUPS.get(unit, unit)} is {state}"
    ),
}


def _field(name: str) -> Figure:
    """`stat_unit.lanes` is lanes of the statistics unit, `sram.input_kib` input SRAM (KiB)."""
    group, _, field = name.rpartition(".")
    unit = next((u for ending, u in _UNITS.items() if field.endswith(ending)), "")
    words = next((field.removesuffix(e) for e, u in _UNITS.items() if unit == u), field)
    words = words.replace("_", " ")
    if group == "sram":
        return Figure(f"{words} SRAM", unit)
    if group:
        of = _GROUPS.get(group, group.replace(".", " ").replace("_", " "))
        words = f"{words} of the {of}"
    return Figure(words, unit)
