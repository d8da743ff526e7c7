"""Networks as text and as pictures: the figures are those of the result, in 80 columns."""

from dataclasses import replace
from statistics import median

import pytest

from accelsim.cli.output import plain
from accelsim.errors import AccelsimError
from accelsim.hardware import load_energy_table, load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.network import range_normalized
from accelsim.network.graph_file import parse_network
from accelsim.quant import Scheme
from accelsim.report.energy import energy_unit
from accelsim.report.network import network_text, node_rows, shortened
from accelsim.report.network.lines import side_by_side
from accelsim.report.plot import draw, network_overview
from accelsim.report.plot.folder import (
    check_plot_folder,
    save_network_plots,
)
from accelsim.result import NetworkComparison
from accelsim.simulation import compare
from tests.report.plot.drawn import outside, overlapping
from tests.simulation.test_networks import TINY


def test_heavy_clipping_by_a_thin_past_is_said_with_what_helps():
    one, many = (
        network_text(compare("digits-cnn", batch=n, steps=s)) for n, s in ((1, 2), (64, 2))
    )
    said = " ".join(plain(one).split())
    assert "in-hindsight/static clips 10.0% of what fc stores, " in said
    assert "A larger --batch or batches to --calibrate with make ranges steadier." in said
    assert "clips" not in plain(many)


@pytest.fixture(scope="module")
def comparison():
    return compare(parse_network(TINY, "tiny"), batch=2, data=None)


def test_update_steps_stand_beside_the_cost_per_step():
    schemes = ["in-hindsight", "dsgc:period=4,iterations=3"]
    comparison = compare(parse_network(TINY, "tiny"), schemes=schemes, batch=2, steps=5)
    result, (ratio,) = comparison.results[1], comparison.ratios
    text, step = plain(network_text(comparison)), result.update_step
    lines = text[text.index("Update steps") :].splitlines()
    figures = [line.split()[-2:] for line in lines[1:6]]
    assert figures[0] == ["-", "4"]
    assert figures[3] == ["-", f"{step.cycles:,}"] and figures[4][1] == f"{step.search_cycles:,}"
    assert lines[7].strip() == "Per step, amortised"
    assert lines[9].split()[-2:] == [
        f"{result.cycles_per_step:,.1f}",
        f"{ratio.cycles_per_step_ratio:.2f}",
    ]
    said = " ".join(text.split())
    assert "Update steps included, dsgc:period=4,iterations=3/spill moves" in said
    assert f"{ratio.bytes_per_step_ratio:.2f} times the bytes" in said
    changed = sum(row.amortised is not None for row in result.operations)
    assert f"is an update for {changed} of the {changed} operations" in said
    assert max(map(len, text.splitlines())) <= 80


def test_what_range_batch_norm_saves_is_said_for_each_scheme_equal_ones_together():
    schemes = ["in-hindsight", "current", "current/recompute", "current/lazy"]
    machine = load_hardware("edge", {"sram.input_kib": 1.5, "sram.output_kib": 1.5})
    texts, results = {}, {}
    for network in (parse_network(TINY, "tiny"), range_normalized(parse_network(TINY, "tiny"))):
        found = compare(network, machine, schemes, None, batch=8, training=TrainingOptions())
        kind = network.node("bn1").kind
        texts[kind] = " ".join(plain(network_text(found)).split())
        results[kind] = found.results
    assert "BatchNorm" not in texts["batch_norm"]
    said = texts["range_batch_norm"]
    assert said.count("Range BatchNorm moves") == 3
    assert "cycles under current/spill, current/recompute; BatchNorm," in said
    for plainly, ranged in zip(results["batch_norm"], results["range_batch_norm"], strict=True):
        norms = [row for row in plainly.operations if row.kind == "batch_norm"]
        moved = sum(row.total_bytes for row in norms) / 1024
        cycles = sum(row.total_cycles for row in norms)
        assert f"for its statistics, {moved:,.1f} KB in {cycles:,}." in said
        own = ranged.range_norms
        assert f"Range BatchNorm moves {own.bytes / 1024:,.1f} KB in {own.cycles:,} cycles" in said
        assert own.bytes / 1024 < moved and own.cycles < cycles


def test_without_update_steps_nothing_is_said_of_them(comparison):
    assert "pdate step" not in plain(network_text(comparison))


