"""What a search over a study found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelsim.result.record import Record

MAXIMISED = ("sqnr_db",)
"""The objectives of which more is better; of all others less is."""


def cost_of(objective: str, figure: float) -> float:
    """A figure as something to be minimised."""
    return -figure if objective in MAXIMISED else figure


@dataclass(frozen=True)
class Trial(Record):
    """One design that was tried: the values on the axes, and what it came to."""

    number: int
    coordinates: Mapping[str, Any]
    objectives: Mapping[str, float]
    """Empty where it cannot be run."""
    reason: str
    """Why it cannot be run, or which constraint it breaks; empty where it is feasible."""
    front: bool
    """Whether no other feasible trial is at least as good in all objectives and better in one."""


@dataclass(frozen=True)
class SearchResult(Record):
    """A search: all its trials in order, those of the Pareto front marked."""

    schema = "accelsim.search/1"

    study: str
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    energy_table: str
    without_area: tuple[str, ...]
    """Components of the designs that the table has no area for, so that no area here has them."""
    designs: int
    """How many there are on the axes."""
    computed: int
    """Simulations that were run now."""
    trials: tuple[Trial, ...]
    interrupted: bool

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other beats, the best in the first objective first."""
        kept = (trial for trial in self.trials if trial.front)
        first = self.objectives[0]
        return tuple(sorted(kept, key=lambda trial: cost_of(first, trial.objectives[first])))
