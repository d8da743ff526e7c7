from dataclasses import replace

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from accelsim.errors import AccelsimError
from accelsim.report.palette import CURRENT, IN_HINDSIGHT
from accelsim.report.plot import draw, figure_bytes, ranges
from accelsim.report.plot.ranges import _decades
from accelsim.result import Comparison, Trace, ValueRange
from tests.report.conftest import make_result, make_trace
from tests.report.plot.drawn import boxes


def moving(scales, disturbances=()):
    """Steps whose range observed has these sizes, and whose range used lags one step."""
    steps = []
    for row, scale, before in zip(
        make_trace(len(scales)).steps, scales, [1, *scales], strict=False
    ):
        numerics = replace(
            row.numerics,
            range_observed=ValueRange(-1.0 * scale, 2.0 * scale),
            range_used=ValueRange(-1.0 * before, 2.0 * before),
            saturated_share=0.01 * row.step,
        )
        steps.append(replace(row, numerics=numerics))
    return Trace(tuple(steps), disturbances)


def run(scheme, scales=(1, 2, 3, 4), disturbances=()):
    return make_result(scheme, trace=moving(scales, disturbances))


def panels(ax):
    """The pairs (range, share) of axes, panel by panel."""
    children = ax.child_axes
    return [(children[i + 1], children[i]) for i in range(0, len(children), 2)]


def test_each_scheme_has_a_panel_of_what_was_used_over_what_was_observed():
    ax = ranges([run("in-hindsight/static"), run("current/spill", (4, 3, 2, 1))])
    (one, share), (other, _) = panels(ax)
    assert [one.get_title(), other.get_title()] == ["in-hindsight/static", "current/spill"]
    upper, lower = (line.get_ydata().tolist() for line in one.lines[:2])
    assert upper == [2, 2, 4, 6] and lower == [-1, -1, -2, -3]
    box = one.collections[0].get_datalim(one.transData)
    assert (box.y0, box.y1) == (-4, 8)
    colours = [to_hex(panel.lines[0].get_color()).upper() for panel in (one, other)]
    assert colours == [IN_HINDSIGHT, CURRENT]
    assert share.collections[0].get_datalim(share.transData).y1 == pytest.approx(3)
    assert one.get_ylim() == other.get_ylim()


def test_realisations_that_used_the_same_ranges_share_a_panel():
    same, other = ["current/spill", "current/lazy", "current/recompute"], "current/spill16"
    ax = ranges([*map(run, same), run(other, (1, 2, 3, 5))])
    assert [one.get_title() for one, _ in panels(ax)] == ["current/spill and 2 more", other]


def test_disturbances_are_dotted_in_both_halves():
    ((upper, lower),) = panels(ranges(run("a/static", disturbances=(2,))))
    for one in (upper, lower):
        assert [line.get_xdata()[0] for line in one.lines if line.get_linestyle() == ":"] == [2]


def test_ranges_of_many_sizes_are_drawn_on_a_logarithmic_scale():
    ((near, _),) = panels(ranges(run("a/static", (1, 2, 3))))
    ((far, _),) = panels(ranges(run("a/static", (1, 0.1, 0.01, 0.001))))
    assert (near.get_yscale(), far.get_yscale()) == ("linear", "symlog")
    assert _decades(1e-4, 3.0) == [-1, -0.01, 0, 0.01, 1]
    assert _decades(1.0, 30.0) == [-10, 0, 10]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_any_number_of_panels_has_names_that_do_not_overlap(count):
    names = [f"in-hindsight:momentum=0.{n}/static" for n in range(count)]
    data = Comparison(tuple(run(name, (1, 2, 3, 4 + n)) for n, name in enumerate(names)))
    figure = draw("ranges", data)
    found = []
    for panel in panels(figure.axes[0]):
        found += [box for axes in panel for box in boxes(axes)]
        found.append((panel[0].get_title(), panel[0].title.get_window_extent()))
    pairs = [
        (a, b)
        for i, (a, box) in enumerate(found)
        for b, other in found[:i]
        if box.shrunk(0.96, 0.8).overlaps(other.shrunk(0.96, 0.8))
    ]
    assert not pairs
    assert figure_bytes(draw("ranges", data), "svg") == figure_bytes(draw("ranges", data), "svg")


def test_it_is_drawn_into_axes_of_yours():
    ax = Figure().subplots()
    assert ranges(run("a/static"), ax=ax) is ax
    assert len(ax.child_axes) == 2


def test_a_step_of_zeros_alone_is_drawn():
    assert panels(ranges(run("a/static", (0, 0, 0))))


def test_runs_without_values_have_no_ranges():
    with pytest.raises(AccelsimError, match="ranges: must be given runs with values"):
        ranges(make_result())


def test_the_steps_until_the_range_is_back_are_shaded():
    calm = dict.fromkeys(range(9), 0.9033)
    late = calm | {4: 0.1, 5: 1.8}
    never = calm | dict.fromkeys(range(4, 9), 3.0)
    for staleness, shaded in ((late, (3.5, 5.5)), (never, (3.5, 8.5)), (calm, None)):
        steps = tuple(
            replace(row, numerics=replace(row.numerics, range_staleness=staleness[row.step]))
            for row in moving([1] * 9).steps
        )
        ax = ranges(make_result("in-hindsight/static", trace=Trace(steps, (4,))))
        ((upper, _),) = panels(ax)
        spans = [(p.get_x(), p.get_x() + p.get_width()) for p in upper.patches]
        assert spans == ([shaded] if shaded else [])
        assert "until the range is back" in [t.get_text() for t in ax.get_legend().get_texts()]