def test_every_operation_has_a_line_with_its_figures(comparison):
    text = plain(network_text(comparison))
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    static, spill = comparison.results
    for one, other in zip(static.operations, spill.operations, strict=True):
        assert f" {other.total_bytes / one.total_bytes:.2f} " in lines[one.node]
        assert lines[one.node].rstrip().endswith(f"{other.total_cycles / one.total_cycles:.2f}")
    assert f"{static.useful_macs / 1e6:,.1f}" in text and static.useful_macs < static.macs
    assert f"{static.total_cycles:,}" in text and f"{spill.total_cycles:,}" in text
    assert f"moves {comparison.ratios[0].bytes_ratio:.2f} times the bytes" in text


FACTOR = {
    "name": "factor",
    "inputs": {"image": [3, 6, 6]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 8, "kernel": 3},
        {"name": "half", "kind": "scale", "factor": 0.5},
        {"name": "conv2", "kind": "conv2d", "out_channels": 8, "kernel": 3},
    ],
}


@pytest.mark.parametrize("schemes", [["in-hindsight", "mxint8"], ["mxint8", "in-hindsight"]])
def test_what_one_scheme_alone_does_as_work_of_its_own_has_its_line(schemes):
    found = compare(parse_network(FACTOR, "factor"), schemes=schemes, batch=2)
    assert [name.split()[0] for name, _ in node_rows(found.results)] == ["conv1", "half", "conv2"]
    for place, result in enumerate(found.results):
        own = [row for _, rows in node_rows(found.results) for row in rows[place]]
        assert own == list(result.operations)
    rows = side_by_side(found.results)
    apart = [row for row in rows if None in row]
    assert [next(row for row in pair if row).node for pair in apart] == ["half"]
    (decibels,) = [row.numerics.sqnr_db for row in apart[0] if row]
    (line,) = [line for line in plain(network_text(found)).splitlines()
               if line.startswith("half") and f"{decibels:.2f}" in line]  # fmt: skip
    assert "-" in line.split()


def test_a_training_in_blocks_stands_beside_one_of_integers_line_by_line():
    layers = [{"name": f"fc{i}", "kind": "linear", "out_features": 6} for i in range(3)]
    document = {"name": "fc", "inputs": {"x": [5]}, "sequential": True, "layers": layers}
    found = compare(
        parse_network(document, "fc"), schemes=["in-hindsight", "mxint8"], batch=3,
        training=TrainingOptions(),
    )  # fmt: skip
    integers, blocks = (len(result.operations) for result in found.results)
    assert blocks == integers + 2 + 2, "two results and two gradients are turned"
    text = plain(network_text(found))
    assert "turned input-gradient" in text and "turned weights scales" in text
    for place, result in enumerate(found.results):
        lines = [row for _, rows in node_rows(found.results) for row in rows[place]]
        assert sum(row.total_bytes for row in lines) == result.total_bytes


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
    tables = 1 if schemes < 3 else 2
    assert sum("features." in line for line in text.splitlines()) == 60 * tables
    assert "…" not in text


@pytest.mark.parametrize("schemes", [1, 2, 5])
def test_accuracy_is_shown_for_each_operation_and_scheme_and_at_the_end(schemes):
    names = ["in-hindsight", "current", "current/spill16", "running", "chunked"][:schemes]
    found = compare(parse_network(TINY, "tiny"), schemes=names, data="synthetic", batch=2)
    text = plain(network_text(found))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert text.count("SQNR against float, dB") == 1
    for row in (*found.results[-1].operations, *found.results[0].operations):
        assert f" {row.numerics.sqnr_db:.2f}" in text
    (output,) = found.results[-1].outputs
    assert f" {output.cosine:.6f}" in text and "same top-1, of 2" in text
    said = "Inputs: synthetic (seed 0, drift walk:0.05); weights: synthetic. Measured after 1 step."
    assert said in " ".join(text.split())


