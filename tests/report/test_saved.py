"""A saved result says what it is and is read back; anything else is one clear error."""

import json

import pytest

from accelsim.errors import AccelsimError
from accelsim.report import saved
from accelsim.result import Comparison, Movement, Result, Table5, Table5Row

TABLE = Table5("s", 8, 8, 8, 32, (Table5Row("a", "b", 1, 2, 3, (Movement("m", 1, 2),)),), ())


@pytest.fixture
def keep(tmp_path):
    def write(document):
        path = tmp_path / "x.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def test_records_come_back_with_the_command_that_made_them(static, comparison, keep):
    for record in (static, comparison, TABLE):
        document = saved.with_command(record.to_dict(), ("accelsim", "compare", "x y"))
        assert list(document)[:2] == ["schema", "command"]
        found = saved.load(keep(document))
        assert found.record == record
        assert found.command == ("accelsim", "compare", "x y")


def test_what_python_wrote_has_no_command(comparison, keep):
    found = saved.load(keep(comparison.to_json()))
    assert (found.record, found.command) == (comparison, ())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "must be a JSON document of accelsim: Expecting value"),
        ("\x00\xff", "must be a JSON document of accelsim"),
        ("[1]", "must be a JSON object, is a list"),
        ({"a": 1}, "schema=None: must be one of accelsim.result/1, accelsim.comparison/1"),
        ({"schema": ["x"]}, "schema=.'x'.: must be one of"),
        ({"schema": "accelsim.result/99"}, "schema='accelsim.result/99': must be one of"),
        ({"schema": Comparison.schema}, "results: missing in a Comparison"),
        ({"schema": Comparison.schema, "results": 5}, "must be as accelsim writes it"),
        ({"schema": Comparison.schema, "results": [5]}, "must be as accelsim writes it"),
        ({"schema": Comparison.schema, "results": []}, "must hold at least one result"),
        ({"schema": Result.schema, "command": "rm -rf"}, "command='rm -rf': must be a list"),
    ],
)
def test_other_files_are_refused_in_one_line_that_names_them(keep, content, reason):
    path = keep(content)
    with pytest.raises(AccelsimError, match=reason) as caught:
        saved.load(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_result_of_which_a_field_is_broken_is_refused(static, keep):
    document = static.to_dict()
    for name, value in (("units", 7), ("numerics", []), ("traffic", [None]), ("latency_us", "x")):
        with pytest.raises(AccelsimError, match=r"x\.json: "):
            saved.load(keep(document | {name: value}))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(AccelsimError, match=r"no\.json: cannot be read: No such file"):
        saved.load(tmp_path / "no.json")


def test_only_runs_can_be_drawn(comparison, keep):
    assert saved.runs([saved.load(keep(comparison.to_json()))]) == [comparison]
    table = saved.load(keep(TABLE.to_json()))
    with pytest.raises(AccelsimError, match=r"schema='accelsim.table5/1': must be one of"):
        saved.runs([table])
