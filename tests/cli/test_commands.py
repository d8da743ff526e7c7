import json

import numpy as np
import pytest
import yaml

import accelsim as package
from accelsim.cli.entry import expand_set
from accelsim.hardware import load_hardware
from accelsim.quant.scheme import REALISATIONS
from accelsim.result import Comparison, NetworkComparison, Overview, Result, Table5


def test_compare_holds_in_hindsight_static_against_current_spill(answer, tiny):
    text = answer("compare", tiny)
    flat = " ".join(text.split())
    assert "in-hindsight/static" in text and "current/spill" in text
    assert "tiny.yaml:block.0.conv on edge at 800 MHz, batch 1" in flat
    assert "conv2d 3x3 4->8 6x6, padding 1" in text
    assert "Step 1 is measured. Step 0 was the bootstrap of in-hindsight/static" in flat
    assert "Tensors: synthetic activations (seed 0, drift walk:0.05)." in flat
    assert "KB of 1024 bytes" in text
    assert max(map(len, text.splitlines())) <= 80


def test_compare_as_json_is_the_comparison_that_python_gives(answer, tiny):
    document = answer("compare", tiny, "--json", "--seed", 3, "--steps", 3, "--batch", 2)
    expected = package.compare(package.load_layer(tiny), seed=3, steps=3, batch=2)
    energies = [result.energy().to_dict() for result in expected.results]
    found = json.loads(document)
    assert found.pop("command")[:2] == ["accelsim", "compare"]
    assert found == json.loads(expected.to_json()) | {"energy": energies}
    assert Comparison.from_json(document) == expected


def test_compare_twice_is_the_same_to_the_byte(answer, tiny):
    assert answer("compare", tiny, "--json") == answer("compare", tiny, "--json")


def test_the_first_scheme_is_the_baseline(answer, tiny):
    document = json.loads(
        answer("compare", tiny, "--json", "--scheme", "current", "--scheme", "in-hindsight/spill")
    )
    assert [result["scheme"] for result in document["results"]] == [
        "current/spill",
        "in-hindsight/spill",
    ]
    assert document["ratios"][0]["baseline"] == "current/spill"


def test_simulate_as_json_is_the_result_that_python_gives(answer, tiny):
    document = answer("simulate", tiny, "--scheme", "current", "--drift", "0.2", "--json")
    expected = package.simulate(package.load_layer(tiny), scheme="current", drift=0.2)
    assert Result.from_json(document) == expected


def test_timing_only_gives_the_same_bytes_and_cycles(answer, tiny):
    timed = json.loads(answer("simulate", tiny, "--timing-only", "--json"))
    valued = json.loads(answer("simulate", tiny, "--json"))
    assert timed["numerics"] is None
    assert timed["total_cycles"] == valued["total_cycles"]
    assert timed["traffic"] == valued["traffic"]
    assert "Timing only" in answer("simulate", tiny, "--timing-only")


def test_tensors_come_from_a_file(answer, tiny, tmp_path):
    rng = np.random.default_rng(0)
    steps = tmp_path / "steps.npz"
    np.savez(
        steps, input=rng.normal(size=(2, 3, 4, 6, 6)), weights=rng.normal(size=(2, 8, 4, 3, 3))
    )
    document = json.loads(answer("compare", tiny, "--tensors", steps, "--json"))
    assert [result["batch"] for result in document["results"]] == [3, 3]
    assert document["results"][0]["data"] == "given"
    text = answer("compare", tiny, "--tensors", steps)
    assert f"Tensors:{steps}." in "".join(text.split())


def test_set_takes_several_values_and_may_repeat(answer):
    text = answer(
        "hardware", "edge", "--set", "array.rows=64", "sram.input_kib=256", "--set", "name=mine"
    )
    machine = load_hardware(yaml.safe_load(text))
    assert machine == load_hardware("edge", ["array.rows=64", "sram.input_kib=256", "name=mine"])


