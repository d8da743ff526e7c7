"""A lying bar for each layer and scheme, under each other: legible also for 60 layers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from accelsim.report.palette import scheme_colours, tint, told_apart
from accelsim.report.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 0.35
"""Between the bars of two layers, in bars."""
BAR_INCHES, HEAD_INCHES, MARGIN_INCHES = 0.083, 0.35, 0.4
HATCH = 2 * canvas.STORE_HATCH
LETTERS_PER_BAR = 0.85
"""Size of the letters of a value over the height of its bar."""
MOST_STEPS = 5
"""Of the axis under the bars."""
SHARE_BESIDE_NAMES = 0.75
"""What long names leave of the axes' width."""
VALUE_ROOM = 1.2
"""Length of the axis over the longest bar: behind it stands its value."""


class Run(Protocol):
    """What a bar is of."""

    @property
    def layer(self) -> str:
        """Its name, which it shares with the same under another scheme."""

    @property
    def scheme(self) -> str:
        """The scheme's label."""


@dataclass(frozen=True)
class Part:
    """A piece of every bar: its name, how strong its colour is, its length by run."""

    name: str
    share: float
    lengths: Mapping[int, float]
    """By the number of the run; runs that have none of it are left out."""
    hatched: bool = False


def layers_of(results: Sequence[Run]) -> list[str]:
    """The layers there are, in order of appearance."""
    return list(dict.fromkeys(result.layer for result in results))


def places(results: Sequence[Run]) -> tuple[list[float], dict[str, float]]:
    """Where each run's bar lies, and where each name stands: a layer's, or of one layer a scheme's.

    A layer's name stands in the middle of its bars.
    """
    tops: list[float] = [0.0] * len(results)
    middles: dict[str, float] = {}
    y = 0.0
    layers = layers_of(results)
    if len(layers) == 1:
        tops = [index + 0.5 for index in range(len(results))]
        return tops, {r.scheme: top for r, top in zip(results, tops, strict=True)}
    for layer in layers:
        mine = [index for index, result in enumerate(results) if result.layer == layer]
        for offset, index in enumerate(mine):
            tops[index] = y + offset + 0.5
        middles[layer] = y + len(mine) / 2
        y += len(mine) + GAP
    return tops, middles


def height_inches(results: Sequence[Run]) -> float:
    """As high as axes must be for the bars and what stands above and below them."""
    layers, schemes = len(layers_of(results)), len({result.scheme for result in results})
    if layers == 1:
        return 0.17 * schemes + HEAD_INCHES + MARGIN_INCHES
    bars = len(results) + GAP * layers
    return bars * BAR_INCHES + HEAD_INCHES + 0.13 * schemes + MARGIN_INCHES


def new_axes(results: Sequence[Run]) -> "Axes":
    """Axes of one column's width, as high as the bars need."""
    return canvas.new_axes(canvas.COLUMN_INCHES, height_inches(results))


def draw(ax: "Axes", results: Sequence[Run], parts: Sequence[Part], digits: int) -> None:
    """Bars of the parts, one after the other, the sum written behind each."""
    from matplotlib.ticker import MaxNLocator

    tops, middles = places(results)
    colours = scheme_colours(result.scheme for result in results)
    starts = [0.0] * len(results)
    for part in parts:
        mine = list(part.lengths)
        bars = ax.barh(
            [tops[i] for i in mine], [part.lengths[i] for i in mine], 0.92,
            [starts[i] for i in mine], label=part.name, linewidth=0.3,
            color=[tint(colours[results[i].scheme], part.share) for i in mine],
            edgecolor="white" if part.hatched else [colours[results[i].scheme] for i in mine],
            hatch=HATCH if part.hatched else None,
        )  # fmt: skip
        for bar, i in zip(bars, mine, strict=True):
            starts[i] += part.lengths[i]
            bar.set_label(f"{results[i].layer}, {results[i].scheme}, {part.name}")
    longest = VALUE_ROOM * (max(starts) or 1)
    ax.set_xlim(0, longest)
    ax.xaxis.set_major_locator(MaxNLocator(_most_steps(ax, longest)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_ylim(max(tops) + 0.5 + GAP, -GAP)
    pitch = canvas.size_points(ax)[1] / (max(tops) + 0.5 + 2 * GAP)
    _name(ax, middles, pitch)
    if pitch * LETTERS_PER_BAR >= canvas.SMALLEST_POINTS:
        letters = min(pitch * LETTERS_PER_BAR, canvas.NOTE_POINTS)
        for y, end in zip(tops, starts, strict=True):
            ax.annotate(
                f"{end:,.{digits}f}", (end, y), (2, 0), textcoords="offset points",
                va="center_baseline", fontsize=letters, color=canvas.INK,
            )  # fmt: skip
    told = {name: colours[label] for label, name in told_apart(colours).items()}
    _legend(ax, parts, told if len(layers_of(results)) > 1 else {})
    canvas.bare(ax)


def _most_steps(ax: "Axes", longest: float) -> int:
    """As many steps of the axis as have room for a figure of this size under each."""
    figure_points = len(f"{longest:,.0f}") * canvas.LETTER_WIDTH * canvas.LABEL_POINTS
    room_points = SHARE_BESIDE_NAMES * canvas.size_points(ax)[0]
    return min(MOST_STEPS, max(1, int(room_points / (figure_points + canvas.LABEL_POINTS))))


def _name(ax: "Axes", middles: Mapping[str, float], pitch: float) -> None:
    """Every name, or every second, third, ... where there is no room for all."""
    names, heights = list(middles), list(middles.values())
    apart = min((b - a for a, b in pairwise(heights)), default=10.0) * pitch
    smallest = canvas.SMALLEST_POINTS / LETTERS_PER_BAR
    every = max(1, -(-int(100 * smallest) // max(1, int(100 * apart))))
    letters = min(apart * every * LETTERS_PER_BAR, 7.0)
    ax.set_yticks(heights[::every], names[::every], fontsize=letters)
    ax.tick_params(axis="y", length=0, pad=2)


def _legend(ax: "Axes", parts: Sequence[Part], colours: Mapping[str, str]) -> None:
    """Schemes by their colour; parts by how strong it is."""
    from matplotlib.patches import Patch

    schemes = [Patch(facecolor=colour, label=name) for name, colour in colours.items()]
    pieces = [
        Patch(facecolor=tint(canvas.KEY, part.share), linewidth=0.3, label=part.name,
              edgecolor="white" if part.hatched else canvas.KEY,
              hatch=HATCH if part.hatched else None)
        for part in parts
    ]  # fmt: skip
    canvas.legends_above(ax, pieces, schemes)


def lengths(values: Iterable[float]) -> dict[int, float]:
    """Values by the number of their run, without those that are nothing."""
    return {index: value for index, value in enumerate(values) if value}
