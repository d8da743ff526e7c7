"""Schemes that leave the same values, which are computed once for all of them.

What a program does about a range changes no bit, but where stored accumulators are rounded.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple, Self

from accelsim.lowering.realisations import REALISATIONS
from accelsim.quant import Policy, Scheme


def values_key(scheme: Scheme) -> tuple[Hashable, ...]:
    """All of a scheme that its values depend on.

    Of its realisation that is the width of stored accumulators: where they are rounded, what is
    read again is another tensor.
    """
    rest = tuple(value for field, value in vars(scheme).items() if field != "realisation")
    return (*rest, REALISATIONS[scheme.realisation].stored_bits)


def policy_key(policy: Policy) -> tuple[Hashable, ...]:
    """The same of a scheme for each kind of tensor."""
    return values_key(policy.activations), values_key(policy.gradients)


class Shared(NamedTuple):
    """Which of several share what."""

    firsts: list[int]
    """The place of the first of each kind."""
    kinds: list[int]
    """For each place, its kind's place in `firsts`."""

    @classmethod
    def by(cls, keys: Sequence[Hashable]) -> Self:
        """Those of equal keys are of one kind."""
        first = {key: place for place, key in reversed([*enumerate(keys)])}
        order = sorted(first, key=first.__getitem__)
        return cls([first[key] for key in order], [order.index(key) for key in keys])
