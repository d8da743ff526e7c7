"""Which schemes a run is under: those that are named, and those that `all` stands for."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from accelsim.errors import AccelsimError
from accelsim.quant import Policy, Scheme

DEFAULT_SCHEMES = ("in-hindsight", "current")
"""What `compare` holds against each other: the static program, and the dynamic one by a spill."""

DEFAULT_TRAINING_SCHEMES = ("in-hindsight", "current/all")
"""What it does of a training step: the static program, and all that a dynamic one may do."""

ALL_SCHEMES = "all"
"""Stands for every estimator with all that makes sense to do about its range; behind the name of an
estimator and a slash, for all that with this one."""

AnyScheme = Policy | Scheme | str
Chosen = TypeVar("Chosen", bound=Hashable)


def choose(
    given: Sequence[AnyScheme],
    seed: int,
    parse: Callable[[AnyScheme], Chosen],
    check: Callable[[Chosen], None],
    fit: Callable[[Chosen], None],
) -> tuple[list[Chosen], tuple[str, ...]]:
    """What was named, each once, and why some of all are left out.

    `parse` makes of a scheme what is run; `check` raises where that cannot be, which is an error of
    what was named. What `all` stands for is left out then, and where its programs do not `fit`.
    """
    if not given:
        raise AccelsimError("schemes=[]: must name at least one scheme")
    found: dict[Chosen, None] = {}
    left_out: dict[Scheme, str] = {}
    for one in given:
        every = schemes_of(one, seed)
        if every is None:
            named = parse(one)
            check(named)
            found[named] = None
            continue
        for scheme in every:
            try:
                item = parse(scheme)
                if item not in found:
                    check(item)
                    fit(item)
                    found[item] = None
            except AccelsimError as error:
                left_out[scheme] = str(error).removeprefix(f"scheme '{scheme.label}': ")
    if not found:
        scheme, why = next(iter(left_out.items()))
        raise AccelsimError(f"schemes: none of all is left; {scheme.label}: {why}")
    by_reason: dict[str, list[str]] = {}
    for scheme, why in left_out.items():
        by_reason.setdefault(why, []).append(scheme.label)
    return list(found), tuple(f"{', '.join(names)}: {why}" for why, names in by_reason.items())


def schemes_of(given: AnyScheme, seed: int = 0) -> tuple[Scheme, ...] | None:
    """What a text with `all` stands for, the default scheme first; None of any other."""
    if not isinstance(given, str):
        return None
    if given == ALL_SCHEMES:
        first = Scheme.parse(DEFAULT_SCHEMES[0], seed=seed)
        return tuple(dict.fromkeys((first, *Scheme.every(seed=seed))))
    estimator, _, realisation = given.rpartition("/")
    if realisation != ALL_SCHEMES or "=" in estimator.partition(":")[0]:
        return None
    return Scheme.realised(estimator, seed=seed)


def check_one(scheme: AnyScheme) -> None:
    """Refuse a text that stands for several."""
    if schemes_of(scheme) is not None:
        raise AccelsimError(f"scheme = {scheme!r}: must be one scheme; `compare` takes several")
