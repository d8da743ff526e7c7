"""One colour per scheme, the same in every table and plot, told apart by colour-blind eyes.

The colours are those of Okabe and Ito (2008), "Color Universal Design".
"""

from collections.abc import Iterable

IN_HINDSIGHT, CURRENT = "#0072B2", "#D55E00"
OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One marker per scheme, in the order of the schemes: colour is never the only difference."""

_KNOWN = {
    "in-hindsight/static": IN_HINDSIGHT, "in-hindsight": IN_HINDSIGHT,
    "current/spill": CURRENT, "current": CURRENT,
}  # fmt: skip
"""With and without the realisation that the name alone stands for."""


def scheme_colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each scheme's label: two are fixed, the others follow in order of appearance."""
    colours = dict.fromkeys(labels, "")
    others = [label for label in colours if label not in _KNOWN]
    for label in colours:
        colours[label] = _KNOWN.get(label) or OTHERS[others.index(label) % len(OTHERS)]
    return colours


def scheme_markers(labels: Iterable[str]) -> dict[str, str]:
    """A marker for each scheme's label, in order of appearance."""
    unique = list(dict.fromkeys(labels))
    return {label: MARKERS[index % len(MARKERS)] for index, label in enumerate(unique)}


def tint(colour: str, share: float) -> str:
    """The colour mixed with white; `share` is what stays of it."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - share * (255 - part)):02X}" for part in parts)
