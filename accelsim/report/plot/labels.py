"""Names beside points, as many as there is room for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.report.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_SIDES = (
    (5, 0, "left", "center"), (0, 5, "center", "bottom"), (-5, 0, "right", "center"),
    (0, -5, "center", "top"), (4, 4, "left", "bottom"), (4, -4, "left", "top"),
    (-4, 4, "right", "bottom"), (-4, -4, "right", "top"),
)  # fmt: skip


def put_labels(ax: "Axes", places: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Each name once, at the first side of its point that is free; names without room are left out.

    The figure is laid out for it: what is drawn afterwards must not change the size of the axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    figure = ax.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    area = ax.get_window_extent(renderer)
    unit = renderer.points_to_pixels(1)
    taken = []
    for place in places:
        x, y = ax.transData.transform(place)
        taken.append(Bbox.from_bounds(x - 2.5 * unit, y - 2.5 * unit, 5 * unit, 5 * unit))
    seen = set()
    for place, name in zip(places, names, strict=True):
        if name in seen:
            continue
        if box := _put(ax, place, name, area, taken):
            taken.append(box)
            seen.add(name)


def _put(
    ax: "Axes", place: tuple[float, float], name: str, area: "Bbox", taken: Sequence["Bbox"]
) -> "Bbox | None":
    """Write the name at the first free side; where it stands now, or None where it does not."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = ax.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()
    for dx, dy, ha, va in _SIDES:
        text = ax.annotate(
            name, place, (dx, dy), textcoords="offset points", ha=ha, va=va,
            fontsize=5.5, color=canvas.INK,
        )  # fmt: skip
        box = text.get_window_extent(renderer)
        inside = area.x0 <= box.x0 and box.x1 <= area.x1 and area.y0 <= box.y0 and box.y1 <= area.y1
        if inside and not any(box.overlaps(other) for other in taken):
            return box
        text.remove()
    return None
