import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from accelsim.errors import AccelsimError
from accelsim.report.palette import CURRENT, IN_HINDSIGHT
from accelsim.report.plots import plot_comparison, plot_time, plot_traffic, save_figure
from accelsim.result import Comparison
from tests.report.conftest import make_result


def heights(axes):
    """Heights of the stacked bars by name, one list per bar position."""
    bars = {}
    for container in axes.containers:
        (bar,) = container
        bars.setdefault(round(bar.get_x(), 6), {})[container.get_label()] = bar.get_height()
    return [bars[x] for x in sorted(bars)]


def test_bar_heights_are_the_bytes_of_the_results(comparison, static, spill):
    axes = Figure().subplots()
    assert plot_traffic(comparison, axes) is axes
    for bars, result in zip(heights(axes), (static, spill), strict=True):
        assert bars == {
            f"{row.tensor} {row.direction}": pytest.approx(row.bytes / 1024)
            for row in result.traffic
        }
        assert sum(bars.values()) == pytest.approx(result.total_bytes / 1024)


def test_bars_stand_on_one_another(comparison):
    axes = plot_traffic(comparison, Figure().subplots())
    top = {}
    for container in axes.containers:
        (bar,) = container
        x = round(bar.get_x(), 6)
        assert bar.get_y() == pytest.approx(top.get(x, 0))
        top[x] = bar.get_y() + bar.get_height()


def test_the_written_totals_are_those_of_the_results(comparison):
    axes = plot_traffic(comparison, Figure().subplots())
    texts = [text.get_text() for text in axes.texts]
    assert "428.0" in texts and "1,996.0" in texts and "accumulators load 784.0" in texts


def test_bar_widths_are_the_cycles_of_the_units_in_microseconds(comparison, static, spill):
    axes = Figure().subplots()
    assert plot_time(comparison, axes) is axes
    found = {container.get_label(): container for container in axes.containers}
    for result in (static, spill):
        for state in ("busy", "starved", "blocked", "idle"):
            widths = [bar.get_width() for bar in found[f"{result.scheme} {state}"]]
            cycles = [getattr(unit, f"{state}_cycles") for unit in result.units]
            assert widths == [pytest.approx(count / 800) for count in cycles]


def test_a_scheme_has_one_colour_in_both_plots(comparison):
    from matplotlib.colors import to_hex

    left, right = plot_comparison(comparison).axes
    colours = [to_hex(label.get_color()).upper() for label in left.get_xticklabels()]
    assert colours == [IN_HINDSIGHT, CURRENT]
    busy = [c for c in right.containers if c.get_label().endswith("busy")]
    assert [to_hex(c[0].get_facecolor()).upper() for c in busy] == colours


def test_labels_beside_a_bar_do_not_overlap(comparison):
    figure = plot_comparison(comparison)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    texts = [text.get_text() for text in figure.axes[0].texts]
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes[:i]):
            assert not a.shrunk(0.98, 0.7).overlaps(b.shrunk(0.98, 0.7)), (texts[i], texts[j])


@pytest.mark.parametrize("count", [1, 3, 5])
def test_any_number_of_schemes_is_drawn(count, tmp_path):
    results = tuple(make_result(f"in-hindsight:momentum=0.{n}/static") for n in range(count))
    save_figure(plot_comparison(Comparison(results)), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_comparison_gives_the_same_file(comparison, tmp_path, suffix):
    for name in ("a", "b"):
        save_figure(plot_comparison(comparison), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["x.gif", "x", "x.png.txt"])
def test_other_formats_are_refused(comparison, tmp_path, name):
    with pytest.raises(AccelsimError, match=r"must end in one of \.png, \.svg, \.pdf"):
        save_figure(plot_comparison(comparison), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
