"""A search finds what no design beats, keeps what it tried, and goes on as if never stopped."""

import itertools

import pytest

from accelsim import load_hardware, simulate
from accelsim.errors import AccelsimError
from accelsim.network.graph_file import parse_network
from accelsim.study import Serial, Store, Study, explore, table_of
from accelsim.study import sweep as run_sweep

AXES = {
    "array.rows": [4, 8, 16],
    "array.columns": [4, 8, 16],
    "scheme": ["in-hindsight", "current"],
}
LAYER = {"kind": "linear", "in_features": 48, "out_features": 32, "rows": 8}


def study(**changes):
    return Study.from_mapping({"name": "s", "layer": LAYER, "axes": AXES} | changes)


WIDE = AXES | {
    "sram.input_kib": [1, 2, 4, 8],
    "stat_unit.lanes": [1, 2, 4],
    "dram.bandwidth_gb_per_s": [1, 2, 4, 8],
}


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "s.db") as opened:
        yield opened


def test_a_small_space_is_tried_whole_and_its_front_is_that_of_a_sweep(store):
    found = explore(study(), store, Serial(), objectives=["latency", "area"], trials=100)
    assert len(found.trials) == found.designs == 18
    run_sweep(study(), store, Serial())
    rows = table_of(store, "s")
    costs = [(row["latency_us"], row["known_area_um2.accelergy-45nm"]) for row in rows]
    beaten = [any(a != b and a[0] <= b[0] and a[1] <= b[1] for a in costs) for b in costs]
    expected = {cost for cost, out in zip(costs, beaten, strict=True) if not out}
    front = [(t.objectives["latency_us"], t.objectives["known_area_um2"]) for t in found.front]
    assert set(front) == expected and len(front) == len(expected) > 1
    assert front == sorted(front)
    assert store.front("s") == sorted(trial.number for trial in found.front)


def test_objectives_are_summed_over_the_layers_of_a_network(store):
    axes = {"workload": ["resnet18.layer1", "resnet18.layer4"], "array.rows": [16, 32]}
    two = Study.from_mapping({"name": "two", "axes": axes})
    found = explore(two, store, Serial(), objectives=["latency", "traffic", "energy"], trials=9)
    run_sweep(two, store, Serial())
    rows = table_of(store, "two")
    for trial in found.trials:
        mine = [row for row in rows if row["array.rows"] == trial.coordinates["array.rows"]]
        assert len(mine) == 2
        for name, column in (("latency_us", "latency_us"), ("traffic_bytes", "total_bytes")):
            assert trial.objectives[name] == pytest.approx(sum(row[column] for row in mine))
        energy = sum(row["energy_pj.accelergy-45nm"] for row in mine) / 1e6
        assert trial.objectives["energy_uj"] == pytest.approx(energy)


def test_a_search_goes_on_as_if_it_had_never_stopped(store, tmp_path):
    pytest.importorskip("optuna")
    # A small unit: where all designs are about as large, the best are soon proposed again.
    small = dict.fromkeys(("counts", "sum", "squares", "products", "per_sample"), False)
    wide = study(axes=WIDE, set={"stat_unit": small})
    limits = {"objectives": ["latency", "area"], "constraints": ["bandwidth_gb_per_s <= 4"]}
    with Store(tmp_path / "other.db") as other:
        whole = explore(wide, other, Serial(), trials=64, **limits)
    explore(wide, store, Serial(), trials=32, **limits)
    went_on = explore(wide, store, Serial(), trials=64, **limits)
    assert went_on.trials == whole.trials
    assert len({tuple(t.coordinates.items()) for t in whole.trials}) == 64
    assert explore(wide, store, Serial(), trials=64, **limits).computed == 0


def test_a_seed_gives_the_same_search_and_another_one_another(store, tmp_path):
    pytest.importorskip("optuna")
    wide = study(axes=WIDE)
    with Store(tmp_path / "a.db") as a, Store(tmp_path / "b.db") as b:
        one, two, three = (
            explore(wide, where, Serial(), trials=16, seed=seed).trials
            for where, seed in ((store, 1), (a, 1), (b, 2))
        )
    assert one == two != three


def test_a_constraint_keeps_designs_off_the_front_and_says_so(store):
    limit = "known_area_um2 <= 700e3"
    found = explore(
        study(), store, Serial(), objectives=["latency"], constraints=[limit], trials=99
    )
    assert all(trial.objectives["known_area_um2"] <= 700_000 for trial in found.front)
    broken = [trial for trial in found.trials if trial.reason]
    assert broken and all(trial.reason == f"breaks {limit}" for trial in broken)
    assert all(trial.objectives["known_area_um2"] > 700_000 for trial in broken)
    turned = explore(
        study(), store, Serial(), objectives=["latency"], trials=99,
        constraints=["700e3 >= known_area_um2", "array.rows < 16"],
    )  # fmt: skip
    assert {t.coordinates["array.rows"] for t in turned.front} <= {4, 8}


def test_designs_that_cannot_run_or_are_left_out_have_a_reason(store):
    axes = {"sram.weight_kib": [0.001, 16], "array.rows": [4, 8]}
    found = explore(study(axes=axes, where="array.rows < 8"), store, Serial(), trials=9)
    reasons = [trial.reason.partition(":")[0] for trial in found.trials]
    left_out = "left out by a condition of the study"
    assert sorted(reasons) == ["", left_out, left_out, "sram.weight_kib=0.001"]
    assert len(found.front) == 1


