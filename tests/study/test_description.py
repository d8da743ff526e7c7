"""What a study file may say, and every way in which it may be wrong."""

import json

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_energy_table
from accelsim.study import Study, load_study
from accelsim.study.points import check_values, points_of
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
        ({"energy": "horowitz"}, r"energy='horowitz': unknown table, did you mean .*horowitz-45nm"),
        ({"plot": {"kind": "pie"}}, r"plot.kind='pie': must be one of lines, heatmap"),
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


def test_a_key_follows_what_an_update_and_a_reader_cost(make):
    def keys(**fields):
        return [p.task.key for p in points_of(make(axes={}, set=fields))]

    plain, *others = (
        keys(scheme=scheme)[0] for scheme in ("dsgc", "dsgc:period=7", "dsgc:period=7/resident")
    )
    assert len({plain, *others}) == 3
    assert keys(scheme="current/lazy") != keys(scheme="current/lazy", weight_bits=4)


def test_tables_of_one_name_are_refused_in_a_study_too(make, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(
        load_energy_table("horowitz-45nm").model_copy(update={"source": "x"}).to_yaml()
    )
    message = "another table here is named 'horowitz-45nm' too; must have a name of its own"
    with pytest.raises(AccelsimError, match=message):
        make(energy=["horowitz-45nm", str(other)])
    with pytest.raises(AccelsimError, match="energy=45: must be a table's name or a path"):
        make(energy=45)


def test_an_axis_of_drams_has_the_ideal_one_beside_devices():
    axes = {"dram.preset": ["ideal", "lpddr4-3200"]}
    ideal, device = (point.task for point in points_of(study(axes=SHELF["axes"] | axes)))
    assert json.loads(ideal.machine)["dram"]["model"] == "ideal"
    assert json.loads(device.machine)["dram"]["preset"] == "lpddr4-3200"


@pytest.mark.parametrize("first", ["model", "preset"])
def test_a_field_of_another_model_of_the_dram_is_refused_in_either_order(first):
    fields = {"dram.model": ["ideal"], "dram.preset": ["lpddr4-3200"]}
    axes = dict(sorted(fields.items(), key=lambda item: item[0] != f"dram.{first}"))
    with pytest.raises(
        AccelsimError, match=r"dram.preset: is a field of dram.model=command, and this one has an"
    ):
        check_values(study(axes=SHELF["axes"] | axes))


def test_with_values_seed_steps_and_drift_are_inputs_too(make):
    def keys(**fields):
        return {p.task.key for p in points_of(make(values=True, set=fields)) if p.task}

    assert keys() == keys(seed=0, steps=2, drift=0.05)
    assert not keys() & (keys(seed=1) | keys(steps=3) | keys(drift=0.1))


def test_a_point_that_cannot_be_described_has_its_reason(make):
    study = make(axes=TINY["axes"] | {"scheme": ["current/static"]})
    assert {p.reason.partition(":")[0] for p in points_of(study)} == {"scheme 'current/static'"}


@pytest.mark.parametrize(
    ("axes", "changes", "message"),
    [
        (
            {"scheme": ["current", "curent"]}, {},
            r"axis scheme='curent': no estimator 'curent'; did you mean.*no point can use",
        ),
        ({"hardware": ["edge", "egde"]}, {}, r"axis hardware='egde': .*edge.*no point can use"),
        ({"dram.preset": ["lpddr4-3200", "lpddr4"]}, {}, r"axis dram.preset='lpddr4': .*no point"),
        ({"array.rows": [8, 10**6]}, {}, r"axis array.rows=1000000: array.rows=.* no point can"),
        ({"weight_bits": [8, 17]}, {}, r"axis weight_bits=17: weight_bits = 17: must be.* 1 to 16"),
        ({"operation": ["forward", "grad-inptu"]}, {}, r"axis operation='grad-inptu'.*grad-input"),
        ({"steps": [2, 0]}, {"values": True}, r"axis steps=0: steps = 0: must be a whole number"),
        ({"batch": [1, 2]}, {"set": {"hardware": "x"}}, r"study shelf: no point can be run: .*'x'"),
        (
            {}, {"zip": [{"array.rows": [8, 0], "array.columns": [8, 4]}]},
            r"axis array.rows=0 and array.columns=4: array.rows",
        ),
    ],
)  # fmt: skip
def test_a_value_that_no_point_can_use_is_refused_before_anything_runs(axes, changes, message):
    with pytest.raises(AccelsimError, match=message):
        check_values(study(axes=SHELF["axes"] | axes, **changes))


def test_a_value_that_some_point_can_use_is_a_recorded_failure_elsewhere():
    axes = {"scheme": ["per-sample", "current"], "operation": ["forward", "grad-weight"]}
    both = study(axes=SHELF["axes"] | axes)
    check_values(both)
    reasons = [point.reason for point in points_of(both)]
    assert [bool(reason) for reason in reasons] == [False, True, False, False]
    assert "must not need a range per sample" in reasons[1]


def test_a_layer_that_cannot_be_is_a_point_with_a_reason():
    layer = {"kind": "conv2d", "in_channels": 4, "out_channels": 4, "kernel": 3, "height": 8}
    axes = {"layer.kernel": [3, 9], "layer.height": [8, 16]}
    found = Study.from_mapping({"name": "n", "layer": layer | {"width": 16}, "axes": axes})
    check_values(found)
    assert [bool(point.reason) for point in points_of(found)] == [False, False, True, False]


def test_a_condition_may_leave_out_layers_that_cannot_be():
    layer = {"kind": "conv2d", "in_channels": 4, "out_channels": 4, "kernel": 3, "width": 16}
    axes = {"layer.kernel": [3, 9], "layer.height": [8, 16]}
    where = "layer.kernel <= layer.height"
    found = Study.from_mapping({"name": "n", "layer": layer, "axes": axes, "where": where})
    assert [point.reason for point in points_of(found)] == ["", "", ""]


def test_a_misspelled_workload_names_its_axis():
    with pytest.raises(AccelsimError, match="workload='resnet81': no network 'resnet81' on the"):
        at({"workload": ["resnet18", "resnet81"]}, "workload")


def test_a_file_of_any_kind_is_a_network_or_holds_layers(tmp_path):
    head = "Layer,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,"
    (tmp_path / "n.csv").write_text(head + "\nfirst,8,8,3,3,4,4,1,\nsecond,6,6,3,3,4,4,1,\n")
    path = str(tmp_path / "n.csv")
    assert at({"workload": [path]}, "workload", "layer") == [(path, "first"), (path, "second")]
    assert at({"workload": [f"{path}:second"]}, "workload", "layer") == [(path, "second")]


NETWORK = {"axes": {"workload": ["resnet18", "vgg16"], "batch": [1, 2]}}


def test_a_point_may_be_a_whole_network():
    found = list(points_of(study(**NETWORK, set={"operation": "training"})))
    assert [(p.coordinates["workload"], p.coordinates["batch"]) for p in found] == [
        ("resnet18", 1), ("resnet18", 2), ("vgg16", 1), ("vgg16", 2),
    ]  # fmt: skip
    assert all("layer" not in point.coordinates for point in found)
    assert len({point.task.key for point in found}) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "inference"}, {"gradient_bits": 4}, {"weight_gradient_bits": 8},
        {"bifurcation": True}, {"momentum": True}, {"weight_bits": 4}, {"array.rows": 8},
        {"scheme": "activations=in-hindsight,gradients=current"}, {"scheme": "current"},
    ],
)  # fmt: skip
def test_the_key_of_a_network_follows_every_input(change):
    def key(**fields):
        (point,) = points_of(study(axes={}, set={"workload": "resnet18"} | fields))
        return point.task.key

    assert key(operation="training") != key(**({"operation": "training"} | change))


