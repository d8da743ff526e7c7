"""Table 5 of the in-hindsight paper: published figures, closed form and simulation."""

import re

import pytest

import accelsim

TABLE = accelsim.table5()

# Fournarakis & Nagel 2021, Table 5: layer, static KB, dynamic KB, delta %.
PUBLISHED = [
    ("3x3 64->64 56x56", 428, 1996, 366),
    ("3x3 256->256 14x14", 674, 1066, 58),
    ("1x1 16->96 112x112", 1374, 10782, 685),
    ("3x3 depthwise 96 112x112", 882, 4410, 400),
    ("3x3 depthwise 960 7x7", 100, 468, 366),
]


def test_the_published_figures_are_those_of_the_paper():
    rows = [
        (r.description, r.published_static_kib, r.published_dynamic_kib, r.published_delta_percent)
        for r in TABLE.rows
    ]
    assert rows == PUBLISHED


@pytest.mark.parametrize("row", TABLE.rows, ids=lambda row: row.layer)
def test_simulated_bytes_equal_the_closed_form_to_the_byte(row):
    closed, simulated = row.movements[:2]
    assert (closed.source, simulated.source) == ("closed form", "table5")
    assert simulated.static_bytes == closed.static_bytes
    assert simulated.dynamic_bytes == closed.dynamic_bytes


@pytest.mark.parametrize("row", [0, 1, 2, 4])
def test_the_closed_form_gives_the_published_row(row):
    closed = TABLE.rows[row].movements[0]
    _, static, dynamic, delta = PUBLISHED[row]
    assert round(closed.static_bytes / 1024) == static
    assert round(closed.dynamic_bytes / 1024) == dynamic
    assert abs(closed.delta_percent - delta) < 1


def test_the_fourth_row_does_not_follow_from_its_dimensions_and_the_fault_says_so():
    closed = TABLE.rows[3].movements[0]
    assert (round(closed.static_bytes / 1024), round(closed.dynamic_bytes / 1024)) == (2353, 11761)
    assert closed.delta_percent == pytest.approx(400, abs=0.5)
    other = 144 * 56 * 56
    assert (2 * other / 1024, 10 * other / 1024) == (882, 4410)
    (fault,) = [f for f in TABLE.faults if "96 112x112" in f]
    assert all(number in fault for number in ("2353", "11761", "882", "4410", "144", "56x56"))


def test_the_first_fault_names_what_the_printed_equation_would_give():
    fault = TABLE.faults[0]
    outputs = 64 * 56 * 56
    # write bacc, load ba, store ba, in place of the static program's one store.
    printed = (64 * 64 * 9 + outputs + outputs * (4 + 1 + 1)) / 1024
    assert str(round(printed)) in re.findall(r"\d+", fault)
    assert "1996" in fault


def test_the_default_machine_never_moves_less_than_the_closed_form():
    for row in TABLE.rows:
        closed, edge = row.movements[0], row.movements[2]
        assert edge.source == "edge"
        assert edge.static_bytes >= closed.static_bytes
        assert edge.dynamic_bytes >= closed.dynamic_bytes