@pytest.mark.parametrize("schemes", [1, 2, 6])
def test_every_phase_and_operation_has_its_bytes_time_and_energy(schemes):
    names = ["in-hindsight", *Scheme.realised("current")][:schemes]
    step = compare(
        parse_network(TINY, "tiny"), schemes=names, batch=2, data=None, training=TrainingOptions()
    )
    table = load_energy_table("accelergy-45nm")
    text = plain(network_text(step, [table]))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    lines = [" ".join(line.split()) for line in text.splitlines()]

    def shown(values, form):
        cells = [form(value) for value in values]
        return [*cells, f"{values[1] / values[0]:.2f}"] if schemes == 2 else cells

    def expected(name, chosen):
        moved = shown([r.total_bytes / 1024 for r in chosen], lambda v: f"{v:,.1f}")
        took = shown([r.latency_us for r in chosen], lambda v: f"{v:,.1f}")
        spent = shown([r.energy(table).total_pj / 1e6 for r in chosen], lambda v: f"{v:.3g}")
        if schemes == 1:
            result = chosen[0]
            array_cycles = result.unit("array").busy_cycles
            share = result.macs / (1024 * array_cycles) if array_cycles else 0
            used = f"{100 * share:.1f}%" if share >= 0.001 else f"{100 * share:.2g}%"
            cycles = [f"{result.total_cycles:,}", f"{array_cycles:,}", used]
            if not array_cycles:
                cycles[1:] = "--"
            return [" ".join([name, *moved, *took, *spent, *cycles])]
        if schemes == 2:
            return [" ".join([name, *moved, *took]), " ".join([name, *spent])]
        return [" ".join([name, *cells]) for cells in (moved, took, spent)]

    for phase in step.baseline.phases:
        assert set(expected(phase, [r.phase(phase) for r in step.results])) <= set(lines)
    for node in ("conv1", "conv2"):
        chosen = [
            replace(r, operations=tuple(row for row in r.operations if row.node == node))
            for r in step.results
        ]
        assert set(expected(node, chosen)) <= set(lines), node
    for line in expected("total", step.results):
        assert lines.count(line) >= 2, "of the phases and of the operations"


def test_of_several_schemes_each_has_a_line_of_ratios_at_the_end():
    schemes = ["in-hindsight", "current/all", "dsgc:period=4,iterations=3"]
    found = compare(parse_network(TINY, "tiny"), schemes=schemes, batch=2, data=None)
    table = load_energy_table("accelergy-45nm")
    text = plain(network_text(found, [table]))
    lines = [" ".join(line.split()) for line in text[text.index("Times in-hind") :].splitlines()]
    spent = [result.energy_pj_per_step(table) for result in found.results]
    for ratio, energy in zip(found.ratios, spent[1:], strict=True):
        figures = [
            ratio.bytes_ratio, ratio.cycles_ratio, ratio.bytes_per_step_ratio,
            ratio.cycles_per_step_ratio, energy / spent[0],
        ]  # fmt: skip
        assert " ".join([ratio.scheme, *(f"{x:.2f}" for x in figures)]) in lines
    assert "times the bytes" not in text


def test_large_energies_are_in_millijoules(comparison):
    own = comparison.baseline.energy()
    small, large = (replace(own, total_pj=pj) for pj in (99e9, 100e9))
    assert energy_unit([small]).text(small.total_pj) == "99,000.0"
    assert energy_unit([small, large]).text(large.total_pj) == "100.0"
    assert [energy_unit(each).name for each in ([small], [large])] == ["uJ", "mJ"]


def test_a_long_name_loses_what_is_applied_then_its_middle():
    assert shortened("conv +relu", 10) == "conv +relu"
    assert shortened("layer1.conv +relu", 13) == "layer1.conv +"
    assert shortened("abcdefghijklmnop", 7) == "abcd~op"


def test_pictures_are_saved_in_a_folder_the_same_twice(comparison, tmp_path):
    first = [path.read_bytes() for path in save_network_plots(comparison, tmp_path / "plots")]
    again = [path.read_bytes() for path in save_network_plots(comparison, tmp_path / "plots")]
    assert first == again
    assert sorted(p.name for p in (tmp_path / "plots").iterdir()) == [
        "latency.png", "roofline.png", "traffic.png"
    ]  # fmt: skip


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
    with pytest.raises(AccelsimError, match="a network has traffic, latency, roofline, pareto and"):
        draw("timeline", comparison)


def test_products_stand_under_the_roof_of_the_machine(comparison):
    (axes,) = draw("roofline", comparison).axes
    for points, result in zip(axes.collections, comparison.results, strict=True):
        assert points.get_label() == result.scheme
        expected = [
            (row.macs / row.total_bytes, row.macs / row.total_cycles)
            for row in result.operations
            if row.macs
        ]
        assert [tuple(o) for o in points.get_offsets()] == [pytest.approx(e) for e in expected]
        assert all(attained <= min(1024, 16 * dense) for dense, attained in expected)


