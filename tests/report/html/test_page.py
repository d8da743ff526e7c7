"""The report as text: its figures are the results', and nothing in it can do harm."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.network import Linear
from accelsim.network.graph_file import parse_network
from accelsim.report.html import report_html
from accelsim.report.plot import canvas
from accelsim.result import (
    Amortised,
    Comparison,
    Consumer,
    Movement,
    Points,
    StepCost,
    Table5,
    Table5Row,
    overview_of,
)
from accelsim.simulation import compare
from tests.report.conftest import make_result
from tests.report.html.conftest import HOSTILE, comparison, saved, study
from tests.simulation.test_networks import TINY


class Reader(HTMLParser):
    """Every element and every text, with the elements that were left open."""

    VOID = ("meta", "input", "br", "link", "img")

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.attributes, self.texts = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))


def rows(page, caption):
    """The values of a table, heading first, as the script sorts them."""
    table = re.search(rf"<caption>{caption}</caption>(.*?)</table>", page, re.DOTALL)[1]
    lines = re.findall(r"<tr data-point.*?</tr>", table, re.DOTALL)
    return [[unescape(v) for v in re.findall(r'data-value="([^"]*)"', line)] for line in lines]


def test_every_element_is_closed(page, study_page):
    for text in (page, study_page):
        assert Reader(text).open == []


def test_it_loads_nothing_from_elsewhere(page, study_page):
    namespace = "http://www.w3.org/2000/svg"  # a name, in the script; nothing is fetched there
    for text in (page.replace(namespace, ""), study_page.replace(namespace, "")):
        assert not re.search(r"https?:|//[a-z]|url\((?!#)|@import|<link|<img|<iframe", text)
        sources = [a for a in Reader(text).attributes if a[1] in ("src", "href", "xlink:href")]
        assert all(value.startswith("#") for _, _, value in sources)


def test_tables_hold_the_figures_of_the_results(page):
    found = rows(page, "Runs")
    for line, result in zip(found, comparison().results, strict=True):
        assert line[:2] == [result.layer, result.scheme]
        assert float(line[2]) * 1024 == pytest.approx(result.total_bytes)
        assert (int(line[3]), float(line[4])) == (result.total_cycles, result.latency_us)
        assert float(line[5]) == pytest.approx(result.energy().total_pj / 1e6)
        assert float(line[9]) == result.numerics.sqnr_db
    moved = [int(line[5]) for line in rows(page, "DRAM traffic by tensor")]
    assert moved == [row.bytes for result in comparison().results for row in result.traffic]
    spent = [list(map(int, line[3:7])) for line in rows(page, "How each unit spent its cycles")]
    assert spent == [
        [u.busy_cycles, u.starved_cycles, u.blocked_cycles, u.idle_cycles]
        for result in comparison().results
        for u in result.units
    ]


def test_the_summary_is_a_sentence_and_the_command_can_be_copied(page):
    texts = [text for _, text in Reader(page).texts]
    assert (
        "current/spill moves 4.66 times the bytes and takes 1.55 times the cycles of "
        "in-hindsight/static; SQNR +0.00 dB."
    ) in texts
    assert "accelsim compare resnet18.layer1" in texts
    assert ["array.rows", "32"] in rows(page, "Hardware edge")


def test_one_run_alone_is_summed_up(page):
    (first, _) = comparison().results
    text = report_html([saved(first)], "1")
    assert "layer1.0.conv1 under in-hindsight/static moves 428.0 KB and takes 116,240" in text
    assert "Made by" not in text


def test_plots_tell_their_values_on_hover(page):
    titles = [unescape(text) for tag, text in Reader(page).texts if tag == "title"]
    assert "output store: 196" in titles
    assert "in-hindsight/static, array busy, us: 141.16" in titles
    assert any(title.startswith("current/spill: 56.5") for title in titles)
    figures = re.findall(r'<figure id="plot-(\w+)"', page)
    assert figures == ["traffic", "latency", "roofline", "bandwidth", "timeline"]


def test_ids_are_unique_and_references_meet_them(page):
    ids = [value for _, name, value in Reader(page).attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for target in re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", page):
        assert "".join(target) in ids


def test_tables_are_marked_up_for_readers_of_screens(page):
    for head in re.findall(r"<thead>.*?</thead>", page, re.DOTALL):
        assert head.count("<th ") == head.count('scope="col"') == head.count("<button")
    assert page.count("<table") == page.count("<caption>")
    assert len(re.findall(r'<svg role="img" aria-label="[^"]+"', page)) == 5
    assert '<html lang="en">' in page


def test_names_may_be_anything(page):
    fields = {"layer": HOSTILE, "hardware": HOSTILE, "data": HOSTILE, "machine": {HOSTILE: HOSTILE}}
    text = report_html([saved(comparison(**fields), "accelsim", HOSTILE)], "1")
    reader = Reader(text)
    assert reader.open == []
    assert set(reader.elements) == set(Reader(page).elements)
    assert reader.elements.count("script") == Reader(page).elements.count("script")
    assert not any(name.startswith("on") for _, name, _ in reader.attributes)
    assert any(HOSTILE in shown for _, shown in reader.texts)


def test_points_of_a_study_may_be_named_anything():
    points = tuple(
        dict(point, **{HOSTILE: HOSTILE}, scheme=HOSTILE + str(n), reason=HOSTILE)
        for n, point in enumerate(study().points)
    )
    reader = Reader(report_html([saved(Points(points))], "1"))
    assert reader.open == [] and reader.elements.count("script") == 2
    (data,) = [text for tag, text in reader.texts if tag == "script" and text.startswith("{")]
    assert json.loads(data)["rows"][0]["scheme"] == HOSTILE + "0"


def test_the_points_of_a_study_are_there_to_be_chosen_from(study_page):
    reader = Reader(study_page)
    (data,) = [text for tag, text in reader.texts if tag == "script" and text.startswith("{")]
    document = json.loads(data)
    assert document["axes"] == ["scheme", "array.rows"]
    assert set(document["figures"]) == {"total_bytes", "sqnr_db", "latency_us", "energy_pj.45nm"}
    assert (
        not document["figures"]["sqnr_db"]["lower"] and document["figures"]["latency_us"]["lower"]
    )
    assert [row["total_bytes"] for row in document["rows"]] == [
        point["total_bytes"] for point in study().done
    ]
    assert "6 of 7 points have figures; 1 could not be run." in study_page
    assert rows(study_page, "Reasons") == [["in-hindsight/static", "64", "too large"]]


def test_a_run_with_update_steps_has_their_cost_and_its_mean():
    update, plain = (StepCost("static", 1024 * kb, kb, ()) for kb in (90, 2))
    dear = make_result("dsgc/spill", amortised=Amortised(4, 3, update, plain, 24 * 1024, 24.5))
    text = report_html([saved(Comparison((make_result(), dear)))], "1")
    (line,) = rows(text, "Update steps")
    assert line[1:] == ["dsgc/spill", "4", "90.0", "90", "24.0", "24.5"]
    (data,) = [t for tag, t in Reader(text).texts if tag == "script" and t.startswith("{")]
    document = json.loads(data)
    assert document["axes"] == ["scheme"]
    assert document["rows"][1]["bytes_per_step"] == 24 * 1024
    assert '<option value="bytes_per_step" selected>' in text


def test_the_price_at_the_consumer_has_a_line_where_there_is_one(page):
    assert "At the consumer" not in page
    read, plain = StepCost("static", 500, 90, ()), StepCost("static", 200, 100, ())
    priced = make_result(
        "current/lazy",
        consumer=Consumer.of("a 1x1", read, (plain,)),
        machine=load_hardware("edge").model_dump(mode="json"),
    )
    update, other = StepCost("lazy", 9, 9, (), (), priced.consumer), StepCost("static", 1, 1, ())
    now_and_then = make_result(
        "dsgc/lazy", amortised=Amortised.over(4, 3, update, other), machine=priced.machine
    )
    refused = make_result("block-householder", consumer=Consumer("1x1", None, (), 0, 0, "why"))
    text = report_html([saved(Comparison((make_result(), priced, now_and_then, refused)))], "1")
    assert [line[1:] for line in rows(text, "At the consumer, per step")] == [
        ["current/lazy", "a 1x1", "300", "-10", "0.0"],
        ["dsgc/lazy", "a 1x1", "75.0", "-2.5", "0.0"],
        ["block-householder", "refused: why", "", "", ""],
    ]


def test_many_schemes_are_summed_up_by_those_that_no_other_beats():
    many = compare(Linear("fc", 32, 32), schemes=["all"], data=None)
    text = report_html([saved(many)], "1")
    found = overview_of(many)
    said = [t for _, t in Reader(text).texts if "are beaten by no other" in t]
    assert said == [
        f"fc: of {len(many.results)} schemes {len(found.front)} are beaten by no other: "
        f"{', '.join(found.front)}."
    ]
    assert "times the bytes" not in text
    network = compare(parse_network(TINY, "tiny"), schemes=["all"], data=None)
    text = report_html([saved(network)], "1")
    found = overview_of(network)
    assert f"tiny: of {len(network.results)} schemes {len(found.front)} are beaten by no" in text
    assert "times the bytes" not in text and "Operations do not overlap." in text


def test_update_steps_of_a_network_have_a_table_and_columns():
    from accelsim.simulation import compare

    network = compare(parse_network(TINY, "tiny"), schemes=["in-hindsight", "dsgc"], data=None)
    text = report_html([saved(network, "accelsim", "compare", "tiny")], "1")
    _, line = rows(text, "Update steps")
    result, step = network.results[1], network.results[1].update_step
    assert line[:2] == [result.scheme, "100"]
    assert [int(line[4]), int(line[5])] == [step.cycles, step.search_cycles]
    assert float(line[6]) * 1024 == pytest.approx(result.bytes_per_step)
    per_step = [float(row[-1]) for row in rows(text, "Operations") if row[1] == result.scheme]
    assert sum(per_step) == pytest.approx(result.cycles_per_step)


def test_a_network_is_reported_operation_by_operation():
    from accelsim.simulation import compare

    network = compare(parse_network(TINY, "tiny"), data=None)
    text = report_html([saved(network, "accelsim", "compare", "tiny")], "1")
    assert Reader(text).open == []
    assert f"moves {network.ratios[0].bytes_ratio:.2f} times the bytes" in text
    found = rows(text, "Operations")
    operations = [(r.scheme, row) for r in network.results for row in r.operations]
    for line, (scheme, row) in zip(found, operations, strict=True):
        assert line[:2] == [row.node, scheme] and int(line[7]) == row.total_cycles
        assert float(line[6]) * 1024 == pytest.approx(row.total_bytes)
    moved = sum(int(line[3]) for line in rows(text, "DRAM traffic by kind of tensor"))
    assert moved == sum(result.total_bytes for result in network.results)
    for line, result in zip(rows(text, "Totals"), network.results, strict=True):
        own = [float(row[9]) for row in found if row[1] == result.scheme]
        assert sum(own) == pytest.approx(float(line[4]))
        assert float(line[4]) == pytest.approx(result.energy().total_pj / 1e6)
    assert re.findall(r'<figure id="plot-(\w+)"', text) == ["traffic", "latency", "roofline"]
    # The key of the strongest part: ink would turn white in the dark.
    assert text.count(f"fill: {canvas.KEY}") >= 2
    alone = report_html([saved(network.baseline)], "1")
    assert len(rows(alone, "Totals")) == 1


def test_a_training_step_has_a_line_for_each_phase_and_scheme_and_an_overview():
    from accelsim.simulation import compare

    step = compare(parse_network(TINY, "tiny"), data=None, training=TrainingOptions())
    text = report_html([saved(step)], "1")
    found = iter(rows(text, "Phases"))
    for phase in ("forward", "grad-input", "grad-weight", "update"):
        for result in step.results:
            line, part = next(found), result.phase(phase)
            assert line[:2] == [phase, result.scheme] and int(line[3]) == part.total_cycles
            assert float(line[2]) * 1024 == pytest.approx(part.total_bytes)
            assert float(line[5]) == pytest.approx(part.energy().total_pj / 1e6)
    assert list(found) == []
    assert re.findall(r'<figure id="plot-(\w+)"', text)[0] == "overview"
    inference = report_html([saved(compare(parse_network(TINY, "tiny"), data=None))], "1")
    assert "Phases" not in inference and "plot-overview" not in inference


def test_the_same_results_give_the_same_page(page):
    again = report_html([saved(comparison(), "accelsim", "compare", "resnet18.layer1")], "9.9")
    assert again == page


def test_what_is_no_run_and_no_study_is_refused():
    table = Table5("s", 8, 8, 8, 32, (Table5Row("a", "b", 1, 2, 3, (Movement("m", 1, 2),)),), ())
    with pytest.raises(AccelsimError, match=r"x.json: schema='accelsim.table5/1': must be runs"):
        report_html([saved(comparison()), saved(table)], "1")
    with pytest.raises(AccelsimError, match=r"accelsim.study/1': must be runs and comparisons of"):
        report_html([saved(study()), saved(study())], "1")
    with pytest.raises(AccelsimError, match="at least one point with figures"):
        report_html([saved(Points(()))], "1")


def test_what_has_too_many_values_for_a_filter_is_told_of_every_point():
    points = [
        {"point": n, "layer": f"conv{n}", "array.rows": 8 << n % 2, "status": "done", "reason": "",
         "total_bytes": 1000 + n, "latency_us": 50.0 - n}
        for n in range(30)
    ]  # fmt: skip
    text = report_html([saved(Points(tuple(points)))], "1")
    lines = rows(text, "Points; those on the front are bold")
    assert [line[0] for line in lines] == [f"conv{n}" for n in range(30)]
    assert 'data-axis="array.rows"' in text and 'data-axis="layer"' not in text
