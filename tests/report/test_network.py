"""Networks as text and as pictures: the figures are those of the result, in 80 columns."""

from dataclasses import replace

import pytest

from accelsim.cli.output import plain
from accelsim.errors import AccelsimError
from accelsim.network.graph_file import parse_network
from accelsim.report.network import network_text, shortened
from accelsim.report.plot import draw
from accelsim.report.plot.folder import (
    check_plot_folder,
    save_network_plots,
)
from accelsim.simulation import compare
from tests.report.plot.drawn import outside, overlapping
from tests.simulation.test_networks import TINY


@pytest.fixture(scope="module")
def comparison():
    return compare(parse_network(TINY, "tiny"), batch=2, data=None)


def test_every_operation_has_a_line_with_its_figures(comparison):
    text = plain(network_text(comparison))
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    static, spill = comparison.results
    for one, other in zip(static.operations, spill.operations, strict=True):
        assert f" {other.total_bytes / one.total_bytes:.2f} " in lines[one.node]
        assert lines[one.node].rstrip().endswith(f"{other.total_cycles / one.total_cycles:.2f}")
    assert f"{static.total_cycles:,}" in text and f"{spill.total_cycles:,}" in text
    assert f"moves {comparison.ratios[0].bytes_ratio:.2f} times the bytes" in text


@pytest.mark.parametrize("schemes", [1, 2, 3, 4])
def test_sixty_long_names_fit_eighty_columns_with_any_number_of_schemes(schemes):
    layers = [
        {"name": f"features.{i}.inverted_residual.expand.conv", "kind": "conv2d",
         "out_channels": 3, "kernel": 1}
        for i in range(60)
    ]  # fmt: skip
    network = parse_network({**TINY, "layers": layers}, "long")
    names = ["in-hindsight", "current", "current/recompute", "current/lazy"][:schemes]
    text = plain(network_text(compare(network, schemes=names, data=None)))
    assert max(map(len, text.splitlines())) <= 80
    tables = 1 if schemes < 4 else 2
    assert sum("features." in line for line in text.splitlines()) == 60 * tables
    assert "…" not in text


@pytest.mark.parametrize("schemes", [1, 2, 5])
def test_accuracy_is_shown_for_each_operation_and_scheme_and_at_the_end(schemes):
    names = ["in-hindsight", "current", "current/spill16", "running", "chunked"][:schemes]
    found = compare(parse_network(TINY, "tiny"), schemes=names, data="synthetic", batch=2)
    text = plain(network_text(found))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert text.count("SQNR against float, dB") == (schemes > 4) + 1
    for row in (*found.results[-1].operations, *found.results[0].operations):
        assert f" {row.numerics.sqnr_db:.2f}" in text
    (output,) = found.results[-1].outputs
    assert f" {output.cosine:.6f}" in text and "same top-1, of 2" in text
    said = "Inputs: synthetic (seed 0, drift walk:0.05); weights: synthetic. Measured after 1 step."
    assert said in " ".join(text.split())


def test_a_long_name_loses_what_is_applied_then_its_middle():
    assert shortened("conv +relu", 10) == "conv +relu"
    assert shortened("layer1.conv +relu", 13) == "layer1.conv +"
    assert shortened("abcdefghijklmnop", 7) == "abcd~op"


def test_pictures_are_saved_in_a_folder_the_same_twice(comparison, tmp_path):
    first = [path.read_bytes() for path in save_network_plots(comparison, tmp_path / "plots")]
    again = [path.read_bytes() for path in save_network_plots(comparison, tmp_path / "plots")]
    assert first == again
    assert sorted(p.name for p in (tmp_path / "plots").iterdir()) == ["latency.png", "traffic.png"]


def test_a_place_where_no_folder_can_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AccelsimError, match="is a file"):
        check_plot_folder(tmp_path / "file")
    with pytest.raises(AccelsimError, match="there is no folder"):
        check_plot_folder(tmp_path / "none" / "plots")


@pytest.mark.parametrize("kind", ["traffic", "latency"])
def test_a_line_for_each_operation_and_scheme_adds_up_to_its_figure(comparison, kind):
    (axes,) = draw(kind, comparison).axes
    ends = {}
    for container in axes.containers:
        for bar in container:
            place = round(bar.get_y() + bar.get_height() / 2, 6)
            ends[place] = ends.get(place, 0) + bar.get_width()
    lines = [ends[place] for place in sorted(ends)]
    clock = comparison.baseline.clock_mhz
    figures = [
        row.total_bytes / 1024 if kind == "traffic" else row.total_cycles / clock
        for pair in zip(*(result.operations for result in comparison.results), strict=True)
        for row in pair
    ]
    assert lines == pytest.approx(figures)
    assert overlapping(axes) == []
    assert outside(axes) == []
    assert comparison.baseline.operations[0].node in axes.get_yticklabels()[0].get_text()


def test_other_plots_of_a_network_are_refused(comparison):
    with pytest.raises(AccelsimError, match="a network has traffic and latency"):
        draw("roofline", comparison)


def test_figures_too_long_for_a_column_are_in_a_larger_unit_throughout(comparison):
    def grown(row):
        moves = tuple(replace(move, bytes=move.bytes << 20) for move in row.moves)
        return replace(row, moves=moves, bus_bytes=row.bus_bytes << 20)

    large = [
        replace(result, clock_mhz=1e-4, operations=tuple(map(grown, result.operations)))
        for result in comparison.results
    ]
    text = plain(network_text(replace(comparison, results=tuple(large))))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    assert text.count("DRAM traffic in MB of 1024 KB (of 1024 bytes)") == 1
    for result in large:
        assert f" {result.total_bytes / 2**20:,.1f} " in text
        assert f" {result.latency_us / 1000:,.1f}" in text
    assert " ms " in text and " us " not in text
