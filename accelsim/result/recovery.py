"""How a sequence comes back from a disturbance: in accuracy, and in its range."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from accelsim.errors import AccelsimError
from accelsim.result.record import Record

STEPS_BEFORE = 20
"""What was before a disturbance is seen in so many steps, or in as many as there are."""

USUAL_SHARE = 0.75
"""What lies as near to the median as so many of these steps is nothing unusual."""

SETTLED_STEPS = 3
"""A sequence is back when so many steps in a row are: one alone may be so by chance."""

SQNR_TOLERANCE_DB = 1.0
STALENESS_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Recovery(Record):
    """What a disturbance did, until the next one or the end. None: not seen to come back."""

    step: int
    """When it happened."""
    sqnr_before_db: float
    worst_sqnr_db: float
    recovery_steps: int | None
    """Steps from the disturbance to the first that is back; 0 where it did no harm."""
    staleness_before: float
    worst_staleness: float
    """The one furthest from what was before, as a ratio."""
    range_lag_steps: int | None
    """Steps until the range used follows the range observed as it did before."""
    sqnr_tolerance_db: float
    """How far below what was before counts as back: as asked, or as far as steps before were."""
    staleness_tolerance: float
    """The same of the staleness, as a ratio less one."""


def recovery(
    step: int,
    before: Sequence[tuple[float, float]],
    after: Sequence[tuple[float, float]],
    sqnr_tolerance_db: float = SQNR_TOLERANCE_DB,
    staleness_tolerance: float = STALENESS_TOLERANCE,
) -> Recovery:
    """From the (SQNR in dB, staleness) of the steps before a disturbance and from it on.

    Back means: not more than `sqnr_tolerance_db` below the median SQNR of the last 20 steps before;
    a staleness within `staleness_tolerance` of theirs, as a ratio either way; or, where tensors
    differ by more from step to step, as near as three in four of these were. Three in a row must.
    """
    if not before or not after:
        raise AccelsimError(f"step = {step}: there must be a step before it, and itself")
    calm = before[-STEPS_BEFORE:]
    sqnr_before, staleness_before = (float(median(figures)) for figures in zip(*calm, strict=True))
    drop = max(sqnr_tolerance_db, _usual(sqnr_before - sqnr for sqnr, _ in calm))
    spread = _usual(_ratio(staleness, staleness_before) for _, staleness in calm)
    ratios = [_ratio(staleness, staleness_before) for _, staleness in after]
    allowed = max(1 + staleness_tolerance, spread)
    return Recovery(
        step=step,
        sqnr_before_db=sqnr_before,
        worst_sqnr_db=min(sqnr for sqnr, _ in after),
        recovery_steps=settled_at([sqnr >= sqnr_before - drop for sqnr, _ in after]),
        staleness_before=staleness_before,
        worst_staleness=after[ratios.index(max(ratios))][1],
        range_lag_steps=settled_at([ratio <= allowed for ratio in ratios]),
        sqnr_tolerance_db=drop,
        staleness_tolerance=allowed - 1,
    )


def _usual(distances: Iterable[float]) -> float:
    """What most distances do not exceed."""
    ordered = sorted(distances)
    return ordered[ceil(USUAL_SHARE * len(ordered)) - 1]


def settled_at(back: Sequence[bool]) -> int | None:
    """Where the first three in a row begin that are back; None where there are no three."""
    for start in range(len(back) - SETTLED_STEPS + 1):
        if all(back[start : start + SETTLED_STEPS]):
            return start
    return None


def _ratio(one: float, other: float) -> float:
    """How many times the larger is the smaller."""
    if one == other:
        return 1.0
    smaller, larger = sorted((one, other))
    return larger / smaller if smaller > 0 else float("inf")
