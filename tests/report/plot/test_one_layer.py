import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from accelsim.errors import AccelsimError
from accelsim.report.palette import CURRENT, IN_HINDSIGHT
from accelsim.report.plot import latency, overview, save_figure, traffic
from accelsim.result import Comparison
from tests.report.conftest import make_result
from tests.report.plot.drawn import overlapping


def heights(axes):
    """Heights of the stacked bars by name, one list per bar position."""
    bars = {}
    for container in axes.containers:
        (bar,) = container
        bars.setdefault(round(bar.get_x(), 6), {})[container.get_label()] = bar.get_height()
    return [bars[x] for x in sorted(bars)]


def test_bar_heights_are_the_bytes_of_the_results(comparison, static, spill):
    axes = Figure().subplots()
    assert traffic(comparison, axes) is axes
    for bars, result in zip(heights(axes), (static, spill), strict=True):
        assert bars == {
            f"{row.tensor} {row.direction}": pytest.approx(row.bytes / 1024)
            for row in result.traffic
        }
        assert sum(bars.values()) == pytest.approx(result.total_bytes / 1024)


def test_bars_stand_on_one_another(comparison):
    axes = traffic(comparison)
    top = {}
    for container in axes.containers:
        (bar,) = container
        x = round(bar.get_x(), 6)
        assert bar.get_y() == pytest.approx(top.get(x, 0))
        top[x] = bar.get_y() + bar.get_height()


def test_the_written_totals_are_those_of_the_results(comparison):
    texts = [text.get_text() for text in traffic(comparison).texts]
    assert "428.0" in texts and "1,996.0" in texts and "accumulators load 784.0" in texts


def test_bar_widths_are_the_cycles_of_the_units_in_microseconds(comparison, static, spill):
    axes = Figure().subplots()
    assert latency(comparison, axes) is axes
    found = {container.get_label(): container for container in axes.containers}
    for result in (static, spill):
        for state in ("busy", "starved", "blocked", "idle"):
            widths = [bar.get_width() for bar in found[f"{result.scheme} {state}"]]
            cycles = [getattr(unit, f"{state}_cycles") for unit in result.units]
            assert widths == [pytest.approx(count / 800) for count in cycles]


def test_the_share_of_busy_time_is_written_at_each_bar(comparison):
    texts = [text.get_text() for text in latency(comparison).texts]
    assert texts == ["14%", "97%", "9%", "63%"]


def test_a_scheme_has_one_colour_in_both_plots(comparison):
    left, right = overview(comparison).axes
    colours = [to_hex(label.get_color()).upper() for label in left.get_xticklabels()]
    assert colours == [IN_HINDSIGHT, CURRENT]
    busy = [c for c in right.containers if c.get_label().endswith("busy")]
    assert [to_hex(c[0].get_facecolor()).upper() for c in busy] == colours


def test_no_text_stands_on_another(comparison):
    for axes in overview(comparison).axes:
        assert overlapping(axes) == []
    assert overlapping(traffic(comparison)) == []
    assert overlapping(latency(comparison)) == []


def test_many_schemes_lie_under_each_other_on_one_page():
    many = Comparison(tuple(make_result(f"in-hindsight:momentum=0.{n}/static") for n in range(40)))
    figure = overview(many)
    assert figure.get_figwidth() == 7
    for axes in figure.axes:
        assert len(axes.get_yticklabels()) == 40
        assert overlapping(axes) == []


def test_names_too_long_to_stand_beside_a_bar_have_a_legend(static, spill):
    assert [label.get_text() for label in traffic([static, spill]).get_yticklabels()][-1].isdigit()
    axes = traffic([spill, static])
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["current/spill", "in-hindsight/static"]


def test_of_many_schemes_a_layer_has_one_line_each_for_its_time():
    results = [make_result(f"mine:x={n}/static") for n in range(7)]
    assert len(latency(results[:6]).get_yticklabels()) == len(results[0].units)
    assert len(latency(results).get_yticklabels()) == 7


def test_many_schemes_of_one_layer_have_a_line_each():
    names = [f"in-hindsight:momentum=0.{n}/static" for n in range(7)]
    axes = traffic([make_result(name) for name in names])
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    assert overlapping(axes) == []


@pytest.mark.parametrize("count", [1, 3, 5])
def test_any_number_of_schemes_is_drawn(count, tmp_path):
    results = tuple(make_result(f"in-hindsight:momentum=0.{n}/static") for n in range(count))
    save_figure(overview(Comparison(results)), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_comparison_gives_the_same_file(comparison, tmp_path, suffix):
    for name in ("a", "b"):
        save_figure(overview(comparison), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["x.gif", "x", "x.png.txt"])
def test_other_formats_are_refused(comparison, tmp_path, name):
    with pytest.raises(AccelsimError, match=r"must end in one of \.png, \.svg, \.pdf"):
        save_figure(overview(comparison), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