@pytest.mark.parametrize(
    ("given", "expanded"),
    [
        ("--set a=1 b=2 --json", "--set a=1 --set b=2 --json"),
        ("--set=a=1 b=2 layer c=3", "--set=a=1 --set b=2 layer c=3"),
        ("--set a=1 -o x=1", "--set a=1 -o x=1"),
        ("--set a=1 -- b=2", "--set a=1 -- b=2"),
        ("x a=1", "x a=1"),
        ("--set a=1 b=2 --set c=3 d=4", "--set a=1 --set b=2 --set c=3 --set d=4"),
    ],
)
def test_what_follows_set_is_set_as_well(given, expanded):
    assert expand_set(given.split()) == expanded.split()


def test_hardware_prints_yaml_that_loads_back(answer, tmp_path):
    path = tmp_path / "mine.yaml"
    assert answer("hardware", "mcu", "-o", path) == ""
    assert load_hardware(path) == load_hardware("mcu")
    document = json.loads(answer("hardware", "mcu", "--json"))
    assert document.pop("schema") == "accelsim.hardware/1"
    assert load_hardware(document) == load_hardware("mcu")


def test_a_machine_from_a_file_is_simulated(answer, tiny, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("base: edge\narray: {rows: 4, columns: 4}\n")
    document = json.loads(answer("simulate", tiny, "--hardware", path, "--json"))
    assert document["hardware"] == "small"
    assert document["roofline"]["peak_macs_per_cycle"] == 16


def test_lists_have_a_line_per_entry(answer):
    lines = answer("hardware").splitlines()[2:]
    names = [line.split()[0] for line in lines if line[:1].strip()]
    assert names[:5] == ["edge", "mcu", "scalesim", "server", "table5"]
    shelf = " ".join(answer("networks").split())
    assert "resnet18 68 21 1,814.1 M 11.7 M conv1" in shelf
    layers = answer("networks", "resnet18")
    assert "layer1.0.conv1 conv2d 3x3 64->64 56x56 115.6 M 428.0 1,996.0" in " ".join(
        layers.split()
    )
    assert max(map(len, layers.splitlines())) <= 80
    assert "momentum=0.9 (0 to 1)" in answer("schemes")


def test_lists_as_json(answer):
    machines = json.loads(answer("hardware", "--json"))["hardware"]
    assert [machine["name"] for machine in machines] == [
        "edge",
        "mcu",
        "scalesim",
        "server",
        "table5",
    ]
    shelf = json.loads(answer("networks", "--json"))
    resnet18 = {
        "name": "resnet18", "node_count": 68, "layer_count": 21, "macs": 1814073344,
        "parameters": 11689512,
    }  # fmt: skip
    assert resnet18 in shelf["networks"]
    network = json.loads(answer("networks", "resnet18", "--json"))
    assert resnet18.items() <= network.items()
    assert network["nodes"][1] == {
        "name": "bn1", "kind": "batch_norm", "inputs": ["conv1"], "output_shape": [64, 112, 112],
    }  # fmt: skip
    layers = network["layers"]
    assert layers[1]["closed_form_static_bytes"] == 428 * 1024
    assert layers[1]["closed_form_spill_bytes"] == 1996 * 1024
    estimators = json.loads(answer("schemes", "--json"))["estimators"]
    found = {estimator["name"]: estimator["realisations"] for estimator in estimators}
    assert found["current"] == list(REALISATIONS[1:])
    assert found["in-hindsight"] == list(REALISATIONS)


def test_table5_shows_the_published_figures_and_the_faults(answer):
    text = answer("table5")
    flat = " ".join(text.split())
    assert "428.0 =" in text and "1996.0 =" in text and "+366 %" in text
    assert "882 !" in text and "4410 !" in text and "2352.8" in text
    assert "The printed equation for the dynamic cost loads the accumulators at ba" in flat
    assert "144 channels at 56x56" in flat
    assert max(map(len, text.splitlines())) <= 80


def test_table5_as_json_on_the_machines_that_were_named(answer):
    table = Table5.from_json(answer("table5", "--hardware", "table5", "--json"))
    assert len(table.rows) == 5
    for row in table.rows:
        closed, simulated = row.movements
        assert (closed.static_bytes, closed.dynamic_bytes) == (
            simulated.static_bytes,
            simulated.dynamic_bytes,
        )


@pytest.mark.parametrize(
    "command",
    [["compare"], ["simulate"], ["hardware", "edge"], ["networks"], ["schemes"]],
    ids=lambda command: command[0],
)
def test_output_goes_to_the_file_as_it_would_to_a_pipe(answer, tiny, tmp_path, command):
    command = [*command, tiny] if command[0] in ("compare", "simulate") else command
    for form in ([], ["--json"]):
        path = tmp_path / "answer"
        assert answer(*command, *form, "-o", path) == ""
        assert path.read_text() == answer(*command, *form)
        assert "\x1b" not in path.read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["answer", "tiny.yaml"]


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_folder_of_plots_has_all_that_there_is_data_for(answer, tiny, tmp_path, suffix, magic):
    def drawn(name, *options):
        answer("compare", tiny, *options, "--plot", tmp_path / name, "--plot-format", suffix)
        files = list((tmp_path / name).iterdir())
        assert all(file.read_bytes().startswith(magic) for file in files)
        return sorted(file.name.removesuffix(f".{suffix}") for file in files)

    timed = ["bandwidth", "overview", "timeline"]
    assert drawn("timed", "--timing-only") == timed
    assert drawn("valued", "--steps", 4) == sorted([*timed, "ranges", "values"])


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_plot_makes_a_picture_beside_the_tables(answer, tiny, tmp_path, suffix, magic):
    path = tmp_path / f"picture.{suffix}"
    assert "DRAM traffic" in answer("compare", tiny, "--plot", path)
    assert path.read_bytes().startswith(magic)


def test_help_and_version(answer):
    assert answer("--version") == f"accelsim {package.__version__}\n"
    assert "Cycle-level simulator" in answer("--help")
    assert answer() == answer("--help")
    for command in ("compare", "simulate", "table5", "hardware", "dram", "networks", "schemes"):
        assert command in answer("--help")
        text = answer(command, "--help")
        assert "--json" in text and "--output" in text


def test_all_schemes_stand_in_one_table_with_the_front_marked(answer, tiny):
    text = answer("compare", tiny, "--scheme", "all")
    assert max(map(len, text.splitlines())) <= 80
    document = json.loads(answer("compare", tiny, "--scheme", "all", "--json"))
    overview = Overview.from_dict(document["overview"])
    assert len(overview.candidates) == len(document["results"]) > 30
    assert Comparison.from_dict(document).results[0].scheme == "in-hindsight/static"
    lines = [line for line in text.splitlines() if line.startswith("*  ") and "/" in line]
    assert len(lines) >= len(overview.front) > 0
    assert "least energy, highest SQNR" in " ".join(text.split())
    timed = answer("compare", tiny, "--scheme", "all", "--timing-only")
    assert "SQNR" not in timed and max(map(len, timed.splitlines())) <= 80


def test_all_schemes_of_a_network_stand_in_one_table(answer):
    arguments = "compare", "digits-cnn", "--scheme", "all"
    text = answer(*arguments, "--batch", 2)
    assert max(map(len, text.splitlines())) <= 80
    assert "per-sample/resident" in text and "KB next" not in text and "cosine" in text
    assert "Left out: per-tile/static: must not be used for a network with values" in " ".join(
        text.split()
    )
    document = json.loads(answer(*arguments, "--timing-only", "--json"))
    overview = Overview.from_dict(document["overview"])
    assert len(overview.candidates) == len(document["results"]) > 35
    assert NetworkComparison.from_dict(document).results[0].scheme == "in-hindsight/static"


def test_a_scheme_may_be_named_for_each_kind_of_tensor(answer, tiny):
    both = "activations=in-hindsight,gradients=dsgc:period=2"
    for kind, label in (("activation", "in-hindsight/static"), ("gradient", "dsgc:period=2/spill")):
        document = json.loads(
            answer("compare", tiny, "--json", "--scheme", both, "--kind", kind, "--seed", 2)
        )
        assert [(r["scheme"], r["kind"]) for r in document["results"]] == [(label, kind)]


def test_drifts_combine_and_recovery_is_told(answer, tiny):
    drift = ("--drift", "0.01", "--drift", "spike:at=8,factor=20", "--steps", 60, "--batch", 16)
    text = answer("compare", tiny, *drift)
    assert "After a disturbance" in text and "All 60 steps" in text
    assert "drift walk:0.01 spike:at=8,factor=20" in " ".join(text.split())
    document = json.loads(answer("compare", tiny, *drift, "--json"))
    static, dynamic = (Result.from_dict(result) for result in document["results"])
    assert static.trace.recoveries()[0].recovery_steps > 3
    assert dynamic.trace.recoveries()[0].recovery_steps == 0


def test_a_run_goes_on_from_its_document(answer, tiny, tmp_path):
    drift = ("--drift", "0.3", "--calibrate", 2)
    whole = json.loads(answer("compare", tiny, "--steps", 5, *drift, "--json"))
    for command in ("compare", "simulate"):
        path = tmp_path / f"{command}.json"
        assert answer(command, tiny, "--steps", 3, *drift, "--json", "-o", path) == ""
        rest = json.loads(answer(command, tiny, "--steps", 2, *drift, "--json", "--resume", path))
        results = rest["results"] if command == "compare" else [rest]
        for one, other in zip(results, whole["results"], strict=False):
            assert one["trace"]["steps"] == other["trace"]["steps"][3:]


def test_safetensors_and_npz_of_the_same_tensors_give_the_same(answer, tiny, tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    rng = np.random.default_rng(0)
    arrays = {
        "input": rng.normal(size=(3, 1, 4, 6, 6)),
        "weights": rng.normal(size=(3, 8, 4, 3, 3)),
    }
    np.savez(tmp_path / "steps.npz", **arrays)
    save_file(arrays, tmp_path / "steps.safetensors")
    documents = [
        json.loads(answer("compare", tiny, "--tensors", tmp_path / f"steps.{kind}", "--json"))
        for kind in ("npz", "safetensors")
    ]
    assert documents[0]["results"] == documents[1]["results"]


def test_the_width_of_a_weight_gradient_is_said(answer):
    shown = answer("compare", "digits-cnn.conv2", "--operation", "grad-weight", "--timing-only")
    said = " ".join(shown.split())
    assert (
        "The weight gradient leaves in 8 bits here; a training step of a network keeps it" in said
    )
    assert "gradient leaves" not in answer("compare", "digits-cnn.conv2", "--timing-only")


def test_a_topology_shows_the_cycles_of_the_array_layer_by_layer(answer, tmp_path):
    topology = tmp_path / "net.csv"
    topology.write_text(
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
        "Num Filter, Strides,\nConv1, 32, 32, 3, 3, 16, 32, 1,\nFC, 1, 1, 1, 1, 512, 100, 1,\n"
    )
    shown = answer("simulate", str(topology), "--hardware", "scalesim", "--timing-only")
    lines = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert lines["Conv1"][-2] == "4,970"  # 5 * 1 * (900 + 2 * 32 + 32 - 2)
    assert lines["FC"][-2] == "6,080"  # 16 * 4 * (1 + 2 * 32 + 32 - 2)


@pytest.mark.parametrize("work", ["digits-cnn", "digits-cnn.conv1"])
def test_several_schemes_are_for_compare(answer, refusal, work):
    assert "must be one scheme" in refusal("simulate", work, "--scheme", "current/all")
    shown = answer("compare", work, "--timing-only", "--scheme", "fixed", "--scheme", "current/all")
    assert all(f"current/{name}" in shown for name in ("spill", "spill16", "lazy", "resident"))


def test_what_is_left_out_of_all_is_said_of_a_layer(answer):
    schemes = [
        "--scheme",
        "current",
        "--scheme",
        "sigma-ema/all",
        "--set",
        "stat_unit.squares=false",
    ]
    shown = answer("compare", "digits-cnn.conv1", "--timing-only", *schemes)
    assert "Left out: sigma-ema/static: needs" in " ".join(shown.split())
