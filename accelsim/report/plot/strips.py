"""Runs under each other, a strip for each. Of many, those that look the same share one."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from accelsim.report.palette import KNOWN, MOST_COLOURS
from accelsim.result import Result

MOST_STRIPS = MOST_COLOURS
"""More do not fit a page, and could not be told apart."""
LETTERS = 44
"""In the name of a strip; of schemes that do not fit the first is named and the others counted."""


def realisation(result: Result) -> str:
    """What the program of a run did about its range."""
    return result.scheme.rpartition("/")[2]


def estimator(result: Result) -> str:
    """What picked the range of a run."""
    return result.scheme.rpartition("/")[0]


def error(result: Result) -> float:
    """How far the outputs are from float: less is better."""
    return -result.numerics.sqnr_db if result.numerics else 0.0


def moved(result: Result) -> float:
    """DRAM bytes per step."""
    return result.bytes_per_step


@dataclass(frozen=True)
class Strip:
    """One run that is drawn, and the schemes of all that look like it."""

    result: Result
    schemes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The schemes, as far as they fit."""
        return named(self.schemes)


@dataclass(frozen=True)
class Strips:
    """What is drawn, and what of it: empty where that is everything."""

    drawn: tuple[Strip, ...]
    note: str

    @property
    def results(self) -> list[Result]:
        """The runs that are drawn."""
        return [strip.result for strip in self.drawn]


def strips_of(
    results: Sequence[Result],
    looks: Callable[[Result], Hashable],
    every: bool,
    kind: Callable[[Result], str] = realisation,
    cost: Callable[[Result], float] = moved,
    *,
    share: bool = False,
) -> Strips:
    """A strip for each run; of more than a page holds, those that matter, unless `every` is asked.

    Of more runs than that, or where few `share` as well, those whose `looks` are equal share one.
    The first is drawn, then of each `kind` the one of least `cost`, then the next of each, and so
    on; of two alike in this the best known.
    """
    if share or not (every or len(results) <= MOST_STRIPS):
        found = alike(results, looks)
    else:
        found = [Strip(result, (result.scheme,)) for result in results]
    if every or len(found) <= MOST_STRIPS:
        return Strips(tuple(found), "")
    note = (
        f"{MOST_STRIPS} of {len(found)} different ones of {len(results)} schemes:\n"
        "accelsim plot --scheme chooses"
    )
    return Strips(tuple(_chosen(found, kind, cost)), note)


def alike(results: Sequence[Result], looks: Callable[[Result], Hashable]) -> list[Strip]:
    """The runs that look different, each with the schemes that look like it, the best known first.

    In order of appearance.
    """
    groups: dict[Hashable, list[Result]] = {}
    for result in results:
        groups.setdefault(looks(result), []).append(result)
    strips = []
    for group in groups.values():
        group.sort(key=lambda result: result.scheme not in KNOWN)
        strips.append(Strip(group[0], tuple(result.scheme for result in group)))
    return strips


def _chosen(
    strips: Sequence[Strip], kind: Callable[[Result], str], cost: Callable[[Result], float]
) -> list[Strip]:
    """As many as fit, the best of each kind before any second one; in order of cost."""
    turns: Counter[str] = Counter()
    ranked = []
    for strip in sorted(strips[1:], key=lambda strip: cost(strip.result)):
        turns[kind(strip.result)] += 1
        ranked.append((turns[kind(strip.result)], strip.result.scheme not in KNOWN, strip))
    ranked.sort(key=lambda entry: entry[:2])
    kept = [strip for *_, strip in ranked[: MOST_STRIPS - 1]]
    return [strips[0], *sorted(kept, key=lambda strip: cost(strip.result))]


def named(schemes: Sequence[str], letters: int = LETTERS) -> str:
    """All schemes, or the first and how many more."""
    text = ", ".join(schemes)
    if len(text) <= letters or len(schemes) == 1:
        return text
    return f"{schemes[0]} and {len(schemes) - 1} more"
