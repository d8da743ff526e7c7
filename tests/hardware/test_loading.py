import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import Dataflow, Hardware, load_hardware, preset_names


def refusal_of(source, overrides=()):
    with pytest.raises(AccelsimError) as refused:
        load_hardware(source, overrides)
    message = str(refused.value)
    assert message
    assert message.isprintable(), "one line, no control characters"
    return message


@pytest.fixture
def machine_file(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_presets_are_known_by_name():
    assert preset_names() == ("edge", "mcu", "scalesim", "server", "table5")
    assert load_hardware("edge") is load_hardware("edge") is Hardware.preset("edge")


def test_the_table5_machine_holds_its_largest_layer_in_half_of_each_buffer():
    sram = Hardware.preset("table5").sram
    assert sram.input_bytes >= 2 * 96 * 112 * 112
    assert sram.weight_bytes >= 2 * 256 * 256 * 9
    assert sram.accumulator_bytes >= 2 * 96 * 112 * 112 * 4
    assert sram.output_bytes >= 2 * 96 * 112 * 112


def test_a_short_file_takes_the_defaults_and_its_own_name(machine_file):
    machine = load_hardware(machine_file("array: {rows: 16}\n"))
    assert machine == load_hardware(Hardware(), ["name=mine", "array.rows=16"])


def test_a_file_may_start_from_a_preset(machine_file):
    machine = load_hardware(machine_file("base: mcu\nname: faster\nclock_mhz: 400\n"))
    assert machine == load_hardware("mcu", {"name": "faster", "clock_mhz": 400})


def test_a_mapping_is_read_like_a_file():
    machine = load_hardware({"base": "mcu", "name": "mcu", "array.rows": 8})
    assert machine == Hardware.preset("mcu")


def test_overrides_change_a_copy_and_a_later_one_wins():
    edge = Hardware.preset("edge")
    changed = load_hardware(
        edge, ["array.rows=64", " array.dataflow = output-stationary", "array.rows=16"]
    )
    assert (changed.array.rows, changed.array.dataflow) == (16, Dataflow.OUTPUT_STATIONARY)
    assert changed.array.columns == edge.array.columns
    assert edge == load_hardware("edge")


def test_an_override_reads_numbers_as_they_look():
    assert load_hardware("edge", ["clock_mhz=1e3"]).clock_mhz == 1000
    assert load_hardware("edge", ["clock_mhz=2.5e-1"]).clock_mhz == 0.25
    assert load_hardware("mcu", ["requantizer.lanes=null"]).requantizer.lanes is None
    assert load_hardware("mcu", "array.rows=3").array.rows == 3
    assert "array.rows='010': must be a whole number" in refusal_of("edge", ["array.rows=010"])
    assert "array.rows='1:30': must be a whole number" in refusal_of("edge", ["array.rows=1:30"])


def test_nested_and_dotted_overrides_are_the_same():
    nested = load_hardware("edge", {"dram": {"latency_ns": 7}, "array": {"rows": 4}})
    assert nested == load_hardware("edge", {"dram.latency_ns": 7, "array.rows": 4})


def test_a_preset_name_comes_before_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge").write_text("clock_mhz: 1\n")
    (tmp_path / "own").write_text("clock_mhz: 1\n")
    assert load_hardware("edge").clock_mhz == 800
    assert load_hardware("./edge").clock_mhz == 1
    assert load_hardware("own").name == "own"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("array.rows=-3", "array.rows=-3: must be >= 1 and <= 4096"),
        ("array.rows=100000", "array.rows=100000: must be >= 1 and <= 4096"),
        ("array.rows=2.5", "array.rows=2.5: must be a whole number >= 1 and <= 4096"),
        ("array.rows=true", "array.rows=true: must be a whole number >= 1 and <= 4096"),
        ("array.rows='8'", "array.rows='8': must be a whole number >= 1 and <= 4096"),
        ("array.rows=", "array.rows=null: must be a whole number >= 1 and <= 4096"),
        ("array.rows.deep=1", "array.rows={'deep': 1}: must be a whole number"),
        ("clock_mhz=.nan", "clock_mhz=nan: must be >= 0.001 and <= 100000"),
        ("clock_mhz=-.inf", "clock_mhz=-inf: must be >= 0.001 and <= 100000"),
        ("requantizer.lanes=0", "requantizer.lanes=0: must be null or >= 1 and <= 4096"),
        ("accumulator.bits=33", "accumulator.bits=33: must be >= 8 and <= 32"),
        ("array.dataflow=ws", "array.dataflow='ws': must be one of weight-stationary, input-"),
        ("accumulator.overflow=clip", "accumulator.overflow='clip': must be one of wrap, saturate"),
        ("requantizer.mode=up", "requantizer.mode='up': must be one of nearest-even, half"),
        ("array.stationary_sets=3", "array.stationary_sets=3: must be >= 1 and <= 2"),
        ("dram.model=ddr9", "dram.model='ddr9': must be one of ideal, command"),
        ("array=5", "array=5: must be a mapping with fields of rows, columns,"),
        ("array=null", "array=null: must be a mapping with fields of rows, columns,"),
        ("name=5", "name=5: must be text of 1 to 100 printable characters"),
        ('name="two\\nlines"', "name='two\\nlines': must be text of 1 to 100 printable"),
        ("name=' '", "name=' ': must be text of 1 to 100 printable characters"),
        ("array.rwos=3", "array.rwos: unknown field, did you mean rows? (known: rows, columns,"),
        ("aray.rows=3", "aray: unknown field, did you mean array? (known: name, clock_mhz,"),
        ("rows=3", "rows: unknown field, did you mean array.rows? (known: name, clock_mhz,"),
        ("self=3", "self: unknown field (known: name, clock_mhz,"),
        ("base=mcu", "base: unknown field"),
        ("array.rows", "override 'array.rows': must look like array.rows=64"),
        ("=64", "override '=64': must look like array.rows=64"),
        ("array.rows=[", "override 'array.rows=[': not plain YAML at line 1, column 2:"),
        ("array.rows=" + "9" * 5000, "override 'array.rows=999"),
    ],
)
def test_a_bad_override_is_refused_by_name_value_and_what_is_allowed(override, message):
    assert refusal_of("edge", [override]).startswith(message)


