"""What a search prints: its front in 80 columns, every figure whole."""

from accelsim.cli.output import plain
from accelsim.report.study import search_text
from accelsim.result import SearchResult, Trial

FIGURES = {
    "latency_us": 360.4,
    "energy_uj": 891.1,
    "traffic_bytes": 2.464e6,
    "known_area_um2": 1.8e6,
}


def printed(*designs, objectives=tuple(FIGURES)):
    trials = tuple(
        Trial(number, design, FIGURES, "", front=True) for number, design in enumerate(designs)
    )
    found = SearchResult("s", objectives, (), "t", ("vector unit",), 9, 0, trials, False)
    text = plain(search_text(found))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    return text


def heads(text):
    return [line.split() for line in text.splitlines() if line.startswith("trial")]


def test_a_narrow_front_is_one_table_in_units_for_people():
    text = printed({"array.rows": 8}, {"array.rows": 16})
    assert heads(text) == [["trial", "rows", "us", "uJ", "KB", "mm2"]]
    assert "360.4   891.1    2,406   1.8" in text


def test_one_too_wide_for_a_line_is_two_tables_with_the_same_numbers():
    designs = [
        {"array.rows": rows, "array.columns": rows, "sram.accumulator_kib": rows, "scheme": scheme}
        for rows, scheme in ((8, "in-hindsight/static"), (16, "current/recompute"))
    ]
    text = printed(*designs)
    assert [head[:2] for head in heads(text)] == [["trial", "us"], ["trial", "rows"]]
    assert text.count("in-hindsight/static") == 1


def test_what_all_have_in_common_is_told_once():
    text = printed(*({"array.rows": rows, "scheme": "current/spill"} for rows in (8, 16)))
    assert "The same in all of these: scheme current/spill." in text
    assert "scheme" not in " ".join(heads(text)[0])
