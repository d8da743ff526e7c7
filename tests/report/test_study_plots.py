"""Plots of studies: what is drawn is what the rows say."""

import pytest

from accelsim.errors import AccelsimError
from accelsim.report.plot.canvas import figure_bytes
from accelsim.report.plot.study import study_plot
from accelsim.report.plot.titles import title_of

ROWS = [
    {"point": n, "scheme": scheme, "lanes": lanes, "layer": layer, "cycles": cycles, "e": 1.5 * n}
    for n, (scheme, lanes, layer, cycles) in enumerate(
        [
            ("static", 1, "a", 100), ("static", 1, "b", 300), ("static", 4, "a", 50),
            ("static", 4, "b", 150), ("spill", 1, "a", 200), ("spill", 1, "b", 600),
            ("spill", 4, "a", 150), ("spill", 4, "b", None),
        ]
    )
]  # fmt: skip


def lines(plot, rows=ROWS):
    (ax,) = study_plot(rows, {"kind": "lines", "x": "lanes", "y": "cycles"} | plot).axes
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def test_layers_are_summed_and_a_place_with_a_failed_layer_is_left_out():
    assert lines({"series": "scheme"}) == {
        "static": ([1, 4], [400, 200]),
        "spill": ([1], [800]),
    }


def test_mean_and_max_are_other_ways_to_combine():
    assert lines({"series": "scheme", "combine": "mean"})["static"] == ([1, 4], [200, 100])
    assert lines({"series": "scheme", "combine": "max"})["static"] == ([1, 4], [300, 150])


def test_relative_to_divides_by_the_row_that_differs_in_that_alone():
    relative = lines({"series": "scheme", "relative_to": {"scheme": "static"}})
    assert relative == {"static": ([1, 4], [1, 1]), "spill": ([1], [2])}
    of_lanes = lines({"only": {"scheme": "static"}, "relative_to": {"lanes": 4}})
    assert of_lanes == {"_child0": ([1, 4], [2, 1])}


def test_the_figure_says_what_is_the_same_at_all_points():
    rows = [
        {"point": n, "hardware": "edge", "lanes": n, "status": "done", "cycles": 5} for n in (1, 2)
    ]
    plot = {"kind": "lines", "x": "lanes", "y": "cycles"}
    assert study_plot(rows, plot, "Why?").get_suptitle() == "Why?\n(hardware edge)"


def test_cells_of_ratios_have_equally_many_digits_and_counts_none():
    def texts(values):
        rows = [{"point": 0, "a": n, "b": 0, "v": value} for n, value in enumerate(values)]
        figure = study_plot(rows, {"kind": "heatmap", "x": "a", "y": "b", "value": "v"})
        return [text.get_text() for text in figure.axes[0].texts]

    assert texts([1.0, 0.05, 1.3]) == ["1.00", "0.05", "1.30"]
    assert texts([1, 40]) == ["1", "40"]
    assert texts([0.001, 1.25]) == ["0.001", "1.25"]


def test_the_base_need_not_be_drawn():
    drawn = lines({"only": {"scheme": "spill", "layer": "a"}, "relative_to": {"scheme": "static"}})
    assert drawn == {"_child0": ([1, 4], [2, 3])}


def test_a_scatter_has_a_dot_for_each_and_subtracts():
    plot = {
        "kind": "scatter", "x": "e", "y": "cycles", "each": ["layer", "lanes"],
        "only": {"scheme": "spill"}, "minus": {"scheme": "static"}, "diagonal": True,
    }  # fmt: skip
    (ax,) = study_plot(ROWS, plot).axes
    dots = sorted(map(tuple, ax.collections[0].get_offsets().tolist()))
    assert dots == [(6.0, 100.0), (7.5, 300.0), (9.0, 100.0)]


def test_a_heatmap_has_a_cell_for_each_pair():
    plot = {"kind": "heatmap", "x": "lanes", "y": "layer", "value": "cycles"}
    figure = study_plot(ROWS, plot | {"only": {"scheme": "static"}}, "What is it?")
    assert figure.axes[0].images[0].get_array().tolist() == [[100, 50], [300, 150]]
    assert figure.get_suptitle() == "What is it?"


def test_a_pareto_plot_marks_its_front():
    plot = {"kind": "pareto", "x": "cycles", "y": "e", "series": "scheme"}
    (ax,) = study_plot([row for row in ROWS if row["cycles"]], plot).axes
    (front,) = ax.lines
    assert list(front.get_xdata()) == [50, 100]


