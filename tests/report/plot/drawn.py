"""What a figure shows: where its texts stand, and whether any two are in each other's way."""

from matplotlib.backends.backend_agg import FigureCanvasAgg


def boxes(axes):
    """Every visible text of the axes, its tick labels and its legends, with its box."""
    figure = axes.get_figure(root=True)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [*axes.texts, *_tick_labels(axes), axes.xaxis.label, axes.yaxis.label]
    legends = [c for c in axes.get_children() if type(c).__name__ == "Legend"]
    texts += [text for legend in legends for text in legend.get_texts()]
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in texts
        if text.get_visible() and text.get_text().strip()
    ]


def _tick_labels(axes):
    """Those of ticks inside the axes; the others are never drawn, and an axis may have none."""
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False):
            if min(low, high) <= place <= max(low, high):
                yield label


def overlapping(axes):
    """Pairs of texts that stand on each other; a hair's breadth is none."""
    found = boxes(axes)
    return [
        (a, b)
        for i, (a, box) in enumerate(found)
        for b, other in found[:i]
        if box.shrunk(0.96, 0.8).overlaps(other.shrunk(0.96, 0.8))
    ]


def crossed(axes):
    """Names beside points through which a line goes, or on which a point lies."""
    found = dict(boxes(axes))
    lines = [line.get_transform().transform_path(line.get_path()) for line in axes.lines]
    points = [axes.transData.transform(o) for c in axes.collections for o in c.get_offsets()]
    return [
        text.get_text()
        for text in axes.texts
        if any(line.intersects_bbox(found[text.get_text()], filled=False) for line in lines)
        or any(found[text.get_text()].contains(*point) for point in points)
    ]


def outside(axes):
    """Texts that the figure cuts off."""
    figure = axes.get_figure(root=True)
    width, height = figure.get_size_inches() * figure.dpi
    return [
        text
        for text, box in boxes(axes)
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
