"""What a study file may say, and every way in which it may be wrong."""

import pytest

from accelsim.errors import AccelsimError
from accelsim.study import Study, load_study
from accelsim.study.points import points_of
from tests.study.conftest import TINY

SHELF = {"name": "shelf", "axes": {"workload": ["mobilenetv2.features.2.conv.0.0"]}}


def study(**changes):
    return Study.from_mapping(SHELF | changes)


def at(axes, *names, **changes):
    found = points_of(study(axes=SHELF["axes"] | axes, **changes))
    return [tuple(point.coordinates[name] for name in names) for point in found]


def test_axes_multiply_with_the_last_one_fastest():
    pairs = at({"array.rows": [8, 4], "batch": [1, 2]}, "array.rows", "batch")
    assert pairs == [(8, 1), (8, 2), (4, 1), (4, 2)]


def test_a_zip_moves_its_fields_together():
    zips = [{"array.rows": [8, 16], "array.columns": [4, 2]}]
    triples = at({"batch": [1, 2]}, "batch", "array.rows", "array.columns", zip=zips)
    assert triples == [(1, 8, 4), (1, 16, 2), (2, 8, 4), (2, 16, 2)]


def test_ranges_by_step_and_by_factor():
    by_factor = at({"array.rows": {"from": 4, "to": 64, "factor": 4}}, "array.rows")
    assert by_factor == [(4,), (16,), (64,)]
    by_step = at({"clock_mhz": {"from": 0.1, "to": 0.4, "step": 0.1}}, "clock_mhz")
    assert [x for (x,) in by_step] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_derived_fields_read_axes_defaults_and_the_layer():
    derive = {
        "array.columns": "array.rows * 2",
        "requantizer.lanes": "min(array.columns, 8)",
        "sram.output_kib": "sram.input_kib / 4",
        "batch": "1 if layer.output_elements > 1000 else 4",
    }
    (found,) = at({"array.rows": [8]}, *derive, derive=derive)
    assert found == (16, 8, 16.0, 1)


def test_conditions_leave_points_out():
    axes = {"array.rows": [4, 8, 16], "array.columns": [4, 8, 16]}
    pairs = at(axes, "array.rows", "array.columns", where="array.rows * array.columns == 64")
    assert pairs == [(4, 16), (8, 8), (16, 4)]
    where = ["array.rows > 4", "array.columns > 4"]
    assert len(at(axes, "array.rows", where=where)) == 4


def test_a_network_is_its_layers():
    points = list(points_of(Study.from_mapping({"name": "n", "axes": {"workload": ["resnet18"]}})))
    assert len(points) == 21
    assert points[0].coordinates == {"workload": "resnet18", "layer": "conv1"}


def test_a_workload_may_be_set_once_for_all(tmp_path):
    fixed = Study.from_mapping({"name": "n", "set": {"workload": "resnet18.layer1"}, "axes": {}})
    (point,) = points_of(fixed)
    assert point.coordinates["layer"] == "layer1.0.conv1"


def test_set_takes_nested_fields(make):
    found = list(points_of(make(set={"array": {"columns": 16}, "clock_mhz": 100})))
    assert found[-1].task is not None
    assert '"columns":16' in found[-1].task.machine


def test_a_file_is_the_same_study(tmp_path, tiny):
    (tmp_path / "s.yaml").write_text(
        "name: tiny\nquestion: how small can\n  a study be\n"
        "layer: {kind: linear, in_features: 48, out_features: 32}\n"
        "axes:\n  layer.rows: [1, 4]\n  array.rows: {from: 4, to: 8, factor: 2}\n"
        "  scheme: [in-hindsight, current, running]\n  sram.weight_kib: [0.001, 16]\n"
    )
    assert load_study(tmp_path / "s.yaml") == tiny


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {"array.row": [1]}}, r"array.row: unknown field, did you mean array.rows\?"),
        ({"axes": {"lanes": [1]}}, r"lanes: unknown field, did you mean stat_unit.lanes\?"),
        ({"axes": {"layer.rows": [1]}}, "the study describes no layer"),
        ({"axes": {"array.rows": []}}, "axis array.rows: has no values, so there would be no"),
        ({"axes": {"array.rows": [4, 4]}}, "axis array.rows: 4 is given twice"),
        ({"axes": {"array.rows": [[4]]}}, r"axis array.rows: \[4\]: must be a number, a text"),
        ({"axes": {"array.rows": {"from": 1}}}, "a range has from, to and step, or from, to and"),
        ({"axes": {"array.rows": {"from": 1, "to": 2, "step": 0}}}, "step=0: must be above 0"),
        ({"axes": {"array.rows": {"from": 1, "to": 2, "factor": 1}}}, "factor must be above 1"),
        ({"axes": {"array.rows": {"from": "x", "to": 2, "step": 1}}}, "from='x': must be a num"),
        ({"axes": {"array.rows": {"from": 3, "to": 2, "step": 1}}}, "has no values"),
        ({"axes": {"batch": {"from": 1, "to": 10**9, "step": 1}}}, "number of values = 100001"),
        ({"axes": [1]}, r"axes=\[1\]: must be a mapping"),
        ({"zip": {"batch": [1]}}, "zip=.*: must be a list of mappings"),
        ({"zip": [{"batch": [1, 2], "seed": [1]}]}, "but batch has 2, seed has 1"),
        ({"axes": {"batch": [1]}, "zip": [{"batch": [1]}]}, "axis batch: is given 2 times"),
        ({"axes": {"batch": [1]}, "set": {"batch": 1}}, "batch: is given twice, as an axis, in"),
        ({"set": {"array.rows": [1, 2]}}, "array.rows=.*: one value; lists go to axes"),
        ({"derive": {"array.colums": "1"}}, "array.colums: unknown field, did you mean array.c"),
        ({"derive": {"array.rows": "import os"}}, "derive.array.rows='import os': cannot be read"),
        ({"wher": []}, r"'wher': unknown field, did you mean where\?"),
        ({"values": "no"}, "values='no': must be true or false"),
        ({"set": {"steps": 4}}, "steps: has no effect on a study without values: true"),
        ({"name": ""}, "name='': must be printable text"),
        ({"layer": {"kind": "linear"}}, "needs a workload .* or a layer, not both"),
        ({"axes": {}}, "needs a workload .* or a layer, not neither"),
    ],
)
def test_a_study_that_makes_no_sense_is_one_line(changes, message):
    if message.endswith("not neither"):
        changes = {"axes": {"batch": [1]}}
        with pytest.raises(AccelsimError, match=message):
            Study.from_mapping({"name": "n"} | changes)
        return
    axes = changes.get("axes", {})
    merged = SHELF["axes"] | axes if isinstance(axes, dict) else axes
    with pytest.raises(AccelsimError, match=message):
        study(**(changes | {"axes": merged}))


