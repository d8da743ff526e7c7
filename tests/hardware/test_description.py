from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from accelsim.errors import AccelsimError
from accelsim.hardware import Array, Hardware, Sram, StatUnit, load_hardware, preset_names
from accelsim.hardware.part import Part, allowed, section_of


def fields_of(kind, prefix=""):
    for name, field in kind.model_fields.items():
        section = section_of(field)
        yield f"{prefix}{name}", field
        if section is not None:
            yield from fields_of(section, f"{prefix}{name}.")


def test_the_defaults_are_the_edge_machine():
    assert load_hardware("edge", ["name=custom"]) == Hardware()


def test_a_description_is_frozen_and_can_be_a_key():
    edge = Hardware.preset("edge")
    with pytest.raises(ValidationError):
        edge.array.rows = 3
    assert len({edge, load_hardware(edge), load_hardware(edge, ["array.rows=64"])}) == 2


def test_every_field_says_what_it_does_and_what_it_takes():
    for path, field in fields_of(Hardware):
        assert field.description, path
        assert "\n" not in field.description, path
        assert allowed(field), path


@pytest.mark.parametrize(
    ("path", "field"),
    [(path, field) for path, field in fields_of(Hardware) if "<=" in allowed(field)],
)
def test_every_number_is_bounded_on_both_sides(path, field):
    low, high = allowed(field).split(">= ")[1].split(" and <= ")
    for value in (float(low) - 1, float(high) * 2, float("nan"), float("inf"), -1e300, "8", True):
        whole = isinstance(value, float) and abs(value) < 1e15 and value == int(value)
        with pytest.raises(AccelsimError) as refused:
            load_hardware("edge", {path: int(value) if whole else value})
        assert str(refused.value).startswith(f"{path}=")
        assert "\n" not in str(refused.value)
    for limit in (low, high):
        load_hardware("edge", [f"{path}={limit}"])


def latency_cycles(machine):
    return machine.dram.latency_cycles(machine.clock_mhz)


def test_the_edge_machine_moves_sixteen_bytes_a_cycle_exactly():
    edge = Hardware.preset("edge")
    assert edge.bandwidth_bytes_per_cycle == 16
    assert latency_cycles(edge) == 80
    assert edge.peak_macs_per_cycle == 1024
    assert edge.cycles_to_us(1600) == 2.0


def test_rates_are_exact_where_floats_are_not():
    odd = load_hardware("edge", ["dram.bandwidth_gb_per_s=0.1", "clock_mhz=0.3"])
    assert odd.bandwidth_bytes_per_cycle == Fraction(1000, 3)
    assert latency_cycles(load_hardware("edge", ["dram.latency_ns=0.1", "clock_mhz=30000"])) == 3


def test_latency_is_rounded_up_to_a_whole_cycle():
    assert latency_cycles(load_hardware("edge", ["dram.latency_ns=100.1"])) == 81
    assert latency_cycles(load_hardware("edge", ["dram.latency_ns=0"])) == 0


def test_lanes_follow_the_columns_unless_fewer_are_asked_for():
    edge = Hardware.preset("edge")
    assert (edge.stat_lanes, edge.requantizer_lanes) == (32, 32)
    fewer = load_hardware(edge, {"stat_unit.lanes": 4, "requantizer.lanes": 1})
    assert (fewer.stat_lanes, fewer.requantizer_lanes) == (4, 1)
    more = load_hardware(edge, {"stat_unit.lanes": 64, "requantizer.lanes": 64})
    assert (more.stat_lanes, more.requantizer_lanes) == (32, 32)
    assert Hardware.preset("mcu").requantizer_lanes == 1


@pytest.mark.parametrize(
    ("columns", "pipelined_cycles"), [(1, 0), (2, 1), (3, 2), (32, 5), (33, 6), (128, 7)]
)
def test_a_statistic_is_reduced_at_once_by_a_tree_or_by_a_walk(columns, pipelined_cycles):
    assert StatUnit().reduction_cycles(columns) == 0
    assert StatUnit(reduction="pipelined").reduction_cycles(columns) == pipelined_cycles
    assert StatUnit(reduction="serial").reduction_cycles(columns) == columns - 1


