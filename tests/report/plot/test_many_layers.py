"""Sixty layers under two schemes: every number is drawn, every name can be read."""

import pytest
from matplotlib.figure import Figure

from accelsim.report.plot import heatmap, latency, roofline, traffic
from accelsim.report.plot.canvas import COLUMN_INCHES
from accelsim.result import UnitTime
from tests.report.conftest import SPILL, STATIC, make_result
from tests.report.plot.drawn import crossed, outside, overlapping


def layer(number, scheme, rows):
    """A layer of its own size: `number` tells every figure of it."""
    cycles = 100_000 + 1_000 * number + (50_000 if rows is SPILL else 0)
    busy = 60_000 + 500 * number
    return make_result(
        scheme,
        cycles=cycles,
        layer=f"features.{number}.conv.{number % 3}.0",
        traffic=tuple((*row[:3], row[3] * (1 + number) // 7) for row in rows),
        units=(UnitTime("array", busy, 20_000, 10_000, cycles - busy - 30_000),),
    )


@pytest.fixture(scope="module")
def sixty():
    return [
        layer(number, scheme, rows)
        for number in range(60)
        for scheme, rows in (("in-hindsight/static", STATIC), ("current/spill", SPILL))
    ]


def lengths(axes, count):
    """Length of each piece by its name and the number of its bar from the top."""
    found = {}
    tops = sorted({round(b.get_y() + b.get_height() / 2, 6) for c in axes.containers for b in c})
    assert len(tops) == count
    for container in axes.containers:
        for bar in container:
            row = tops.index(round(bar.get_y() + bar.get_height() / 2, 6))
            found[row, container.get_label()] = bar.get_width()
    return found


def test_every_piece_is_the_bytes_of_its_tensor(sixty):
    found = lengths(traffic(sixty), len(sixty))
    for row, result in enumerate(sixty):
        for tensor in ("input", "weights", "output"):
            drawn = found.get((row, tensor), 0)
            assert drawn == pytest.approx(result.bytes_of(tensor) / 1024), (row, tensor)
        for way in ("store", "load"):
            drawn = found.get((row, f"accumulators {way.removesuffix('e')}ed"), 0)
            moved = result.bytes_of("accumulators", way)
            assert drawn == pytest.approx(moved / 1024), (row, way)
            assert moved or result.scheme == "in-hindsight/static"


def test_every_piece_is_the_time_of_the_array_in_that_state(sixty):
    found = lengths(latency(sixty), len(sixty))
    for row, result in enumerate(sixty):
        for state in ("busy", "starved", "blocked", "idle"):
            cycles = getattr(result.unit("array"), f"{state}_cycles")
            assert found[row, state] == pytest.approx(cycles / result.clock_mhz)


@pytest.mark.parametrize(("draw", "digits"), [(traffic, 0), (latency, 1)])
def test_every_bar_has_its_value_and_every_layer_its_name(sixty, draw, digits):
    axes = draw(sixty)
    ends = [r.total_bytes / 1024 if draw is traffic else r.latency_us for r in sixty]
    assert [text.get_text() for text in axes.texts] == [f"{end:,.{digits}f}" for end in ends]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [result.layer for result in sixty[::2]]


@pytest.mark.parametrize("draw", [traffic, latency, roofline, heatmap])
def test_nothing_overlaps_and_nothing_is_cut_off(sixty, draw):
    axes = draw(sixty)
    assert overlapping(axes) == []
    assert outside(axes) == []
    assert axes.get_figure(root=True).get_size_inches()[0] == COLUMN_INCHES == 3.3


def test_no_line_and_no_point_of_the_roofline_crosses_a_name(sixty):
    axes = roofline(sixty)
    assert 3 < len(axes.texts) < 60
    assert crossed(axes) == []


@pytest.mark.parametrize("draw", [traffic, latency, heatmap])
@pytest.mark.parametrize("size", [(3.5, 2.6), (7, 5)])
def test_axes_that_are_too_small_leave_texts_out(sixty, draw, size):
    axes = Figure(size, layout="constrained").subplots()
    assert draw(sixty, axes) is axes
    assert overlapping(axes) == []


def test_the_unit_that_splits_the_time_can_be_chosen(sixty):
    from accelsim.errors import AccelsimError

    with pytest.raises(AccelsimError, match="unit='dram': must be one of array"):
        latency(sixty, unit="dram")


def test_a_legend_of_all_tensors_ends_where_the_bars_end(sixty):
    axes = traffic(sixty)
    figure = axes.get_figure(root=True)
    figure.canvas.draw()
    legends = [child for child in axes.get_children() if type(child).__name__ == "Legend"]
    assert len(legends) == 2
    assert all(legend.get_window_extent().x1 <= axes.bbox.x1 + 1 for legend in legends)