def test_the_same_network_under_other_names_is_the_same_task(tmp_path):
    text = (
        "name: net\ninputs: {image: [3, 8, 8]}\nsequential: true\nlayers:\n"
        "  - {name: A, kind: conv2d, out_channels: 4, kernel: 3, padding: 1}\n"
        "  - {name: B, kind: relu}\n"
    )
    (tmp_path / "one.yaml").write_text(text)
    (tmp_path / "two.yaml").write_text(text.replace("A,", "first,").replace("B,", "last,"))
    files = [str(tmp_path / f"{name}.yaml") for name in ("one", "two")]
    points = list(points_of(study(axes={"workload": files}, set={"operation": "inference"})))
    assert points[0].task.key == points[1].task.key


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"set": {"momentum": True}}, "momentum: has no effect without operation: training"),
        (
            {"set": {"operation": "inference", "bifurcation": True}},
            "bifurcation: has no effect without operation: training",
        ),
        (
            {"axes": {"operation": ["forward", "training"], "workload": ["resnet18"]}},
            "operation='training': is of whole networks and stands with inference, training only",
        ),
        ({"set": {"operation": "training"}, "values": True}, "operation=training: needs values: f"),
    ],
)
def test_layers_and_whole_networks_do_not_mix(changes, message):
    with pytest.raises(AccelsimError, match=message):
        study(**changes)


def test_a_layer_is_no_network():
    with pytest.raises(AccelsimError, match="operation='training': needs a workload, a network"):
        Study.from_mapping(
            {"name": "n", "layer": {"kind": "linear"}, "set": {"operation": "training"}}
        )
    with pytest.raises(AccelsimError, match=r"workload='resnet18.layer1': must be a whole network"):
        check_values(study(axes={"workload": ["resnet18.layer1"]}, set={"operation": "training"}))
    with pytest.raises(AccelsimError, match=r"layer.macs: unknown, as the points are whole netw"):
        list(points_of(study(**NETWORK, set={"operation": "inference"}, where="layer.macs > 1")))