def test_several_plots_stand_side_by_side_and_are_the_same_bytes_each_time():
    plots = [{"kind": "lines", "x": "lanes", "y": "cycles", "title": name} for name in "ab"]
    first, again = (figure_bytes(study_plot(ROWS, plots), "svg") for _ in range(2))
    assert first == again
    assert len(study_plot(ROWS, plots).axes) == 2


@pytest.mark.parametrize(
    ("plot", "message"),
    [
        ({"kind": "pie"}, "plot.kind='pie': must be one of lines, heatmap, scatter, pareto"),
        ({"kin": "lines"}, "plot.kin: unknown field"),
        ({"kind": "lines", "x": "lanes"}, "plot.y: must name a column"),
        ({"kind": "lines", "x": "lanes", "y": "cycle"}, "no column 'cycle'; there is cycles"),
        ({"kind": "lines", "x": "lanes", "y": "layer"}, "plot: layer='a' is no number"),
        ({"kind": "lines", "x": "lanes", "y": "e", "only": {"scheme": "x"}}, "plot.only=.*no row"),
        ({"kind": "lines", "x": "lanes", "y": "e", "combine": "min"}, "plot.combine='min': must"),
        (
            {"kind": "lines", "x": "lanes", "y": "e", "relative_to": {"scheme": "x"}},
            "plot.relative_to=.*no row is like that",
        ),
        ([], "plot: the study's file describes none"),
    ],
)
def test_a_plot_that_cannot_be_is_one_line(plot, message):
    with pytest.raises(AccelsimError, match=message):
        study_plot(ROWS, plot)


def test_no_rows_are_one_line():
    with pytest.raises(AccelsimError, match="the study has no points"):
        study_plot([], {"kind": "lines", "x": "a", "y": "b"})


@pytest.mark.parametrize(
    ("column", "title"),
    [
        ("total_bytes", "DRAM traffic (KB of 1024 bytes)"),
        ("total_bytes.grad-input", "DRAM traffic, grad-input (KB of 1024 bytes)"),
        ("dram.bandwidth_gb_per_s", "bandwidth of the DRAM (GB/s)"),
        ("sram.accumulator_kib", "accumulator SRAM (KiB)"),
        ("stat_unit.lanes", "lanes of the statistics unit"),
        ("statistics.busy_cycles", "cycles in which the statistics unit is busy"),
        ("energy_pj.my.table.statistics", "energy of the statistics unit, my.table (uJ)"),
        ("energy_pj.accelergy-45nm", "energy, accelergy-45nm (uJ)"),
        ("known_area_um2.horowitz-45nm", "area of what has a figure, horowitz-45nm (mm2)"),
        ("batch", "batch"),
    ],
)
def test_an_axis_says_what_a_column_is_in_words_with_its_unit(column, title):
    assert title_of(column) == title


def test_figures_are_drawn_in_the_unit_of_their_axis_and_ratios_have_none():
    rows = [
        {"scheme": name, "lanes": 1, "total_bytes": count}
        for name, count in (("static", 2048), ("spill", 8192))
    ]
    plot = {"kind": "lines", "x": "lanes", "y": "total_bytes", "only": {"scheme": "spill"}}
    (ax,) = study_plot(rows, plot).axes
    assert list(ax.lines[0].get_ydata()) == [8]
    for word, figure, label in (
        ("relative_to", 4, "DRAM traffic\nover that of static"),
        ("minus", 6, "DRAM traffic (KB of 1024 bytes)\nless that of static"),
    ):
        (ax,) = study_plot(rows, plot | {word: {"scheme": "static"}}).axes
        assert (list(ax.lines[0].get_ydata()), ax.get_ylabel()) == ([figure], label)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.93612, "1.94"),
        (0.857142, "0.86"),
        (0.0476, "0.05"),
        (12345.6, "12,346"),
        (0, "0"),
        (4.2e7, "4.20e7"),
    ],
)
def test_a_cell_has_two_or_three_digits(value, text):
    rows = [{"a": n, "b": 1, "f": figure} for n, figure in enumerate((value, 2 * value + 1))]
    figure = study_plot(rows, {"kind": "heatmap", "x": "a", "y": "b", "value": "f"})
    assert figure.axes[0].texts[0].get_text() == text