def test_a_network_is_a_point_for_each_scheme_and_a_cell_for_each_node(comparison):
    (axes,) = draw("pareto", comparison, x="total_bytes", y="latency_us").axes
    places = [tuple(p.get_offsets()[0]) for p in axes.collections]
    totals = [(r.total_bytes / 1024, r.latency_us) for r in comparison.results]
    assert places == [pytest.approx(total) for total in totals]
    axes, _ = draw("heatmap", comparison, value="total_cycles").axes
    cells = axes.images[0].get_array()
    names = [label.get_text().partition(" ")[0] for label in axes.get_yticklabels()]
    assert names == [row.node for row in comparison.baseline.operations]
    for column, result in enumerate(comparison.results):
        assert list(cells[:, column]) == [row.total_cycles for row in result.operations]


def pieces(axes):
    """Every piece of a bar by its node, scheme and name."""
    found = {}
    for bar in (bar for container in axes.containers for bar in container):
        name, scheme, part = bar.get_label().split(", ")
        found[name.partition(" ")[0], scheme, part] = bar
    return found


def test_states_are_those_of_the_unit_that_computes(comparison):
    drawn = pieces(*draw("latency", comparison).axes)
    expected = {
        (row.node, result.scheme, state): cycles / result.clock_mhz
        for result in comparison.results
        for row in result.operations
        for unit in row.units
        if unit.unit == ("array" if row.macs else "vector unit")
        for state in ("busy", "starved", "blocked", "idle")
        if (cycles := getattr(unit, f"{state}_cycles"))
    }
    assert {place: bar.get_width() for place, bar in drawn.items()} == pytest.approx(expected)


def test_accumulators_are_split_by_their_way(comparison):
    drawn = pieces(*draw("traffic", comparison).axes)
    accumulators = {
        place: (bar.get_width(), bool(bar.get_hatch()))
        for place, bar in drawn.items()
        if place[2].startswith("accumulators")
    }
    assert accumulators == {
        (row.node, "current/spill", f"accumulators {way}"): (moved / 1024, way == "stored")
        for row in comparison.results[1].operations
        for way, direction in (("stored", "store"), ("loaded", "load"))
        if (moved := row.bytes_of("accumulators", direction))
    }


@pytest.mark.parametrize("kind", ["traffic", "latency"])
def test_of_many_schemes_a_network_has_one_line_each(comparison, kind):
    many = NetworkComparison(
        tuple(replace(comparison.baseline, scheme=f"mine:x={n}/static") for n in range(8))
    )
    (axes,) = draw(kind, many).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [result.scheme for result in many.results]
    total = comparison.baseline.total_bytes / 1024 if kind == "traffic" else None
    ends = {round(sum(bar.get_width() for bar in bars), 3) for bars in _lines_of(axes)}
    assert len(ends) == 1 and (total is None or ends == {round(total, 3)})
    assert overlapping(axes) == [] and outside(axes) == []
    few = draw(kind, NetworkComparison(many.results[:7])).axes[0]
    assert not {label.get_text() for label in few.get_yticklabels()} & set(names)


@pytest.mark.parametrize("kind", ["traffic", "latency"])
def test_of_several_schemes_and_many_nodes_the_first_two_are_drawn(kind):
    layers = [{"name": f"conv{n}", "kind": "conv2d", "out_channels": 3, "kernel": 1}
              for n in range(51)]  # fmt: skip
    network = parse_network({**TINY, "layers": layers}, "long")
    three = compare(network, schemes=["in-hindsight", "current", "current/lazy"], data=None)
    (axes,) = draw(kind, three).axes
    schemes = {label.split(", ")[1] for label in (bar.get_label() for bar in _bars(axes))}
    assert schemes == {"in-hindsight/static", "current/spill"} and len(_lines_of(axes)) == 102
    assert axes.get_xlabel().endswith("\nthe first two of 3 schemes")
    two = draw(kind, three.only("in-hindsight", "current/lazy")).axes[0]
    assert len(_lines_of(two)) == 102 and "first two" not in two.get_xlabel()