def test_another_energy_table_looks_at_the_same_simulations(store):
    first = explore(study(), store, Serial(), objectives=["energy"], trials=99)
    other = explore(
        study(), store, Serial(), objectives=["energy"], trials=99, energy="horowitz-45nm"
    )
    assert (first.computed, other.computed) == (18, 0)
    assert first.trials[0].objectives != other.trials[0].objectives


def test_an_interrupted_search_keeps_its_rounds(store):
    def interrupt(done, total):
        raise KeyboardInterrupt

    found = explore(study(), store, Serial(), trials=99, progress=interrupt)
    assert found.interrupted and len(found.trials) == 16
    assert store.front("s") == [trial.number for trial in found.trials if trial.front] != []
    assert len(explore(study(), store, Serial(), trials=99).trials) == 18


def test_a_sampler_is_told_that_more_accuracy_is_better(store):
    pytest.importorskip("optuna")
    axes = {"accumulator.bits": {"from": 12, "to": 32, "step": 1}, "array.rows": [4, 8, 16, 32]}
    valued = study(axes=axes, values=True, layer=LAYER | {"in_features": 2000})
    found = explore(valued, store, Serial(), objectives=["accuracy"], trials=48)
    later = [trial.objectives["sqnr_db"] for trial in found.trials[32:]]
    first = [trial.objectives["sqnr_db"] for trial in found.trials[:32]]
    assert sum(later) / len(later) > sum(first) / len(first)
    assert found.front[0].objectives["sqnr_db"] == max(first + later)


def test_a_changed_study_keeps_the_trials_that_it_has_a_place_for(store):
    explore(study(), store, Serial(), objectives=["area"], trials=99)
    other = study(axes=AXES | {"array.rows": [8, 16, 32]})
    found = explore(other, store, Serial(), objectives=["area"], trials=99)
    assert len(found.trials) == 18 and found.computed == 6
    kept = [t.coordinates["array.rows"] for t in found.trials[:12]]
    assert set(kept) == {8, 16}
    assert store.trials("s") == [trial.coordinates for trial in found.trials]
    set_otherwise = study(set={"dma.in_flight_bursts": 4})
    again = explore(set_otherwise, store, Serial(), objectives=["area"], trials=99)
    assert again.computed == 18
    assert {
        row.coordinates["dma.in_flight_bursts"] for _, rows in store.trial_rows("s") for row in rows
    } == {4}


def test_a_design_runs_every_layer_operation_and_batch(store):
    axes = {
        "operation": ["forward", "grad-input"],
        "batch": [1, 2],
        "layer.rows": [4, 12],
        "array.rows": [8, 16],
    }
    found = explore(study(axes=axes), store, Serial(), objectives=["traffic"], trials=9)
    assert [trial.coordinates for trial in found.trials] == [{"array.rows": 8}, {"array.rows": 16}]
    assert found.computed == 16


def test_a_search_counts_update_steps_and_the_reader_of_the_output(store):
    conv = {"kind": "conv2d", "in_channels": 8, "out_channels": 8, "kernel": 3, "height": 20,
            "width": 20}  # fmt: skip
    schemes = ["in-hindsight", "dsgc:period=10", "current/lazy"]
    machine = {"sram.accumulator_kib": 1, "sram.input_kib": 2}
    named = study(layer=conv, set=machine, axes={"scheme": schemes})
    found = explore(named, store, Serial(), trials=9)
    of_layer = parse_network({"name": "n", "layers": [{"name": "layer", **conv}]}, "layer")
    for trial in found.trials:
        result = simulate(
            next(iter(of_layer)), load_hardware("edge", machine), trial.coordinates["scheme"], None
        )
        more, figures = result.consumer_price_per_step(), trial.objectives
        assert figures["traffic_bytes"] == result.bytes_per_step + more.bytes
        assert figures["latency_us"] == pytest.approx((result.cycles_per_step + more.cycles) / 800)
        energy_pj = result.energy_pj_per_step() + more.energy_pj
        assert figures["energy_uj"] == pytest.approx(energy_pj / 1e6)
    static, searched, lazy = (trial.objectives["traffic_bytes"] for trial in found.trials)
    assert static < searched and static < lazy
    assert [trial.front for trial in found.trials] == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": ["speed"]}, "objectives: 'speed' must be one of latency, energy, traffic"),
        ({"objectives": []}, "objectives: must be one or several different ones"),
        ({"constraints": ["area"]}, "constraint='area': must be a comparison such as"),
        ({"constraints": ["area_mm2 <= 2"]}, "constraint='area_mm2 <= 2': no figure area_mm2; th"),
        ({"trials": 0}, "trials = 0: must be a whole number from 1"),
    ],
)
def test_a_goal_that_makes_no_sense_is_one_line(store, arguments, message):
    with pytest.raises(AccelsimError, match=message):
        explore(study(), store, Serial(), **({"trials": 2} | arguments))


def test_a_study_without_an_axis_to_search_is_refused(store):
    one = Study.from_mapping({"name": "n", "axes": {"workload": ["resnet18.layer1"]}})
    with pytest.raises(AccelsimError, match="no axis to search beside workload"):
        explore(one, store, Serial())


def test_every_pair_on_a_front_trades_one_thing_for_another(store):
    found = explore(study(), store, Serial(), objectives=["latency", "energy", "area"], trials=99)
    for a, b in itertools.permutations(found.front, 2):
        assert any(a.objectives[name] < b.objectives[name] for name in found.objectives)
