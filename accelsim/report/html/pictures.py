"""Plots as inline SVG: in the page's colours, light and dark, with values on hover."""

import re
from collections.abc import Callable, Iterator
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.report.plot import Data, canvas, draw, figure_bytes, network_overview
from accelsim.result import NetworkComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "traffic": "DRAM traffic by tensor",
    "latency": "Time, and how it was spent",
    "roofline": "Roofline",
    "ranges": "Ranges used and observed",
    "values": "Values before and after quantization",
    "bandwidth": "DRAM bandwidth over time",
    "timeline": "The units over time",
}
"""The plots of a report, in order; a plot whose data the results lack is left out."""
OVERVIEW = "Traffic and time of the whole network"
BROAD = ("ranges", "timeline")

_NOT_NEEDED = r"<metadata>.*?</metadata>|<!--.*?-->| xmlns(:xlink)?=\"[^\"]*\""

_COLOURS = {
    "#ffffff": "var(--paper)", "#000000": "var(--ink)", "#333333": "var(--ink)",
    "#8a8a8a": "var(--quiet)",
}  # fmt: skip


def plots(data: Data | NetworkComparison, progress: Callable[[int, int], None]) -> str:
    """Every plot that there is data for, side by side; a broad one has the page's width."""
    figures = dict(_figures(data, progress))
    first = figures.pop("overview", "")
    narrow = "".join(figure for kind, figure in figures.items() if kind not in BROAD)
    wide = "".join(figure for kind, figure in figures.items() if kind in BROAD)
    return f'{first}<div class="plots">{narrow}</div>{wide}'


def _figures(
    data: Data | NetworkComparison, progress: Callable[[int, int], None]
) -> Iterator[tuple[str, str]]:
    if isinstance(data, NetworkComparison) and len(data.results) > 2:
        picture = svg_of("overview", network_overview(data), OVERVIEW)
        yield "overview", _framed("overview", OVERVIEW, picture, wide=True)
    for done, (kind, title) in enumerate(TITLES.items()):
        progress(done, len(TITLES))
        try:
            picture = svg_of(kind, draw(kind, data), title)
        except AccelsimError:
            continue
        yield kind, _framed(kind, title, picture, wide=kind in BROAD)


def _framed(name: str, title: str, picture: str, *, wide: bool) -> str:
    if wide:
        picture = (
            f'<div class="wide" tabindex="0" role="region" aria-label="{title}">{picture}</div>'
        )
    return f'<figure id="plot-{name}"><figcaption>{title}</figcaption>{picture}</figure>'


def svg_of(name: str, figure: "Figure", title: str) -> str:
    """A figure as an element of a page; `name` keeps its ids apart from those of others."""
    hovers = dict(_marked(figure))
    svg = figure_bytes(figure, "svg", letters=True).decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(_NOT_NEEDED, "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in _COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = svg.replace(f"stroke: {canvas.KEY}", "stroke: var(--quiet)")
    for mark, texts in hovers.items():
        svg = _with_titles(svg, mark, texts)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def _marked(figure: "Figure") -> Iterator[tuple[str, list[str]]]:
    """Give every bar and every cloud of points an id; the ids with what hovering tells."""
    numbers = count()
    for ax in figure.axes:
        for container in ax.containers:
            across = getattr(container, "orientation", "vertical") == "horizontal"
            for bar in container:
                mark = f"mark{next(numbers)}-"
                bar.set_gid(mark)
                length = bar.get_width() if across else bar.get_height()
                own = str(bar.get_label())
                label = container.get_label() if own.startswith("_") else own
                yield mark, [f"{label}: {length:,.6g}"]
        for cloud in ax.collections:
            label = str(cloud.get_label())
            if not label.startswith("_"):
                mark = f"mark{next(numbers)}-"
                cloud.set_gid(mark)
                offsets: Any = cloud.get_offsets()
                yield mark, [f"{label}: {x:,.6g}, {y:,.6g}" for x, y in offsets]


def _with_titles(svg: str, mark: str, texts: list[str]) -> str:
    """The group of this id with a title, or, for a cloud, each of its points."""
    start = svg.index(f'<g id="{mark}">')
    stop = _end_of_group(svg, start)
    group = svg[start:stop]
    if len(texts) > 1 or "<use " in group:
        left = iter(texts)
        named = re.sub(
            r"(<use [^>]*)/>",
            lambda use: f"{use[1]}><title>{escape(next(left, texts[0]))}</title></use>",
            group,
        )
    else:
        named = group.replace(">", f"><title>{escape(texts[0].partition(': 0, 0')[0])}</title>", 1)
    return svg[:start] + named + svg[stop:]


def _end_of_group(svg: str, start: int) -> int:
    """Where the group that begins at `start` is closed."""
    depth = 0
    for tag in re.compile(r"<(/?)g\b").finditer(svg, start):
        depth += -1 if tag[1] else 1
        if not depth:
            return tag.start()
    raise AssertionError("a group without an end")
