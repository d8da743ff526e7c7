"""`accelsim energy`, and the energy that `compare` and `simulate` show."""

import json

from accelsim import Comparison, Result
from accelsim.cli import main

COMPARE = ["compare", "mobilenetv2.features.17.conv.2", "--timing-only"]


def out(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_without_a_name_the_tables_are_listed(capsys):
    text = out(capsys, "energy")
    assert "horowitz-45nm: M. Horowitz" in text
    assert "accelergy-45nm is used where none is named" in " ".join(text.split())


def test_with_a_name_a_table_is_printed_that_loads(capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text(out(capsys, "energy", "horowitz-45nm"))
    assert "pj: 3.1" in out(capsys, "energy", str(tmp_path / "mine.yaml"))


def test_json_of_the_tables(capsys):
    assert json.loads(out(capsys, "energy", "--json"))["default"] == "accelergy-45nm"
    assert json.loads(out(capsys, "energy", "accelergy-22nm", "--json"))["technology_nm"] == 22


def test_the_area_of_a_machine(capsys):
    text = out(capsys, "energy", "-H", "mcu")
    assert "Area of mcu, accelergy-45nm, 45 nm" in text
    assert f"{64 * (581 + 407):,}" in text
    assert "no figure" in text
    bigger = out(capsys, "energy", "-H", "mcu", "--set", "array.rows=16", "--json")
    assert json.loads(bigger)["area"][0] == {"component": "array", "um2": 128 * 988.0}


def test_set_without_a_machine_is_refused(capsys):
    assert main(["energy", "--set", "array.rows=3"]) == 2
    assert "--set array.rows=3: needs --hardware" in capsys.readouterr().err


def test_a_comparison_shows_every_table_that_was_asked_for(capsys):
    text = out(capsys, *COMPARE, "--energy", "accelergy-45nm", "--energy", "horowitz-45nm")
    assert text.index("Energy in uJ, accelergy-45nm") < text.index("Energy in uJ, horowitz-45nm")
    assert "its adder stands in" in text


def test_one_table_is_shown_where_none_is_named(capsys):
    text = out(capsys, "simulate", "mobilenetv2.features.17.conv.2", "--timing-only")
    assert text.count("Energy in uJ") == 1


def test_documents_carry_the_energy_and_load_back(capsys):
    document = json.loads(
        out(capsys, *COMPARE, "--json", "--energy", "horowitz-45nm:dram=dram-high")
    )
    assert [row["scheme"] for row in document["energy"]] == ["in-hindsight/static", "current/spill"]
    found = Comparison.from_dict(document).baseline.energy("horowitz-45nm:dram=dram-high")
    assert found.to_dict() == document["energy"][0]
    alone = json.loads(out(capsys, "simulate", COMPARE[1], "--timing-only", "--json"))
    assert Result.from_dict(alone).energy().to_dict() == alone["energy"][0]


def test_an_unknown_table_is_one_line_before_any_work(capsys):
    assert main([*COMPARE, "--energy", "horowits"]) == 2
    assert "energy='horowits': unknown table" in capsys.readouterr().err


def test_two_different_tables_of_one_name_are_refused(capsys, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(out(capsys, "energy", "horowitz-45nm").replace("pj: 3.1", "pj: 3.2"))
    arguments = [*COMPARE, "--energy", "horowitz-45nm", "--energy"]
    assert main([*arguments, str(mine)]) == 2
    assert "another table here is named 'horowitz-45nm' too" in capsys.readouterr().err
    assert main([*arguments, "horowitz-45nm"]) == 0