def test_too_many_points_are_refused_before_they_are_made():
    axes = {name: {"from": 1, "to": 300, "step": 1} for name in ("array.rows", "array.columns")}
    with pytest.raises(AccelsimError, match="27,000,000 points, must be <= 10,000,000"):
        at(axes | {"batch": {"from": 1, "to": 300, "step": 1}}, "batch")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("array.row > 1", r"array.row: unknown field, did you mean array.rows\?"),
        ("layer.mac > 1", "layer.mac: unknown; of a layer there are copies"),
        ("1 / 0 > 1", "where='1 / 0 > 1': cannot be computed"),
        ("dram.preset == 'x'", "dram.preset: the machine edge has no such field"),
    ],
)
def test_a_condition_that_cannot_be_told_is_one_line(where, message):
    with pytest.raises(AccelsimError, match=message):
        at({}, "workload", where=where)


def test_an_unknown_workload_is_one_line():
    with pytest.raises(AccelsimError, match=r"no network 'resnet81' on the shelf"):
        at({"workload": ["resnet81"]}, "workload")


def test_an_error_in_a_file_names_it(tmp_path):
    (tmp_path / "s.yaml").write_text("axes: {array.row: [1]}\n")
    with pytest.raises(AccelsimError, match=r"s.yaml: array.row: unknown field"):
        load_study(tmp_path / "s.yaml")
    with pytest.raises(AccelsimError, match=r"t.yaml: no such file"):
        load_study(tmp_path / "t.yaml")


def test_points_that_come_to_the_same_share_a_task():
    network = Study.from_mapping({"name": "n", "axes": {"workload": ["resnet18"]}})
    keys = [point.task.key for point in points_of(network)]
    assert len(set(keys)) == 12 and len(keys) == 21
    axes = {
        "workload": ["resnet18.layer1"],
        "scheme": ["in-hindsight", "in-hindsight:momentum=0.5"],
    }
    timed = {p.task.key for p in points_of(Study.from_mapping({"name": "n", "axes": axes}))}
    assert len(timed) == 1  # without values they are the same program
    valued = Study.from_mapping({"name": "n", "axes": axes, "values": True})
    assert len({point.task.key for point in points_of(valued)}) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"array.rows": 16}, {"dram.latency_ns": 1}, {"batch": 2}, {"weight_bits": 4},
        {"scheme": "current"}, {"scheme": "sigma-ema"}, {"hardware": "mcu"},
        {"operation": "grad-input"}, {"operation": "grad-weight"}, {"scheme": "per-sample"},
        {"scheme": "chunked:chunks=7"},
    ],
)  # fmt: skip
def test_a_key_follows_every_input(change):
    base = Study.from_mapping({"name": "n", "set": {"workload": "resnet18.layer1"}, "axes": {}})
    other = Study.from_mapping(
        {"name": "n", "set": {"workload": "resnet18.layer1"} | change, "axes": {}}
    )
    (a,), (b,) = points_of(base), points_of(other)
    assert a.task.key != b.task.key


def test_with_values_seed_steps_and_drift_are_inputs_too(make):
    def keys(**fields):
        return {p.task.key for p in points_of(make(values=True, set=fields)) if p.task}

    assert keys() == keys(seed=0, steps=2, drift=0.05)
    assert not keys() & (keys(seed=1) | keys(steps=3) | keys(drift=0.1))


def test_a_point_that_cannot_be_described_has_its_reason(make):
    study = make(axes=TINY["axes"] | {"scheme": ["current/static"]})
    assert {p.reason.partition(":")[0] for p in points_of(study)} == {"scheme 'current/static'"}
