import dataclasses
import math

import pytest
from matplotlib.figure import Figure

from accelsim.errors import AccelsimError
from accelsim.network.graph_file import parse_network
from accelsim.report.plot import (
    KINDS,
    bandwidth,
    draw,
    heatmap,
    pareto,
    roofline,
    save_figure,
    timeline,
    values,
)
from accelsim.report.plot.pareto import front
from accelsim.report.plot.timeline import joined
from accelsim.result import Bandwidth, Comparison, Points, Span, ValueHistogram, ValueRange
from accelsim.simulation import compare
from tests.report.conftest import SPILL, make_result, make_trace
from tests.report.plot.drawn import outside, overlapping
from tests.simulation.test_networks import TINY

SPANS = (
    Span("load", "load input", "product", 0, 8_000),
    Span("array", "tile 0", "product", 8_000, 80_000),
    Span("load", "load input", "product", 40_000, 48_000),
    Span("store", "store output", "requantize", 80_000, 88_000),
)
VALUES = ValueHistogram(
    -4.0, 0.5, (0, 9, 99, 999, 99, 9, 1, 0), (0, 0, 108, 999, 109, 0, 0, 0), 2, 1,
    ValueRange(-2.75, -1.75),
)  # fmt: skip
MOVED = Bandwidth(50_000, (400_000, 80_000, 8_000), (0, 160_000, 100_000))


@pytest.fixture
def runs():
    return Comparison(
        (
            make_result(spans=SPANS, bandwidth=MOVED, values=VALUES, trace=make_trace(4)),
            make_result(
                "current/spill",
                SPILL,
                179_968,
                spans=SPANS,
                bandwidth=MOVED,
                values=VALUES,
                trace=make_trace(4),
            ),
        )
    )


@pytest.mark.parametrize("kind", KINDS)
def test_axes_go_in_and_come_out(runs, kind):
    axes = Figure((5, 4), layout="constrained").subplots()
    assert KINDS[kind](runs, axes) is axes
    assert all(each.has_data() for each in axes.child_axes or [axes])


@pytest.mark.parametrize("kind", KINDS)
def test_texts_can_be_read_in_a_column(runs, kind):
    (host, *_) = draw(kind, runs).axes
    for axes in host.child_axes or [host]:
        assert overlapping(axes) == []
        assert outside(axes) == []
    assert axes.get_xlabel() or kind in ("traffic", "ranges")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_every_kind_is_saved(runs, kind, suffix, tmp_path):
    path = tmp_path / f"x.{suffix}"
    save_figure(draw(kind, runs), path)
    assert path.read_bytes()[:5] in (b"<?xml", b"%PDF-")


def test_results_draw_themselves(runs):
    axes = Figure().subplots()
    assert runs.plot.traffic(ax=axes) is axes
    assert runs.baseline.plot.latency(ax=axes, unit="array") is axes
    assert dir(runs.plot) == sorted(KINDS)
    with pytest.raises(AttributeError, match="no plot 'pie'; there are traffic, latency"):
        runs.plot.pie()


@pytest.mark.parametrize("kind", ["traffic", "latency", "roofline", "pareto", "heatmap"])
def test_networks_draw_themselves(kind):
    comparison = compare(parse_network(TINY, "tiny"), data=None)
    for data in (comparison, comparison.baseline):
        axes = Figure((5, 4), layout="constrained").subplots()
        assert getattr(data.plot, kind)(ax=axes) is axes
        assert axes.has_data()


def test_a_plot_that_there_is_not_is_refused(runs):
    with pytest.raises(AccelsimError, match="kind='pie': must be one of traffic"):
        draw("pie", runs)
    with pytest.raises(AccelsimError, match="must hold at least one result"):
        draw("traffic", [])


def test_roofline_has_each_run_at_its_place_under_the_roof(runs):
    axes = roofline(runs)
    (roof,) = axes.lines
    assert max(roof.get_ydata()) == 1024
    ridge = list(roof.get_ydata()).index(1024)
    assert roof.get_xdata()[ridge] == 1024 / 16
    for points, result in zip(axes.collections, runs.results, strict=True):
        place = (result.roofline.macs_per_byte, result.roofline.attained_macs_per_cycle)
        assert [tuple(offset) for offset in points.get_offsets()] == [pytest.approx(place)]
        assert points.get_label() == result.scheme
        assert place[1] <= min(1024, 16 * place[0])


def test_front_keeps_what_is_not_beaten():
    points = [(1, 9), (2, 5), (3, 6), (4, 1), (4, 1), (5, 0)]
    assert front(points, (True, True)) == [0, 1, 3, 4, 5]
    assert front(points, (True, False)) == [0]
    assert front(points, (False, True)) == [5]
    assert front([(1, 1), (1, 2)], (True, False)) == [1]


def test_pareto_draws_points_and_front_in_the_units_of_its_axes(runs):
    axes = pareto(runs, x="total_bytes", y="sqnr_db")
    assert axes.get_xlabel() == "DRAM traffic (KB of 1024 bytes)"
    places = [tuple(p.get_offsets()[0]) for p in axes.collections]
    assert places == [pytest.approx((r.total_bytes / 1024, 37.676)) for r in runs.results]
    (line,) = axes.lines
    assert list(line.get_xdata()) == [428.0]


def test_pareto_takes_fields_of_the_machine_as_axes():
    results = [
        make_result(cycles=100_000 + 10_000 * rows, machine={"array": {"rows": rows}})
        for rows in (8, 2, 4)
    ]
    axes = pareto(results, x="array.rows", y="latency_us")
    offsets = axes.collections[0].get_offsets()
    assert [list(offset) for offset in offsets] == [[8, 225], [2, 150], [4, 175]]


