"""One colour per scheme, the same in every table and plot, told apart by colour-blind eyes.

The colours are those of Okabe and Ito (2008), "Color Universal Design".
"""

from collections.abc import Iterable
from zlib import crc32

IN_HINDSIGHT, CURRENT = "#0072B2", "#D55E00"
GREEN, PURPLE, ORANGE, SKY, BLACK = OTHERS = (
    "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
)  # fmt: skip
_ALL = (IN_HINDSIGHT, CURRENT, *OTHERS)
MOST_COLOURS = len(_ALL)

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One marker per name, in the order of the names: colour is never the only difference."""

_REALISATIONS = {
    "static": IN_HINDSIGHT, "spill": CURRENT, "spill16": GREEN, "lazy": PURPLE,
    "recompute": ORANGE, "resident": SKY,
}  # fmt: skip
"""What a program does about the range says most about its bytes and cycles."""

KNOWN = {
    "in-hindsight/static": IN_HINDSIGHT, "in-hindsight": IN_HINDSIGHT,
    **{f"current/{name}": colour for name, colour in _REALISATIONS.items() if name != "static"},
    "current": CURRENT, "running/spill": BLACK, "running": BLACK,
    **_REALISATIONS,
}  # fmt: skip
"""With and without the realisation that the name alone stands for, and realisations alone."""


def told_apart(labels: Iterable[str]) -> dict[str, str]:
    """The name by which each scheme is told from the others: its own, or that of its realisation.

    Its realisation where there are more schemes than colours, and of more than one realisation.
    """
    unique = list(dict.fromkeys(labels))
    realisations = [label.rpartition("/")[2] for label in unique]
    if (
        len(unique) <= MOST_COLOURS
        or not set(realisations) <= set(_REALISATIONS)
        or len(set(realisations)) == 1
    ):
        return {label: label for label in unique}
    return dict(zip(unique, realisations, strict=True))


def scheme_colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each scheme's label, the same in every picture.

    It follows from the label; only where two in one picture would share it takes the later one the
    next that is free. Where there are more schemes than colours it follows from the realisation, as
    that of the schemes that are compared most does anyway.
    """
    names = told_apart(labels)
    if set(names.values()) <= set(_REALISATIONS):
        return {label: _REALISATIONS[name] for label, name in names.items()}
    return _own_colours(list(names))


def _own_colours(labels: list[str]) -> dict[str, str]:
    colours = {label: KNOWN[label] for label in labels if label in KNOWN}
    free = [colour for colour in OTHERS if colour not in colours.values()]
    for label in labels:
        if label in colours:
            continue
        free = free or [c for c in _ALL if c not in colours.values()] or list(OTHERS)
        first = crc32(label.encode()) % len(OTHERS)
        chosen = next(c for c in (*OTHERS[first:], *OTHERS[:first], *_ALL) if c in free)
        free.remove(chosen)
        colours[label] = chosen
    return {label: colours[label] for label in labels}


def scheme_styles(labels: Iterable[str]) -> dict[str, str]:
    """The same for a terminal, whose own colour of letters stands for black: it may be dark."""
    colours = scheme_colours(labels)
    return {label: "" if colour == BLACK else colour for label, colour in colours.items()}


def scheme_markers(labels: Iterable[str]) -> dict[str, str]:
    """A marker for each scheme's label, in order of appearance."""
    names = told_apart(labels)
    places = {name: index for index, name in enumerate(dict.fromkeys(names.values()))}
    return {label: MARKERS[places[name] % len(MARKERS)] for label, name in names.items()}


def tint(colour: str, share: float) -> str:
    """The colour mixed with white; `share` is what stays of it."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - share * (255 - part)):02X}" for part in parts)