def test_several_mistakes_are_one_line_with_their_count():
    message = refusal_of("edge", ["array.rows=0", "array.columns=0", "nonsense=1"])
    assert message == "array.rows=0: must be >= 1 and <= 4096 (and 2 more)"


@pytest.mark.parametrize("overrides", [5, None, [5], [b"array.rows=3"], {5: 5}, {"array": {5: 5}}])
def test_overrides_of_a_wrong_kind_are_refused(overrides):
    assert refusal_of("edge", overrides)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "edeg",
            "hardware='edeg': unknown preset, did you mean edge? (known: edge, mcu, scalesim, ",
        ),
        ("", "hardware='': unknown preset (known: edge, mcu, scalesim, server, table5)"),
        ("x" * 5000, "hardware='xxx"),
        ("a\0b", "hardware='a\\x00b': unknown preset"),
        ("nowhere/mine.yaml", "nowhere/mine.yaml: no such file"),
        ("a\nb/c", "'a\\nb/c': no such file"),
        ("a/\0", "'a/\\x00': cannot be read: embedded null byte"),
        ("x/" * 5000, "x/x/x/"),
        (5, "hardware=5: must be a preset's name, a path, a mapping or a Hardware"),
        (None, "hardware=null: must be"),
        (
            {"base": "egde"},
            "base='egde': must be one of edge, mcu, scalesim, server, table5, did",
        ),
        ({"base": ["edge"]}, "base=['edge']: must be one of edge, mcu, scalesim, server, table5"),
        ({5: 5}, "field 5: a field name must be text"),
    ],
)
def test_a_source_that_is_no_machine_is_refused(source, message):
    assert refusal_of(source).startswith(message)


