"""Names beside points, as many as there is room for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.report.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.lines import Line2D
    from matplotlib.path import Path
    from matplotlib.transforms import Bbox

Places = Sequence[tuple[float, float]]

_SIDES = (
    (5, 0, "left", "center"), (0, 5, "center", "bottom"), (-5, 0, "right", "center"),
    (0, -5, "center", "top"), (4, 4, "left", "bottom"), (4, -4, "left", "top"),
    (-4, 4, "right", "bottom"), (-4, -4, "right", "top"),
)  # fmt: skip
POINT_SIZE = 5.0
"""What a point takes, in points of print."""


def put_labels(ax: "Axes", places: Places, names: Sequence[str], others: Places = ()) -> None:
    """Each name once, at the first side of its point that is free; names without room are left out.

    A name stands on no point, on none of the `others`, on no other name and on no line of the axes.
    The figure is laid out for it: what is drawn afterwards must not change the size of the axes.
    """
    from matplotlib.transforms import Bbox

    renderer = _laid_out(ax)
    size = renderer.points_to_pixels(POINT_SIZE)
    corners = (ax.transData.transform(place) - size / 2 for place in (*places, *others))
    taken = [Bbox.from_bounds(x, y, size, size) for x, y in corners]
    lines = [_drawn(line) for line in ax.lines]
    seen = set()
    for place, name in zip(places, names, strict=True):
        if name in seen:
            continue
        if box := _put(ax, place, name, taken, lines):
            taken.append(box)
            seen.add(name)


def _laid_out(ax: "Axes") -> "RendererAgg":
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas.lay_out(ax)
    figure = ax.get_figure(root=True)
    renderer: RendererAgg = FigureCanvasAgg(figure).get_renderer()
    return renderer


def _drawn(line: "Line2D") -> "Path":
    """The way of a line over the figure, with the corners of its steps."""
    from matplotlib.cbook import STEP_LOOKUP_MAP
    from matplotlib.path import Path

    corners = STEP_LOOKUP_MAP[line.get_drawstyle()](*line.get_data())
    return line.get_transform().transform_path(Path(list(zip(*corners, strict=True))))


def _put(
    ax: "Axes",
    place: tuple[float, float],
    name: str,
    taken: Sequence["Bbox"],
    lines: Sequence["Path"],
) -> "Bbox | None":
    """Write the name at the first free side; where it stands now, or None where it does not."""
    area = ax.get_window_extent()
    for dx, dy, ha, va in _SIDES:
        text = ax.annotate(
            name, place, (dx, dy), textcoords="offset points", ha=ha, va=va,
            fontsize=5.5, color=canvas.INK,
        )  # fmt: skip
        box = text.get_window_extent()
        inside = area.x0 <= box.x0 and box.x1 <= area.x1 and area.y0 <= box.y0 and box.y1 <= area.y1
        free = not any(box.overlaps(other) for other in taken)
        if inside and free and not any(line.intersects_bbox(box, filled=False) for line in lines):
            return box
        text.remove()
    return None