def test_points_of_a_study_are_drawn_as_well():
    rows = [
        {"point": n, "scheme": "current", "array.rows": n, "status": "done", "reason": "",
         "total_bytes": 1024 * (5 - n), "latency_us": 10.0 * n}
        for n in (1, 2, 3)
    ]  # fmt: skip
    missing = {"point": 4, "scheme": "current", "array.rows": 9, "status": "missing"}
    study = Points((*rows, missing))
    axes = pareto(study)
    assert [list(o) for o in axes.collections[0].get_offsets()] == [[4, 10], [3, 20], [2, 30]]
    (line,) = axes.lines
    assert list(line.get_xdata()) == [2, 3, 4]
    cells = heatmap(study, x="array.rows", y="scheme").images[0].get_array()
    assert cells.tolist() == [[10, 20, 30]]
    with pytest.raises(AccelsimError, match="data: must be given runs, not points of a study"):
        draw("traffic", study)


def test_figures_that_are_not_there_are_refused(runs):
    with pytest.raises(AccelsimError, match=r"y=pins: must be known of every result; known are"):
        pareto(runs, y="pins")
    with pytest.raises(AccelsimError, match=r"value=layer: must be a number; layer is not"):
        heatmap(runs, value="layer")
    bare = [dataclasses.replace(result, numerics=None) for result in runs.results]
    with pytest.raises(AccelsimError, match="y=sqnr_db: must be known"):
        pareto(bare, y="sqnr_db")


def test_heatmap_has_the_figure_of_each_pair_in_its_cell():
    results = [
        make_result(cycles=80_000 * (rows + 10 * columns),
                    machine={"array": {"rows": rows, "columns": columns}})
        for rows, columns in ((8, 4), (2, 4), (2, 16))
    ]  # fmt: skip
    axes = heatmap(results, x="array.rows", y="array.columns")
    cells = axes.images[0].get_array()
    assert cells[0, 0] == 100 * 42 and cells[0, 1] == 100 * 48 and cells[1, 0] == 100 * 162
    assert cells.mask[1, 1]
    assert [text.get_text() for text in axes.texts] == ["4,200", "4,800", "16,200"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "8"]
    again = make_result(cycles=1, machine={"array": {"rows": 8, "columns": 4}})
    with pytest.raises(AccelsimError, match=r"must be one number for array.rows=8"):
        heatmap([*results, again], x="array.rows", y="array.columns")


def test_timeline_has_each_unit_at_its_cycles(runs):
    axes = timeline(runs)
    drawn = {}
    for bars in axes.collections:
        boxes = [path.get_extents() for path in bars.get_paths()]
        drawn[bars.get_label()] = [(box.x0, box.x1) for box in boxes]
    assert drawn["current/spill load product"] == [(0, 10), (50, 60)]
    assert drawn["in-hindsight/static array product"] == [(10, 100)]
    assert drawn["in-hindsight/static store requantize"] == [(100, 110)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["load", "array", "store"]


def test_pauses_that_cannot_be_seen_are_not_drawn():
    spans = [Span("a", "", "", start, start + 8, ) for start in (0, 9, 40)]  # fmt: skip
    assert joined(spans, 1.0, 1.0) == [(0, 17), (40, 8)]
    assert joined(spans, 1.0, 0.5) == [(0, 8), (9, 8), (40, 8)]


def test_bandwidth_is_bytes_over_the_time_of_the_step(runs):
    axes = bandwidth(runs)
    steps = {patch.get_label(): patch.get_data() for patch in axes.patches}
    last = (116_240 - 100_000) / 800
    load = steps["in-hindsight/static load"]
    peak = 12.8
    base = 1.25
    assert list(load.edges) == pytest.approx([0, 62.5, 125, 145.3])
    rates = [400_000 / 62_500, 80_000 / 62_500, 8_000 / (1000 * last)]
    assert list(load.values) == pytest.approx([base + rate / peak for rate in rates])
    both = steps["in-hindsight/static store"]
    assert both.values[1] == pytest.approx(base + (240_000 / 62_500) / peak)
    assert list(both.baseline) == pytest.approx(list(load.values))


def test_values_are_counts_on_one_logarithmic_scale_with_the_ends_of_the_grid(runs):
    axes = values(runs)
    steps = {patch.get_label(): patch.get_data() for patch in axes.patches}
    for label, base in (("in-hindsight/static", 1.3), ("current/spill", 0)):
        for side, counts in (("before", VALUES.before), ("after", VALUES.after)):
            drawn = steps[f"{label} {side}"]
            assert list(drawn.edges) == [-4 + number / 2 for number in range(9)]
            heights = [base + math.log10(1 + count) / math.log10(1000) for count in counts]
            assert list(drawn.values) == pytest.approx(heights)
    ends = sorted({line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"})
    assert ends == [-2.75, -1.75]
    assert axes.texts[0].get_text() == "in-hindsight/static, 0.00498% saturated"


@pytest.mark.parametrize("kind", ["timeline", "bandwidth", "pareto", "values"])
def test_some_plots_are_of_one_layer(runs, kind):
    other = make_result(layer="fc", spans=SPANS, bandwidth=MOVED, values=VALUES)
    with pytest.raises(AccelsimError, match=f"{kind}: must be given the runs of one layer, has"):
        draw(kind, [runs, other])


@pytest.mark.parametrize(
    ("kind", "what"), [("timeline", "spans"), ("bandwidth", "a bandwidth"), ("values", "values")]
)
def test_what_was_not_recorded_is_not_drawn(comparison, kind, what):
    with pytest.raises(AccelsimError, match=f"must have {what}"):
        draw(kind, comparison)
