"""One colour per scheme, the same in every table and plot, told apart by colour-blind eyes.

The colours are those of Okabe and Ito (2008), "Color Universal Design".
"""

from collections.abc import Iterable
from zlib import crc32

IN_HINDSIGHT, CURRENT = "#0072B2", "#D55E00"
GREEN, PURPLE, ORANGE, SKY, BLACK = OTHERS = (
    "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
)  # fmt: skip

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One marker per scheme, in the order of the schemes: colour is never the only difference."""

_KNOWN = {
    "in-hindsight/static": IN_HINDSIGHT, "in-hindsight": IN_HINDSIGHT,
    "current/spill": CURRENT, "current": CURRENT,
    "current/spill16": GREEN, "current/lazy": PURPLE, "current/recompute": ORANGE,
    "current/resident": SKY, "running/spill": BLACK, "running": BLACK,
}  # fmt: skip
"""With and without the realisation that the name alone stands for."""


def scheme_colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each scheme's label, the same in every picture.

    It follows from the label; only where two in one picture would share it takes the later one the
    next that is free, as long as there is one.
    """
    unique = list(dict.fromkeys(labels))
    colours = {label: _KNOWN[label] for label in unique if label in _KNOWN}
    free = [colour for colour in OTHERS if colour not in colours.values()]
    for label in unique:
        if label in colours:
            continue
        free = free or list(OTHERS)
        first = crc32(label.encode()) % len(OTHERS)
        chosen = next(c for c in OTHERS[first:] + OTHERS[:first] if c in free)
        free.remove(chosen)
        colours[label] = chosen
    return {label: colours[label] for label in unique}


def scheme_markers(labels: Iterable[str]) -> dict[str, str]:
    """A marker for each scheme's label, in order of appearance."""
    unique = list(dict.fromkeys(labels))
    return {label: MARKERS[index % len(MARKERS)] for index, label in enumerate(unique)}


def tint(colour: str, share: float) -> str:
    """The colour mixed with white; `share` is what stays of it."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - share * (255 - part)):02X}" for part in parts)