def test_a_preset_of_no_name_is_refused():
    with pytest.raises(AccelsimError, match="unknown preset"):
        Hardware.preset(5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("array: {rows: -3}", "array.rows=-3: must be >= 1 and <= 4096"),
        ("array:\n  rwos: 3", "array.rwos: unknown field, did you mean rows?"),
        ("array:\n", "array=null: must be a mapping with fields of rows"),
        ("", "must be a mapping of fields, not null"),
        ("- edge", "must be a mapping of fields, not ['edge']"),
        ("edge", "must be a mapping of fields, not 'edge'"),
        ("base: nope", "base='nope': must be one of edge, mcu, scalesim, server, table5"),
        ("a: [1", "not plain YAML at line 1, column 6:"),
        ("a: 1\n---\nb: 2", "not plain YAML at line 2, column 1:"),
        (
            "clock_mhz: 1\nclock_mhz: 2",
            "not plain YAML at line 2, column 1: 'clock_mhz' is given t",
        ),
        ("5: 5", "not plain YAML at line 1, column 1: a field name must be text"),
        ("[a]: 5", "not plain YAML at line 1, column 1: a field name must be text"),
        ("a: &x [1]\nb: [*x, *x]", "not plain YAML at line 1, column 4: aliases are refused"),
        ("a: *x", "not plain YAML at line 1, column 4: aliases are refused"),
        ("a: !!python/object:os.system {}", "not plain YAML at line 1, column 4: tags are refused"),
        ("a: !!timestamp x", "not plain YAML at line 1, column 4: tags are refused"),
        ("<<: {array: {rows: 2}}", "<<: unknown field"),
        ("clock_mhz: " + "9" * 5000, "not plain YAML: a number is too long"),
        ("a: " + "[" * 50_000, "not plain YAML: nested too deep"),
        (b"\xff\xfe\x00", "not UTF-8 text at byte 0"),
        (b"name: \xc3\x28", "not UTF-8 text at byte 6"),
        (b"\x00\x01\x02", "not YAML: unacceptable character #x0000"),
        (b"#" * 1_000_001, "too large, must be <= 1000000 bytes"),
    ],
)
def test_a_file_that_describes_no_machine_is_refused(machine_file, content, message):
    path = machine_file(content)
    assert refusal_of(path).startswith(f"{path}: {message}")


def test_a_directory_is_refused(tmp_path):
    assert refusal_of(tmp_path) == f"{tmp_path}: is a directory, must be a file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(machine_file):
    path = machine_file("clock_mhz: 1")
    path.chmod(0)
    assert refusal_of(path).startswith(f"{path}: cannot be read: ")


def test_a_byte_order_mark_is_no_mistake(machine_file):
    assert load_hardware(machine_file(b"\xef\xbb\xbfclock_mhz: 5")).clock_mhz == 5


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
paths = st.sampled_from(["array.rows", "array", "dram", "dram.model", "name", "clock_mhz", "base"])


@settings(deadline=None)
@given(st.dictionaries(paths | st.text(max_size=8), anything, max_size=3))
def test_any_mapping_is_a_machine_or_one_line(overrides):
    try:
        machine = load_hardware("edge", overrides)
    except AccelsimError as error:
        assert str(error).isprintable()
    else:
        assert isinstance(machine, Hardware)


@settings(deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_file_is_a_machine_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "mine.yaml"
    path.write_bytes(content)
    try:
        load_hardware(path)
    except AccelsimError as error:
        assert str(error).isprintable()


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_override_text_is_a_machine_or_one_line(text):
    try:
        load_hardware("edge", [text, f"array.rows={text}"])
    except AccelsimError as error:
        assert str(error).isprintable()