def test_the_machine_settles_over_its_own_columns_and_stages():
    machine = load_hardware("edge", {"array.columns": 48, "stat_unit.reduction": "serial"})
    assert machine.stat_settle_cycles == 47
    assert load_hardware(machine, {"stat_unit.stages": 3}).stat_settle_cycles == 50


def test_a_statistic_over_no_columns_is_refused():
    with pytest.raises(AccelsimError, match="columns=0: must be >= 1"):
        StatUnit().reduction_cycles(0)


def test_buffers_are_whole_bytes():
    sram = Sram(input_kib=0.5, weight_kib=1.5, accumulator_kib=0.001, output_kib=2)
    assert (sram.input_bytes, sram.weight_bytes) == (512, 1536)
    assert (sram.accumulator_bytes, sram.output_bytes) == (1, 2048)
    assert type(sram.input_bytes) is int


def test_numpy_numbers_become_python_numbers():
    array = Array(rows=np.int64(8), columns=np.int8(4))
    assert type(array.rows) is int
    machine = load_hardware("edge", {"array": {"rows": np.uint16(9)}, "clock_mhz": np.float32(0.5)})
    assert type(machine.array.rows) is int
    assert type(machine.clock_mhz) is float


def test_a_constructor_refuses_in_one_line_at_every_depth():
    for build, message in [
        (lambda: Array(rows=-3), "rows=-3: must be >= 1 and <= 4096"),
        (lambda: Hardware(array={"rows": -3}), "array.rows=-3: must be >= 1 and <= 4096"),
        (lambda: Hardware(array=Sram()), "array=Sram("),
    ]:
        with pytest.raises(AccelsimError) as refused:
            build()
        assert str(refused.value).startswith(message)
        assert "\n" not in str(refused.value)


def test_every_part_of_a_machine_is_a_part():
    assert all(
        issubclass(section, Part) for _, f in fields_of(Hardware) if (section := section_of(f))
    )


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_writes_yaml_that_loads_back_equal(name, tmp_path):
    machine = Hardware.preset(name)
    assert machine.name == name
    path = tmp_path / "other-name.yaml"
    path.write_text(machine.to_yaml(), encoding="utf-8")
    assert load_hardware(path) == machine
    assert load_hardware(str(path)).to_yaml() == machine.to_yaml()


def test_written_yaml_explains_every_field_in_order():
    lines = Hardware.preset("edge").to_yaml().splitlines()
    assert max(map(len, lines)) <= 100
    written = [line.split(":")[0].strip() for line in lines if not line.strip().startswith("#")]
    assert written == [path.split(".")[-1] for path, _ in fields_of(Hardware)]
    for line, above in zip(lines[1:], lines, strict=False):
        if not line.strip().startswith("#"):
            assert above.strip().startswith("#"), line


names = st.text(st.characters(), min_size=1, max_size=20).filter(
    lambda text: text.isprintable() and text.strip() == text and text
)


@settings(deadline=None)
@given(
    names,
    st.floats(0.001, 100_000),
    st.floats(0, 1_000_000),
    st.floats(0.001, 1024**2),
    st.none() | st.integers(1, 4096),
)
def test_any_machine_survives_yaml(tmp_path_factory, name, clock, latency, kib, lanes):
    changes = {
        "name": name,
        "clock_mhz": clock,
        "dram.latency_ns": latency,
        "sram.input_kib": kib,
        "stat_unit.lanes": lanes,
    }
    machine = load_hardware("edge", changes)
    path = tmp_path_factory.mktemp("yaml") / "machine.yaml"
    path.write_text(machine.to_yaml(), encoding="utf-8")
    assert load_hardware(path) == machine
    assert Hardware.model_validate(machine.model_dump(mode="json")) == machine