def test_the_overview_of_a_network_has_a_bar_for_each_scheme_with_its_total(tmp_path):
    found = compare(parse_network(TINY, "tiny"), schemes=["fixed", "current/all"], data=None)
    left, right = network_overview(found).axes
    clock_mhz = found.baseline.clock_mhz
    for axes, totals in (
        (left, [r.total_bytes / 1024 for r in found.results]),
        (right, [r.total_cycles / clock_mhz for r in found.results]),
    ):
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == [result.scheme for result in found.results]
        lines = _lines_of(axes)
        assert [sum(bar.get_width() for bar in line) for line in lines] == pytest.approx(totals)
    saved = save_network_plots(found, tmp_path / "plots")
    assert tmp_path / "plots" / "overview.png" in saved


def test_figures_under_an_axis_do_not_touch(comparison):
    large = NetworkComparison(tuple(
        replace(result, clock_mhz=result.clock_mhz / 1e6) for result in comparison.results
    ))  # fmt: skip
    (axes,) = draw("latency", large).axes
    assert axes.get_xlim()[1] > 1e3 and overlapping(axes) == []
    assert axes.get_xlabel().startswith("latency (ms)")
    assert 2 <= len(axes.get_xticks()) <= 5


def _bars(axes):
    return [bar for container in axes.containers for bar in container]


def _lines_of(axes):
    """The bars by their place from the top."""
    lines = {}
    for container in axes.containers:
        for bar in container:
            lines.setdefault(round(bar.get_y(), 6), []).append(bar)
    return lines.values()


def test_what_is_applied_under_a_number_is_called_what_it_is():
    layers = [
        {"name": "features.0.0", "kind": "conv2d", "out_channels": 4, "kernel": 1},
        {"name": "features.0.1", "kind": "relu6"},
        {"name": "head", "kind": "conv2d", "out_channels": 4, "kernel": 1},
        {"name": "act", "kind": "relu"},
    ]
    found = compare(parse_network({**TINY, "layers": layers}, "numbers"), data=None)
    text = plain(network_text(found))
    assert "features.0.0 +relu6 " in text and "head +act " in text
    older = found.to_dict()
    for result in older["results"]:
        for row in result["operations"]:
            del row["applied_kinds"]
    assert "features.0.0 +1 " in plain(network_text(type(found).from_dict(older)))


def test_what_is_applied_on_the_way_stands_behind_who_applies_it():
    step = compare(parse_network(TINY, "tiny"), data=None, training=TrainingOptions())
    (axes,) = draw("traffic", step).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    applied = [name for name in names if f"+{name}" in " ".join(names)]
    assert applied
    for name in applied:
        assert names[names.index(name) - 1].endswith(f"+{name}")


def test_the_pictures_of_a_folder_say_what_ran_and_where(comparison, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(
        "accelsim.report.plot.folder.save_figure",
        lambda figure, path: titles.append(figure.get_suptitle()),
    )
    save_network_plots(comparison, tmp_path / "plots")
    assert titles == ["tiny on edge at 800 MHz, batch 2"] * 3


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
    assert text.count("DRAM traffic in MB of 1024 KB\n") == 1
    for result in large:
        assert f" {result.total_bytes / 2**20:,.1f} " in text
        assert f" {result.latency_us / 1000:,.1f}" in text
    assert " ms " in text and " us " not in text


@pytest.mark.parametrize("schemes", [1, 2, 5])
def test_a_training_shows_accuracy_by_phase_and_losses_beside_float(schemes):
    names = ["in-hindsight", "current", "current/recompute", "running", "chunked"][:schemes]
    found = compare(
        parse_network(TINY, "tiny"), schemes=names, batch=2, steps=12, training=TrainingOptions()
    )
    text = plain(network_text(found))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert max(map(len, text.splitlines())) <= 80
    for phase in ("forward", "grad-input", "grad-weight", "update"):
        ratios = [
            sorted(row.numerics.sqnr_db for row in result.phase(phase).operations)
            for result in found.results
        ]
        place = lines.index(
            " ".join([f"{phase}, median", *(f"{median(each):.2f}" for each in ratios)])
        )
        assert lines[place + 1] == " ".join(["lowest", *(f"{e[0]:.2f}" for e in ratios)])
    shown = [line for line in lines if line.startswith("step ")]
    for number in (0, 11):
        steps = [result.steps[number] for result in found.results]
        name = f"step {number}, float64 {steps[0].float_loss:.4f}"
        assert " ".join([name, *(f"{step.loss:.4f}" for step in steps)]) in shown
    assert len(shown) == 8
    assert "a step in float64 from the same weights" in " ".join(text.split())
    assert "at a rate of 0.01" in " ".join(text.split())
