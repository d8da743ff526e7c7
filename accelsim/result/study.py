"""What a sweep is going to do, and what it came to."""

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.result.record import Record


@dataclass(frozen=True)
class SweepPlan(Record):
    """How much a sweep has to do."""

    schema = "accelsim.plan/1"

    study: str
    points: int
    simulations: int
    """Different ones; equal points share one."""
    missing: int
    """Of these, not in the store yet."""
    workers: int
    estimated_seconds: float
    timed: int
    """How many simulations were run, and thrown away, to tell."""


@dataclass(frozen=True)
class SweepSummary(Record):
    """What a sweep did."""

    schema = "accelsim.sweep/1"

    study: str
    points: int
    simulations: int
    computed: int
    """Simulations that were run now."""
    failed_points: int
    reasons: Mapping[str, int]
    """Why points failed, and how many of them, the most frequent reason first."""
    seconds: float
    """Of the simulations that were run."""
    interrupted: bool
