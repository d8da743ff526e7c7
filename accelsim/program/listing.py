"""A list of commands, in which what comes again and again is written twice only."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, overload

if TYPE_CHECKING:
    from accelsim.program import Command


class Repeat(NamedTuple):
    """Of the commands that are written, the `length` before place `stop` come `times` more.

    Each time every number in them (ids, boxes, addresses, tiles) is larger again by as much as it
    is larger there than in the `length` commands before them; what they do is the same.
    """

    stop: int
    length: int
    times: int


class Commands(Sequence["Command"]):
    """Commands in issue order; where there are `repeats`, they are more than are `written`."""

    def __init__(self, written: Iterable["Command"] = (), repeats: Iterable[Repeat] = ()) -> None:
        self.written, self.repeats = tuple(written), tuple(repeats)

    def __len__(self) -> int:
        return len(self.written) + sum(length * times for _, length, times in self.repeats)

    @overload
    def __getitem__(self, at: int) -> "Command": ...

    @overload
    def __getitem__(self, at: slice) -> "tuple[Command, ...]": ...

    def __getitem__(self, at: int | slice) -> "Command | tuple[Command, ...]":
        return self._all[at]

    def __iter__(self) -> "Iterator[Command]":
        return iter(self._all)

    @property
    def counted(self) -> "Iterator[tuple[Sequence[Command], int]]":
        """Commands, and how many there are of each that do the same, together all of them."""
        yield self.written, 1
        for stop, length, times in self.repeats:
            yield self.written[stop - length : stop], times

    def of(self, kind: type) -> "Iterator[Command]":
        """Those of one kind."""
        at = 0
        for stop, length, times in self.repeats:
            yield from (one for one in self.written[at:stop] if isinstance(one, kind))
            first, second = stop - 2 * length, stop - length
            pairs = zip(self.written[first:second], self.written[second:stop], strict=True)
            again = [growing(one, other) for one, other in pairs if isinstance(other, kind)]
            for time in range(1, times + 1):
                yield from (grown(time) for grown in again)
            at = stop
        yield from (one for one in self.written[at:] if isinstance(one, kind))

    @cached_property
    def _all(self) -> "tuple[Command, ...]":
        return tuple(self.of(tuple)) if self.repeats else self.written


def growing(one: Any, other: Any) -> Callable[[int], Any]:
    """What `other` becomes after so many times, its numbers growing as from `one` to `other`."""
    if isinstance(other, int):
        step = other - one
        return lambda times: other + times * step
    parts = [(at, *pair) for at, pair in enumerate(zip(one, other, strict=True))]
    moving = [(at, growing(a, b)) for at, a, b in parts if a != b]
    make = getattr(other, "_make", tuple)

    def grown(times: int) -> Any:
        values = list(other)
        for at, part in moving:
            values[at] = part(times)
        return make(values)

    return grown


def alike(one: "Sequence[Command]", other: "Sequence[Command]") -> bool:
    """Whether the others, which follow the ones, do the same elsewhere, command by command.

    Each waits for the very command that its like waits for, or for one as far before it.
    """
    kinds: list[Any] = [type(command) for command in one]
    if kinds != [type(command) for command in other]:
        return False
    deeds = map(_deed, kinds)
    if not all(deed(a) == deed(b) for deed, a, b in zip(deeds, one, other, strict=True)):
        return False
    pairs = ((a.after, b.after) for a, b in zip(one, other, strict=True) if a.after != b.after)
    steps = {second - first for pair in pairs for first, second in zip(*pair, strict=True)}
    return steps <= {0, len(one)}


_NAMES = "id", "after", "tile", "copy", "part", "source", "stationary", "box", "over", "region"
"""Fields that say which and where; how many are waited for, shapes and runs are of the deed."""
_SHAPES = "box.shape", "region.run_bytes", "region.counts", "region.strides_bytes"


@cache
def _deed(kind: Any) -> Callable[[Any], object]:
    """What a command of this kind does, whichever it is and wherever that lies."""
    fields: tuple[str, ...] = kind._fields
    own = [field for field in fields if field not in _NAMES]
    plain = attrgetter(*own, *(path for path in _SHAPES if path.partition(".")[0] in fields))

    def deed(command: Any) -> object:
        over = getattr(command, "over", None)
        return plain(command), len(command.after), over and over.shape

    return deed
